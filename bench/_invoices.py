"""Issued invoices by SQL, as many as lists shall be measured with, and lines of one, as many as its page shall have.

Every one has a contract's month of its own, a line, and a payment where it is paid, so that no key or exclusion of the
tables has to be put aside: contracts are copied, each with ten years of months before its original's first.
"""

from typing import Final
from uuid import UUID

import psycopg
from psycopg import sql

MONTHS: Final = 120
UNPAID_EVERY: Final = 50
"""One of so many invoices is open."""
SOURCES = """
    CREATE TEMPORARY TABLE source AS
    SELECT row_number() OVER (ORDER BY contract_id) - 1 AS place, contract_id, period_id, invoice_id, line_id, first_at
    FROM (
        SELECT DISTINCT ON (invoice.contract_id) invoice.contract_id, invoice.period_id, invoice.id AS invoice_id,
            line.id AS line_id,
            (SELECT min(from_at) FROM billing_billingperiod WHERE contract_id = invoice.contract_id) AS first_at
        FROM billing_invoice invoice JOIN billing_invoiceline line ON line.invoice_id = invoice.id AND line.position = 1
        WHERE invoice.state IN ('issued', 'paid') AND invoice.total > 0
        ORDER BY invoice.contract_id, invoice.issued_at
    ) AS found
"""
COPIES = """
    CREATE TEMPORARY TABLE copy AS
    SELECT made.*, row_number() OVER () AS n, to_at + ((made.row %% 2880) * interval '1 minute') AS issued_at,
        made.row %% %(unpaid)s = 0 AS is_open,
        ({id})::uuid AS period_new, ({id})::uuid AS invoice_new, ({id})::uuid AS line_new, ({id})::uuid AS payment_new
    FROM (
        SELECT source.*, contract, contract * %(months)s + month AS row, contract_new,
            first_at - (month + 1) * interval '1 month' AS from_at, first_at - month * interval '1 month' AS to_at
        FROM (SELECT contract, gen_random_uuid() AS contract_new FROM generate_series(0, %(contracts)s - 1) AS contract)
            AS contracts
        JOIN source ON source.place = contract %% (SELECT count(*) FROM source),
        generate_series(0, %(months)s - 1) AS month
        ORDER BY to_at, contract
    ) AS made
""".replace(
    # As keys of rows are made: their beginning is their time.
    "{id}",
    "lpad(to_hex((extract(epoch FROM to_at) * 1000)::bigint), 12, '0') || right(gen_random_uuid()::text, 23)",
)
COLUMNS = """
    SELECT column_name FROM information_schema.columns
    WHERE table_schema = 'public' AND table_name = %s AND is_generated = 'NEVER' ORDER BY ordinal_position
"""
CHANGED: Final[tuple[tuple[str, str, str, dict[str, str]], ...]] = (
    (
        "billing_contract",
        "(SELECT DISTINCT contract, contract_new, contract_id, first_at FROM copy) AS copy",
        "contract_id",
        {
            "id": "contract_new",
            "number": "'L-' || contract",
            "from_at": f"first_at - {MONTHS} * interval '1 month'",
            "to_at": "first_at",
            "state": "'ended'",
        },
    ),
    (
        "billing_billingperiod",
        "copy",
        "period_id",
        {
            "id": "period_new",
            "contract_id": "contract_new",
            "from_at": "copy.from_at",
            "to_at": "copy.to_at",
            "closed_at": "issued_at",
        },
    ),
    (
        "billing_invoice",
        "copy",
        "invoice_id",
        {
            "id": "invoice_new",
            "number": "'LIST-' || n",
            "contract_id": "contract_new",
            "period_id": "period_new",
            "state": "CASE WHEN is_open THEN 'issued' ELSE 'paid' END",
            "issued_at": "copy.issued_at",
            "due_at": "copy.issued_at + interval '14 days'",
            "paid_at": "CASE WHEN NOT is_open THEN copy.issued_at + interval '10 days' END",
            "updated_at": "copy.issued_at + CASE WHEN is_open THEN interval '0' ELSE interval '10 days' END",
        },
    ),
    (
        "billing_invoiceline",
        "copy",
        "line_id",
        {"id": "line_new", "invoice_id": "invoice_new", "from_at": "copy.from_at", "to_at": "copy.to_at"},
    ),
)
"""A table, what is gone through with the name of the row that each is a copy of, and the columns that differ."""
PAYMENTS = """
    INSERT INTO billing_payment (id, invoice_id, method, reference, amount, currency, received_at)
    SELECT payment_new, invoice_new, 'bank_transfer', 'list ' || n, invoice.total, invoice.currency,
        copy.issued_at + interval '10 days'
    FROM copy JOIN billing_invoice invoice ON invoice.id = copy.invoice_id WHERE NOT is_open
"""

LINES = """
    CREATE TEMPORARY TABLE copy AS
    WITH part AS (
        SELECT subline.*, row_number() OVER (ORDER BY line.position, subline.position) - 1 AS place,
            count(*) OVER () AS parts, max(line.position) OVER () AS before
        FROM billing_invoicesubline subline JOIN billing_invoiceline line ON line.id = subline.line_id
        WHERE line.invoice_id = %(invoice)s
    )
    SELECT n, before + n AS position, part.id AS part_id, part.line_id, part.quantity, part.base_amount,
        part.exact_amount, round(part.exact_amount, 2) AS amount, gen_random_uuid() AS line_new,
        gen_random_uuid() AS part_new, gen_random_uuid() AS charge_new,
        (SELECT charge.id FROM billing_charge charge JOIN billing_invoice invoice USING (period_id)
         WHERE invoice.id = %(invoice)s AND charge.price_version_id IS NOT NULL LIMIT 1) AS charge_id
    FROM generate_series(1, %(count)s) AS n JOIN part ON part.place = n %% part.parts
"""
OF_PARTS: Final = {name: f"copy.{name}" for name in ("quantity", "base_amount", "exact_amount")}
LINES_CHANGED: Final[tuple[tuple[str, str, dict[str, str]], ...]] = (
    (
        "billing_invoiceline",
        "line_id",
        {"id": "line_new", "position": "copy.position", "amount": "copy.amount", **OF_PARTS},
    ),
    ("billing_invoicesubline", "part_id", {"id": "part_new", "line_id": "line_new", "position": "1"}),
    (
        "billing_charge",
        "charge_id",
        {
            "id": "charge_new",
            "line_key": "'line ' || n",
            "seq": "1",
            "quantity": "copy.quantity",
            "base_amount": "copy.base_amount",
            "amount": "copy.exact_amount",
        },
    ),
)
SUM = """
    UPDATE billing_invoice SET subtotal = lines.sum, total = lines.sum + tax
    FROM (SELECT sum(amount) FROM billing_invoiceline WHERE invoice_id = %(invoice)s) AS lines
    WHERE id = %(invoice)s
"""


def make_invoices(database_url: str, count: int) -> int:
    """Add copies of invoices, at least so many. Returns how many were added; ValueError without any to copy.

    `database_url` is a superuser's: triggers and references are not run, for the copies name one another's rows.
    """
    contracts = -(-count // MONTHS)
    with psycopg.connect(database_url) as connection, connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica; SET maintenance_work_mem = '256MB'")
        cursor.execute(SOURCES)
        if not cursor.rowcount:
            raise ValueError("No invoice is issued that could be copied: there must be a closed month (--months).")
        cursor.execute(COPIES, {"contracts": contracts, "months": MONTHS, "unpaid": UNPAID_EVERY})
        cursor.execute("ANALYZE copy")
        for table, gone_through, original, changed in CHANGED:
            cursor.execute(_insert(cursor, table, gone_through, original, changed))
        cursor.execute(PAYMENTS)
        connection.commit()
        connection.autocommit = True
        for table in (*(each[0] for each in CHANGED), "billing_payment"):
            cursor.execute(sql.SQL("VACUUM ANALYZE {}").format(sql.Identifier(table)))
    return contracts * MONTHS


def make_lines(database_url: str, invoice: UUID, count: int) -> None:
    """Add so many lines of one part each to an invoice. It adds up as before; its evidence lacks them."""
    with psycopg.connect(database_url) as connection, connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute(LINES, {"invoice": invoice, "count": count})
        for table, original, changed in LINES_CHANGED:
            cursor.execute(_insert(cursor, table, "copy", original, changed))
        cursor.execute(SUM, {"invoice": invoice})
        connection.commit()
        connection.autocommit = True
        for table, *_rest in LINES_CHANGED:
            cursor.execute(sql.SQL("VACUUM ANALYZE {}").format(sql.Identifier(table)))


def _insert(
    cursor: psycopg.Cursor, table: str, gone_through: str, original: str, changed: dict[str, str]
) -> sql.Composed:
    columns = [name for (name,) in cursor.execute(COLUMNS, [table]).fetchall()]
    assert set(changed) <= set(columns), table
    return sql.SQL("INSERT INTO {} ({}) SELECT {} FROM {} JOIN {} AS original ON original.id = copy.{}").format(
        sql.Identifier(table),
        sql.SQL(", ").join(map(sql.Identifier, columns)),
        sql.SQL(", ").join(
            sql.SQL(changed[name]) if name in changed else sql.Identifier("original", name) for name in columns
        ),
        sql.SQL(gone_through),
        sql.Identifier(table),
        sql.Identifier(original),
    )

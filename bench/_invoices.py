"""Issued invoices by SQL, as many as lists shall be measured with.

Every one has a contract's month of its own, a line, and a payment where it is paid, so that no key or exclusion of the
tables has to be put aside: contracts are copied, each with ten years of months before its original's first.
"""

from typing import Final

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

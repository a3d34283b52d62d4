"""Issued invoices by SQL, as many as lists shall be measured with."""

import psycopg

# What is copied has a period of its own; its copies share it, which only this key forbids.
ONE_A_PERIOD = "DROP INDEX IF EXISTS invoice_once_per_period"
COPIES = """
    INSERT INTO billing_invoice (id, number, issuer_id, tenant_id, contract_id, period_id, kind, currency, state,
        subtotal, tax, total, issued_at, due_at, paid_at, updated_at, changed_at)
    SELECT (left(id::text, 24) || right(md5('list' || id::text || n), 12))::uuid, number || '-list-' || n, issuer_id,
        tenant_id, contract_id, period_id, kind, currency, CASE n %% 50 WHEN 0 THEN 'issued' ELSE 'paid' END, subtotal,
        tax, total, issued_at - n * interval '1 minute', due_at - n * interval '1 minute',
        CASE n %% 50 WHEN 0 THEN NULL ELSE due_at END, issued_at, issued_at
    FROM (SELECT * FROM billing_invoice WHERE state = 'paid' ORDER BY id LIMIT %(sources)s) AS source,
        generate_series(1, %(copies)s) AS n
"""
SOURCES = 10_000


def make_invoices(database_url: str, count: int) -> int:
    """Add copies of paid invoices until there are about so many; one of fifty is open. Returns how many were added.

    `database_url` is a superuser's: references and guards are not checked.
    """
    with psycopg.connect(database_url, autocommit=True) as connection, connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute(ONE_A_PERIOD)
        row = cursor.execute("SELECT count(*) FROM billing_invoice WHERE state = 'paid'").fetchone()
        assert row is not None
        sources = min(SOURCES, row[0])
        cursor.execute(COPIES, {"sources": sources, "copies": max(1, count // sources)})
        added = cursor.rowcount
        cursor.execute("VACUUM ANALYZE billing_invoice")
        return added

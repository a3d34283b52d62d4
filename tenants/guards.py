"""Migration operations that make the database itself refuse what must never happen.

A guard holds whoever writes: the ORM, psql, a forgotten script. The function behind `append_only` is made by the
first migration of this app, so every app above may use it.
"""

from django.db.migrations.operations import RunSQL

REFUSE_CHANGE = RunSQL(
    """
    CREATE FUNCTION forecourt_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'append-only table %: % refused', TG_TABLE_NAME, TG_OP
            USING ERRCODE = 'restrict_violation';
    END $$
    """,
    "DROP FUNCTION forecourt_refuse_change()",
)


def append_only(table: str) -> RunSQL:
    """Return the operation after which `table` refuses UPDATE, DELETE and TRUNCATE (SQLSTATE 23001)."""
    return RunSQL(
        [
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION forecourt_refuse_change()",
            f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION forecourt_refuse_change()",
        ],
        [
            f"DROP TRIGGER {table}_append_only ON {table}",
            f"DROP TRIGGER {table}_no_truncate ON {table}",
        ],
    )

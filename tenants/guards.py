"""Migration operations that make the database itself refuse what must never happen.

A guard holds whoever writes: the ORM, psql, a forgotten script. The function behind `append_only` is made by the
first migration of this app, so every app above may use it.
"""

from collections.abc import Sequence

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


ANNOUNCED = "forecourt.writes"
"""The setting by which a writer says, for a transaction, that it is the one that may: `SET LOCAL forecourt.writes = …`.

It keeps out what nobody meant (the ORM in a shell, a script, a forgotten save), not an owner of the database.
"""


def grows_only(table: str, key: Sequence[str], *, writer: str = "", forgetter: str = "") -> RunSQL:
    """Return the operation after which rows of `table` only grow (SQLSTATE 23001 for all else).

    TRUNCATE is refused; UPDATE of the `key` columns, and every other one too unless it is announced as `writer` (where
    one is named); DELETE unless it is announced as `forgetter`.
    """
    before, after = (", ".join(f"{row}.{name}" for name in key) for row in ("OLD", "NEW"))
    changed = f"({before}) IS DISTINCT FROM ({after})"
    unannounced = "current_setting('forecourt.writes', true) IS DISTINCT FROM '{}'"
    wrong = " OR ".join([changed, *([unannounced.format(writer)] if writer else [])])
    deleted = f"WHEN ({unannounced.format(forgetter)}) " if forgetter else ""
    refuse = "EXECUTE FUNCTION forecourt_refuse_change()"
    return RunSQL(
        [
            f"CREATE TRIGGER {table}_grows_only BEFORE UPDATE ON {table} FOR EACH ROW WHEN ({wrong}) {refuse}",
            f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} FOR EACH ROW {deleted}{refuse}",
            f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} FOR EACH STATEMENT {refuse}",
        ],
        [f"DROP TRIGGER {table}_{name} ON {table}" for name in ("grows_only", "no_delete", "no_truncate")],
    )

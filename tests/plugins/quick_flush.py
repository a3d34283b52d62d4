"""Empties the database between transactional tests by deleting the few rows there are.

Django truncates every table: each of some hundred files is made anew, a fifth of a second for a test that wrote ten
rows. A table whose file is empty was not written since it was last truncated and is not even opened. Deleting leaves
dead rows behind, so that now and then all is truncated after all.
"""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any, Final

from django.contrib.contenttypes.models import ContentType

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from django.db.backends.base.base import BaseDatabaseWrapper

TRUNCATE_EVERY: Final = 40
WRITTEN: Final = """
    SELECT coalesce(parent.relname, written.relname) AS relname FROM pg_class written
    LEFT JOIN pg_inherits ON inhrelid = written.oid
    LEFT JOIN pg_class parent ON parent.oid = inhparent
    WHERE written.relkind = 'r' AND coalesce(parent.relname, written.relname) = ANY (ARRAY[{tables}])
    AND pg_relation_size(written.oid) > 0
"""
"""The tables whose files hold anything, rows or what is left of them; a part stands for the whole table."""
DELETE: Final = """
    DO $flush$
    DECLARE
        name text;
        filled boolean;
    BEGIN
        -- Neither references nor guards hold a row back here; see `database_process` for who may say so.
        SET LOCAL session_replication_role = replica;
        FOR name IN SELECT DISTINCT found.relname FROM ({written}) found LOOP
            EXECUTE format('SELECT EXISTS (SELECT FROM %I)', name) INTO filled;
            IF filled THEN
                EXECUTE format('DELETE FROM %I', name);
            END IF;
        END LOOP;
    END
    $flush$
"""


def flush_quickly(connection: BaseDatabaseWrapper) -> None:
    """Let `flush` delete instead of truncate where the connection's user may; on every connection of the process.

    Beside a browser's event loop Django gives another than this one.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT has_parameter_privilege('session_replication_role', 'SET')")
        (may_put_guards_aside,) = cursor.fetchone()
    if may_put_guards_aside:
        kind: Any = type(connection.ops)
        kind.sql_flush = staticmethod(deleting(connection.ops.sql_flush))


def deleting(truncating: Callable[..., list[str]]) -> Callable[..., list[str]]:
    """Wrap a backend's `sql_flush`: what deletes, and every so often what truncates."""
    calls = count(1)

    def sql_flush(style: Any, tables: Sequence[str], **options: bool) -> list[str]:
        # Content types go with the rest, and nobody may remember their ids.
        ContentType.objects.clear_cache()
        if not tables or next(calls) % TRUNCATE_EVERY == 0:
            return truncating(style, tables, **options)
        quoted = ", ".join("'" + name.replace("'", "''") + "'" for name in tables)
        return [DELETE.format(written=WRITTEN.format(tables=quoted))]

    return sql_flush

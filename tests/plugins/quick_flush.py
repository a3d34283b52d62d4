"""Empties the database between transactional tests by deleting the few rows there are.

Django truncates every table: each of some hundred files is made anew, a fifth of a second for a test that wrote ten
rows. Deleting leaves dead rows behind, so that now and then all is truncated after all.
"""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any, Final

from django.contrib.contenttypes.models import ContentType

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from django.db.backends.base.base import BaseDatabaseWrapper

TRUNCATE_EVERY: Final = 40
DELETE: Final = """
    DO $flush$
    DECLARE
        name text;
        filled boolean;
    BEGIN
        -- Neither references nor guards hold a row back here; only a superuser may say so.
        SET LOCAL session_replication_role = replica;
        FOREACH name IN ARRAY ARRAY[{tables}] LOOP
            EXECUTE format('SELECT EXISTS (SELECT FROM %I)', name) INTO filled;
            IF filled THEN
                EXECUTE format('DELETE FROM %I', name);
            END IF;
        END LOOP;
    END
    $flush$
"""


def flush_quickly(connection: BaseDatabaseWrapper) -> None:
    """Let `flush` delete instead of truncate on this connection, where its user may."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('is_superuser')")
        (is_superuser,) = cursor.fetchone()
    if is_superuser == "on":
        ops: Any = connection.ops
        ops.sql_flush = deleting(ops.sql_flush)


def deleting(truncating: Callable[..., list[str]]) -> Callable[..., list[str]]:
    """Wrap a backend's `sql_flush`: what deletes, and every so often what truncates."""
    calls = count(1)

    def sql_flush(style: Any, tables: Sequence[str], **options: bool) -> list[str]:
        # Content types go with the rest, and nobody may remember their ids.
        ContentType.objects.clear_cache()
        if not tables or next(calls) % TRUNCATE_EVERY == 0:
            return truncating(style, tables, **options)
        quoted = ", ".join("'" + name.replace("'", "''") + "'" for name in tables)
        return [DELETE.format(tables=quoted)]

    return sql_flush

"""Parts of big tables in the database: listed, made ahead, filled from the rest, and dropped.

Every statement works in PostgreSQL 15 to 18, in one transaction, and leaves no session state behind (PgBouncer). A part
is made as a table of its own and attached, which lets rows be received meanwhile. Where a lock on the whole table
cannot be avoided (rows leave the rest, a part is dropped) it is waited for shortly, and the next sweep tries again.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from django.db import connection

from metering.partitions import Span, partition_name, read_bound, span_of, spans_ahead

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from django.db.backends.base.base import BaseDatabaseWrapper

    from metering.partitions import PartitionPlan

LOCK_TIMEOUT: Final = "2s"
FOR_EVER: Final = datetime.max.replace(tzinfo=UTC)
LISTING: Final = """
    SELECT part.relname, pg_get_expr(part.relpartbound, part.oid), pg_total_relation_size(part.oid)
    FROM pg_inherits JOIN pg_class part ON part.oid = inhrelid
    WHERE inhparent = to_regclass(%s) ORDER BY part.relname
"""


@dataclass(frozen=True, slots=True)
class Part:
    """A part as the catalog knows it; `span` is None for the rest, `bytes` is all of it on disk."""

    name: str
    span: Span | None
    bytes: int


def parts_of(plan: PartitionPlan) -> list[Part]:
    """Return the parts of a table, the rest included, those of earlier times first."""
    rows = _fetch(LISTING, [plan.table])
    parts = [Part(name, read_bound(bound), size) for name, bound, size in rows]
    return sorted(parts, key=_order)


def _order(part: Part) -> datetime:
    return (part.span.to_at if part.span else None) or FOR_EVER


def make_parts(*, plan: PartitionPlan, now: datetime) -> list[str]:
    """Make the parts that are missing for the present and ahead, and for what lies in the rest; return their names.

    Must run in a transaction.
    """
    _exec(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
    if not _fetch("SELECT pg_try_advisory_xact_lock(hashtext(%s))", [f"parts of {plan.table}"])[0][0]:
        return []
    wanted = [span for span in spans_ahead(now, plan.unit, plan.ahead) if not _covered(plan, span)]
    if rest_rows(plan=plan, limit=1):
        return _empty_rest(plan, wanted)
    return [_make_part(plan, span) for span in wanted]


def rest_rows(*, plan: PartitionPlan, limit: int) -> int:
    """Return how many rows lie in the rest, counting to `limit`; more than 0 means that parts were not made in time."""
    outside = _outside(plan.column, [part.span for part in parts_of(plan) if part.span])
    kept = f"SELECT FROM {plan.table} WHERE {outside} LIMIT {limit}"
    return int(_fetch(f"SELECT count(*) FROM ({kept}) AS counted", [])[0][0])  # noqa: S608  the same


def rows_within(plan: PartitionPlan, span: Span) -> str:
    """Return a part's rows as a table of a query that asks the whole: a web process may read no part by its name.

    By the bounds PostgreSQL looks into that part alone.
    """
    return f"(SELECT * FROM {plan.table} WHERE {_between(plan.column, span.from_at, span.to_at)})"  # noqa: S608  the same


def _outside(column: str, spans: Sequence[Span]) -> str:
    """Where no part is, as a condition; `spans` are in order and do not overlap."""
    starts = [None, *(span.to_at for span in spans)]
    ends = [*(span.from_at for span in spans), None]
    gaps = [pair for number, pair in enumerate(zip(starts, ends, strict=True)) if _is_gap(number, pair, len(spans))]
    return " OR ".join(f"({_between(column, *gap)})" for gap in gaps)


def _is_gap(number: int, pair: tuple[datetime | None, datetime | None], last: int) -> bool:
    """Whether there is time between the end of one part and the beginning of the next; after the last there is."""
    return number == last or (pair[1] is not None and pair[0] != pair[1])


def _between(column: str, from_at: datetime | None, to_at: datetime | None) -> str:
    since = f"{column} >= '{from_at.isoformat()}'" if from_at else ""
    until = f"{column} < '{to_at.isoformat()}'" if to_at else ""
    return " AND ".join(filter(None, (since, until))) or "true"


def _covered(plan: PartitionPlan, span: Span) -> bool:
    """Whether the first instant of the span lies in a part that exists."""
    assert span.from_at is not None
    return any(
        part.span is not None
        and (part.span.from_at is None or part.span.from_at <= span.from_at)
        and (part.span.to_at is None or span.from_at < part.span.to_at)
        for part in parts_of(plan)
    )


def _make_part(plan: PartitionPlan, span: Span) -> str:
    name = partition_name(plan, span)
    _make_table(plan, name)
    _attach(plan, name, span)
    return name


def _attach(plan: PartitionPlan, name: str, span: Span) -> None:
    assert span.to_at is not None
    since = f"'{span.from_at.isoformat()}'" if span.from_at else "MINVALUE"
    bound = f"FROM ({since}) TO ('{span.to_at.isoformat()}')"
    _exec(f"ALTER TABLE {plan.table} ATTACH PARTITION {name} FOR VALUES {bound}")


def _make_table(plan: PartitionPlan, name: str) -> None:
    """Make a table that can become a part: the row guards come from the whole when it is attached."""
    _exec(f"CREATE TABLE {name} (LIKE {plan.table} INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE)")
    for columns in plan.unique:
        _exec(f"CREATE UNIQUE INDEX ON {name} ({', '.join(columns)})")
    for columns in plan.indexes:
        _exec(f"CREATE INDEX ON {name} ({', '.join(columns)})")
    _exec(
        f"CREATE TRIGGER {name}_no_truncate BEFORE TRUNCATE ON {name} "
        "FOR EACH STATEMENT EXECUTE FUNCTION forecourt_refuse_change()"
    )


def _empty_rest(plan: PartitionPlan, wanted: Sequence[Span]) -> list[str]:
    """Make parts for the rows of the rest and move these there. Locks the table while rows move."""
    moving = f"{plan.table}_moving"
    _exec(f"ALTER TABLE {plan.table} DETACH PARTITION {plan.rest}")
    _exec(f"ALTER TABLE {plan.rest} RENAME TO {moving}")
    _exec(f"ALTER TRIGGER {plan.rest}_no_truncate ON {moving} RENAME TO {moving}_no_truncate")
    make_rest(plan)
    unit = "month" if plan.unit == "month" else "day"
    found = _fetch(f"SELECT DISTINCT date_trunc('{unit}', {plan.column}, 'UTC') FROM {moving}", [])  # noqa: S608  a plan's names
    spans = {span.from_at: span for span in (*wanted, *(span_of(at, plan.unit) for (at,) in found))}
    made = [_make_part(plan, span) for _, span in sorted(spans.items(), key=str) if not _covered(plan, span)]
    _exec(f"INSERT INTO {plan.table} SELECT * FROM {moving}")  # noqa: S608  a plan's names
    _exec(f"DROP TABLE {moving}")
    return made


def make_rest(plan: PartitionPlan) -> None:
    """Make the part that takes what no other part takes."""
    _make_table(plan, plan.rest)
    _exec(f"ALTER TABLE {plan.table} ATTACH PARTITION {plan.rest} DEFAULT")


def drop_part(*, plan: PartitionPlan, part: Part) -> None:
    """Drop a part with all its rows. Must run in a transaction; the caller has proved that nobody needs them."""
    assert part.span is not None
    _exec(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
    _exec(f"ALTER TABLE {plan.table} DETACH PARTITION {part.name}")
    _exec(f"DROP TABLE {part.name}")


@contextmanager
def part_for_restoring(*, plan: PartitionPlan, name: str, span: Span) -> Iterator[None]:
    """Make a table to be filled, and attach it as a part once it is. Must run in a transaction."""
    _exec(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
    _make_table(plan, name)
    yield
    _attach(plan, name, span)


def cut_table(*, plan: PartitionPlan, database: BaseDatabaseWrapper, now: datetime) -> None:
    """Turn an ordinary table into one that is cut; what is in it becomes its first part. For migrations.

    Foreign keys of the table are dropped: attaching and dropping parts would lock what they point to. Its row guards
    (`tenants.guards.append_only`) go over to the whole. The rows stay where they are and are read once.
    """
    assert database.alias == connection.alias
    before = f"{plan.table}_before"
    _exec(f"ALTER TABLE {plan.table} RENAME TO {before}")
    for (name,) in _fetch(
        "SELECT conname FROM pg_constraint WHERE conrelid = to_regclass(%s) AND contype = 'f'", [before]
    ):
        _exec(f"ALTER TABLE {before} DROP CONSTRAINT {name}")
    _exec(f"DROP TRIGGER {plan.table}_append_only ON {before}")
    _exec(f"ALTER TRIGGER {plan.table}_no_truncate ON {before} RENAME TO {before}_no_truncate")
    _exec(
        f"CREATE TABLE {plan.table} (LIKE {before} INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE) "
        f"PARTITION BY RANGE ({plan.column})"
    )
    _exec(
        f"CREATE TRIGGER {plan.table}_append_only BEFORE UPDATE OR DELETE ON {plan.table} "
        "FOR EACH ROW EXECUTE FUNCTION forecourt_refuse_change()"
    )
    _exec(
        f"CREATE TRIGGER {plan.table}_no_truncate BEFORE TRUNCATE ON {plan.table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION forecourt_refuse_change()"
    )
    ((newest,),) = _fetch(f"SELECT max({plan.column}) FROM {before}", [])  # noqa: S608  a plan's names
    if newest is None:
        _exec(f"DROP TABLE {before}")
    else:
        ends_at = span_of(newest, plan.unit).to_at
        _attach(plan, before, Span(None, ends_at))
    make_rest(plan)
    make_parts(plan=plan, now=now)


def _exec(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def _fetch(query: str, parameters: Sequence[str]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query, parameters or None)
        return list(cursor.fetchall())

"""Tables that grow for ever, cut by the time of receipt: which parts there are, what they are called. Pure.

A part holds the rows received in one UTC month or day. Its name ends in that span, so that a person reads it; what
binds is the bound that PostgreSQL keeps. Rows of a time for which no part was made lie in the `rest` part, from where
they are moved: receiving never waits for a part to be made.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

Unit = Literal["month", "day"]
NAME_CHARS_MAX: Final = 63
"""PostgreSQL cuts longer names off."""
SEALED_AFTER: Final = timedelta(days=2)
"""No row is received into a part this long after its end, whatever the clocks of web servers are off by."""
_NAME: Final = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Span:
    """Half-open instants of one part; None on either side: everything before or after."""

    from_at: datetime | None
    to_at: datetime | None

    def sealed(self, now: datetime) -> bool:
        """Whether nothing can come into it any more."""
        return self.to_at is not None and self.to_at + SEALED_AFTER <= now


@dataclass(frozen=True, slots=True)
class PartitionPlan:
    """How one table is cut and how long its parts stay in the database.

    `unique` are the keys of each part, one index each: PostgreSQL can hold them within a part alone, so what makes them
    unique across parts must be said where the plan is. `order_by` is the order of rows in an archive, made of columns
    that an index of each part covers. `still_needed` is a query that says, with the part's rows in place of `{part}`,
    whether a row of it is still to be worked on. `keys` is a query of (name, text) that archives carry beside the rows
    because these cannot be checked without them.
    """

    table: str
    column: str
    unit: Unit
    ahead: int
    """How many parts after the present one are made."""
    keep_months: int
    """Whole months that a part stays after its end."""
    unique: tuple[tuple[str, ...], ...]
    order_by: tuple[str, ...]
    indexes: tuple[tuple[str, ...], ...] = ()
    still_needed: str = ""
    keys: str = ""
    holders: tuple[str, ...] = ("billing",)
    """Who must have said lately what it still needs, before anything is dropped."""

    def __post_init__(self) -> None:
        """Refuse what would not be safe inside SQL text."""
        names = (self.table, self.column, *self.order_by, *sum((*self.unique, *self.indexes), ()))
        assert all(_NAME.fullmatch(name) for name in names), names
        assert len(self.table) + len("_2026_03_01_no_truncate") <= NAME_CHARS_MAX
        assert self.ahead >= 1
        assert self.keep_months >= 1

    @property
    def rest(self) -> str:
        """Name of the part that takes what no other part takes."""
        return f"{self.table}_rest"

    def keeps_until(self, span: Span) -> datetime:
        """Return the instant from which the part may leave the database."""
        assert span.to_at is not None
        return months_after(span.to_at, self.keep_months)

    def archives_from(self, span: Span) -> datetime:
        """Return the instant from which the part is written to the archive: a month before it may go, so that there is
        time to mend a folder that cannot be written."""
        assert span.to_at is not None
        return months_after(span.to_at, self.keep_months - 1)


def span_of(at: datetime, unit: Unit) -> Span:
    """Return the UTC month or day that contains an instant."""
    start = at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if unit == "day":
        return Span(start, start + timedelta(days=1))
    start = start.replace(day=1)
    return Span(start, months_after(start, 1))


def spans_ahead(now: datetime, unit: Unit, ahead: int) -> tuple[Span, ...]:
    """Return the present span and the `ahead` that follow it."""
    spans = [span_of(now, unit)]
    for _ in range(ahead):
        following = spans[-1].to_at
        assert following is not None
        spans.append(span_of(following, unit))
    return tuple(spans)


def partition_name(plan: PartitionPlan, span: Span) -> str:
    """Return the name of a part: `metering_batch_2026_03`, or `…_2026_03_01` for a day."""
    assert span.from_at is not None
    shape = "%Y_%m" if plan.unit == "month" else "%Y_%m_%d"
    return f"{plan.table}_{span.from_at.astimezone(UTC).strftime(shape)}"


def months_after(at: datetime, months: int) -> datetime:
    """Return the same moment of a later (or earlier) month; a day that it lacks becomes its last one."""
    number = at.year * 12 + at.month - 1 + months
    first = at.replace(year=number // 12, month=number % 12 + 1, day=1)
    following = (first + timedelta(days=31)).replace(day=1)
    return first + timedelta(days=min(at.day, (following - first).days) - 1)


BOUND: Final = re.compile(r"FOR VALUES FROM \((?P<from>[^)]*)\) TO \((?P<to>[^)]*)\)")


def read_bound(text: str) -> Span | None:
    """Return the span of a part as PostgreSQL writes its bound (in a session whose time zone is UTC); None for the
    part of the rest.
    """
    if text == "DEFAULT":
        return None
    found = BOUND.fullmatch(text)
    assert found is not None, text
    return Span(_instant(found["from"]), _instant(found["to"]))


def _instant(text: str) -> datetime | None:
    return None if text in ("MINVALUE", "MAXVALUE") else datetime.fromisoformat(text.strip("'")).astimezone(UTC)

"""When the cards of a lease were out: by the meter's record, and by its provider's word."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from billing.lease_measured import outages_of
from billing.models import TermFact
from billing.queries.availability import holds_of, ladders_of
from billing.rating.held_time import Outage
from billing.rating.kinds import read_fact
from tenants.limits.reader import whole

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from billing.models import Term


@dataclass(frozen=True, slots=True)
class OutageRow:
    """Cards of a lease that were out over `[from_at, to_at)`; by nobody and never stated where the meter says so."""

    cause: str
    from_at: datetime
    to_at: datetime
    accelerators: tuple[str, ...]
    stated_by: str = ""
    stated_at: datetime | None = None

    @property
    def place(self) -> tuple[object, ...]:
        """What tells it from every other, and orders them."""
        said = self.stated_at.isoformat() if self.stated_at else ""
        return (self.from_at, self.to_at, self.cause, said, self.stated_by, self.accelerators[0])


Said = tuple[str, "datetime | None"]
"""By whom an outage was stated, and when."""


@whole("when the cards of a lease were out is for both of its parties; whose the node is, is not told")
def outages_of_lease(lease: Term, now: datetime) -> list[OutageRow]:
    """Return every outage of a lease by now, the latest first; five queries."""
    end = min(now, lease.to_at or now).replace(microsecond=0)
    told: dict[Said, list[Outage]] = defaultdict(list)
    if lease.from_at < end:
        told["", None] = outages_of(holds_of(lease), lease.from_at, end)
    stated = TermFact.objects.filter(term=lease, document__fact__in=("outage", "stated_outage"))
    for each in stated.order_by("recorded_at", "pk"):
        fact = read_fact(each.document)
        assert isinstance(fact, Outage)
        told[each.recorded_by, each.recorded_at].append(fact)
    rows = [row for said, outages in told.items() for row in _rows(said, outages)]
    return sorted(rows, key=lambda row: row.place, reverse=True)


def _rows(said: Said, outages: Iterable[Outage]) -> list[OutageRow]:
    """Put together what is one outage: over the ends of billing periods, and of all cards that were out alike."""
    spans: dict[tuple[str, str], list[tuple[datetime, datetime]]] = defaultdict(list)
    for each in sorted(outages, key=lambda one: (one.from_at, one.to_at)):
        before = spans[each.subject, each.cause]
        if before and each.from_at <= before[-1][1]:
            before[-1] = (before[-1][0], max(before[-1][1], each.to_at))
        else:
            before.append((each.from_at, each.to_at))
    cards: dict[tuple[str, datetime, datetime], list[str]] = defaultdict(list)
    for (subject, cause), found in spans.items():
        for start, end in found:
            cards[cause, start, end].append(subject)
    return [OutageRow(cause, start, end, tuple(sorted(which)), *said) for (cause, start, end), which in cards.items()]


def counted_causes(lease: Term, now: datetime) -> set[str]:
    """Return the causes whose outages change what a lease costs, by its own wording and its contract's ladders."""
    own = {cause for stretch in lease.stretches() for cause in getattr(stretch.wording, "provider_fault", ())}
    return own | {cause for _term, wording in ladders_of(lease, now) for cause in wording.causes}

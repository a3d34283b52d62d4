"""What terms that bill time are rated from beside their own holds: outages by the meter's record, and the next period.

Outages are read only where a wording asks for them, from what the nodes' agents reported: a node that did not look
(`node_silent`, unless its spool was replayed afterwards), and a card that the driver lost (`card_lost`). What a
provider knows beside, such as maintenance it had announced, is stated as a fact of the lease
(`billing.outage_stating`). The number of queries grows with nothing.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Q

from billing.models import Term, TermAllocation
from billing.periods import OutsideContract, Period, PeriodKind, PeriodSpec, period_containing
from billing.rating.availability import TIME_KINDS, AvailabilityWording
from billing.rating.held_time import Outage, StatedOutage
from billing.rating.inputs import Fact, facts_of
from billing.rating.lease_wording import Billed, LeaseWording, NextPeriod
from billing.rating.rated import TermKind
from billing.rating.wording import Stretch, Wording
from billing.usage_spans import Window
from clusters.models import Accelerator
from clusters.occupancy import Hold
from metering.control_models import Silence, SilenceEnd
from metering.models import UsageGap

NODE_SILENT = "node_silent"
CARD_LOST = "card_lost"
GAP_OF_A_LOST_CARD = "gpu_lost"
"""The reason under which an agent reports a card that the driver lost."""

Key = tuple[int, UUID]
"""A window's number and a term's id."""


_CONCERNED = frozenset({*TIME_KINDS, TermKind.AVAILABILITY})


@dataclass(slots=True)
class Measured:
    """Facts of terms, and holds that they are rated from beside their own."""

    facts: dict[Key, list[Fact]] = field(default_factory=lambda: defaultdict(list))
    holds: dict[Key, list[Hold]] = field(default_factory=lambda: defaultdict(list))


def measure_leases(
    windows: Sequence[Window],
    terms: Sequence[Term],
    holds: Mapping[Key, Sequence[Hold]],
    stated: Mapping[Key, Sequence[Fact]],
) -> Measured:
    """Return what the terms of windows that bill time go by beside what they hold.

    Outages that were `stated` of a term are also those of the ladders that are for it.
    """
    found = Measured()
    wanted: dict[Key, list[Hold]] = {}
    ahead: dict[UUID, list[tuple[int, Period]]] = defaultdict(list)
    by_contract: dict[UUID, list[Term]] = defaultdict(list)
    for term in terms:
        if term.kind in _CONCERNED:
            by_contract[term.contract_id].append(term)
    for index, window in enumerate(windows):
        own = by_contract.get(window.contract.id, ())
        for term in own:
            wordings = [stretch.wording for stretch in _stretches(term, window)]
            key = (index, term.id)
            if any(isinstance(wording, AvailabilityWording) for wording in wordings):
                scoped = _scoped(own, wordings)
                wanted[key] = found.holds[key] = [hold for each in scoped for hold in holds.get((index, each.id), ())]
                told = (fact for each in scoped for fact in stated.get((index, each.id), ()))
                found.facts[key].extend(facts_of(told, StatedOutage))
            elif any(getattr(wording, "provider_fault", ()) for wording in wordings):
                wanted[key] = list(holds.get(key, ()))
            following = _next_period(window) if wordings and _in_advance(wordings[-1], window) else None
            if following is not None:
                ahead[term.id].append((index, following))
    _add_outages(found, windows, wanted)
    _add_next_periods(found, ahead)
    return found


def _stretches(term: Term, window: Window) -> tuple[Stretch[Wording], ...]:
    return term.stretches(window.from_at, window.period_to_at or window.to_at)


def _scoped(terms: Iterable[Term], wordings: Iterable[Wording]) -> list[Term]:
    """Return the terms that a ladder is for: those it names, or all of the contract that bill time."""
    refs = {ref for wording in wordings for ref in getattr(wording, "refs", ())}
    return [term for term in terms if term.kind in TIME_KINDS and (not refs or term.ref in refs)]


def outages_of(holds: Iterable[Hold], from_at: datetime, to_at: datetime) -> list[Outage]:
    """Return when the cards of holds were out in a window, by the meter's record; three queries."""
    return [
        outage
        for card, causes in sorted(_out(holds, from_at, to_at).items())
        for cause, spans in causes
        for outage in _cut(card, cause, spans, (from_at, to_at))
    ]


def _add_outages(found: Measured, windows: Sequence[Window], wanted: Mapping[Key, Sequence[Hold]]) -> None:
    if not wanted:
        return
    first, last = min(window.from_at for window in windows), max(window.to_at for window in windows)
    out = _out((hold for held in wanted.values() for hold in held), first, last)
    for key, held in wanted.items():
        window = windows[key[0]]
        for card in sorted({hold.card_ref for hold in held if hold.card_ref in out}):
            for cause, spans in out[card]:
                found.facts[key].extend(_cut(card, cause, spans, (window.from_at, window.to_at)))


def _out(
    holds: Iterable[Hold], from_at: datetime, to_at: datetime
) -> dict[str, tuple[tuple[str, Sequence[tuple[datetime, datetime]]], ...]]:
    """Return of each card of holds by what causes it was out, and when; three queries, none without a card."""
    cards = {hold.card_ref for hold in holds if hold.card_ref}
    if not cards:
        return {}
    rows = list(Accelerator.objects.filter(id__in=cards).values_list("id", "uuid", "node_id"))
    silent = _silences({node for _, _, node in rows}, from_at, to_at)
    lost = _lost({uuid for _, uuid, _ in rows}, from_at, to_at)
    return {str(card): ((NODE_SILENT, silent[node]), (CARD_LOST, lost[uuid])) for card, uuid, node in rows}


def _cut(
    card: str, cause: str, spans: Iterable[tuple[datetime, datetime]], within: tuple[datetime, datetime]
) -> list[Outage]:
    """Return outages of a card cut to a window."""
    cut = [(max(start, within[0]), min(end, within[1])) for start, end in spans]
    return [Outage(subject=card, cause=cause, from_at=start, to_at=end) for start, end in sorted(cut) if start < end]


def _silences(
    nodes: Iterable[UUID], from_at: datetime, to_at: datetime
) -> Mapping[UUID, list[tuple[datetime, datetime]]]:
    found: dict[UUID, list[tuple[datetime, datetime]]] = defaultdict(list)
    silences = Silence.objects.filter(
        Q(to_at__isnull=True) | Q(to_at__gt=from_at), node_id__in=list(nodes), from_at__lt=to_at
    ).exclude(end=SilenceEnd.FILLED)
    for node_id, start, end in silences.values_list("node_id", "from_at", "to_at"):
        found[node_id].append((start, end or to_at))
    return found


def _lost(uuids: Iterable[str], from_at: datetime, to_at: datetime) -> Mapping[str, list[tuple[datetime, datetime]]]:
    found: dict[str, list[tuple[datetime, datetime]]] = defaultdict(list)
    gaps = UsageGap.objects.filter(
        subject="accelerator",
        subject_id__in=list(uuids),
        reason=GAP_OF_A_LOST_CARD,
        from_at__lt=to_at,
        to_at__gt=from_at,
    )
    for uuid, start, end in gaps.values_list("subject_id", "from_at", "to_at"):
        found[uuid].append((start, end))
    return found


def _add_next_periods(found: Measured, ahead: Mapping[UUID, Sequence[tuple[int, Period]]]) -> None:
    """State the next period for leases in advance, and what is booked into it."""
    if not ahead:
        return
    for term_id, nexts in ahead.items():
        for index, period in nexts:
            fact = NextPeriod(from_at=period.from_at, to_at=period.to_at, whole_seconds=period.whole_seconds)
            found.facts[index, term_id].append(fact)
    for term_id, hold in _booked(ahead):
        for index, period in ahead[term_id]:
            if hold.from_at < period.to_at and (hold.to_at is None or hold.to_at > period.from_at):
                found.holds[index, term_id].append(hold)


def _in_advance(wording: Wording, window: Window) -> bool:
    """Whether a lease is billed for the period after a window, which must be a period looked at whole."""
    whole = window.to_at == (window.period_to_at or window.to_at)
    return whole and isinstance(wording, LeaseWording) and wording.billed is Billed.ADVANCE


def _next_period(window: Window) -> Period | None:
    contract = window.contract
    spec = PeriodSpec(
        kind=PeriodKind(contract.period_kind),
        zone=contract.time_zone,
        starts_at=contract.from_at,
        ends_at=contract.to_at,
        length_s=contract.period_length_s,
    )
    try:
        return period_containing(spec, window.to_at)
    except OutsideContract:
        return None


def _booked(terms: Iterable[UUID]) -> list[tuple[UUID, Hold]]:
    rows: Iterable[tuple[Any, ...]] = TermAllocation.objects.filter(term_id__in=list(terms)).values_list(
        "term_id",
        "allocation__slice_id",
        "allocation__slice__share_permille",
        "allocation__from_at",
        "allocation__to_at",
        "allocation__slice__accelerator_id",
        "allocation__slice__accelerator__model",
    )
    return [
        (term_id, Hold(str(slice_id), permille, from_at, to_at, str(card), model))
        for term_id, slice_id, permille, from_at, to_at, card, model in rows
    ]

"""What is wrong with a provider's cards: errors that the driver reported, memory, clocks that heat holds back, and
nodes that make fewer tokens for the same work than they did.

Only what somebody should look at: a card of which nothing bad is known is not in the answer.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from django.db.models import DecimalField, ExpressionWrapper, F, Max, Q, Sum
from django.db.models.functions import Cast

from clusters.models import Accelerator, AcceleratorHealth, Node
from clusters.own_floor import own_floor
from metering.card_models import AcceleratorEvent, AcceleratorHour
from metering.models import Meter, UsageHour, Witness

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import datetime
    from uuid import UUID

    from tenants.models import Organization

EVENTS_SINCE: Final = timedelta(days=7)
GAUGES_SINCE: Final = timedelta(hours=24)
BEFORE: Final = timedelta(days=7)
"""The same 24 hours a week earlier are what is usual: they have the same hours of work."""

PROGRAM_XIDS: Final = frozenset({13, 31, 43, 45})
"""XIDs that a program causes by its own fault; the card is well (NVIDIA's catalogue of XID errors)."""

THROTTLED_FROM: Final = Decimal("0.01")
"""Share of samples slowed by heat or hardware from which a card is shown."""

BELOW_USUAL: Final = Decimal("0.7")
"""Output per hour of busy cards, against a week earlier, below which a node is shown."""

BUSY_HOURS_LEAST: Final = Decimal(2)
"""Card-hours of work below which there is too little to compare."""

CARDS_MAX: Final = 500
PERCENT: Final = 100


@dataclass(frozen=True, slots=True)
class CardTrouble:
    """A card that somebody should look at; `events` are kind, code, times and when last, the newest first."""

    card_id: UUID
    position: int
    model: str
    node: str
    cluster: str
    events: tuple[tuple[str, int, int, datetime], ...]
    ecc_uncorrected: int
    remap_pending: bool
    remap_failed: bool
    throttled: Decimal | None

    @property
    def severe(self) -> bool:
        """Whether the card itself is at fault, rather than only held back."""
        return bool(self.events) or self.ecc_uncorrected > 0 or self.remap_failed


@dataclass(frozen=True, slots=True)
class Work:
    """What a node did over some hours: output tokens, and the hours that its cards were busy, weighed by how busy."""

    tokens: int
    busy_hours: Decimal


@dataclass(frozen=True, slots=True)
class Slowed:
    """A node whose output per busy card-hour fell; `part` of what was usual, 0…1."""

    node: str
    cluster: str
    usual_per_hour: Decimal
    now_per_hour: Decimal

    @property
    def part(self) -> Decimal:
        """Output per hour of work now, as a share of what was usual."""
        return self.now_per_hour / self.usual_per_hour


def fell_below_usual(now: Work, before: Work) -> tuple[Decimal, Decimal] | None:
    """Return the output per busy card-hour before and now where it fell below `BELOW_USUAL`; None where it did not,
    or where either stretch has too little work to compare."""
    if min(now.busy_hours, before.busy_hours) < BUSY_HOURS_LEAST or before.tokens <= 0:
        return None
    usual, current = before.tokens / before.busy_hours, now.tokens / now.busy_hours
    return (usual, current) if current < usual * BELOW_USUAL else None


def troubled_cards(*, provider: Organization, now: datetime) -> tuple[CardTrouble, ...]:
    """Return a provider's cards in service that somebody should look at, the severe first; five queries."""
    with own_floor(provider):
        return _troubled_cards(provider, now)


def _troubled_cards(provider: Organization, now: datetime) -> tuple[CardTrouble, ...]:
    cards = Accelerator.objects.filter(node__cluster__provider=provider, retired_at__isnull=True)
    events, throttled = _events(provider, now), _throttled(provider, now)
    bad = (
        AcceleratorHealth.objects.filter(accelerator__in=cards)
        .filter(Q(ecc_uncorrected__gt=0) | Q(row_remap_pending=True) | Q(row_remap_failed=True))
        .values_list("accelerator_id", "ecc_uncorrected", "row_remap_pending", "row_remap_failed")
    )
    memory = {card: (count or 0, bool(pending), bool(failed)) for card, count, pending, failed in bad}
    found = cards.filter(id__in=[*events, *throttled, *memory]).values_list(
        "id", "position", "model", "node__name", "node__cluster__slug"
    )
    troubles = [
        CardTrouble(
            *about, tuple(events.get(about[0], ())), *memory.get(about[0], (0, False, False)), throttled.get(about[0])
        )
        for about in found
    ]
    troubles.sort(key=lambda one: (not one.severe, one.cluster, one.node, one.position))
    return tuple(troubles[:CARDS_MAX])


def slowed_nodes(*, provider: Organization, now: datetime) -> tuple[Slowed, ...]:
    """Return a provider's nodes that make clearly fewer tokens for the same work than a week ago; five queries."""
    with own_floor(provider):
        return _slowed_nodes(provider, now)


def _slowed_nodes(provider: Organization, now: datetime) -> tuple[Slowed, ...]:
    to_at = now.replace(minute=0, second=0, microsecond=0)
    spans = ((to_at - GAUGES_SINCE, to_at), (to_at - BEFORE - GAUGES_SINCE, to_at - BEFORE))
    made = [_tokens(provider, *span) for span in spans]
    # Only of nodes that made tokens both times is it asked how busy they were: that is in the hours of each card.
    compared = made[0].keys() & made[1].keys()
    current, usual = (_work(tokens, compared, *span) for tokens, span in zip(made, spans, strict=True))
    found = []
    for node_id in current.keys() & usual.keys():
        fell = fell_below_usual(current[node_id], usual[node_id])
        if fell is not None:
            found.append((node_id, fell))
    names = {
        node_id: (name, cluster)
        for node_id, name, cluster in Node.objects.filter(id__in=[node_id for node_id, _fell in found]).values_list(
            "id", "name", "cluster__slug"
        )
    }
    slowed = [Slowed(*names[node_id], *fell) for node_id, fell in found]
    return tuple(sorted(slowed, key=lambda one: (one.part, one.cluster, one.node)))


def _events(provider: Organization, now: datetime) -> dict[UUID, list[tuple[str, int, int, datetime]]]:
    rows = (
        AcceleratorEvent.objects.filter(
            accelerator__node__cluster__provider=provider, hour_at__gte=now - EVENTS_SINCE, hour_at__lte=now
        )
        .exclude(kind="xid", code__in=PROGRAM_XIDS)
        .exclude(kind="replaced")
        .values_list("accelerator_id", "kind", "code")
        .annotate(times=Sum("occurrences"), newest=Max("last_at"))
        .order_by("accelerator_id", "-newest", "kind", "code")
    )
    found: dict[UUID, list[tuple[str, int, int, datetime]]] = defaultdict(list)
    for card, kind, code, times, newest in rows:
        found[card].append((kind, code, times, newest))
    return found


def _throttled(provider: Organization, now: datetime) -> dict[UUID, Decimal]:
    hours = AcceleratorHour.objects.filter(hour_at__gte=now - GAUGES_SINCE, hour_at__lte=now, clock_samples__gt=0)
    slowed = hours.filter(accelerator__node__cluster__provider=provider, throttled_samples__gt=0)
    rows = (
        hours.filter(accelerator__in=list(slowed.order_by().values_list("accelerator_id", flat=True).distinct()))
        .values_list("accelerator_id")
        .annotate(slowed=Sum("throttled_samples"), samples=Sum("clock_samples"))
    )
    shares = {card: Decimal(slowed) / samples for card, slowed, samples in rows}
    return {card: part for card, part in shares.items() if part >= THROTTLED_FROM}


def _tokens(provider: Organization, from_at: datetime, to_at: datetime) -> dict[UUID, int]:
    """The output tokens of each node of a provider in `[from_at, to_at)`."""
    meters = Meter.objects.filter(witness=Witness.ENGINE, quantity="output", node__cluster__provider=provider)
    rows = (
        UsageHour.objects.filter(
            # Of whole hours this is what lies in them, and the key of a meter's hours begins with it.
            from_at__gte=from_at,
            from_at__lt=to_at,
            witness=Witness.ENGINE,
            quantity="output",
            meter__in=meters,
        )
        .values_list("meter__node_id")
        .annotate(total=Sum("value"))
    )
    return {node_id: int(total) for node_id, total in rows}


def _work(
    tokens: Mapping[UUID, int], node_ids: Collection[UUID], from_at: datetime, to_at: datetime
) -> dict[UUID, Work]:
    """What nodes did in `[from_at, to_at)`, by node; those whose cards showed nothing are left out."""
    figure = DecimalField(max_digits=20, decimal_places=6)
    busy = ExpressionWrapper(
        Cast("utilisation_percent_sum", figure) / F("utilisation_samples") / PERCENT, output_field=figure
    )
    hours = (
        AcceleratorHour.objects.filter(
            hour_at__gte=from_at, hour_at__lt=to_at, accelerator__node__in=node_ids, utilisation_samples__gt=0
        )
        .values_list("accelerator__node_id")
        .annotate(busy=Sum(busy))
    )
    return {node_id: Work(tokens[node_id], total) for node_id, total in hours}

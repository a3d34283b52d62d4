"""What a provider's nodes did on a UTC day, hour by hour, and what was charged for it; a fixed number of queries."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

from django.db.models import Min, Q, Sum
from django.db.models.functions import Least

from billing.basis import BILLED_QUALITIES
from billing.economics.cost import CardCost, CostRates
from billing.economics.revenue import NOT_EARNED, Earned
from billing.economics.uses import NOBODY, NodeHour, Tokens
from billing.models import CardCost as CardCostRow
from billing.models import Charge, ClusterCost
from billing.money import largest_remainder_units
from clusters.models import Accelerator, Allocation, Binding, Cluster
from clusters.occupancy import WHOLE_PERMILLE
from metering.control_models import ComparisonTerms
from metering.models import Quantity, UsageHour, Witness

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from uuid import UUID

HOUR: Final = timedelta(hours=1)
MILLISECOND: Final = timedelta(milliseconds=1)
TOKEN_QUANTITIES: Final = (Quantity.INPUT, Quantity.CACHED_INPUT, Quantity.CACHE_WRITE, Quantity.OUTPUT)


@dataclass(frozen=True, slots=True)
class DayOfUse:
    """A provider's day: the hours of its nodes by cluster, and what its tenants were charged."""

    hours: tuple[datetime, ...]
    nodes: Mapping[str, Sequence[NodeHour]]
    earned: Sequence[Earned]


@dataclass(slots=True)
class _Node:
    """One node's hour, being put together."""

    capacity_ms: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    held_ms: dict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))
    energy_mj: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    metered_ms: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    tokens: dict[tuple[str, str], Tokens] = field(default_factory=lambda: defaultdict(Tokens))


_Nodes = dict[tuple[str, datetime], _Node]


def read_day(*, provider_id: UUID, day: date) -> DayOfUse:
    """Read one UTC day of a provider. Charges are those of the same day in their contract's time zone."""
    from_at = datetime(day.year, day.month, day.day, tzinfo=UTC)
    hours = tuple(from_at + HOUR * index for index in range(24))
    clusters: dict[str, list[NodeHour]] = {
        str(key): [] for key in Cluster.objects.filter(provider=provider_id).values_list("id", flat=True)
    }
    found: _Nodes = defaultdict(_Node)
    cards = _cards(provider_id, from_at)
    for one in cards.values():
        for hour in hours:
            found[one.node, hour].capacity_ms[one.model] += _overlap_ms(hour, one.from_at, one.to_at)
    _add_held(found, cards, provider_id, hours)
    _add_energy(found, cards, provider_id, from_at)
    _add_tokens(found, provider_id, from_at)
    cluster_of = {one.node: one.cluster for one in cards.values()}
    by_cluster: dict[str, list[NodeHour]] = defaultdict(list, clusters)
    for (node, hour), one_hour in found.items():
        if node in cluster_of:
            by_cluster[cluster_of[node]].append(
                NodeHour(
                    node,
                    hour,
                    dict(one_hour.capacity_ms),
                    dict(one_hour.held_ms),
                    dict(one_hour.energy_mj),
                    dict(one_hour.metered_ms),
                    dict(one_hour.tokens),
                )
            )
    return DayOfUse(hours, by_cluster, _earned(provider_id, day))


def rates_of(cluster_ids: Iterable[UUID | str]) -> dict[str, list[CostRates]]:
    """Return the cost rates of clusters in the order they take effect; of one instant the last entered counts."""
    costs = ClusterCost.objects.filter(cluster__in=list(cluster_ids)).order_by("effective_at", "number")
    cards: dict[UUID, dict[str, CardCost]] = defaultdict(dict)
    for cost_id, model, capex, life_days in CardCostRow.objects.filter(cost__in=costs).values_list(
        "cost_id", "accelerator_model", "capex_per_gpu", "life_days"
    ):
        cards[cost_id][model] = CardCost(capex, life_days)
    found: dict[str, dict[datetime, CostRates]] = defaultdict(dict)
    for row in costs:
        found[str(row.cluster_id)][row.effective_at] = CostRates(
            effective_at=row.effective_at,
            currency=row.currency,
            power_price_per_kwh=row.power_price_per_kwh,
            pue=row.pue,
            rent_per_month=row.rent_per_month,
            overhead_per_month=row.overhead_per_month,
            grid_g_per_kwh=row.grid_g_per_kwh,
            cards=cards[row.id],
        )
    return {cluster: list(rates.values()) for cluster, rates in found.items()}


@dataclass(frozen=True, slots=True)
class _Card:
    node: str
    cluster: str
    model: str
    from_at: datetime
    to_at: datetime | None


def _cards(provider_id: UUID, from_at: datetime) -> dict[UUID, _Card]:
    """The cards in service at some instant of the day: since they were first seen, or first held before that."""
    rows = (
        Accelerator.objects.filter(
            Q(retired_at__isnull=True) | Q(retired_at__gt=from_at), node__cluster__provider=provider_id
        )
        .annotate(since=Least("first_seen_at", Min("slices__allocations__from_at")))
        .filter(since__lt=from_at + 24 * HOUR)
        .values_list("id", "node_id", "node__cluster_id", "model", "since", "retired_at")
    )
    return {
        key: _Card(str(node), str(cluster), model, since, retired_at)
        for key, node, cluster, model, since, retired_at in rows
    }


def _add_held(found: _Nodes, cards: Mapping[UUID, _Card], provider_id: UUID, hours: Sequence[datetime]) -> None:
    rows = Allocation.objects.filter(
        Q(to_at__isnull=True) | Q(to_at__gt=hours[0]),
        slice__accelerator__node__cluster__provider=provider_id,
        from_at__lt=hours[-1] + HOUR,
    ).values_list("slice__accelerator_id", "tenant_id", "slice__share_permille", "from_at", "to_at")
    for card_id, tenant, permille, from_at, to_at in rows:
        card = cards.get(card_id)
        if card is None:
            continue
        for hour in hours:
            # A hold counts as long as its card is in service: what is broken is nobody's.
            start, end = max(from_at, card.from_at), min((at for at in (to_at, card.to_at) if at), default=None)
            ms = _overlap_ms(hour, start, end) * permille // WHOLE_PERMILLE
            if ms:
                found[card.node, hour].held_ms[str(tenant), card.model] += ms


def _add_energy(found: _Nodes, cards: Mapping[UUID, _Card], provider_id: UUID, from_at: datetime) -> None:
    rows = (
        _usage(from_at)
        .filter(witness=Witness.ENERGY, meter__accelerator__node__cluster__provider=provider_id)
        .values_list("meter__accelerator_id", "tenant_id", "hour_at", "from_at", "to_at")
        .annotate(total=Sum("value"))
    )
    for card_id, tenant, hour, start, end, total in rows:
        card = cards.get(card_id)
        if card is None:
            continue
        owner = str(tenant) if tenant else NOBODY
        node = found[card.node, hour]
        node.energy_mj[owner] += max(0, int(total))
        start, end = max(start, card.from_at), min(at for at in (end, card.to_at) if at)
        node.metered_ms[owner] += max(0, (end - start) // MILLISECOND)


def _add_tokens(found: _Nodes, provider_id: UUID, from_at: datetime) -> None:
    """Count tokens by the witness that bills, on the nodes whose engines made them, else on those bound."""
    usage = _usage(from_at).filter(quantity__in=TOKEN_QUANTITIES, deployment__provider=provider_id)
    engine = list(
        usage.filter(witness=Witness.ENGINE)
        .values_list("deployment_id", "tenant_id", "model", "hour_at", "quantity", "meter__node_id")
        .annotate(total=Sum("value"))
    )
    gateway = list(
        usage.filter(witness=Witness.GATEWAY)
        .values_list("deployment_id", "tenant_id", "model", "hour_at", "quantity")
        .annotate(total=Sum("value"))
    )
    deployments = {row[0] for row in (*engine, *gateway)}
    billed_by = dict(
        ComparisonTerms.objects.filter(deployment_id__in=deployments).values_list("deployment_id", "billed_by")
    )
    by_gateway = {row[0] for row in gateway}
    by_gateway -= {key for key, witness in billed_by.items() if witness == Witness.ENGINE}
    for deployment, tenant, model, hour, quantity, node, total in engine:
        if deployment not in by_gateway and node is not None:
            _count(found, (str(node), hour), (str(tenant), model), quantity, int(total))
    places = _places(by_gateway, engine, from_at)
    for deployment, tenant, model, hour, quantity, total in gateway:
        if deployment in by_gateway:
            for node, tokens in _spread(int(total), places.get(deployment, {})):
                _count(found, (node, hour), (str(tenant), model), quantity, tokens)


def _places(
    deployments: Iterable[UUID], engine: Iterable[tuple[Any, ...]], from_at: datetime
) -> dict[UUID, dict[str, int]]:
    """How much of each deployment's day was made on each node: by its engines' counts, else evenly over bound nodes."""
    wanted = set(deployments)
    found: dict[UUID, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for deployment, _, _, _, quantity, node, total in engine:
        if deployment in wanted and node is not None and quantity in (Quantity.INPUT, Quantity.OUTPUT):
            found[deployment][str(node)] += int(total)
    bound = Binding.objects.filter(
        Q(to_at__isnull=True) | Q(to_at__gt=from_at),
        deployment__in=wanted - {key for key, nodes in found.items() if any(nodes.values())},
        from_at__lt=from_at + 24 * HOUR,
    )
    for deployment, node in bound.values_list("deployment_id", "endpoint__node_id").distinct():
        found[deployment][str(node)] = 1
    return found


def _spread(total: int, nodes: Mapping[str, int]) -> Iterator[tuple[str, int]]:
    weights = [max(0, weight) for weight in nodes.values()]
    if any(weights):
        yield from zip(nodes, largest_remainder_units(total, [Fraction(one) for one in weights]), strict=True)


def _count(found: _Nodes, place: tuple[str, datetime], about: tuple[str, str], quantity: str, count: int) -> None:
    tokens = found[place].tokens
    tokens[about] = tokens[about] + Tokens(**{str(Quantity(quantity).value): count})


def _earned(provider_id: UUID, day: date) -> list[Earned]:
    rows = (
        Charge.objects.filter(period__contract__provider=provider_id, day=day)
        .exclude(rule__in=NOT_EARNED)
        .values_list("period__contract__tenant_id", "model", "unit", "period__contract__currency")
        .annotate(total=Sum("amount"))
        .order_by("period__contract__tenant_id", "model", "unit")
    )
    return [Earned(str(tenant), model, unit, currency, total) for tenant, model, unit, currency, total in rows if total]


def _usage(from_at: datetime) -> Any:
    return UsageHour.objects.filter(
        hour_at__gte=from_at, hour_at__lt=from_at + 24 * HOUR, quality__in=BILLED_QUALITIES
    ).order_by()


def _overlap_ms(hour: datetime, from_at: datetime, to_at: datetime | None) -> int:
    end = hour + HOUR if to_at is None else min(to_at, hour + HOUR)
    return max(0, (end - max(from_at, hour)) // MILLISECOND)

"""Working out what each use of a provider's clusters cost and earned, day by day: derived rows, replaced together.

Running again with the same facts gives the same rows. A day is worked out anew while it runs, when something was
charged to it, a cost was entered for it or more of it became usage hours (an agent that was cut off catches up), and
now and then afterwards, ever more rarely.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Final
from uuid import UUID

from django.db import transaction
from django.db.models import Max, Min, Q

from billing.economics.days import UseCost, cost_of_day
from billing.economics.revenue import UNPLACED, Place, place_revenue
from billing.economics.uses import NOBODY
from billing.models import BillingPeriod, Charge, MarginDay, MarginRow, PeriodState
from billing.queries.uses import rates_of, read_day
from clusters.models import Allocation, Cluster
from metering.models import RollupCursor

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from billing.economics.cost import CostRates

AGAIN_AFTER: Final = timedelta(minutes=5)
AGE_SHARE: Final = 8
"""A day that has been over for a time is looked at again after an eighth of that time."""
DAYS_BACK_MAX: Final = 400
NO_COSTS: Final = ""
"""The currency of a cluster whose costs nobody entered; its rows tell time, tokens and energy."""
ROWS_A_STATEMENT: Final = 2_000
DAY: Final = timedelta(days=1)
SECOND: Final = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class DueDay:
    """A provider's day to be worked out."""

    provider_id: UUID
    day: date


def due_days(*, now: datetime) -> list[DueDay]:
    """Return the days to work out, those before today first, the newest of them first."""
    today = now.date()
    due: list[DueDay] = []
    for provider_id in Cluster.objects.order_by("provider_id").values_list("provider_id", flat=True).distinct():
        first = max(_first_day(provider_id, today), today - DAYS_BACK_MAX * DAY)
        kept = {one.day: one for one in MarginDay.objects.filter(provider=provider_id)}
        charged = _charged_since(provider_id, max((one.summed_at for one in kept.values()), default=None))
        rolled = _rolled_to(provider_id)
        days = [first + DAY * index for index in range((today - first).days + 1)]
        chosen = [day for day in days if day in charged or _is_due(day, kept.get(day), rolled, now)]
        due.extend(DueDay(provider_id, day) for day in sorted(chosen, reverse=True))
    return sorted(due, key=lambda one: one.day == today)


@transaction.atomic
def sum_day(*, provider_id: UUID, day: date, now: datetime) -> int:
    """Work out a provider's day and replace its rows; return how many there are."""
    marker, _ = MarginDay.objects.get_or_create(provider_id=provider_id, day=day, defaults={"summed_at": now})
    MarginDay.objects.select_for_update().get(pk=marker.pk)
    rolled_s = _rolled_s(day, _rolled_to(provider_id))  # before the hours are read: what comes between is seen again
    facts = read_day(provider_id=provider_id, day=day)
    rates = rates_of(facts.nodes)
    costs = {cluster: cost_of_day(facts.hours, nodes, rates.get(cluster, ())) for cluster, nodes in facts.nodes.items()}
    rows = _rows(provider_id, day, costs, rates)
    _add_revenue(rows, provider_id, day, place_revenue(facts.earned, costs))
    MarginRow.objects.filter(provider=provider_id, day=day).delete()
    MarginRow.objects.bulk_create(rows.values(), batch_size=ROWS_A_STATEMENT)
    MarginDay.objects.filter(pk=marker.pk).update(summed_at=now, rolled_s=rolled_s)
    return len(rows)


def _first_day(provider_id: UUID, today: date) -> date:
    billed: datetime | None = BillingPeriod.objects.filter(contract__provider=provider_id).aggregate(
        first=Min("from_at")
    )["first"]
    held = Allocation.objects.filter(slice__accelerator__node__cluster__provider=provider_id)
    begun: datetime | None = held.aggregate(first=Min("from_at"))["first"]
    return min([today, *(at.date() for at in (billed, begun) if at is not None)])


def _charged_since(provider_id: UUID, since: datetime | None) -> set[date]:
    if since is None:
        return set()
    fresh = Charge.objects.filter(
        Q(period__state=PeriodState.OPEN) | Q(period__closed_at__gte=since),
        period__contract__provider=provider_id,
        created_at__gte=since,
    )
    return set(fresh.values_list("day", flat=True).distinct())


def _is_due(day: date, kept: MarginDay | None, rolled: Sequence[datetime], now: datetime) -> bool:
    if kept is None:
        return True
    waited = now - kept.summed_at
    over_at = _start_of(day) + DAY
    if waited >= AGAIN_AFTER and _rolled_s(day, rolled) > kept.rolled_s:
        return True
    return waited >= max(AGAIN_AFTER, (now - over_at) / AGE_SHARE)


def _rolled_to(provider_id: UUID) -> list[datetime]:
    """Up to when each of a provider's nodes is in usage hours."""
    cursors = RollupCursor.objects.filter(node__cluster__provider=provider_id, rolled_to_at__isnull=False)
    return [at for at in cursors.values_list("rolled_to_at", flat=True) if at is not None]


def _rolled_s(day: date, rolled: Sequence[datetime]) -> int:
    """How many seconds of a day are in usage hours, summed over nodes: it only rises."""
    start = _start_of(day)
    return sum(max(0, (min(at, start + DAY) - start) // SECOND) for at in rolled)


def _start_of(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


_Key = tuple[str, str, str, str, str]


def _rows(
    provider_id: UUID, day: date, costs: Mapping[str, Sequence[UseCost]], rates: Mapping[str, Sequence[CostRates]]
) -> dict[_Key, MarginRow]:
    found: dict[_Key, MarginRow] = {}
    for cluster, uses in costs.items():
        currency = rates[cluster][-1].currency if cluster in rates else NO_COSTS
        for one in uses:
            key = (cluster, str(one.use.kind), one.use.tenant, one.use.model, currency)
            found[key] = _row(provider_id, day, key)
            _fill(found[key], one)
    return found


def _row(provider_id: UUID, day: date, key: _Key) -> MarginRow:
    cluster, kind, tenant, model, currency = key
    return MarginRow(
        provider_id=provider_id,
        day=day,
        cluster_id=UUID(cluster) if cluster else None,
        tenant_id=UUID(tenant) if tenant != NOBODY else None,
        kind=kind,
        model=model,
        currency=currency,
    )


def _fill(row: MarginRow, one: UseCost) -> None:
    row.gpu_ms, row.costed_ms, row.metered_ms = one.gpu_ms, one.costed_ms, one.metered_ms
    row.energy_mj = Decimal(one.energy_mj)
    row.input_tokens, row.cached_input_tokens = one.tokens.input, one.tokens.cached_input
    row.cache_write_tokens, row.output_tokens = one.tokens.cache_write, one.tokens.output
    row.gpu_cost, row.energy_cost, row.overhead_cost = one.gpu_cost, one.energy_cost, one.overhead_cost
    row.carbon_g = one.carbon_g


def _add_revenue(rows: dict[_Key, MarginRow], provider_id: UUID, day: date, placed: Mapping[Place, Decimal]) -> None:
    for place, amount in placed.items():
        key = (place.cluster, place.kind, place.tenant, place.model, place.currency)
        uncosted = (place.cluster, place.kind, place.tenant, place.model, NO_COSTS)
        row = rows.get(key)
        if row is None and uncosted in rows:
            # Nobody said in what the cluster's costs are: its figures stand in the currency that it earns.
            row = rows.pop(uncosted)
            row.currency = place.currency
        if row is None:
            assert place.kind != UNPLACED or not place.cluster
            row = _row(provider_id, day, key)
        rows[key] = row
        row.revenue += amount


def latest_sum(provider_id: UUID) -> datetime | None:
    """Return when any day of a provider was last worked out; None before the first time."""
    latest: datetime | None = MarginDay.objects.filter(provider=provider_id).aggregate(at=Max("summed_at"))["at"]
    return latest

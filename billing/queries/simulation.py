"""What other prices would have made of real usage: the billing periods of a window, rated as billed and anew.

It reads and rates; nothing is written. Old amounts are what the periods' charges sum to, since both are the same rating
of the same usage up to the instant to which a period is charged.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from django.db.models import DateField, F, Func, Sum
from django.db.models.functions import Cast, Coalesce

from billing.bases import Grain, read_bases, window_of
from billing.economics.repricing import STRESS_PERCENTS, Reprice, Repriced, at_version, reprice, unchanged
from billing.models import BillingPeriod, Contract, MarginRow
from billing.models import PriceVersion as PriceVersionRow
from billing.money import exact_sum
from billing.price_rules import effect_by_contract, rules_of, window_versions
from billing.price_versions import all_versions
from tenants.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import date, datetime
    from uuid import UUID

    from django.db.models import QuerySet

    from tenants.models import Organization

if TYPE_CHECKING:
    Rater = Callable[
        [Sequence[BillingPeriod], Callable[[Contract], Reprice], tuple[int, ...]],
        Iterator[tuple[BillingPeriod, list[Repriced]]],
    ]
    """Rates periods as billed, at changed prices and under stress, and yields each with what it comes to by model."""

PERIODS_A_READ: Final = 500
LOOKED_AHEAD: Final = timedelta(days=3_650)
MOMENT: Final = timedelta(microseconds=1)
NOTHING: Final = Decimal(0)


class TooManyPeriods(Problem):
    """More billing periods than may be rated while somebody waits."""

    status = 422
    code = "too_many_periods"
    title = "Too many billing periods for one answer"

    def __init__(self, count: int, count_max: int) -> None:
        super().__init__(
            f"{count} billing periods; at most {count_max} are rated at once. Narrow the window or name a contract.",
            count=count,
        )
        self.count = count


@dataclass(frozen=True, slots=True)
class SimulatedLine:
    """One tenant's model: as billed, at the new prices, under stress, and what it cost; None where nobody knows."""

    tenant: str
    tenant_slug: str
    model: str
    old: Decimal
    new: Decimal
    stress: tuple[Decimal, ...]
    cost: Decimal | None

    @property
    def change(self) -> Decimal:
        """How much more the tenant would have owed."""
        return exact_sum((self.new, -self.old))

    @property
    def margin(self) -> Fraction | None:
        """What would be left of each unit earned; None where it is not known."""
        if self.cost is None or not self.new:
            return None
        return Fraction(exact_sum((self.new, -self.cost))) / Fraction(self.new)


@dataclass(frozen=True, slots=True)
class Simulation:
    """Billing periods rated anew in one currency; `stress_percents` name the columns of stress."""

    currency: str
    currencies: tuple[str, ...]
    periods: int
    contracts: int
    lines: tuple[SimulatedLine, ...]
    tenants: tuple[SimulatedLine, ...]
    total: SimulatedLine
    stress_percents: tuple[int, ...]


def simulate(
    provider: Organization,
    *,
    from_at: datetime,
    to_at: datetime,
    change_of: Callable[[Contract], Reprice],
    currency: str = "",
    book_id: UUID | None = None,
    contract_id: UUID | None = None,
    periods_max: int | None = None,
    stress: tuple[int, ...] = STRESS_PERCENTS,
    rater: Rater | None = None,
    own_days: bool = False,
) -> Simulation:
    """Rate the periods that begin within `[from_at, to_at)` and are charged to some instant, as billed and changed.

    The number of queries grows with every `PERIODS_A_READ` periods only. `rater` does the rating, this process where
    nothing is given. With `own_days` a period counts that begins on a day of the window by its contract's own clock: a
    month in Berlin begins an hour before that of UTC. Raises TooManyPeriods.
    """
    rows = _periods(provider, (from_at, to_at), book_id, contract_id, own_days=own_days)
    if periods_max is not None and (count := rows.count()) > periods_max:
        raise TooManyPeriods(count, periods_max)
    periods = list(rows)
    currencies = tuple(sorted({period.contract.currency for period in periods}))
    chosen = currency or (currencies[0] if len(currencies) == 1 else _largest(periods))
    mine = [period for period in periods if period.contract.currency == chosen]
    found: dict[tuple[str, str, str], list[Repriced]] = defaultdict(list)
    for period, repriced in (rater or repriced_each)(mine, change_of, stress):
        tenant = period.contract.tenant
        for one in repriced:
            found[tenant.name, tenant.slug, one.model].append(one)
    costs = _costs(provider, mine, chosen)
    lines = [_line(key, parts, costs.get((key[1], key[2]))) for key, parts in sorted(found.items())]
    tenants = _by_tenant(lines, costs, len(stress))
    return Simulation(
        currency=chosen,
        currencies=currencies,
        periods=len(mine),
        contracts=len({period.contract_id for period in mine}),
        lines=tuple(lines),
        tenants=tuple(tenants),
        total=_joined("", "", tenants, _known_sum([costs[key] for key in costs]), len(stress)),
        stress_percents=stress,
    )


def version_changes(version: PriceVersionRow) -> Callable[[Contract], Reprice]:
    """Return what a version of a price book, in force from the start, changes for each contract on the book.

    A contract's own rule holds: with locked, pinned or capped prices it gets those it would pay once the version takes
    effect for it, and where that never is, the ones it has. Contracts on other books keep their prices.
    """
    contracts = list(Contract.objects.filter(price_book=version.book_id))
    versions = all_versions([version.book_id])[version.book_id]
    [pure] = [one for one in versions if one.version_id == str(version.id)]
    rules = rules_of([contract.id for contract in contracts])
    ruled = [contract for contract in contracts if contract.id in rules]
    effects = effect_by_contract(ruled, versions, pure.version_id, until=pure.effective_at + LOOKED_AHEAD)
    own: dict[UUID, Reprice] = {contract.id: at_version(pure) for contract in contracts}
    for contract in ruled:
        at = effects[contract.id]
        if at is None:
            own[contract.id] = unchanged
        else:
            [in_force] = window_versions([(contract, at, at + MOMENT)])
            own[contract.id] = at_version(in_force[-1])
    return lambda contract: own.get(contract.id, unchanged)


def _periods(
    provider: Organization,
    window: tuple[datetime, datetime],
    book_id: UUID | None,
    contract_id: UUID | None,
    *,
    own_days: bool,
) -> QuerySet[BillingPeriod]:
    rows = BillingPeriod.objects.filter(contract__provider=provider, rated_at__gt=F("from_at"))
    if own_days:
        first = Func(F("contract__time_zone"), F("from_at"), template="timezone(%(expressions)s)::date")
        begins = rows.annotate(begins_on=Cast(first, DateField()))
        rows = begins.filter(begins_on__gte=window[0].date(), begins_on__lt=window[1].date())
    else:
        rows = rows.filter(from_at__gte=window[0], from_at__lt=window[1])
    if book_id is not None:
        rows = rows.filter(contract__price_book=book_id)
    if contract_id is not None:
        rows = rows.filter(contract=contract_id)
    return rows.select_related("contract__tenant").order_by("contract_id", "from_at")


def _largest(periods: Sequence[BillingPeriod]) -> str:
    counts: dict[str, int] = defaultdict(int)
    for period in periods:
        counts[period.contract.currency] += 1
    return max(counts, key=lambda code: (counts[code], code)) if counts else "USD"


def repriced_each(
    periods: Sequence[BillingPeriod], change_of: Callable[[Contract], Reprice], stress: tuple[int, ...]
) -> Iterator[tuple[BillingPeriod, list[Repriced]]]:
    """Read and rate periods, many at a time, summed as charging sums them."""
    for first in range(0, len(periods), PERIODS_A_READ):
        chunk = periods[first : first + PERIODS_A_READ]
        windows = [window_of(period, to_at=period.rated_at) for period in chunk]
        bases = read_bases(windows, grain=Grain.PERIOD, summed=True)
        for period, basis in zip(chunk, bases, strict=True):
            yield period, reprice(basis, change_of(period.contract), stress)


def _costs(
    provider: Organization, periods: Sequence[BillingPeriod], currency: str
) -> dict[tuple[str, str], Decimal | None]:
    """What the days of the periods cost, by tenant and model, in the currency; None where cards have no price in it."""
    if not periods:
        return {}
    first, last = _days(periods)
    rows = (
        MarginRow.objects.filter(
            provider=provider,
            day__gte=first,
            day__lte=last,
            tenant__in={period.contract.tenant_id for period in periods},
            gpu_ms__gt=0,
        )
        .order_by()
        .values_list("tenant__slug", "model", "currency")
        .annotate(
            spent=Sum(F("gpu_cost") + Coalesce(F("energy_cost"), NOTHING) + F("overhead_cost")),
            whole=Sum("gpu_ms"),
            costed=Sum("costed_ms"),
        )
    )
    found: dict[tuple[str, str], list[Decimal | None]] = defaultdict(list)
    for slug, model, code, spent, whole, costed in rows:
        found[slug or "", model].append(spent if whole == costed and code == currency else None)
    return {key: _known_sum(costs) for key, costs in found.items()}


def _days(periods: Sequence[BillingPeriod]) -> tuple[date, date]:
    until = [period.rated_at for period in periods if period.rated_at is not None]
    return min(period.from_at for period in periods).date(), (max(until) - MOMENT).date()


def _line(key: tuple[str, str, str], parts: Sequence[Repriced], cost: Decimal | None) -> SimulatedLine:
    tenant, slug, model = key
    return SimulatedLine(
        tenant=tenant,
        tenant_slug=slug,
        model=model,
        old=exact_sum(part.old for part in parts),
        new=exact_sum(part.new for part in parts),
        stress=tuple(exact_sum(column) for column in zip(*(part.stress for part in parts), strict=True)),
        cost=cost,
    )


def _by_tenant(
    lines: Sequence[SimulatedLine], costs: dict[tuple[str, str], Decimal | None], columns: int
) -> list[SimulatedLine]:
    mine: dict[tuple[str, str], list[SimulatedLine]] = defaultdict(list)
    for line in lines:
        mine[line.tenant, line.tenant_slug].append(line)
    return [
        _joined(name, slug, parts, _known_sum([cost for (tenant, _), cost in costs.items() if tenant == slug]), columns)
        for (name, slug), parts in mine.items()
    ]


def _joined(name: str, slug: str, parts: Sequence[SimulatedLine], cost: Decimal | None, columns: int) -> SimulatedLine:
    """Sum lines, each of so many columns of stress; where there are none, every sum is nothing."""
    return SimulatedLine(
        tenant=name,
        tenant_slug=slug,
        model="",
        old=exact_sum(part.old for part in parts),
        new=exact_sum(part.new for part in parts),
        stress=tuple(exact_sum(part.stress[column] for part in parts) for column in range(columns)),
        cost=cost,
    )


def _known_sum(costs: Sequence[Decimal | None]) -> Decimal | None:
    """A sum in which anything is unknown is unknown; of nothing there is none."""
    known = [cost for cost in costs if cost is not None]
    return exact_sum(known) if known and len(known) == len(costs) else None

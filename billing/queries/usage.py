"""Use and cost of an organization over a window, rated live by the functions that charge and invoice."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.models import Q

from billing.bases import Grain, read_bases
from billing.basis import PeriodBasis, rate
from billing.models import Contract, ContractState
from billing.money import exact_sum, from_minor
from billing.queries.usage_windows import begins_inside, counts_by_period, windows_of
from billing.rating.book import PriceVersion, TokenClass
from billing.rating.by_day import Slot, divided
from billing.rating.lines import InvoiceLine, make_bill
from billing.rating.rated import Rated, RatedLine, TermKind, Unit
from billing.rating.versions import version_in_force
from tenants.limits.reader import within_own
from tenants.models import Organization

DEFAULT_CURRENCY = "USD"


class Side(StrEnum):
    """As which party of its contracts an organization looks."""

    TENANT = "tenant"
    PROVIDER = "provider"


@dataclass(frozen=True, slots=True)
class TokenCounts:
    """Tokens by class as metered: cached input is a part of input and reasoning a part of output."""

    input: int = 0
    cached_input: int = 0
    cache_write: int = 0
    output: int = 0
    reasoning: int = 0

    @property
    def uncached_input(self) -> int:
        """Input that did not come from a cache."""
        return self.input - self.cached_input

    @property
    def total(self) -> int:
        """Every token once."""
        return self.input + self.cache_write + self.output

    @property
    def cache_hit_percent(self) -> Decimal | None:
        """The cached part of the input; None without input."""
        return Decimal(self.cached_input * 100) / self.input if self.input else None


@dataclass(frozen=True, slots=True)
class DayRow:
    """One day in the page's time zone; `amount` is exact, to 18 decimals."""

    day: date
    amount: Decimal
    lease_amount: Decimal
    gpu_seconds: Decimal
    tokens: TokenCounts
    tokens_by_model: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class ModelRow:
    """A model's tokens and what they cost; `prices` per 1M tokens by class in force at the window's end.

    `tiers` are those of long requests, by the input tokens that a request must exceed.
    """

    model: str
    tokens: TokenCounts
    tokens_by_day: tuple[int, ...]
    prices: Mapping[str, Decimal]
    tiers: Mapping[int, Mapping[str, Decimal]]
    list_amount: Decimal
    amount: Decimal


@dataclass(frozen=True, slots=True)
class LeaseRow:
    """A lease's held time and what it cost; `unit_price` per GPU-hour is None where several applied."""

    contract: str
    ref: str
    title: str
    model: str
    gpu_seconds: Decimal
    unit_price: Decimal | None
    amount: Decimal


@dataclass(frozen=True, slots=True)
class UnpricedRow:
    """Usage that has no price yet."""

    contract: str
    term_ref: str
    model: str
    token_class: str
    quantity: Decimal
    unit: str
    reason: str


@dataclass(frozen=True, slots=True)
class UsageOverview:
    """Use and cost over `[from_at, to_at)` in one currency.

    `total` is rounded as invoices over the window would be, so a month's page and its invoice show one figure.
    Where it `is_part` of a billing period, amounts of the period are by the seconds of the part, and tiers count from
    its start.
    """

    from_at: datetime
    to_at: datetime
    zone: str
    currency: str
    currencies: tuple[str, ...]
    total: Decimal
    token_amount: Decimal
    lease_amount: Decimal
    gpu_seconds: Decimal
    tokens: TokenCounts
    days: tuple[DayRow, ...]
    models: tuple[ModelRow, ...]
    leases: tuple[LeaseRow, ...]
    unpriced: tuple[UnpricedRow, ...]
    is_part: bool = False


@dataclass(frozen=True, slots=True)
class RatedUsage:
    """What contracts in one currency used over `[from_at, to_at)`, and what it is worth, period by period.

    `is_part` says that the time begins inside a billing period and that amounts depend on the period as a whole.
    """

    from_at: datetime
    to_at: datetime
    zone: str
    currency: str
    currencies: tuple[str, ...]
    parts: tuple[tuple[PeriodBasis, Rated], ...]
    is_part: bool = False


def usage_overview(
    organization: Organization,
    from_at: datetime,
    to_at: datetime,
    zone: str,
    *,
    currency: str | None = None,
    side: Side = Side.TENANT,
    contract_id: UUID | None = None,
) -> UsageOverview:
    """Return what an organization's contracts in one currency used and cost; for a month to date `to_at` is now.

    Without `currency` it is that of the latest contract; `currencies` lists all.
    """
    usage = rated_usage(organization, from_at, to_at, zone, currency=currency, side=side, contract_id=contract_id)
    return overview_of(usage)


def rated_usage(
    organization: Organization,
    from_at: datetime,
    to_at: datetime,
    zone: str,
    *,
    currency: str | None = None,
    side: Side = Side.TENANT,
    contract_id: UUID | None = None,
    by_hour: bool = False,
    by_caller: bool = False,
    whole: bool = False,
) -> RatedUsage:
    """Return the ratings behind `usage_overview`, for pages that show more of them.

    With `by_hour` hour by hour, with `by_caller` by key and project (`billing.usage_groups`): lines are divided further
    and come to the same. `whole` is for sums alone: usage is read and rated in as few pieces as rating allows.
    """
    contracts = _contracts(organization, from_at, to_at, side, contract_id)
    currencies = tuple(sorted({contract.currency for contract in contracts}))
    chosen = currency or (contracts[-1].currency if contracts else DEFAULT_CURRENCY)
    shown = [contract for contract in contracts if contract.currency == chosen]
    windows = [window for contract in shown for window in windows_of(contract, from_at, to_at)]
    grain = Grain.PERIOD if whole else Grain.HOUR if by_hour else Grain.DAY
    with within_own(organization.pk, "what is rated is under contracts that name the reader"):
        bases = read_bases(windows, zone=zone, grain=grain, by_caller=by_caller, summed=True) if windows else []
    slot = _slot(zone, by_hour=by_hour)
    parts = tuple((basis, rate(basis) if whole else _rated(basis, slot)) for basis in bases)
    is_part = begins_inside(windows) and counts_by_period(bases)
    return RatedUsage(from_at, to_at, zone, chosen, currencies, parts, is_part)


def _rated(basis: PeriodBasis, slot: Slot) -> Rated:
    """Rate a basis, and divide lines of the whole window by when their units were used."""
    rated = rate(basis)
    return replace(rated, lines=tuple(divided(rated.lines, basis.terms, slot)))


def _slot(zone: str, *, by_hour: bool) -> Slot:
    local = ZoneInfo(zone)

    def name(at: datetime) -> str:
        return at.isoformat() if by_hour else at.astimezone(local).date().isoformat()

    return name


def overview_of(usage: RatedUsage) -> UsageOverview:
    """Add ratings up to what is used and owed."""
    sums = _Sums(usage.currency, usage.zone)
    for basis, rated in usage.parts:
        sums.add(basis, rated)
    return replace(sums.overview(usage.from_at, usage.to_at, usage.currencies), is_part=usage.is_part)


def _contracts(
    organization: Organization, from_at: datetime, to_at: datetime, side: Side, contract_id: UUID | None
) -> list[Contract]:
    found = Contract.objects.filter(
        Q(to_at__isnull=True) | Q(to_at__gt=from_at), from_at__lt=to_at, **{side.value: organization}
    ).exclude(state__in=(ContractState.DRAFT, ContractState.OFFERED))
    if contract_id is not None:
        found = found.filter(pk=contract_id)
    return list(found.order_by("from_at", "pk"))


@dataclass(slots=True)
class _Counts:
    """Tokens by class, being added up."""

    by_class: dict[str, int] = field(default_factory=lambda: dict.fromkeys(TokenClass, 0))

    def frozen(self) -> TokenCounts:
        return TokenCounts(**{str(name): count for name, count in self.by_class.items()})


class _Sums:
    """Adds the ratings of contracts up into an overview."""

    def __init__(self, currency: str, zone: str) -> None:
        self._currency = currency
        self._zone = ZoneInfo(zone)
        self._lines: list[tuple[PeriodBasis, InvoiceLine]] = []
        self._rated: list[RatedLine] = []
        self._unpriced: list[UnpricedRow] = []
        self._tokens: dict[tuple[date, str], _Counts] = defaultdict(_Counts)
        self._prices: dict[str, dict[str, Decimal]] = defaultdict(dict)
        self._tiers: dict[str, dict[int, dict[str, Decimal]]] = defaultdict(lambda: defaultdict(dict))

    def add(self, basis: PeriodBasis, rated: Rated) -> None:
        self._rated.extend(rated.lines)
        self._lines.extend((basis, line) for line in make_bill(rated.lines, self._currency).lines)
        self._unpriced.extend(_unpriced_rows(basis, rated))
        for _, usage in basis.tokens():
            counts = self._tokens[self._day(usage.from_at), usage.model]
            counts.by_class[usage.quantity] += usage.count
        version = version_in_force(basis.versions, basis.to_at)
        if version is not None:
            self._add_prices(version)

    def _add_prices(self, version: PriceVersion) -> None:
        for (model, token_class), price in version.token_prices.items():
            self._prices[model][token_class] = price
        for model, _, over in version.tier_prices:
            for token_class in TokenClass:
                found = version.price_per_mtok(model, token_class, over)
                if found is not None:
                    self._tiers[model][over][token_class] = found

    def overview(self, from_at: datetime, to_at: datetime, currencies: tuple[str, ...]) -> UsageOverview:
        leases = [(basis, line) for basis, line in self._lines if _is_lease(line.sublines[0])]
        zero = from_minor(0, self._currency)
        total = exact_sum((zero, *(line.amount for _, line in self._lines)))
        lease_amount = exact_sum((zero, *(line.amount for _, line in leases)))
        days = self._days(from_at, to_at)
        return UsageOverview(
            from_at=from_at,
            to_at=to_at,
            zone=self._zone.key,
            currency=self._currency,
            currencies=currencies,
            total=total,
            token_amount=total - lease_amount,
            lease_amount=lease_amount,
            gpu_seconds=exact_sum(line.quantity or Decimal(0) for _, line in leases if line.unit is Unit.GPU_SECONDS),
            tokens=_counts(self._tokens.values()),
            days=days,
            models=self._models([row.day for row in days]),
            leases=tuple(_lease_row(basis, line) for basis, line in leases),
            unpriced=tuple(self._unpriced),
        )

    def _day(self, at: datetime) -> date:
        return at.astimezone(self._zone).date()

    def _days(self, from_at: datetime, to_at: datetime) -> tuple[DayRow, ...]:
        lines: dict[date, list[RatedLine]] = defaultdict(list)
        for line in self._rated:
            lines[self._day(line.from_at)].append(line)
        counts: dict[date, dict[str, _Counts]] = defaultdict(dict)
        for (day, model), count in self._tokens.items():
            counts[day][model] = count
        return tuple(
            DayRow(
                day=day,
                amount=exact_sum(line.amount for line in lines[day]),
                lease_amount=exact_sum(line.amount for line in lines[day] if _is_lease(line)),
                gpu_seconds=exact_sum(line.quantity for line in lines[day] if line.unit is Unit.GPU_SECONDS),
                tokens=_counts(counts[day].values()),
                tokens_by_model={model: count.frozen().total for model, count in sorted(counts[day].items())},
            )
            for day in _days_between(self._day(from_at), to_at.astimezone(self._zone))
        )

    def _models(self, days: Sequence[date]) -> tuple[ModelRow, ...]:
        shared = [line for _, line in self._lines if not _is_lease(line.sublines[0])]
        models = sorted({model for _, model in self._tokens})
        empty = _Counts()
        rows = [
            ModelRow(
                model=model,
                tokens=_counts(count for (_, each), count in self._tokens.items() if each == model),
                tokens_by_day=tuple(self._tokens.get((day, model), empty).frozen().total for day in days),
                prices=dict(sorted(self._prices[model].items())),
                tiers=dict(sorted(self._tiers[model].items())),
                list_amount=exact_sum(line.base_amount for line in shared if line.model == model),
                amount=exact_sum(line.amount for line in shared if line.model == model),
            )
            for model in models
        ]
        return tuple(sorted(rows, key=lambda row: (-row.amount, row.model)))


def _is_lease(line: RatedLine) -> bool:
    return line.term_kind is TermKind.LEASE


def _counts(counts: Iterable[_Counts]) -> TokenCounts:
    total = _Counts()
    for count in counts:
        for name, tokens in count.by_class.items():
            total.by_class[name] += tokens
    return total.frozen()


def _days_between(first: date, end: datetime) -> Iterator[date]:
    """Yield the days from `first` to the one that `end` lies in, but not a day that begins with `end`."""
    day = first
    while day < end.date() or (day == end.date() and end.time() > end.time().min):
        yield day
        day += timedelta(days=1)


def _lease_row(basis: PeriodBasis, line: InvoiceLine) -> LeaseRow:
    titles = {term.ref: term.title for term in basis.terms}
    return LeaseRow(
        contract=basis.contract,
        ref=line.term_ref,
        title=titles[line.term_ref],
        model=line.model,
        gpu_seconds=(line.quantity or Decimal(0)) if line.unit is Unit.GPU_SECONDS else Decimal(0),
        unit_price=None if line.price is None else line.price.amount,
        amount=line.amount,
    )


def _unpriced_rows(basis: PeriodBasis, rated: Rated) -> Iterator[UnpricedRow]:
    grouped: dict[tuple[str, str, str, str, str], list[Decimal]] = defaultdict(list)
    for usage in rated.unpriced:
        key = (usage.term_ref, usage.model, usage.token_class, str(usage.unit), str(usage.reason))
        grouped[key].append(usage.quantity)
    for (term_ref, model, token_class, unit, reason), quantities in sorted(grouped.items()):
        yield UnpricedRow(basis.contract, term_ref, model, token_class, exact_sum(quantities), unit, reason)

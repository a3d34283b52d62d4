"""Ratings added up to what an organization used and owes: by day, by model and by lease."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from uuid import UUID
from zoneinfo import ZoneInfo

from billing.basis import PeriodBasis
from billing.flat_shares import FlatLine
from billing.money import exact_sum, from_minor, round_to_minor
from billing.queries.usage import (
    DayRow,
    LeaseRow,
    ModelRow,
    RatedUsage,
    Side,
    UnpricedRow,
    UsageOverview,
    rated_usage,
)
from billing.rating.book import PriceVersion, TokenClass
from billing.rating.by_day import day_in
from billing.rating.lines import Bill, InvoiceLine, make_bill
from billing.rating.rated import Rated, RatedLine, TermKind, Unit
from billing.rating.versions import version_in_force
from billing.token_counts import TokenCounts
from tenants.models import Organization

_NO_TOKENS: dict[str, int] = {token_class.value: 0 for token_class in TokenClass}


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


def bills_of(usage: RatedUsage) -> list[Bill]:
    """Return what each period of ratings would be invoiced as, in their order, but for its flat shares."""
    return [make_bill(part.rated.lines, usage.currency) for part in usage.parts]


def overview_of(usage: RatedUsage, bills: Sequence[Bill] | None = None) -> UsageOverview:
    """Add ratings up to what is used and owed; `bills` are theirs, where they were made already."""
    sums = _Sums(usage.currency, usage.zone)
    for part, bill in zip(usage.parts, bills_of(usage) if bills is None else bills, strict=True):
        sums.add(part.basis, part.rated, bill)
        sums.add_flat(part.flat)
    return replace(sums.overview(usage.from_at, usage.to_at, usage.currencies), is_part=usage.is_part)


class _Counts:
    """Tokens by class, being added up."""

    __slots__ = ("by_class",)

    def __init__(self) -> None:
        self.by_class = _NO_TOKENS.copy()

    def add(self, other: "_Counts") -> None:
        """Add others."""
        for name, tokens in other.by_class.items():
            self.by_class[name] += tokens

    def frozen(self) -> TokenCounts:
        return TokenCounts(**self.by_class)


class _Sums:
    """Adds the ratings of contracts up into an overview."""

    def __init__(self, currency: str, zone: str) -> None:
        self._currency = currency
        self._zone = ZoneInfo(zone)
        self._lines: list[tuple[PeriodBasis, InvoiceLine]] = []
        self._rated: list[RatedLine] = []
        self._flat: list[FlatLine] = []
        self._unpriced: list[UnpricedRow] = []
        self._day = day_in(self._zone)
        self._tokens: dict[date, dict[str, _Counts]] = defaultdict(lambda: defaultdict(_Counts))
        self._prices: dict[str, dict[str, Decimal]] = defaultdict(dict)
        self._tiers: dict[str, dict[int, dict[str, Decimal]]] = defaultdict(lambda: defaultdict(dict))

    def add(self, basis: PeriodBasis, rated: Rated, bill: Bill) -> None:
        self._rated.extend(rated.lines)
        self._lines.extend((basis, line) for line in bill.lines)
        self._unpriced.extend(_unpriced_rows(basis, rated))
        for _, usage in basis.tokens():
            self._tokens[self._day(usage.from_at)][usage.model].by_class[usage.quantity] += usage.count
        version = version_in_force(basis.versions, basis.to_at)
        if version is not None:
            self._add_prices(version)

    def add_flat(self, lines: Iterable[FlatLine]) -> None:
        for line in lines:
            self._flat.append(line)
            for (day, _caller), tokens in line.tokens.items():
                by_class = self._tokens[day][line.model].by_class
                for name in _NO_TOKENS:
                    by_class[name] += getattr(tokens, name)

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
        flat = (round_to_minor(line.exact_amount, self._currency) for line in self._flat)
        total = exact_sum((zero, *(line.amount for _, line in self._lines), *flat))
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
            tokens=_counts(count for models in self._tokens.values() for count in models.values()),
            days=days,
            models=self._models([row.day for row in days]),
            leases=tuple(_lease_row(basis, line) for basis, line in leases),
            unpriced=tuple(self._unpriced),
        )

    def _days(self, from_at: datetime, to_at: datetime) -> tuple[DayRow, ...]:
        amounts: dict[date, list[Decimal]] = defaultdict(list)
        leased: dict[date, list[Decimal]] = defaultdict(list)
        seconds: dict[date, list[Decimal]] = defaultdict(list)
        for line in self._rated:
            day, amount = self._day(line.from_at), line.amount
            amounts[day].append(amount)
            if _is_lease(line):
                leased[day].append(amount)
            if line.unit is Unit.GPU_SECONDS:
                seconds[day].append(line.quantity)
        for flat in self._flat:
            for (day, _caller), amount in flat.amounts.items():
                amounts[day].append(amount)
        nothing: Mapping[str, _Counts] = {}
        return tuple(
            DayRow(
                day=day,
                amount=exact_sum(amounts[day]),
                lease_amount=exact_sum(leased[day]),
                gpu_seconds=exact_sum(seconds[day]),
                tokens=_counts(counts.values()),
                tokens_by_model={model: count.frozen().total for model, count in sorted(counts.items())},
            )
            for day in _days_between(self._day(from_at), to_at.astimezone(self._zone))
            for counts in [self._tokens.get(day, nothing)]
        )

    def _models(self, days: Sequence[date]) -> tuple[ModelRow, ...]:
        worth: dict[str, list[Decimal]] = defaultdict(list)
        owed: dict[str, list[Decimal]] = defaultdict(list)
        for _, line in self._lines:
            if not _is_lease(line.sublines[0]):
                worth[line.model].append(line.base_amount)
                owed[line.model].append(line.amount)
        for flat in self._flat:
            worth[flat.model].append(flat.base_amount)
            owed[flat.model].append(round_to_minor(flat.exact_amount, self._currency))
        by_day: dict[str, dict[date, TokenCounts]] = defaultdict(dict)
        sums: dict[str, _Counts] = defaultdict(_Counts)
        for day, counts in self._tokens.items():
            for model, count in counts.items():
                by_day[model][day] = count.frozen()
                sums[model].add(count)
        nothing = TokenCounts()
        rows = [
            ModelRow(
                model=model,
                tokens=sums[model].frozen(),
                tokens_by_day=tuple(by_day[model].get(day, nothing).total for day in days),
                prices=dict(sorted(self._prices[model].items())),
                tiers=dict(sorted(self._tiers[model].items())),
                list_amount=exact_sum(worth[model]),
                amount=exact_sum(owed[model]),
            )
            for model in sorted(sums)
        ]
        return tuple(sorted(rows, key=lambda row: (-row.amount, row.model)))


def _is_lease(line: RatedLine) -> bool:
    return line.term_kind is TermKind.LEASE


def _counts(counts: Iterable[_Counts]) -> TokenCounts:
    total = _Counts()
    for count in counts:
        total.add(count)
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

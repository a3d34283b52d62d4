"""Use and cost of an organization over a window, rated live by the functions that charge and invoice."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from itertools import chain
from typing import NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from billing.bases import Grain, Shown, read_bases, read_shown
from billing.basis import PeriodBasis, days_together, rate
from billing.flat_shares import FlatLine, flat_lines
from billing.models import Contract
from billing.queries.usage_windows import begins_inside, contracts_within, counts_by_period, touches, windows_of
from billing.rating.by_day import Slot, day_in, divided
from billing.rating.rated import Rated
from billing.token_counts import TokenCounts
from billing.usage_reading import Series
from billing.usage_spans import Window
from tenants.models import Organization

DEFAULT_CURRENCY = "USD"
RATED_TOGETHER = 50
"""Contracts of which all lines are held at once where only their sums are kept."""


class Side(StrEnum):
    """As which party of its contracts an organization looks."""

    TENANT = "tenant"
    PROVIDER = "provider"


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


class Part(NamedTuple):
    """What a contract is rated from for a period or a part of it, what it was rated to, and its flat shares.

    Usage and lines of those are in `flat` alone: with the lines of `rated` they are all that is owed.
    """

    basis: PeriodBasis
    rated: Rated
    flat: tuple[FlatLine, ...] = ()


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
    parts: tuple[Part, ...]
    is_part: bool = False
    compared: tuple[Part, ...] = ()
    """The same of another time, to compare its sum."""
    beside: tuple[PeriodBasis, ...] = ()
    """What was read beside it."""


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
    compared: tuple[datetime, datetime] | None = None,
    compared_by_day: bool = False,
    beside: Sequence[Window] = (),
) -> RatedUsage:
    """Return the ratings behind `usage_overview`, for pages that show more of them.

    With `by_hour` hour by hour, with `by_caller` by key and project (`billing.usage_groups`): lines are divided further
    and come to the same. `whole` is for sums alone: usage is read and rated in as few pieces as rating allows.
    What was used over `compared` is read with the same queries, and rated for its sum alone or `compared_by_day` too;
    windows `beside` are read with most of them too, and not rated.
    """
    party = {side.value: organization}
    times = [(from_at, to_at), *([compared] if compared else [])]
    every = contracts_within(min(since for since, _ in times), max(to for _, to in times), party, contract_id)
    contracts, *others = ([one for one in every if touches(one, *time)] for time in times)
    currencies = tuple(sorted({contract.currency for contract in contracts}))
    chosen = currency or _latest_currency(contracts)
    windows = _windows(contracts, chosen, from_at, to_at)
    earlier = [each for one in chain(*others) if one.currency == chosen for each in windows_of(one, *(compared or ()))]
    grain = Grain.PERIOD if whole else Grain.HOUR if by_hour else Grain.DAY
    read = [*windows, *earlier]
    told = range(len(read) if compared_by_day else len(windows)) if by_caller else ()
    shown = _shown(read, zone, grain, told, beside)
    slot = _slot(zone, by_hour=by_hour)
    parts = [
        part_of(one, None if whole or (number >= len(windows) and not compared_by_day) else slot)
        for number, one in enumerate(shown[: len(read)])
    ]
    return RatedUsage(
        from_at,
        to_at,
        zone,
        chosen,
        currencies,
        tuple(parts[: len(windows)]),
        begins_inside(windows) and counts_by_period(one.basis for one in shown[: len(windows)]),
        tuple(parts[len(windows) :]),
        tuple(with_used(one.basis, one.flat) for one in shown[len(read) :]),
    )


def currencies_used(organization: Organization, from_at: datetime, to_at: datetime, side: Side) -> tuple[str, ...]:
    """Return the currencies of an organization's contracts that touch a time, in order."""
    return tuple(sorted({one.currency for one in contracts_within(from_at, to_at, {side.value: organization})}))


def rated_in_turn(
    organization: Organization, from_at: datetime, to_at: datetime, zone: str, *, currency: str, side: Side
) -> Iterator[RatedUsage]:
    """Yield what `rated_usage` rates, for sums of days, some contracts after the others: a provider may have thousands.

    Whether all of it `is_part` of a period is not found out.
    """
    found = contracts_within(from_at, to_at, {side.value: organization})
    contracts = [contract for contract in found if contract.currency == currency]
    slot = _slot(zone, by_hour=False)
    for begin in range(0, len(contracts), RATED_TOGETHER):
        windows = _windows(contracts[begin : begin + RATED_TOGETHER], currency, from_at, to_at)
        parts = tuple(part_of(one, slot) for one in read_shown(windows, zone=zone))
        yield RatedUsage(from_at, to_at, zone, currency, (currency,), parts)


def usage_by_hour(
    organization: Organization,
    from_at: datetime,
    to_at: datetime,
    zone: str,
    *,
    currency: str | None = None,
    by_caller: bool = False,
) -> list[PeriodBasis]:
    """Return what `rated_usage` would rate of a tenant hour by hour, for those who want to know no amounts."""
    contracts = contracts_within(from_at, to_at, {Side.TENANT.value: organization})
    windows = _windows(contracts, currency or _latest_currency(contracts), from_at, to_at)
    return read_bases(windows, zone=zone, grain=Grain.HOUR, by_caller=by_caller) if windows else []


def _latest_currency(contracts: Sequence[Contract]) -> str:
    return contracts[-1].currency if contracts else DEFAULT_CURRENCY


def _windows(contracts: Iterable[Contract], currency: str, from_at: datetime, to_at: datetime) -> list[Window]:
    shown = [contract for contract in contracts if contract.currency == currency]
    return [window for contract in shown for window in windows_of(contract, from_at, to_at)]


def _shown(
    windows: Sequence[Window], zone: str, grain: Grain, told: Collection[int], beside: Sequence[Window]
) -> list[Shown]:
    if grain is not Grain.HOUR:
        return read_shown(windows, zone=zone, grain=grain, told=told, beside=beside) if windows or beside else []
    by_hour = read_bases(windows, zone=zone, grain=grain, by_caller=bool(told), summed=True) if windows else []
    by_day = read_bases(beside, summed=True) if beside else []
    return [Shown(basis, {}) for basis in (*by_hour, *by_day)]


def part_of(shown: Shown, slot: Slot | None) -> Part:
    """Rate what was read of a window, by slots of time or for its sum alone; flat shares as such where they are."""
    basis = shown.basis
    flat: list[FlatLine] = []
    rest: dict[str, list[Series]] = {}
    for term in basis.terms:
        if term.ref in shown.flat:
            lines, rest[term.ref] = flat_lines(term, basis.window, shown.flat[term.ref], for_sum=slot is None)
            flat += lines
    part = with_used(basis, rest)
    rated = _rated(part, slot)
    if flat and any(line.amount < 0 for line in rated.lines):
        # Without what is owed of them, what is taken off could be more than all else, and would be handed on.
        part, flat = with_used(basis, shown.flat), []
        rated = _rated(part, slot)
    return Part(part, rated, tuple(flat))


def with_used(basis: PeriodBasis, series: Mapping[str, Sequence[Series]]) -> PeriodBasis:
    """Return a basis with series of its terms, by their references, as what was used under them."""
    if not any(series.values()):
        return basis
    terms = (
        replace(term, usage=tuple(used for one in series[term.ref] for used in one.used()))
        if series.get(term.ref)
        else term
        for term in basis.terms
    )
    return replace(basis, terms=tuple(terms))


def _rated(basis: PeriodBasis, slot: Slot | None) -> Rated:
    """Rate a basis, and divide lines of the whole window by when their units were used; without slots for its sum."""
    if slot is None:
        return rate(days_together(basis))
    rated = rate(basis)
    return replace(rated, lines=tuple(divided(rated.lines, basis.terms, slot)))


def _slot(zone: str, *, by_hour: bool) -> Slot:
    day = day_in(ZoneInfo(zone))

    def name(at: datetime) -> str:
        return at.isoformat() if by_hour else day(at).isoformat()

    return name

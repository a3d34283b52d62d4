"""The usage page's figures: an overview, and the days of each model and lease that its charts and export show."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from zoneinfo import ZoneInfo

import msgspec
from django.db.models import Q

from billing.basis import PeriodBasis
from billing.models import Contract, ContractState
from billing.money import (
    TOKENS_PER_PRICE_UNIT,
    exact_sum,
    from_minor,
    largest_remainder,
    round_to_minor,
    sum_of_fractions,
)
from billing.queries.usage import (
    RatedUsage,
    Side,
    TokenCounts,
    UsageOverview,
    rated_usage,
)
from billing.queries.usage_sums import bills_of, overview_of
from billing.rating.book import TokenClass
from billing.rating.by_day import day_in
from billing.rating.kinds import KINDS, kind_of
from billing.rating.lines import Bill, InvoiceLine, make_bill
from billing.rating.rated import Rated, RatedLine, TermKind
from metering.key_models import UsageKey
from tenants.models import Organization

DEFAULT_ZONE = "UTC"
METERED = tuple(kind for kind, said in KINDS.items() if said.quantities)


class SheetRow(msgspec.Struct, frozen=True):
    """A day of one model or of one lease, of one caller where the sheet tells them apart.

    `key_id` and `project` (a slug) are empty for what no key is known of. `exact_amount` is unrounded. `amount` is the
    day's part of the rounded line, so that the rows of a sheet sum to its total to the cent; a part is at most one
    minor unit away from the exact amount.
    """

    day: date
    contract: str
    term_ref: str
    kind: str
    model: str
    tokens: TokenCounts
    gpu_seconds: Decimal
    exact_amount: Decimal
    amount: Decimal
    key_id: str = ""
    project: str = ""


@dataclass(frozen=True, slots=True)
class Chosen:
    """What a sheet is about: everything, or what is of a model, a key (its id) and a project (its slug).

    `NOBODY` as key or project is what has none. `by_caller` tells callers apart where none is chosen.
    """

    model: str = ""
    key_id: str = ""
    project: str = ""
    by_caller: bool = False

    @property
    def is_all(self) -> bool:
        """Whether nothing is left out."""
        return not (self.model or self.key_id or self.project)

    @property
    def tells_callers(self) -> bool:
        """Whether usage must be told apart by caller."""
        return self.by_caller or bool(self.key_id or self.project)

    def holds(self, row: SheetRow) -> bool:
        """Whether a row is of what is chosen."""
        if self.model and (row.model != self.model or row.kind not in METERED):
            return False
        return _is(self.key_id, row.key_id) and _is(self.project, row.project)

    def holds_use(self, model: str, caller: str) -> bool:
        """Whether metered use of a model by a caller (`billing.usage_groups.caller_of`) is of what is chosen."""
        key_id, _bar, project = caller.partition("|")
        return (not self.model or model == self.model) and _is(self.key_id, key_id) and _is(self.project, project)


NOBODY = "-"
EVERYTHING = Chosen()


def _is(wanted: str, found: str) -> bool:
    return not wanted or found == ("" if wanted == NOBODY else wanted)


@dataclass(frozen=True, slots=True)
class UsageSheet:
    """What the usage page shows over a window, of all that is or of what is chosen.

    `total` is the sum of `rows` and, where everything is chosen, the overview's. `saved` is what cached input would
    have cost more at the price of input in force that day; None where no model has both prices.
    """

    overview: UsageOverview
    chosen: Chosen
    models: tuple[str, ...]
    rows: tuple[SheetRow, ...]
    total: Decimal
    saved: Decimal | None
    before: Decimal | None = None
    """What the same came to over the time that it is compared with; None where nothing was used or held in it."""

    @property
    def model(self) -> str:
        """The chosen model; empty for all."""
        return self.chosen.model

    @property
    def is_empty(self) -> bool:
        """Whether nothing was used, held or left without a price."""
        return not self.rows and not self.overview.unpriced


def usage_sheet(
    organization: Organization,
    from_at: datetime,
    to_at: datetime,
    zone: str,
    *,
    currency: str | None = None,
    chosen: Chosen = EVERYTHING,
    read_zone: str = "",
    side: Side = Side.TENANT,
    compared: tuple[datetime, datetime] | None = None,
) -> UsageSheet:
    """Return what a tenant used over `[from_at, to_at)`, or what was sold to a provider's tenants.

    The number of queries does not grow with the use. It is rated by the days of `zone`; with another `read_zone` rows
    have the days of that one, and come to the same.
    """
    moved = bool(read_zone) and read_zone != zone
    # Where all is by the hour, or callers are told apart of which only the sum is wanted, the other time is read alone.
    apart = moved or (chosen.is_all and chosen.tells_callers)
    together = None if apart else compared
    usage = rated_usage(
        organization,
        from_at,
        to_at,
        zone,
        currency=currency,
        side=side,
        by_hour=moved,
        by_caller=chosen.tells_callers,
        compared=together,
        compared_by_day=not chosen.is_all,
    )
    if compared and apart:
        before = usage_total(organization, *compared, zone, currency=usage.currency, chosen=chosen)
    elif chosen.is_all:
        before = _total_of(usage.compared, usage.currency)
    else:
        earlier = replace(usage, parts=usage.compared)
        rows = rows_of(earlier, bills_of(earlier), zone)
        before = _sum_of((row for row in rows if chosen.holds(row)), usage.currency)
    bills = bills_of(usage)
    overview = overview_of(usage, bills)
    rows = rows_of(usage, bills, read_zone or zone)
    shown = tuple(row for row in rows if chosen.holds(row))
    return UsageSheet(
        overview=overview,
        chosen=chosen,
        models=tuple(row.model for row in overview.models),
        rows=shown,
        total=exact_sum((from_minor(0, overview.currency), *(row.amount for row in shown))),
        saved=_saved(usage, chosen),
        before=before,
    )


def rows_of(usage: RatedUsage, bills: Sequence[Bill], zone: str) -> tuple[SheetRow, ...]:
    """Return the rows of a sheet of everything, by days of a zone and in order; `bills` are those of the ratings."""
    found = _rows(usage, bills, day_in(ZoneInfo(zone)))
    return tuple(sorted(found, key=lambda row: (row.day, row.kind, row.model, row.term_ref, row.key_id, row.project)))


def usage_total(
    organization: Organization,
    from_at: datetime,
    to_at: datetime,
    zone: str,
    *,
    currency: str,
    chosen: Chosen = EVERYTHING,
) -> Decimal | None:
    """Return what a window cost, to compare another with; None where nothing was used or held in it."""
    if chosen.is_all:
        usage = rated_usage(organization, from_at, to_at, zone, currency=currency, whole=True)
        return _total_of(usage.parts, currency)
    sheet = usage_sheet(organization, from_at, to_at, zone, currency=currency, chosen=chosen)
    return _sum_of(sheet.rows, currency)


def _sum_of(rows: Iterable[SheetRow], currency: str) -> Decimal | None:
    amounts = [row.amount for row in rows]
    return exact_sum((from_minor(0, currency), *amounts)) if amounts else None


def _total_of(parts: Sequence[tuple[PeriodBasis, Rated]], currency: str) -> Decimal | None:
    """Return what rows of days would sum to, without making them."""
    if not any(rated.lines or any(True for _ in basis.tokens()) for basis, rated in parts):
        return None
    bills = (make_bill(rated.lines, currency).total for _, rated in parts)
    return exact_sum((from_minor(0, currency), *bills))


def whole_days(first: date, last: date, zone: str, now: datetime) -> tuple[datetime, datetime]:
    """Return the instants of days, both included, in a zone: up to now where they are not over yet."""
    local = ZoneInfo(zone)
    start = datetime.combine(first, time.min, local).astimezone(UTC)
    end = datetime.combine(last + timedelta(days=1), time.min, local).astimezone(UTC)
    return start, max(start, min(end, now))


def key_labels(organization: Organization, rows: Iterable[SheetRow]) -> dict[str, str]:
    """Return the labels of the keys that rows are of, by their ids."""
    wanted = {row.key_id for row in rows} - {""}
    if not wanted:
        return {}
    found = UsageKey.objects.filter(tenant=organization, id__in=wanted).values_list("id", "label")
    return {str(key_id): label for key_id, label in found}


def billing_zone(organization: Organization, now: datetime, *, side: Side = Side.TENANT) -> str:
    """Return the time zone of a party's latest contract in force, in which its days are billed; UTC without one."""
    return _latest_contract(organization, now, side, "time_zone") or DEFAULT_ZONE


def billing_currency(organization: Organization, now: datetime, *, side: Side = Side.TENANT) -> str:
    """Return the currency of a party's latest contract in force; "" without one."""
    return _latest_contract(organization, now, side, "currency") or ""


def _latest_contract(organization: Organization, now: datetime, side: Side, column: str) -> str | None:
    found = (
        Contract.objects.filter(
            Q(to_at__isnull=True) | Q(to_at__gt=now), from_at__lte=now, **{side.value: organization}
        )
        .exclude(state__in=(ContractState.DRAFT, ContractState.OFFERED))
        .order_by("-from_at", "-pk")
    )
    return found.values_list(column, flat=True).first()


DayOf = Callable[[datetime], date]
_Key = tuple[str, str, date, str]
"""Term, model, day, caller."""


def _rows(usage: RatedUsage, bills: Iterable[Bill], day_of: DayOf) -> Iterator[SheetRow]:
    for (basis, _rated), bill in zip(usage.parts, bills, strict=True):
        counts = _counts(basis, day_of)
        seen: set[_Key] = set()
        for line in bill.lines:
            for day, caller, row in _line_rows(basis, line, counts, day_of, usage.currency):
                seen.add((row.term_ref, row.model, day, caller))
                yield row
        for key, tokens in counts.items():
            if key not in seen:
                yield _unpriced_row(basis, key, tokens, usage.currency)


def _line_rows(
    basis: PeriodBasis,
    line: InvoiceLine,
    counts: dict[_Key, TokenCounts],
    day_of: DayOf,
    currency: str,
) -> Iterator[tuple[date, str, SheetRow]]:
    by_day: dict[date, dict[str, list[RatedLine]]] = defaultdict(lambda: defaultdict(list))
    for subline in line.sublines:
        by_day[day_of(subline.from_at)][subline.caller].append(subline)
    days = sorted(by_day)
    exact = [[exact_sum(one.amount for one in by_day[day][caller]) for caller in sorted(by_day[day])] for day in days]
    kind = line.sublines[0].term_kind
    is_lease = kind is TermKind.LEASE
    # First by day and then by caller, so that a day comes to the same whether its callers are told apart or not.
    for day, callers, amount in zip(days, exact, _parts(line.amount, map(exact_sum, exact), currency), strict=True):
        for caller, exact_amount, part in zip(
            sorted(by_day[day]), callers, _parts(amount, callers, currency), strict=True
        ):
            key_id, _bar, project = caller.partition("|")
            known = counts.get((line.term_ref, line.model, day, caller), TokenCounts())
            quantity = exact_sum(one.quantity for one in by_day[day][caller]) if is_lease else Decimal(0)
            row = SheetRow(
                day=day,
                contract=basis.contract,
                term_ref=line.term_ref,
                kind=kind,
                model=line.model,
                tokens=TokenCounts() if is_lease else known,
                gpu_seconds=quantity,
                exact_amount=exact_amount,
                amount=part,
                key_id=key_id,
                project=project,
            )
            yield day, caller, row


def _parts(amount: Decimal, exact: Iterable[Decimal], currency: str) -> tuple[Decimal, ...]:
    """Share an amount out by what it consists of; a sum of nothing stands whole in its first part."""
    found = list(exact)
    if len(found) > 1 and any(found):
        return _shared_out(amount, found, currency)
    return (amount, *(from_minor(0, currency) for _ in found[1:]))


def _shared_out(amount: Decimal, exact: Sequence[Decimal], currency: str) -> tuple[Decimal, ...]:
    """Share a line's amount out by its days; what is taken off is shared out like what is owed."""
    sign = -1 if min(exact) < 0 else 1
    if min(exact) >= 0 or max(exact) <= 0:
        return tuple(
            sign * part for part in largest_remainder(sign * amount, [sign * each for each in exact], currency)
        )
    # Days of both signs: each has what it adds to the rounded sum of all before it.
    sums = [round_to_minor(exact_sum(exact[: place + 1]), currency) for place in range(len(exact) - 1)]
    return tuple(after - before for before, after in pairwise([from_minor(0, currency), *sums, amount]))


def _unpriced_row(basis: PeriodBasis, key: _Key, tokens: TokenCounts, currency: str) -> SheetRow:
    """Usage without any price still shows its tokens; the notice above it says that it is not charged yet."""
    term_ref, model, day, caller = key
    key_id, _bar, project = caller.partition("|")
    zero = Decimal(0)
    return SheetRow(
        day=day,
        contract=basis.contract,
        term_ref=term_ref,
        kind=next(kind_of(term) for term in basis.terms if term.ref == term_ref),
        model=model,
        tokens=tokens,
        gpu_seconds=zero,
        exact_amount=zero,
        amount=from_minor(0, currency),
        key_id=key_id,
        project=project,
    )


def _counts(basis: PeriodBasis, day_of: DayOf) -> dict[_Key, TokenCounts]:
    sums: dict[_Key, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for term, usage in basis.tokens():
        key = (term.ref, usage.model, day_of(usage.from_at), usage.caller)
        sums[key][usage.quantity] += usage.count
    return {key: TokenCounts(**counts) for key, counts in sums.items()}


def _saved(usage: RatedUsage, chosen: Chosen) -> Decimal | None:
    savings = [saving for basis, rated in usage.parts for saving in _savings(basis, _cached_lines(rated, chosen))]
    return round_to_minor(sum_of_fractions(savings), usage.currency) if savings else None


def _cached_lines(rated: Rated, chosen: Chosen) -> Iterator[RatedLine]:
    for line in rated.lines:
        key_id, _bar, project = line.caller.partition("|")
        mine = _is(chosen.key_id, key_id) and _is(chosen.project, project)
        if line.token_class == TokenClass.CACHED_INPUT and (not chosen.model or line.model == chosen.model) and mine:
            yield line


def _savings(basis: PeriodBasis, cached: Iterable[RatedLine]) -> Iterator[Fraction]:
    """What cached tokens would have cost more as input, by all that decides it; nothing where input has no price."""
    versions = {version.version_id: version for version in basis.versions}
    alike: dict[tuple[str | None, str, int, Decimal, Decimal], list[Decimal]] = defaultdict(list)
    for line in cached:
        priced = (line.price_version_id, line.model, line.context_over, line.price.amount, line.share_percent)
        alike[priced].append(line.quantity)
    for (version_id, model, over, price, percent), quantities in alike.items():
        version = versions.get(version_id or "")
        full = version.price_per_mtok(model, TokenClass.INPUT, over) if version else None
        if full is not None:
            dearer = Fraction(full) - Fraction(price)
            tokens = Fraction(exact_sum(quantities))
            yield tokens * dearer / TOKENS_PER_PRICE_UNIT * Fraction(percent) / 100

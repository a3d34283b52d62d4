"""The usage page's figures: an overview, and the days of each model and lease that its charts and export show."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import chain
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.models import Q, QuerySet

from billing.basis import PeriodBasis
from billing.flat_shares import Cached
from billing.models import Contract, ContractState
from billing.money import TOKENS_PER_PRICE_UNIT, exact_sum, from_minor, round_to_minor, sum_of_fractions
from billing.queries.sheet_rows import SheetRow, rows_of
from billing.queries.usage import Part, RatedUsage, Side, UsageOverview, rated_usage
from billing.queries.usage_sums import bills_of, overview_of
from billing.rating.book import TokenClass
from billing.rating.kinds import KINDS, kind_of
from billing.rating.lines import make_bill
from billing.rating.rated import TermKind
from billing.usage_spans import Window
from metering.key_models import UsageKey
from tenants.limits.written_once import written_once
from tenants.models import Organization

DEFAULT_ZONE = "UTC"
METERED = tuple(kind for kind, said in KINDS.items() if said.quantities)


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
        if not _is_of(self.model, row.model, row.kind):
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
    beside: tuple[PeriodBasis, ...] = ()
    """What windows that were read with it are rated from, in their order."""

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
    beside: Sequence[Window] = (),
) -> UsageSheet:
    """Return what a tenant used over `[from_at, to_at)`, or what was sold to a provider's tenants.

    The number of queries does not grow with the use. It is rated by the days of `zone`; with another `read_zone` rows
    have the days of that one, and come to the same. Windows `beside` are read with it.
    """
    moved = bool(read_zone) and read_zone != zone
    # Where all is by the hour, the other time is read alone.
    together = None if moved else compared
    by_rows = bool(chosen.key_id or chosen.project)
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
        compared_by_day=by_rows,
        beside=beside,
    )
    if compared and moved:
        before = usage_total(organization, *compared, zone, currency=usage.currency, chosen=chosen)
    elif by_rows:
        earlier = replace(usage, parts=usage.compared)
        rows = rows_of(earlier, bills_of(earlier), zone)
        before = _sum_of((row for row in rows if chosen.holds(row)), usage.currency)
    else:
        before = total_of(usage.compared, usage.currency, chosen)
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
        saved=saved_of(usage, chosen),
        before=before,
        beside=usage.beside,
    )


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
    if not (chosen.key_id or chosen.project):
        usage = rated_usage(organization, from_at, to_at, zone, currency=currency, whole=True)
        return total_of(usage.parts, currency, chosen)
    sheet = usage_sheet(organization, from_at, to_at, zone, currency=currency, chosen=chosen)
    return _sum_of(sheet.rows, currency)


def _sum_of(rows: Iterable[SheetRow], currency: str) -> Decimal | None:
    amounts = [row.amount for row in rows]
    return exact_sum((from_minor(0, currency), *amounts)) if amounts else None


def total_of(parts: Sequence[Part], currency: str, chosen: Chosen) -> Decimal | None:
    """Return what rows of days would sum to, without making them, of everything or of a model that is chosen."""
    if not any(_is_used(part, chosen.model) for part in parts):
        return None
    amounts = [from_minor(0, currency)]
    for part in parts:
        amounts += [
            line.amount
            for line in make_bill(part.rated.lines, currency).lines
            if _is_of(chosen.model, line.model, line.sublines[0].term_kind)
        ]
        amounts += [
            round_to_minor(line.exact_amount, currency)
            for line in part.flat
            if _is_of(chosen.model, line.model, TermKind.TOKEN_SHARE)
        ]
    return exact_sum(amounts)


def _is_used(part: Part, model: str) -> bool:
    """Whether anything was used or held, or any of a model was used."""
    lines = ((line.model, line.term_kind) for line in part.rated.lines)
    used = ((used.model, kind_of(term)) for term, used in part.basis.tokens())
    flat = ((line.model, TermKind.TOKEN_SHARE) for line in part.flat)
    return any(_is_of(model, *each) for each in chain(lines, flat, used))


def _is_of(wanted: str, model: str, kind: str) -> bool:
    """Whether something is of the model wanted, as metered: a card held may have a model's name. Without one all is."""
    return not wanted or (model == wanted and kind in METERED)


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
    return next((zone for zone, _ in _latest_contract(organization.pk, now, side)), DEFAULT_ZONE)


def billing_currency(organization: Organization, now: datetime, *, side: Side = Side.TENANT) -> str:
    """Return the currency of a party's latest contract in force; "" without one."""
    return next((currency for _, currency in _latest_contract(organization.pk, now, side)), "")


@written_once
def _latest_contract(party: UUID, now: datetime, side: Side) -> QuerySet[Contract, tuple[str, str]]:
    """The zone and the currency of a party's latest contract in force."""
    found = (
        Contract.objects.filter(Q(to_at__isnull=True) | Q(to_at__gt=now), from_at__lte=now, **{side.value: party})
        .exclude(state__in=(ContractState.DRAFT, ContractState.OFFERED))
        .order_by("-from_at", "-pk")
    )
    return found.values_list("time_zone", "currency")[:1]


def saved_of(usage: RatedUsage, chosen: Chosen) -> Decimal | None:
    """Return what cached input of what is chosen would have cost more as input; None where nothing is known of it."""
    savings = [saving for part in usage.parts for saving in _savings(part.basis, _cached(part, chosen))]
    return round_to_minor(sum_of_fractions(savings), usage.currency) if savings else None


def _cached(part: Part, chosen: Chosen) -> Iterator[Cached]:
    for line in part.rated.lines:
        if line.token_class == TokenClass.CACHED_INPUT and chosen.holds_use(line.model, line.caller):
            about = (line.price_version_id or "", line.model, line.context_over)
            yield Cached(line.caller, *about, line.price.amount, line.share_percent, int(line.quantity))
    for flat in part.flat:
        yield from (each for each in flat.cached if chosen.holds_use(flat.model, each.caller))


def _savings(basis: PeriodBasis, cached: Iterable[Cached]) -> Iterator[Fraction]:
    """What cached tokens would have cost more as input, by all that decides it; nothing where input has no price."""
    versions = {version.version_id: version for version in basis.versions}
    alike: dict[tuple[str, str, int, Decimal, Decimal], int] = defaultdict(int)
    for each in cached:
        priced = (each.version_id, each.model, each.context_over, each.price_per_mtok, each.share_percent)
        alike[priced] += each.tokens
    for (version_id, model, over, price, percent), tokens in alike.items():
        version = versions.get(version_id)
        full = version.price_per_mtok(model, TokenClass.INPUT, over) if version else None
        if full is not None:
            dearer = Fraction(full) - Fraction(price)
            yield tokens * dearer / TOKENS_PER_PRICE_UNIT * Fraction(percent) / 100

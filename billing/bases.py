"""Reads what billing periods are rated from; the number of queries does not grow with contracts, terms or usage."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import Q, QuerySet

from billing.basis import PeriodBasis
from billing.credit_facts import credit_facts
from billing.flat_shares import flat_refs
from billing.late_facts import adjusted_facts
from billing.lease_measured import measure_leases
from billing.models import BillingPeriod, Term, TermAllocation
from billing.price_rules import rules_among, window_versions
from billing.rating.book import PriceVersion
from billing.rating.dividing import percent_instants
from billing.rating.inputs import RatingWindow, TermInput, Used
from billing.rating.kinds import KINDS
from billing.rating.rated import TermKind
from billing.session_measured import session_facts
from billing.share_measured import measured_facts
from billing.stated_facts import by_contract, carried_facts, stated_facts
from billing.summed_days import Summed, summed_of
from billing.terms import terms_of
from billing.usage_groups import Stretches, days_in, days_of_contracts
from billing.usage_reading import Series, series_of, used_of
from billing.usage_spans import Span, Window, by_deployment, usage_spans
from clusters.occupancy import Hold
from tenants.limits.reader import within_own_of
from tenants.limits.written_once import written_once


def window_of(period: BillingPeriod, *, to_at: datetime | None = None) -> Window:
    """Return a billing period as a window, whole or up to an instant within it."""
    return Window(
        period.contract,
        period.from_at,
        to_at or period.to_at,
        period.to_at,
        period.whole_seconds,
    )


class Grain(StrEnum):
    """How finely usage is summed; rating gives the same from each.

    `PERIOD`: between changes of prices and wordings, by day only for terms whose lines are by day. `DAY`: by day (of
    the contract's time zone, or of another) and between such changes. `HOUR`: as it was metered.
    """

    PERIOD = "period"
    DAY = "day"
    HOUR = "hour"


def read_basis(
    window: Window,
    *,
    grain: Grain = Grain.DAY,
    versions: tuple[PriceVersion, ...] | None = None,
    terms: Sequence[Term] | None = None,
    summed: bool = False,
) -> PeriodBasis:
    """Return what one contract is rated from over a window, at other price versions than those in force where given.

    `terms` are all of the contract's, where they were read already; `summed` as in `read_bases`.
    """
    given = None if versions is None else [versions]
    return read_bases([window], grain=grain, versions=given, terms=terms, summed=summed)[0]


def read_bases(
    windows: Sequence[Window],
    *,
    zone: str | None = None,
    grain: Grain = Grain.DAY,
    versions: Sequence[tuple[PriceVersion, ...]] | None = None,
    terms: Sequence[Term] | None = None,
    by_caller: bool = False,
    summed: bool = False,
) -> list[PeriodBasis]:
    """Return what contracts are rated from, one for each window in the order given.

    Days are those of the contract's time zone, or of `zone`. An hour that begins before a window's end counts whole:
    hours are cut at the ends of periods. `by_caller` tells usage apart by key and project (`billing.usage_groups`).
    `summed` reads days that are over as their sums (`billing.summed_days`), told apart by caller where it is by day;
    what is charged is read from the hours.
    """
    told = range(len(windows)) if by_caller else ()
    return [one.basis for one in _read(windows, _How(zone, grain, told, summed), versions=versions, terms=terms)]


class Shown(NamedTuple):
    """What a contract is rated from where it is shown: what was used under flat shares is in `flat`, not in `basis`.

    `flat` has the series of a term by its reference (`billing.flat_shares`).
    """

    basis: PeriodBasis
    flat: Mapping[str, Sequence[Series]]


def read_shown(
    windows: Sequence[Window],
    *,
    zone: str,
    grain: Grain = Grain.DAY,
    told: Collection[int] = (),
    beside: Sequence[Window] = (),
) -> list[Shown]:
    """Return what `read_bases` returns of sums of days, but for what was used under flat shares, which are apart.

    Usage is told apart by caller in the windows of which `told` has the numbers. Windows `beside` may lie over the
    others: they are read by days of their contracts, with the same queries but for what was used, and come last.
    """
    return _read(windows, _How(zone, grain, told, summed=True, flat=True), beside=beside)


class _How(NamedTuple):
    """How usage is read, as `read_bases` and `read_shown` say it."""

    zone: str | None
    grain: Grain
    told: Collection[int]
    summed: bool
    flat: bool = False


def _read(
    windows: Sequence[Window],
    how: _How,
    *,
    versions: Sequence[tuple[PriceVersion, ...]] | None = None,
    terms: Sequence[Term] | None = None,
    beside: Sequence[Window] = (),
) -> list[Shown]:
    every = [*windows, *beside]
    parties = [{window.contract.provider_id, window.contract.tenant_id} for window in every]
    with within_own_of(set.intersection(*parties) if parties else (), "what is rated is under the reader's contracts"):
        terms = terms_of({window.contract.id for window in every}) if terms is None else terms
        versions = versions or _versions(every, terms)
        spans = usage_spans(every, terms)
        zones = [*(how.zone for _ in windows), *(None for _ in beside)]
        bases = _bases(every, terms, versions, spans, zones)
        apart, first = how._replace(zone=None, grain=Grain.DAY, told=()), len(windows)
        of_beside = [replace(span, window=span.window - first) for span in spans if span.window >= first]
        groups = [
            _Group(bases[:first], windows, [span for span in spans if span.window < first], how),
            _Group(bases[first:], beside, of_beside, apart),
        ]
        # What is summed is the same of all; where neither reads it, it is not asked for.
        summed = summed_of(spans) if any(_of_days(group) for group in groups if group.windows) else None
        return [one for group in groups if group.windows for one in _with_usage(group, terms, summed)]


class _Group(NamedTuple):
    """Windows whose usage is read in one way, which no other group's cuts; spans have the windows' numbers in it."""

    bases: Sequence[PeriodBasis]
    windows: Sequence[Window]
    spans: Sequence[Span]
    how: _How


def _of_days(group: _Group) -> bool:
    """Whether days that are summed are read as such."""
    how = group.how
    # Who called is told apart in each stretch as a whole: a day is one, and read in one piece.
    whole = how.grain is Grain.DAY if how.told else how.grain is not Grain.HOUR
    return how.summed and whole and _is_utc(group.windows, how.zone)


def _with_usage(group: _Group, terms: Sequence[Term], summed: Summed | None) -> list[Shown]:
    """Return the bases of a group with what was used."""
    bases, windows, spans, how = group
    versions = [basis.versions for basis in bases]
    changes = _price_changes(windows, versions) | _discount_changes(windows, terms)
    stretches = _stretches(_Placed(spans, windows, how.zone), changes, how.grain, _by_day(terms))
    known = summed if _of_days(group) else None
    flat = [flat_refs(basis) if how.flat else frozenset() for basis in bases]
    refs = {term.id: term.ref for term in terms}
    apart = [span for span in spans if refs[span.term_id] in flat[span.window]]
    rest = [span for span in spans if refs[span.term_id] not in flat[span.window]] if apart else spans
    series = series_of(apart, stretches, told=how.told, summed=known)
    usage = used_of(rest, stretches, told=how.told, summed=known)
    by_ref = {(window, refs[term_id]): tuple(used) for (window, term_id), used in usage.items() if used}
    return [
        Shown(
            replace(
                basis,
                terms=tuple(
                    replace(term, usage=by_ref[index, term.ref]) if (index, term.ref) in by_ref else term
                    for term in basis.terms
                ),
            ),
            {refs[term_id]: found for (window, term_id), found in series.items() if window == index},
        )
        for index, basis in enumerate(bases)
    ]


def _bases(
    windows: Sequence[Window],
    terms: Sequence[Term],
    versions: Sequence[tuple[PriceVersion, ...]],
    spans: Sequence[Span],
    zones: Sequence[str | None],
) -> list[PeriodBasis]:
    """Return what contracts are rated from, but for what was used; `zones` are those of the windows' days."""
    holds = _holds(windows, terms)
    stated, sessions = stated_facts(windows, terms), session_facts(windows, terms)
    measured, leased = measured_facts(spans, terms), measure_leases(windows, terms, holds, stated)
    credit = credit_facts([(window.contract.id, window.from_at) for window in windows], terms)
    carried, adjusted, of_contract = carried_facts(windows), adjusted_facts(windows), _terms_by_contract(terms)
    found = []
    for index, window in enumerate(windows):
        inputs = tuple(
            TermInput(
                ref=term.ref,
                title=term.title,
                from_at=term.from_at,
                to_at=term.to_at,
                stretches=worded,
                holds=tuple(_all_holds(holds[index, term.id], leased.holds[index, term.id])),
                facts=(
                    *carried[index, term.ref],
                    *measured[index, term.id],
                    *leased.facts[index, term.id],
                    *sessions.get((index, term.id), ()),
                    *credit[index, term.id],
                    *stated[index, term.id],
                ),
            )
            for term in of_contract[window.contract.id]
            if (worded := term.stretches(window.from_at, window.period_to_at or window.to_at))
        )
        found.append(
            PeriodBasis(
                contract=window.contract.number,
                contract_version=_latest_version(inputs, window.contract.version),
                window=_rating_window(window, versions[index], zones[index]),
                terms=inputs,
                facts=(*carried[index, window.contract.number], *adjusted[index]),
            )
        )
    return found


def _versions(windows: Sequence[Window], terms: Iterable[Term]) -> Sequence[tuple[PriceVersion, ...]]:
    return window_versions([(one.contract, one.from_at, one.to_at) for one in windows], rules=rules_among(terms))


def _latest_version(inputs: Iterable[TermInput], default: int) -> int:
    return max((stretch.contract_version for term in inputs for stretch in term.stretches), default=default)


def _terms_by_contract(terms: Iterable[Term]) -> Mapping[UUID, list[Term]]:
    found: dict[UUID, list[Term]] = defaultdict(list)
    for term in terms:
        found[term.contract_id].append(term)
    return found


def _rating_window(window: Window, versions: tuple[PriceVersion, ...], zone: str | None) -> RatingWindow:
    return RatingWindow(
        currency=window.contract.currency,
        zone=zone or window.contract.time_zone,
        from_at=window.from_at,
        to_at=window.to_at,
        period_to_at=window.period_to_at or window.to_at,
        versions=versions,
        whole_seconds=window.whole_seconds,
    )


def _holds(windows: Sequence[Window], terms: Iterable[Term]) -> Mapping[tuple[int, UUID], list[Hold]]:
    found: dict[tuple[int, UUID], list[Hold]] = defaultdict(list)
    contract_of = {term.id: term.contract_id for term in terms if KINDS[TermKind(term.kind)].takes_slices}
    if not contract_of:
        return found
    indexes = by_contract(windows)
    spans: dict[tuple[datetime, datetime], set[UUID]] = defaultdict(set)
    for window in windows:
        spans[window.from_at, window.to_at].add(window.contract.id)
    held = _held(tuple((*span, frozenset(contracts)) for span, contracts in spans.items()))
    for slice_id, from_at, to_at, permille, card, model, term_id in held:
        hold = Hold(str(slice_id), permille, from_at, to_at, str(card), model)
        for index in indexes[contract_of[term_id]]:
            window = windows[index]
            if from_at < window.to_at and (to_at is None or to_at > window.from_at):
                found[index, term_id].append(hold)
    return found


@written_once
def _held(spans: tuple[tuple[datetime, datetime, Collection[UUID]], ...]) -> QuerySet[TermAllocation, tuple[Any, ...]]:
    """What is held under contracts in spans `[from_at, to_at)`, from the earliest on."""
    which = Q(pk__in=[])
    for from_at, to_at, contracts in spans:
        which |= Q(
            Q(allocation__to_at__isnull=True) | Q(allocation__to_at__gt=from_at),
            allocation__from_at__lt=to_at,
            term__contract__in=contracts,
        )
    held = TermAllocation.objects.filter(which).order_by("allocation__from_at", "allocation_id")
    return held.values_list(
        "allocation__slice_id",
        "allocation__from_at",
        "allocation__to_at",
        "allocation__slice__share_permille",
        "allocation__slice__accelerator_id",
        "allocation__slice__accelerator__model",
        "term_id",
    )


class _Placed(NamedTuple):
    """Spans, and whose days theirs are: a zone's, or else those of their windows' contracts."""

    spans: Sequence[Span]
    windows: Sequence[Window]
    zone: str | None


def _stretches(placed: _Placed, changes: set[datetime], grain: Grain, by_day: Collection[UUID]) -> Stretches:
    if grain is Grain.HOUR:
        return Stretches()
    spans, windows, zone = placed
    of_deployment = by_deployment(spans)
    daily = {span.deployment_id for span in spans if grain is Grain.DAY or span.term_id in by_day}
    days = days_in(zone, daily, of_deployment) if zone else days_of_contracts(windows, spans, daily)
    return Stretches(sorted(changes | _span_changes(of_deployment)), days)


def _is_utc(windows: Iterable[Window], zone: str | None) -> bool:
    """Whether the days in question are those that are summed."""
    return all((zone or window.contract.time_zone) == "UTC" for window in windows)


def read_usage(basis: PeriodBasis, spans: Sequence[Span]) -> Mapping[UUID, tuple[Used, ...]]:
    """Return by term id the usage of spans as if it billed under them, at the prices of a basis; one query."""
    changes = {version.effective_at for version in basis.versions}
    changes |= {at for term in basis.of_kind(TermKind.DISCOUNT) for at in percent_instants(term.stretches)}
    found = used_of(spans, _stretches(_Placed(spans, (), basis.zone), changes, Grain.DAY, ()))
    return {term_id: tuple(usage) for (_, term_id), usage in found.items() if usage}


def _by_day(terms: Iterable[Term]) -> set[UUID]:
    """Return the terms whose lines are by day, which their usage must be for."""
    return {term.id for term in terms if KINDS[TermKind(term.kind)].by_day}


def _price_changes(windows: Sequence[Window], versions: Sequence[Sequence[PriceVersion]]) -> set[datetime]:
    """Return every instant inside a window at which its prices change; all usage is cut at all of them."""
    return {
        version.effective_at
        for window, in_force in zip(windows, versions, strict=True)
        for version in in_force
        if window.from_at < version.effective_at < window.to_at
    }


def _discount_changes(windows: Sequence[Window], terms: Iterable[Term]) -> set[datetime]:
    """Return every instant inside a window at which a percentage off begins or ends."""
    discounts = [term for term in terms if term.kind == TermKind.DISCOUNT]
    return {
        at
        for window in windows
        for term in discounts
        if term.contract_id == window.contract.id
        for at in percent_instants(term.stretches(window.from_at, window.period_to_at or window.to_at))
        if window.from_at < at < window.to_at
    }


def _span_changes(of_deployment: Mapping[UUID, Sequence[Span]]) -> set[datetime]:
    """Return where the usage of one deployment goes from one wording, term or window to another."""
    return {span.from_at for spans in of_deployment.values() for span in spans[1:]}


def _all_holds(own: Sequence[Hold], more: Sequence[Hold]) -> list[Hold]:
    """Join holds, each once, by their start."""
    return sorted(dict.fromkeys((*own, *more)), key=lambda hold: (hold.from_at, hold.slice_ref)) if more else list(own)

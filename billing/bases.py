"""Reads what billing periods are rated from; the number of queries does not grow with contracts, terms or usage."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from itertools import chain, groupby
from typing import Any
from uuid import UUID

from django.db.models import Expression, Q, QuerySet, Value

from billing.basis import PeriodBasis
from billing.credit_facts import credit_facts
from billing.late_facts import adjusted_facts
from billing.lease_measured import measure_leases
from billing.models import BillingPeriod, PeriodCarry, Term, TermAllocation, TermFact
from billing.price_rules import rules_among, window_versions
from billing.rating.book import PriceVersion
from billing.rating.dividing import percent_instants
from billing.rating.inputs import Carried, Fact, RatingWindow, TermInput, Used
from billing.rating.kinds import KINDS, read_fact
from billing.rating.rated import TermKind
from billing.session_measured import session_facts
from billing.share_measured import measured_facts
from billing.summed_days import in_days
from billing.terms import terms_of
from billing.usage_groups import (
    Callers,
    Group,
    Stretches,
    callers_of,
    day_of,
    grouped,
    hours_of,
    told_apart,
    zones_of,
)
from billing.usage_spans import Span, Window, billed_days, billed_usage, by_deployment, usage_spans
from clusters.occupancy import Hold
from metering.models import Witness
from tenants.limits.reader import within_own_of


def window_of(period: BillingPeriod, *, to_at: datetime | None = None) -> Window:
    """Return a billing period as a window, whole or up to an instant within it."""
    return Window(
        period.contract,
        period.from_at,
        to_at or period.to_at,
        period.to_at,
        period.whole_seconds,
    )


LASTING = ("lease_agreed", "lease_extended")
"""Facts that hold from their instant on, in every later period too."""


AUDIT_CLAIM, AUDIT_ANSWER = "audit_claim", "audit_answer"
UNRATED = (AUDIT_CLAIM, AUDIT_ANSWER)
"""Facts on record that decide no amount: what a finding is until it is settled (`billing.audit_claims`)."""


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
    parties = [{window.contract.provider_id, window.contract.tenant_id} for window in windows]
    with within_own_of(set.intersection(*parties) if parties else (), "what is rated is under the reader's contracts"):
        return _bases(windows, terms, versions, (zone, grain, by_caller, summed))


def _bases(
    windows: Sequence[Window],
    terms: Sequence[Term] | None,
    versions: Sequence[tuple[PriceVersion, ...]] | None,
    how: tuple[str | None, Grain, bool, bool],
) -> list[PeriodBasis]:
    zone, grain, by_caller, summed = how
    terms = terms_of({window.contract.id for window in windows}) if terms is None else terms
    versions = versions or _versions(windows, terms)
    holds, spans = _holds(windows, terms), usage_spans(windows, terms)
    changes = _price_changes(windows, versions) | _discount_changes(windows, terms)
    stretches = _stretches(spans, changes, Value(zone) if zone else zones_of(windows, spans), grain, _by_day(terms))
    # Who called is told apart in each stretch as a whole: a day is one, and read in one piece.
    whole = grain is Grain.DAY if by_caller else grain is not Grain.HOUR
    of_days = summed and whole and _is_utc(windows, zone)
    usage = _usage(spans, stretches, by_caller=by_caller, of_days=of_days)
    measured, leased = measured_facts(spans, terms), measure_leases(windows, terms, holds)
    credit = credit_facts([(window.contract.id, window.from_at) for window in windows], terms)
    stated, sessions = _stated(windows, terms), session_facts(windows, terms)
    carried, adjusted, by_contract = _carried(windows), adjusted_facts(windows), _terms_by_contract(terms)
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
                usage=tuple(usage[index, term.id]),
                facts=(
                    *carried[index, term.ref],
                    *measured[index, term.id],
                    *leased.facts[index, term.id],
                    *sessions.get((index, term.id), ()),
                    *credit[index, term.id],
                    *stated[index, term.id],
                ),
            )
            for term in by_contract[window.contract.id]
            if (worded := term.stretches(window.from_at, window.period_to_at or window.to_at))
        )
        found.append(
            PeriodBasis(
                contract=window.contract.number,
                contract_version=_latest_version(inputs, window.contract.version),
                window=_rating_window(window, versions[index], zone),
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
    indexes = _by_contract(windows)
    held = _held(windows).order_by("allocation__from_at", "allocation_id")
    for slice_id, from_at, to_at, permille, card, model, term_id in held.iterator():
        hold = Hold(str(slice_id), permille, from_at, to_at, str(card), model)
        for index in indexes[contract_of[term_id]]:
            window = windows[index]
            if from_at < window.to_at and (to_at is None or to_at > window.from_at):
                found[index, term_id].append(hold)
    return found


def _held(windows: Sequence[Window]) -> QuerySet[TermAllocation, tuple[Any, ...]]:
    spans: dict[tuple[datetime, datetime], list[UUID]] = defaultdict(list)
    for window in windows:
        spans[window.from_at, window.to_at].append(window.contract.id)
    which = Q(pk__in=[])
    for span, contracts in spans.items():
        which |= Q(
            Q(allocation__to_at__isnull=True) | Q(allocation__to_at__gt=span[0]),
            allocation__from_at__lt=span[1],
            term__contract__in=contracts,
        )
    return TermAllocation.objects.filter(which).values_list(
        "allocation__slice_id",
        "allocation__from_at",
        "allocation__to_at",
        "allocation__slice__share_permille",
        "allocation__slice__accelerator_id",
        "allocation__slice__accelerator__model",
        "term_id",
    )


def _stretches(
    spans: Sequence[Span], changes: set[datetime], zone: Expression, grain: Grain, by_day: Collection[UUID]
) -> Stretches:
    if grain is Grain.HOUR:
        return Stretches()
    of_deployment = by_deployment(spans)
    daily = {span.deployment_id for span in spans if grain is Grain.DAY or span.term_id in by_day}
    return Stretches(sorted(changes | _span_changes(of_deployment)), day_of(zone, daily, of_deployment))


def _usage(
    spans: Sequence[Span], stretches: Stretches, *, by_caller: bool = False, of_days: bool = False
) -> Mapping[tuple[int, UUID], list[Used]]:
    found: dict[tuple[int, UUID], list[Used]] = defaultdict(list)
    if not spans:
        return found
    of_deployment = by_deployment(spans)
    if stretches.day is None and not by_caller:
        return _by_hour(spans, of_deployment)
    callers: Callers = callers_of(spans, stretches) if by_caller else {}
    # Hours in which nothing flowed would widen the span of a line, by day and by hour differently.
    by_hour, by_day = in_days(spans, stretches.edges) if of_days else (spans, ())
    rows = grouped(billed_usage(by_hour).exclude(value=0), stretches) if by_hour else ()
    more = grouped(billed_days(by_day), stretches) if by_day else ()
    # Groups of a deployment follow each other; to look one up by its id, or to write that out, is dear.
    for number, groups in chain(groupby(rows, _deployment), groupby(more, _deployment)):
        deployment_id = UUID(int=number)
        deployment = str(deployment_id)
        # Once a span and not once a group: a month has thousands, and to hash an id takes Python's own code.
        its = [
            (span, callers if span.witness == Witness.GATEWAY else {}, found[span.window, span.term_id])
            for span in of_deployment[deployment_id]
        ]
        for group in groups:
            for span, apart, into in its:
                if span.from_at <= group.start < span.to_at:
                    into += _used(deployment, group, apart)
    return found


def _deployment(group: Group) -> int:
    return group.deployment_id.int


def _by_hour(
    spans: Sequence[Span], of_deployment: Mapping[UUID, Sequence[Span]]
) -> Mapping[tuple[int, UUID], list[Used]]:
    """Return usage hour by hour, whoever used it."""
    found: dict[tuple[int, UUID], list[Used]] = defaultdict(list)
    for about, hours in hours_of(billed_usage(spans).exclude(value=0)):
        deployment_id, model, quantity, quality, context_over, marks = about
        deployment, its = str(deployment_id), of_deployment[deployment_id]
        for span in its:
            # What was asked for lies within the spans; which of them an hour is in has to be told where there are more.
            own = hours if len(its) == 1 else [hour for hour in hours if span.from_at <= hour[0] < span.to_at]
            found[span.window, span.term_id] += [
                Used(deployment, model, quantity, quality, start, end, count, context_over, marks)
                for start, end, count in own
            ]
    return found


def _is_utc(windows: Iterable[Window], zone: str | None) -> bool:
    """Whether the days in question are those that are summed."""
    return all((zone or window.contract.time_zone) == "UTC" for window in windows)


def read_usage(basis: PeriodBasis, spans: Sequence[Span]) -> Mapping[UUID, tuple[Used, ...]]:
    """Return by term id the usage of spans as if it billed under them, at the prices of a basis; one query."""
    changes = {version.effective_at for version in basis.versions}
    changes |= {at for term in basis.of_kind(TermKind.DISCOUNT) for at in percent_instants(term.stretches)}
    found = _usage(spans, _stretches(spans, changes, Value(basis.zone), Grain.DAY, ()))
    return {term_id: tuple(usage) for (_, term_id), usage in found.items() if usage}


def _by_day(terms: Iterable[Term]) -> set[UUID]:
    """Return the terms whose lines are by day, which their usage must be for."""
    return {term.id for term in terms if KINDS[TermKind(term.kind)].by_day}


def _used(deployment: str, group: Group, callers: Callers) -> list[Used]:
    about = (deployment, group.model, group.quantity, group.quality, group.start, group.end)
    if not callers:
        return [Used(*about, group.count, group.context_over, group.marks)]
    parts = told_apart(group, callers)
    return [Used(*about, count, group.context_over, group.marks, caller) for caller, count in parts]


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


def _stated(windows: Sequence[Window], terms: Sequence[Term]) -> Mapping[tuple[int, UUID], list[Fact]]:
    found: dict[tuple[int, UUID], list[Fact]] = defaultdict(list)
    contract_of = {term.id: term.contract_id for term in terms}
    if not contract_of:
        return found
    indexes = _by_contract(windows)
    rated = TermFact.objects.exclude(term__kind=TermKind.CREDIT).exclude(document__fact__in=UNRATED)
    facts = rated.filter(
        Q(at__gte=min(window.from_at for window in windows)) | Q(document__fact__in=LASTING),
        term__contract__in=list(indexes),
        at__lt=max(window.to_at for window in windows),
    )
    for fact in facts.order_by("at", "recorded_at", "pk"):
        for index in indexes[contract_of[fact.term_id]]:
            begun = windows[index].from_at <= fact.at or fact.document.get("fact") in LASTING
            if begun and fact.at < windows[index].to_at:
                found[index, fact.term_id].append(read_fact(fact.document))
    return found


def _carried(windows: Sequence[Window]) -> Mapping[tuple[int, str], list[Fact]]:
    """Return what the period before a window's handed on, by the reference of the term or the contract's number."""
    found: dict[tuple[int, str], list[Fact]] = defaultdict(list)
    indexes = _by_contract(windows)
    carries = PeriodCarry.objects.filter(
        period__contract__in=list(indexes), period__to_at__in={window.from_at for window in windows}
    )
    # What a period handed on as it closed, unless usage that came late made it something else.
    latest = carries.order_by("period_id", "term_ref", "name", "-seq").distinct("period_id", "term_ref", "name")
    rows = latest.values_list("period__contract_id", "period__to_at", "term_ref", "name", "value")
    for contract_id, to_at, term_ref, name, value in rows:
        for index in indexes[contract_id]:
            if value and windows[index].from_at == to_at:
                found[index, term_ref].append(Carried(name=name, value=value))
    return found


def _by_contract(windows: Sequence[Window]) -> Mapping[UUID, list[int]]:
    indexes: dict[UUID, list[int]] = defaultdict(list)
    for index, window in enumerate(windows):
        indexes[window.contract.id].append(index)
    return indexes

"""Which usage bills under which term, and when: deployments bound to terms, as the witness of their wording counts."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from uuid import UUID

from django.db.models import Q, QuerySet, Sum

from billing.basis import BILLED_QUALITIES
from billing.models import Contract, Term, TermDeployment
from billing.rating.book import TokenClass
from billing.rating.kinds import KINDS, kind_of_wording
from billing.rating.rated import TermKind
from billing.rating.wording import Stretch, Wording
from billing.terms import terms_of
from metering.day_models import UsageDay
from metering.models import UsageHour, Witness
from tenants.limits.written_once import written_once


@dataclass(frozen=True, slots=True)
class Window:
    """The time `[from_at, to_at)` in which a contract is looked at.

    It lies in the billing period `[from_at, period_to_at)`, which is the window itself where nothing is said, and
    which has `whole_seconds` where the contract's start or end cut something off it.
    """

    contract: Contract
    from_at: datetime
    to_at: datetime
    period_to_at: datetime | None = None
    whole_seconds: int | None = None


@dataclass(frozen=True, slots=True)
class Span:
    """The usage of a deployment over `[from_at, to_at)` that bills under a term in window number `window`."""

    deployment_id: UUID
    term_id: UUID
    window: int
    witness: str
    quantities: tuple[str, ...]
    tolerance_percent: Decimal
    from_at: datetime
    to_at: datetime


def usage_spans(windows: Sequence[Window], terms: Iterable[Term] | None = None) -> list[Span]:
    """Return what bills within the windows, in order; three queries, or one where the terms were read."""
    if terms is None:
        terms = terms_of({window.contract.id for window in windows})
    metered = {term.id: term for term in terms if KINDS[TermKind(term.kind)].quantities}
    by_contract: dict[UUID, list[int]] = defaultdict(list)
    for index, window in enumerate(windows):
        by_contract[window.contract.id].append(index)
    spans: list[Span] = []
    for each in _bound_to(set(metered)):
        term = metered[each.term_id]
        for index in by_contract[term.contract_id]:
            window = windows[index]
            start = max(window.from_at, each.from_at)
            end = window.to_at if each.to_at is None else min(window.to_at, each.to_at)
            spans.extend(_spans(term, each.deployment_id, (index, window), start, end))
    return spans


@written_once
def _bound_to(terms: Collection[UUID]) -> QuerySet[TermDeployment]:
    return TermDeployment.objects.filter(term_id__in=terms).order_by("deployment_id", "from_at")


def _spans(
    term: Term, deployment_id: UUID, placed: tuple[int, Window], from_at: datetime, to_at: datetime
) -> Iterable[Span]:
    for stretch in term.stretches(from_at, to_at):
        yield from stretch_spans(stretch, (term.id, term.from_at), deployment_id, placed)


def stretch_spans(
    stretch: Stretch[Wording], term: tuple[UUID, datetime], deployment_id: UUID, placed: tuple[int, Window]
) -> Iterable[Span]:
    """Yield a deployment's spans under one wording: `term` is its id and start, `placed` a window and its number."""
    kind = KINDS[kind_of_wording(stretch.wording)]
    index, window = placed
    witness, tolerance = metered_by(stretch.wording)
    zone = window.contract.time_zone
    cuts = kind.cuts(stretch.wording, term[1], zone, stretch.from_at, stretch.to_at) if kind.cuts else ()
    for start, end in pairwise(sorted({stretch.from_at, stretch.to_at, *cuts})):
        yield Span(
            deployment_id=deployment_id,
            term_id=term[0],
            window=index,
            witness=witness,
            quantities=kind.quantities,
            tolerance_percent=tolerance,
            from_at=start,
            to_at=end,
        )


def metered_by(wording: Wording) -> tuple[str, Decimal]:
    """Return the witness whose counts bill, and by how many percent the other may be away."""
    return str(getattr(wording, "witness")), getattr(wording, "tolerance_percent", Decimal(1))  # noqa: B009  of any kind


Chosen = tuple[tuple[str, Collection[str], datetime, datetime, Collection[UUID]], ...]
"""What bills: of a witness, of quantities, over `[from_at, to_at)`, of deployments; or of the next."""


def chosen_of(spans: Iterable[Span]) -> Chosen:
    """Return what spans choose of usage, those that differ in their deployments together."""
    chosen: dict[tuple[str, tuple[str, ...], datetime, datetime], set[UUID]] = defaultdict(set)
    for span in spans:
        chosen[span.witness, span.quantities, span.from_at, span.to_at].add(span.deployment_id)
    return tuple(
        (witness, frozenset(quantities), from_at, to_at, frozenset(deployments))
        for (witness, quantities, from_at, to_at), deployments in sorted(chosen.items(), key=lambda one: one[0])
    )


def billed_usage(spans: Iterable[Span]) -> QuerySet[UsageHour]:
    """Return the usage hours that bill: of the witness, the quantities and the time of their span, sure qualities."""
    return billed_hours(chosen_of(spans))


def billed_hours(chosen: Chosen) -> QuerySet[UsageHour]:
    """Do `billed_usage` for what spans choose."""
    return UsageHour.objects.filter(_which(chosen), quality__in=BILLED_QUALITIES)


def billed_days(chosen: Chosen) -> QuerySet[UsageDay]:
    """Return the same as sums of days, where spans begin and end with a UTC day."""
    return UsageDay.objects.filter(_which(chosen), quality__in=BILLED_QUALITIES)


def _which(chosen: Chosen) -> Q:
    which = Q(pk__in=[])
    for witness, quantities, from_at, to_at, deployments in chosen:
        which |= Q(
            deployment_id__in=deployments,
            witness=witness,
            quantity__in=quantities,
            from_at__gte=from_at,
            from_at__lt=to_at,
        )
    return which


def usage_records(usage: QuerySet[UsageHour]) -> int:
    """Return how many events and readings of tokens stand behind usage hours.

    An event counts once though its hours are kept per class: every event has input.
    """
    return int(_behind(usage).aggregate(records=Sum("records"))["records"] or 0)


def records_by_deployment(usage: QuerySet[UsageHour]) -> dict[UUID, int]:
    """Do `usage_records` by deployment; one query."""
    behind = _behind(usage).values_list("deployment_id").order_by()
    return {deployment_id: int(records) for deployment_id, records in behind.annotate(records=Sum("records"))}


def _behind(usage: QuerySet[UsageHour]) -> QuerySet[UsageHour]:
    tokens = usage.filter(quantity__in=list(TokenClass))
    return tokens.filter(~Q(witness=Witness.GATEWAY) | Q(quantity=TokenClass.INPUT))


def by_deployment(spans: Iterable[Span]) -> Mapping[UUID, list[Span]]:
    """Return the spans of each deployment, in order of time."""
    found: dict[UUID, list[Span]] = defaultdict(list)
    for span in sorted(spans, key=lambda each: each.from_at):
        found[span.deployment_id].append(span)
    return found

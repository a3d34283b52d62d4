"""Facts of the meter that a token share is rated from: both witnesses' counts, interrupted answers, availability.

Each is read only where a wording asks for it. The number of queries grows with the distinct spans of time that are
looked at, not with contracts, terms, deployments or usage.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from django.db.models import Q, Sum

from billing.basis import BILLED_QUALITIES
from billing.models import Term
from billing.rating.availability import MeasuredAvailability
from billing.rating.inputs import Fact
from billing.rating.share_facts import InterruptedCounts, WitnessCounts
from billing.rating.share_pieces import MARK_INTERRUPTED
from billing.rating.share_witness import ENGINE
from billing.rating.share_wording import TokenShareWording
from billing.rating.share_words import InterruptedStreams, OutsideTolerance
from billing.rating.spans import Span as Seconds
from billing.rating.spans import common, joined, length
from billing.usage_spans import Span
from clusters.models import Binding
from clusters.occupancy import unix_second
from metering.checks import Cause
from metering.control_models import Silence, SilenceEnd
from metering.event_marks import SEPARATOR
from metering.models import Quantity, UsageHour, Witness
from metering.witness import WitnessTotal, residual_totals

WHOLE_CLASSES = (Quantity.INPUT, Quantity.OUTPUT)
ABORTED = (Cause.ABORTED, Cause.ABORTED_PREFILL)
MS_PER_SECOND = 1_000

Facts = dict[tuple[int, UUID], list[Fact]]
"""Facts by the number of the window and the term's id."""


def measured_facts(spans: Iterable[Span], terms: Iterable[Term]) -> Facts:
    """Return what the meter says of token shares within spans, as far as their wordings go by it."""
    found: Facts = defaultdict(list)
    by_id = {term.id: term for term in terms}
    said = [(span, wording) for span in spans if (wording := _wording(by_id.get(span.term_id), span)) is not None]
    compared = [each for each in said if _is_compared(each[1])]
    for (from_at, to_at), group in _by_time(compared).items():
        _compare(found, group, from_at, to_at)
    guaranteed = [span for span, wording in said if wording.guarantee and wording.guarantee.prorated_by_availability]
    if guaranteed:
        _measure(found, guaranteed)
    return found


def _wording(term: Term | None, span: Span) -> TokenShareWording | None:
    stretches = term.stretches(span.from_at, span.to_at) if term is not None else ()
    wording = stretches[0].wording if stretches else None
    return wording if isinstance(wording, TokenShareWording) else None


def _is_compared(wording: TokenShareWording) -> bool:
    by_engine = wording.witness == ENGINE
    differs = wording.outside_tolerance is not OutsideTolerance.BILL_WITNESS
    return differs or (by_engine and wording.interrupted_streams is not InterruptedStreams.AS_MEASURED)


Said = tuple[Span, TokenShareWording]


def _by_time(said: Iterable[Said]) -> Mapping[tuple[datetime, datetime], list[Said]]:
    found: dict[tuple[datetime, datetime], list[Said]] = defaultdict(list)
    for span, wording in said:
        found[span.from_at, span.to_at].append((span, wording))
    return found


def _compare(found: Facts, group: Sequence[Said], from_at: datetime, to_at: datetime) -> None:
    ids = {span.deployment_id for span, _ in group}
    totals: dict[UUID, list[WitnessTotal]] = defaultdict(list)
    for total in residual_totals(organization=None, from_at=from_at, to_at=to_at, deployment_ids=ids):
        if total.quantity in WHOLE_CLASSES:
            totals[total.deployment_id].append(total)
    delivered = _delivered(ids, from_at, to_at)
    for span, wording in group:
        facts = found[span.window, span.term_id]
        for total in totals[span.deployment_id]:
            if wording.outside_tolerance is not OutsideTolerance.BILL_WITNESS:
                facts.append(_counts(span, total))
            if wording.witness == ENGINE and wording.interrupted_streams is not InterruptedStreams.AS_MEASURED:
                reached = delivered.get((total.deployment_id, total.model, total.quantity), 0)
                facts.append(_interrupted(span, total, reached))


def _counts(span: Span, total: WitnessTotal) -> WitnessCounts:
    return WitnessCounts(
        deployment=str(total.deployment_id),
        model=total.model,
        token_class=str(total.quantity),
        from_at=span.from_at,
        to_at=span.to_at,
        engine=total.residual.engine,
        gateway=total.residual.gateway,
        explained=sum(part.tokens for part in total.residual.explained),
    )


def _interrupted(span: Span, total: WitnessTotal, delivered: int) -> InterruptedCounts:
    """An engine made of interrupted answers what reached the client and what only its aborted requests explain."""
    aborted = sum(part.tokens for part in total.residual.explained if part.cause in ABORTED)
    return InterruptedCounts(
        deployment=str(total.deployment_id),
        model=total.model,
        token_class=str(total.quantity),
        from_at=span.from_at,
        to_at=span.to_at,
        measured=delivered + max(0, aborted),
        delivered=delivered,
    )


def _delivered(ids: Iterable[UUID], from_at: datetime, to_at: datetime) -> Mapping[tuple[UUID, str, str], int]:
    """What gateways reported of interrupted answers, by deployment, model and class."""
    rows = UsageHour.objects.filter(
        deployment_id__in=list(ids),
        witness=Witness.GATEWAY,
        quantity__in=WHOLE_CLASSES,
        quality__in=BILLED_QUALITIES,
        marks__contains=MARK_INTERRUPTED,
        from_at__gte=from_at,
        from_at__lt=to_at,
    ).values_list("deployment_id", "model", "quantity", "marks")
    found: dict[tuple[UUID, str, str], int] = defaultdict(int)
    for deployment_id, model, quantity, marks, tokens in rows.annotate(tokens=Sum("value")):
        if MARK_INTERRUPTED in marks.split(SEPARATOR):
            found[deployment_id, model, quantity] += int(tokens)
    return found


def _measure(found: Facts, spans: Sequence[Span]) -> None:
    """State how long the nodes served that a share's deployments ran on, and how long they could not be metered."""
    first, last = min(span.from_at for span in spans), max(span.to_at for span in spans)
    bindings = Binding.objects.filter(
        Q(to_at__isnull=True) | Q(to_at__gt=first),
        deployment_id__in={span.deployment_id for span in spans},
        from_at__lt=last,
    )
    served: dict[UUID, list[tuple[UUID, datetime, datetime | None]]] = defaultdict(list)
    for deployment_id, node_id, from_at, to_at in bindings.values_list(
        "deployment_id", "endpoint__node_id", "from_at", "to_at"
    ):
        served[deployment_id].append((node_id, from_at, to_at))
    lost = _lost({node_id for rows in served.values() for node_id, _, _ in rows}, first, last)
    held: dict[tuple[int, UUID], dict[UUID, list[Seconds]]] = defaultdict(lambda: defaultdict(list))
    for span in spans:
        for node_id, from_at, to_at in served[span.deployment_id]:
            start = max(from_at, span.from_at)
            end = span.to_at if to_at is None else min(to_at, span.to_at)
            held[span.window, span.term_id][node_id].append((unix_second(start), unix_second(end)))
    for key, nodes in held.items():
        whole = sum(length(served_s) for served_s in nodes.values())
        down = sum(length(common(served_s, lost[node_id])) for node_id, served_s in nodes.items())
        found[key].append(MeasuredAvailability(held_gpu_ms=whole * MS_PER_SECOND, lost_gpu_ms=down * MS_PER_SECOND))


def _lost(nodes: Iterable[UUID], from_at: datetime, to_at: datetime) -> Mapping[UUID, list[Seconds]]:
    """When nodes were silent, but for silences that their spool filled afterwards."""
    found: dict[UUID, list[Seconds]] = defaultdict(list)
    silences = Silence.objects.filter(
        Q(to_at__isnull=True) | Q(to_at__gt=from_at), node_id__in=list(nodes), from_at__lt=to_at
    ).exclude(end=SilenceEnd.FILLED)
    for node_id, start, end in silences.values_list("node_id", "from_at", "to_at"):
        found[node_id].append((unix_second(start), unix_second(end or to_at)))
    return defaultdict(list, {node: joined(spans) for node, spans in found.items()})

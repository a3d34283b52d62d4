"""Collects where a period's usage comes from: batches, records, the other witness, and what is missing."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import groupby
from typing import Any
from uuid import UUID

from django.db.models import Max, Min, Q, QuerySet, Sum

from billing.basis import BILLED_QUALITIES, PeriodBasis
from billing.completeness import Serving
from billing.evidence import BatchRange, Proof, Residual
from billing.models import BillingPeriod, PriceVersion
from billing.rating.kinds import TOKEN_CLASSES
from billing.rating.price_rules import price_row
from billing.usage_spans import Span, billed_usage, records_by_deployment
from metering.models import Batch, UsageGap, UsageHour, Witness


@dataclass(frozen=True, slots=True)
class Billed:
    """A period whose invoice is to be proved: what it was rated from, and what is known to be missing."""

    period: BillingPeriod
    basis: PeriodBasis
    gaps: Sequence[Mapping[str, Any]]
    unpriced: Mapping[str, Decimal]
    spans: Sequence[Span]


def prove_all(billed: Sequence[Billed], *, serving: Serving) -> list[Proof]:
    """Return the proofs that go with the bases of periods, in their order; few queries.

    `serving` are the nodes that served each. Usage is added up by deployment, so that no two of the periods may have
    usage of one deployment within the same span (`alone`).
    """
    spans = [span for one in billed for span in one.spans]
    used = billed_usage(spans)
    numbers = _numbers([one.basis for one in billed])
    batches, residuals, records = (
        (_batches(used), _residuals(spans), records_by_deployment(used)) if spans else ({}, {}, {})
    )
    gaps = _usage_gaps([one.period for one in billed], serving)
    proofs = []
    for one in billed:
        deployments = sorted({span.deployment_id for span in one.spans})
        proofs.append(
            Proof(
                version_numbers={key: numbers[key] for key in _versions(one.basis) if key in numbers},
                batches=_joined(batches.get(each, ()) for each in deployments),
                residuals=tuple(row for each in deployments for row in residuals.get(each, ())),
                usage_records=sum(records.get(each, 0) for each in deployments),
                usage_gaps=gaps[one.period.pk],
                accepted_gaps=tuple(one.gaps),
                unpriced=one.unpriced,
            )
        )
    return proofs


def alone(spans: Sequence[Span]) -> set[int]:
    """Return the windows whose usage is of a deployment that another window has usage of too."""
    windows: dict[UUID, set[int]] = defaultdict(set)
    for span in spans:
        windows[span.deployment_id].add(span.window)
    return {window for each in windows.values() if len(each) > 1 for window in each}


def _numbers(bases: Iterable[PeriodBasis]) -> dict[str, int]:
    wanted = {key for basis in bases for key in _versions(basis)}
    return {str(key): number for key, number in PriceVersion.objects.filter(pk__in=wanted).values_list("pk", "number")}


def _versions(basis: PeriodBasis) -> set[str]:
    return {str(row) for version in basis.versions if (row := price_row(version.version_id)) is not None}


_Range = tuple[UUID, int, int, str, str]


def _batches(used: QuerySet[UsageHour]) -> dict[UUID, list[_Range]]:
    """Return by deployment the first and last batch of each node, with their hashes."""
    ranges = list(
        used.filter(first_batch_seq__isnull=False, meter__node__isnull=False)
        .values_list("deployment_id", "meter__node_id")
        .annotate(first=Min("first_batch_seq"), last=Max("last_batch_seq"))
        .order_by("meter__node_id")
    )
    wanted: dict[UUID, set[int]] = defaultdict(set)
    for _, node, first, last in ranges:
        wanted[node] |= {first, last}
    which = Q(pk__in=[])
    for node, seqs in wanted.items():
        which |= Q(node_id=node, seq__in=seqs)
    rows = Batch.objects.filter(which).values_list("node_id", "seq", "hash") if wanted else ()
    hashes = {(node, seq): text for node, seq, text in rows}
    found: dict[UUID, list[_Range]] = defaultdict(list)
    for deployment, node, first, last in ranges:
        found[deployment].append((node, first, last, hashes.get((node, first), ""), hashes.get((node, last), "")))
    return found


def _joined(ranges: Iterable[Sequence[_Range]]) -> tuple[BatchRange, ...]:
    """Join what deployments have of each node."""
    of_node: dict[UUID, list[_Range]] = defaultdict(list)
    for some in ranges:
        for each in some:
            of_node[each[0]].append(each)
    found = []
    for node, its in sorted(of_node.items()):
        first, last = min(its, key=lambda one: one[1]), max(its, key=lambda one: one[2])
        found.append(BatchRange(str(node), first[1], last[2], first[3], last[4]))
    return tuple(found)


def _usage_gaps(periods: Sequence[BillingPeriod], serving: Serving) -> dict[UUID, tuple[dict[str, Any], ...]]:
    """Return by period the spans in which a node that served its contract could not be metered."""
    nodes = {node for period in periods for node in serving[period.pk]}
    rows: list[UsageGap] = []
    if nodes:
        first, last = min(period.from_at for period in periods), max(period.to_at for period in periods)
        gaps = UsageGap.objects.filter(node_id__in=nodes, from_at__lt=last, to_at__gt=first)
        rows = list(gaps.order_by("node_id", "from_at", "reason", "subject", "subject_id"))
    return {
        period.pk: tuple(
            {
                "node": str(gap.node_id),
                "subject": gap.subject,
                "subject_id": gap.subject_id,
                "from_at": gap.from_at.isoformat(),
                "to_at": gap.to_at.isoformat(),
                "reason": gap.reason,
            }
            for gap in rows
            if gap.node_id in serving[period.pk] and gap.from_at < period.to_at and gap.to_at > period.from_at
        )
        for period in periods
    }


def _residuals(spans: Sequence[Span]) -> dict[UUID, list[Residual]]:
    """Compare engine and gateway per deployment, model and class over the time in which one of them bills."""
    counted: dict[tuple[UUID, str, str], dict[str, int]] = defaultdict(dict)
    for billed_by, group in groupby(sorted(spans, key=_by_witness), key=_by_witness):
        which = Q(pk__in=[])
        within: dict[tuple[datetime, datetime], set[UUID]] = defaultdict(set)
        for span in group:
            within[span.from_at, span.to_at].add(span.deployment_id)
        for (from_at, to_at), deployments in within.items():
            which |= Q(deployment_id__in=deployments, from_at__gte=from_at, from_at__lt=to_at)
        rows = (
            UsageHour.objects.filter(
                which,
                witness__in=(Witness.ENGINE, Witness.GATEWAY),
                quantity__in=TOKEN_CLASSES,
                quality__in=BILLED_QUALITIES,
            )
            .values_list("deployment_id", "model", "quantity", "witness")
            .annotate(tokens=Sum("value"))
        )
        for deployment, model, quantity, witness, tokens in rows:
            sums = counted[deployment, model, quantity]
            role = "billed" if witness == billed_by else "control"
            sums[role] = sums.get(role, 0) + int(tokens)
    found: dict[UUID, list[Residual]] = defaultdict(list)
    for (deployment, model, quantity), sums in sorted(counted.items()):
        found[deployment].append(Residual(str(deployment), model, quantity, sums.get("billed", 0), sums.get("control")))
    return found


def _by_witness(span: Span) -> str:
    return span.witness

"""Collects where a period's usage comes from: batches, records, the other witness, and what is missing."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal
from itertools import groupby
from typing import Any
from uuid import UUID

from django.db.models import Max, Min, Q, QuerySet, Sum

from billing.bases import window_of
from billing.basis import BILLED_QUALITIES, PeriodBasis
from billing.completeness import serving_nodes
from billing.evidence import BatchRange, Proof, Residual
from billing.models import BillingPeriod, PriceVersion, Term
from billing.rating.kinds import TOKEN_CLASSES
from billing.rating.price_rules import price_row
from billing.usage_spans import Span, billed_usage, usage_records, usage_spans
from metering.models import Batch, UsageGap, UsageHour, Witness


def prove(
    *,
    period: BillingPeriod,
    basis: PeriodBasis,
    gaps: Sequence[Mapping[str, Any]],
    unpriced: Mapping[str, Decimal],
    terms: Sequence[Term] | None = None,
) -> Proof:
    """Return the proof that goes with the basis of a period; `terms` are its contract's, where they were read."""
    spans = usage_spans([window_of(period)], terms)
    billed = billed_usage(spans)
    versions = {row for version in basis.versions if (row := price_row(version.version_id)) is not None}
    return Proof(
        version_numbers={
            str(key): number for key, number in PriceVersion.objects.filter(pk__in=versions).values_list("pk", "number")
        },
        batches=_batches(billed) if spans else (),
        residuals=_residuals(spans) if spans else (),
        usage_records=usage_records(billed) if spans else 0,
        usage_gaps=_usage_gaps(period),
        accepted_gaps=tuple(gaps),
        unpriced=unpriced,
    )


def _batches(billed: QuerySet[UsageHour]) -> tuple[BatchRange, ...]:
    ranges = list(
        billed.filter(first_batch_seq__isnull=False, meter__node__isnull=False)
        .values_list("meter__node_id")
        .annotate(first=Min("first_batch_seq"), last=Max("last_batch_seq"))
        .order_by("meter__node_id")
    )
    wanted = Q(pk__in=[])
    for node, first, last in ranges:
        wanted |= Q(node_id=node, seq__in=(first, last))
    hashes = {
        (node, seq): text for node, seq, text in Batch.objects.filter(wanted).values_list("node_id", "seq", "hash")
    }
    return tuple(
        BatchRange(str(node), first, last, hashes.get((node, first), ""), hashes.get((node, last), ""))
        for node, first, last in ranges
    )


def _usage_gaps(period: BillingPeriod) -> tuple[dict[str, Any], ...]:
    """Return the spans in which a node that served the contract could not be metered."""
    gaps = UsageGap.objects.filter(
        node_id__in=serving_nodes(period=period), from_at__lt=period.to_at, to_at__gt=period.from_at
    ).order_by("node_id", "from_at", "reason", "subject", "subject_id")
    return tuple(
        {
            "node": str(gap.node_id),
            "subject": gap.subject,
            "subject_id": gap.subject_id,
            "from_at": gap.from_at.isoformat(),
            "to_at": gap.to_at.isoformat(),
            "reason": gap.reason,
        }
        for gap in gaps
    )


def _residuals(spans: Sequence[Span]) -> tuple[Residual, ...]:
    """Compare engine and gateway per deployment, model and class over the time in which one of them bills."""
    counted: dict[tuple[UUID, str, str], dict[str, int]] = defaultdict(dict)
    for billed_by, group in groupby(sorted(spans, key=_by_witness), key=_by_witness):
        which = Q(pk__in=[])
        for span in group:
            which |= Q(deployment_id=span.deployment_id, from_at__gte=span.from_at, from_at__lt=span.to_at)
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
    return tuple(
        Residual(str(deployment), model, quantity, sums.get("billed", 0), sums.get("control"))
        for (deployment, model, quantity), sums in sorted(counted.items())
    )


def _by_witness(span: Span) -> str:
    return span.witness

"""Collects where a period's usage comes from: batches, records, the other witness, and what is missing."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import Max, Min, Q, QuerySet, Sum

from billing.bases import TOKEN_CLASSES, Window, billed_usage, usage_records
from billing.basis import BILLED_QUALITIES, PeriodBasis
from billing.completeness import serving_nodes
from billing.evidence import BatchRange, Proof, Residual
from billing.models import BillingPeriod, PriceVersion, TokenShare
from metering.models import Batch, UsageGap, UsageHour, Witness


def prove(
    *,
    period: BillingPeriod,
    basis: PeriodBasis,
    gaps: Sequence[Mapping[str, Any]],
    unpriced: Mapping[str, Decimal],
) -> Proof:
    """Return the proof that goes with the basis of a period."""
    window = Window(period.contract, period.from_at, period.to_at)
    terms = list(TokenShare.objects.filter(contract=period.contract))
    billed = billed_usage((term, window) for term in terms)
    versions = [UUID(version.version_id) for version in basis.versions]
    return Proof(
        version_numbers={
            str(key): number for key, number in PriceVersion.objects.filter(pk__in=versions).values_list("pk", "number")
        },
        batches=_batches(billed) if terms else (),
        residuals=_residuals(period, terms) if terms else (),
        usage_records=usage_records(billed) if terms else 0,
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


def _residuals(period: BillingPeriod, terms: Sequence[TokenShare]) -> tuple[Residual, ...]:
    """Compare engine and gateway per deployment, model and class over the period."""
    witness_of: dict[UUID, str] = {}
    pairs = TokenShare.objects.filter(pk__in=[term.pk for term in terms]).values_list(
        "deployments__deployment_id", "witness"
    )
    witness_of.update((deployment, witness) for deployment, witness in pairs if deployment is not None)
    rows = (
        UsageHour.objects.filter(
            deployment_id__in=list(witness_of),
            witness__in=(Witness.ENGINE, Witness.GATEWAY),
            from_at__gte=period.from_at,
            from_at__lt=period.to_at,
            quantity__in=TOKEN_CLASSES,
            quality__in=BILLED_QUALITIES,
        )
        .values_list("deployment_id", "model", "quantity", "witness")
        .annotate(tokens=Sum("value"))
        .order_by("deployment_id", "model", "quantity")
    )
    counted: dict[tuple[UUID, str, str], dict[str, int]] = defaultdict(dict)
    for deployment, model, quantity, witness, tokens in rows:
        role = "billed" if witness == witness_of[deployment] else "control"
        counted[deployment, model, quantity][role] = int(tokens)
    return tuple(
        Residual(str(deployment), model, quantity, sums.get("billed", 0), sums.get("control"))
        for (deployment, model, quantity), sums in counted.items()
    )

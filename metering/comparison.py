"""What contracts say about comparing the witnesses of a deployment; told by whoever makes the contract."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Final

from metering.control_models import ComparisonTerms

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from uuid import UUID

    from clusters.models import Deployment

TOLERANCE_PERCENT: Final = Decimal(1)
"""What may stay unexplained where no contract says otherwise."""


def agree_comparison(*, deployments: Sequence[Deployment], billed_by: str, tolerance_percent: Decimal) -> None:
    """Keep which witness bills these deployments, and how much of the larger count may stay unexplained.

    Must run in the transaction that makes the term. A deployment is under one term at most; the newest word stands.
    """
    ComparisonTerms.objects.bulk_create(
        [
            ComparisonTerms(deployment=each, billed_by=billed_by, tolerance_percent=tolerance_percent)
            for each in deployments
        ],
        update_conflicts=True,
        unique_fields=["deployment"],
        update_fields=["billed_by", "tolerance_percent"],
    )


def terms_of(deployment_ids: Collection[UUID]) -> dict[UUID, tuple[str, Decimal]]:
    """Return for deployments under a contract which witness bills and the tolerance in percent; one query."""
    rows = ComparisonTerms.objects.filter(deployment_id__in=deployment_ids)
    return {
        deployment_id: (billed_by, tolerance)
        for deployment_id, billed_by, tolerance in rows.values_list("deployment_id", "billed_by", "tolerance_percent")
    }

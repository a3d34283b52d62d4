"""What contracts say about comparing the witnesses of a deployment; told by whoever makes the contract."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Final

from metering.control_models import ComparisonTerms

if TYPE_CHECKING:
    from collections.abc import Sequence

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

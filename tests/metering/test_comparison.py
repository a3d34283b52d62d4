"""What contracts say about comparing."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from metering.comparison import agree_comparison
from metering.control_models import ComparisonTerms
from tests.factories import make_deployment

if TYPE_CHECKING:
    from tests.factories import Cast


def test_the_newest_word_stands(cast: Cast) -> None:
    deployment = make_deployment(cast.provider, cast.tenant)
    agree_comparison(deployments=[deployment], billed_by="engine", tolerance_percent=Decimal(2))
    agree_comparison(deployments=[deployment], billed_by="gateway", tolerance_percent=Decimal("0.5"))
    terms = ComparisonTerms.objects.get()
    assert (terms.deployment, terms.billed_by, terms.tolerance_percent) == (deployment, "gateway", Decimal("0.5"))

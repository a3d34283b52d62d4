"""The API of choosing: a contract's real usage in four models of payment, for either party of it."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from django.http import Http404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.response import Response
from rest_framework.views import APIView

from billing.economics.comparison import Terms, compare
from billing.economics_parameters import COMPARE_PARAMETERS, CompareQuerySerializer
from billing.economics_shapes import ComparisonSerializer
from billing.models import Contract
from billing.money import to_charge
from billing.queries.comparison import RealUsage, real_usage, terms_to_compare
from tenants.authentication import organization_of

if TYPE_CHECKING:
    from uuid import UUID

    from rest_framework.request import Request

    from billing.economics.comparison import BreakEven


class ContractCompareView(APIView):
    """A contract's usage, priced four ways."""

    required_scopes = {"GET": "invoices:read"}

    @extend_schema(
        operation_id="contracts_compare",
        tags=["economics"],
        summary="Compare models of payment",
        parameters=COMPARE_PARAMETERS,
        responses={200: ComparisonSerializer},
    )
    def get(self, request: Request, contract_id: UUID) -> Response:
        """Price a contract's real usage as a lease, at a token price, under a share and as a hybrid; keep nothing."""
        contract = Contract.objects.for_org(organization_of(request)).filter(pk=contract_id).first()
        if contract is None:
            raise Http404
        serializer = CompareQuerySerializer(data=request.query_params.dict())
        serializer.is_valid(raise_exception=True)
        asked = serializer.validated_data
        from_at = max(asked["from_at"], contract.from_at)
        until = min(asked["to_at"], timezone.now())  # noqa: TID251  an entry point
        if until <= from_at:
            raise ValidationError({"to": ["must be after from, and after the contract has begun."]})
        real = real_usage(contract, from_at, asked["to_at"], until, gpus=asked.get("gpus"), card=asked["card"])
        terms = terms_to_compare(
            real.profile,
            share_percent=asked.get("share_percent"),
            agreed_share=real.share_percent,
            price_per_gpu_hour=asked.get("price_per_gpu_hour"),
            rent=asked.get("rent_per_month"),
        )
        return Response(_comparison(contract, real, terms))


def _comparison(contract: Contract, real: RealUsage, terms: Terms) -> dict[str, Any]:
    found = compare(real.profile, terms)
    return {
        "currency": contract.currency,
        "tokens": str(real.profile.tokens),
        "gpu_hours": _exact(Fraction(real.profile.gpu_ms, 3_600_000)),
        "holds_are_real": real.holds_are_real,
        "share_percent": _plain(terms.share_percent),
        "rent_per_month": _plain(terms.rent_amount_per_month),
        "offers": [{"name": offer.name, "amount": _exact(offer.at(Fraction(1)))} for offer in found.offers],
        "missing": list(found.missing),
        "cheapest": found.cheapest,
        "crossings": [_crossing(one) for one in found.break_evens],
    }


def _crossing(one: BreakEven) -> dict[str, Any]:
    return {
        "cheaper_below": one.crossing.below,
        "cheaper_above": one.crossing.above,
        "volume": _exact(one.crossing.volume),
        "tokens": _exact(one.tokens),
        "utilisation": None if one.utilisation is None else _exact(one.utilisation),
        "amount": _exact(one.crossing.amount),
    }


def _exact(value: Fraction) -> str:
    return _plain(to_charge(value))


def _plain(amount: Decimal) -> str:
    text = f"{amount:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text

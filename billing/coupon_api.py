"""The API of coupons: a provider offers, lists and ends them, and tenants redeem their codes under a contract."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from django.http import Http404
from django.http.response import HttpResponseBase
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from billing.api_words import instant
from billing.coupons import end_coupon, offer_coupon, offered_coupons, redeem_code
from billing.credit_shapes import (
    CouponRequestSerializer,
    CouponSerializer,
    CouponsSerializer,
    NewCouponSerializer,
    RedeemedSerializer,
)
from billing.models import Contract, Coupon
from billing.rating.discount import CouponWording, DiscountWording
from tenants.authentication import organization_of, provider_of
from tenants.calls import once
from tenants.listing.answers import PAGE_PARAMETERS, ListView, list_answer, list_responses, page_by_key

WRITES: Final = {"POST": "credits:write"}


class CouponsView(ListView):
    """Coupons that the organization offers."""

    required_scopes = {"GET": "credits:write", **WRITES}

    @extend_schema(
        operation_id="coupons_list",
        tags=["contracts"],
        summary="List coupons",
        parameters=PAGE_PARAMETERS,
        responses=list_responses(CouponsSerializer),
    )
    def get(self, request: Request) -> HttpResponseBase:
        """List the coupons that the organization has offered, the latest first, and how often each was redeemed."""
        paged = page_by_key(request, offered_coupons(organization_of(request)), ("-created_at", "-pk"))
        return list_answer(request, "coupons", paged, CouponSerializer, _coupon)

    @extend_schema(
        operation_id="coupons_create",
        tags=["contracts"],
        summary="Offer a coupon",
        request=NewCouponSerializer,
        responses={201: CouponSerializer},
    )
    @once
    def post(self, request: Request) -> Response:
        """Offer a percentage, or an amount of each billing period, off what the redeeming contract charges."""
        provider, now = provider_of(request), _now()
        shape = NewCouponSerializer(data=request.data)
        shape.is_valid(raise_exception=True)
        given = dict(shape.validated_data)
        wording = DiscountWording(
            percent=given["percent"],
            amount_per_period=given["amount_per_period"],
            models=tuple(given["models"]),
            quantities=tuple(given["quantities"]),
            coupon=CouponWording(code=given["code"], periods_most=given["periods_most"]),
        )
        made = offer_coupon(
            provider=provider,
            wording=wording,
            title=given["title"],
            now=now,
            redeem_by=given["redeem_by"],
            redemptions_most=given["redemptions_most"],
        )
        return Response(_coupon(offered_coupons(provider).get(pk=made.pk)), status=status.HTTP_201_CREATED)


class CouponEndView(APIView):
    """The end of a coupon's offer."""

    required_scopes = WRITES

    @extend_schema(
        operation_id="coupons_end",
        tags=["contracts"],
        summary="End a coupon",
        request=None,
        responses={200: CouponSerializer},
    )
    def post(self, request: Request, coupon_id: UUID) -> Response:
        """Offer a coupon no longer: what was redeemed stays as agreed. Ended again, it ended when it first did."""
        provider = organization_of(request)
        coupon = Coupon.objects.filter(provider=provider, pk=coupon_id).first()
        if coupon is None:
            raise Http404
        end_coupon(coupon=coupon, now=_now())
        return Response(_coupon(offered_coupons(provider).get(pk=coupon_id)))


class RedemptionsView(APIView):
    """Coupons of a contract."""

    required_scopes = WRITES

    @extend_schema(
        operation_id="contracts_coupons_create",
        tags=["contracts"],
        summary="Redeem a coupon",
        request=CouponRequestSerializer,
        responses={201: RedeemedSerializer},
    )
    def post(self, request: Request, number: str) -> Response:
        """Redeem a coupon of the provider for a contract. Only its tenant can, and once."""
        contract = Contract.objects.filter(tenant=organization_of(request), number=number).first()
        if contract is None:
            raise Http404
        given = CouponRequestSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        term = redeem_code(contract=contract, code=given.validated_data["code"], now=_now())
        body = {"term": term.ref, "title": term.title, "from_at": instant(term.from_at)}
        return Response(body, status=status.HTTP_201_CREATED)


def _coupon(coupon: Any) -> Mapping[str, object]:
    """Return a row of `offered_coupons` as an answer."""
    wording = coupon.document
    return {
        "id": str(coupon.pk),
        "code": coupon.code,
        "title": coupon.title,
        "percent": wording.get("percent"),
        "amount_per_period": wording.get("amount_per_period"),
        "models": wording.get("models", []),
        "quantities": wording.get("quantities", []),
        "periods_most": wording["coupon"].get("periods_most"),
        "redeem_by": coupon.redeem_by and instant(coupon.redeem_by),
        "redemptions_most": coupon.redemptions_most,
        "redemptions": coupon.redeemed,
        "created_at": instant(coupon.created_at),
        "ended_at": coupon.ended_at and instant(coupon.ended_at),
    }


def _now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251  an entry point

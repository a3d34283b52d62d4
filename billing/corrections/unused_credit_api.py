"""The API of unused credit: what of purchases can be given back, read by both parties, given by the provider."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.response import Response
from rest_framework.views import APIView

from billing.api_words import instant, money
from billing.corrections.api import valid
from billing.corrections.refund_api import read_refund
from billing.corrections.shapes import CreditRefundRequestSerializer, CreditRefundsSerializer, PurchasesSerializer
from billing.corrections.unused_credit import Purchase, Wish, give_back, purchases_of
from billing.models import Contract, RefundMethod
from tenants.authentication import caller_of, organization_of
from tenants.calls import KEY_HEADER, made_once

if TYPE_CHECKING:
    from rest_framework.request import Request

    from tenants.idempotency import Answered

READS: Final = {"GET": "invoices:read"}
WRITES: Final = {"POST": "invoices:correct"}


class PurchasesView(APIView):
    """Bought credit of a contract."""

    required_scopes = READS

    @extend_schema(
        operation_id="contracts_purchases",
        tags=["contracts"],
        summary="Read what of bought credit is unused",
        responses={200: PurchasesSerializer},
    )
    def get(self, request: Request, number: str) -> Response:
        """Read what was bought, has not expired and could be given back, after everything used so far."""
        contract = Contract.objects.for_org(organization_of(request)).filter(number=number).first()
        if contract is None:
            raise Http404
        rows = [_shown(one, contract.currency) for one in purchases_of(contract, _now())]
        return Response({"currency": contract.currency, "purchases": rows})


class CreditRefundsView(APIView):
    """Refunds of a contract's unused credit."""

    required_scopes = WRITES

    @extend_schema(
        operation_id="contracts_credit_refunds_create",
        parameters=[KEY_HEADER],
        tags=["contracts"],
        summary="Give unused credit back",
        request=CreditRefundRequestSerializer,
        responses={201: CreditRefundsSerializer},
    )
    def post(self, request: Request, number: str) -> Response:
        """Give unused credit back, to the cards that paid or by bank transfer. Only the contract's provider can.

        Of several purchases the newest is given back first. What does not arrive stands on the tenant's balance.
        """
        body, organization, now = request._request.body, organization_of(request), _now()
        contract = Contract.objects.filter(provider=organization, number=number).first()
        if contract is None:
            raise Http404
        given = valid(CreditRefundRequestSerializer, request)
        wish = Wish(given["amount"], RefundMethod(given["method"]), given["reason"], given["purchase"])

        def make() -> Answered:
            made = give_back(contract_id=contract.pk, wish=wish, by=caller_of(request), now=now)
            return status.HTTP_201_CREATED, {"refunds": [read_refund(organization, one.pk) for one in made]}

        return made_once(request, body, now, make)


def _shown(one: Purchase, currency: str) -> dict[str, Any]:
    return {
        "term": one.term_ref,
        "name": one.name,
        "bought_at": instant(one.bought_at),
        "expires_at": one.expires_at and instant(one.expires_at),
        "amount": money(one.amount, currency),
        "left": money(one.left, currency),
        "to_card": money(one.to_card, currency),
    }


def _now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251  an entry point

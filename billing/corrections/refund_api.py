"""The API of balances and refunds: read by both parties, paid out by the provider that has the money."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from django.http import Http404
from django.http.response import HttpResponseBase
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from billing.api_words import instant, money
from billing.corrections.api import valid
from billing.corrections.reading import balances_of, refunds_of, stands_at
from billing.corrections.refunds import Order, mark_sent, request_refund, take_back
from billing.corrections.shapes import (
    BalancesSerializer,
    MoneyRefundSerializer,
    NewRefundSerializer,
    ReasonSerializer,
    RefundsSerializer,
    SentSerializer,
    TenantBalanceSerializer,
)
from billing.models import BalanceAccount, Refund, RefundMethod
from tenants.authentication import caller_of, organization_of
from tenants.calls import KEY_HEADER, made_once
from tenants.idempotency import Answered
from tenants.listing.answers import PAGE_PARAMETERS, ListView, list_answer, list_responses, page_by_key
from tenants.models import Organization
from tenants.not_named import NotNamed

READS: Final = {"GET": "invoices:read"}
WRITES: Final = {"POST": "invoices:correct"}


class TenantBalancesView(ListView):
    """Balances of the organization."""

    required_scopes = READS

    @extend_schema(
        operation_id="tenant_balances_list",
        tags=["corrections"],
        summary="List balances of tenants",
        parameters=PAGE_PARAMETERS,
        responses=list_responses(BalancesSerializer),
    )
    def get(self, request: Request) -> HttpResponseBase:
        """List what tenants have with their providers and no invoice: one's own, and those one keeps."""
        paged = page_by_key(request, balances_of(organization_of(request)), ("pk",))
        return list_answer(request, "balances", paged, TenantBalanceSerializer, _balance)


class BalanceRefundsView(ListView):
    """Refunds of the organization, given and received."""

    required_scopes = {**READS, **WRITES}

    @extend_schema(
        operation_id="refunds_list",
        tags=["corrections"],
        summary="List refunds",
        parameters=PAGE_PARAMETERS,
        responses=list_responses(RefundsSerializer),
    )
    def get(self, request: Request) -> HttpResponseBase:
        """List refunds, the latest first."""
        paged = page_by_key(request, refunds_of(organization_of(request)), ("-requested_at", "-pk"))
        return list_answer(request, "refunds", paged, MoneyRefundSerializer, _refund)

    @extend_schema(
        operation_id="refunds_create",
        parameters=[KEY_HEADER],
        tags=["corrections"],
        summary="Pay a balance out",
        request=NewRefundSerializer,
        responses={201: MoneyRefundSerializer},
    )
    def post(self, request: Request) -> Response:
        """Pay a tenant's balance out, to the card that paid or by bank transfer. Only the provider that has it can."""
        body, now, organization = request._request.body, _now(), organization_of(request)
        given = valid(NewRefundSerializer, request)
        account = BalanceAccount.objects.filter(pk=given["balance"], issuer=organization).first()
        if account is None:
            raise NotNamed("balance_id", "tenant-balances")
        order = Order(given["amount"], RefundMethod(given["method"]), given["reason"], given["payment"])

        def make() -> Answered:
            made = request_refund(account_id=account.pk, order=order, by=caller_of(request), now=now)
            return status.HTTP_201_CREATED, read_refund(organization, made.pk)

        return made_once(request, body, now, make)


class BalanceRefundView(APIView):
    """One refund."""

    required_scopes = READS

    @extend_schema(
        operation_id="refunds_retrieve",
        tags=["corrections"],
        summary="Read a refund",
        responses={200: MoneyRefundSerializer},
    )
    def get(self, request: Request, refund_id: UUID) -> Response:
        """Read a refund and where it stands."""
        return Response(read_refund(organization_of(request), refund_id))


class _StepView(APIView):
    """One step of a refund by bank transfer, by the provider."""

    required_scopes = WRITES

    def _step(
        self, request: Request, refund_id: UUID, shape: type[serializers.Serializer[Any]], step: Callable[..., Refund]
    ) -> Response:
        body, now, organization = request._request.body, _now(), organization_of(request)
        if not Refund.objects.filter(pk=refund_id, account__issuer=organization).exists():
            raise Http404
        given = valid(shape, request)

        def make() -> Answered:
            step(refund_id=refund_id, by=caller_of(request), now=now, **given)
            return status.HTTP_200_OK, read_refund(organization, refund_id)

        return made_once(request, body, now, make)


class RefundSentView(_StepView):
    """A transfer that was sent."""

    @extend_schema(
        operation_id="refunds_sent",
        parameters=[KEY_HEADER],
        tags=["corrections"],
        summary="Say that a transfer was sent",
        request=SentSerializer,
        responses={200: MoneyRefundSerializer},
    )
    def post(self, request: Request, refund_id: UUID) -> Response:
        """Say that a refund by bank transfer was sent, with the bank's reference."""
        return self._step(request, refund_id, SentSerializer, mark_sent)


class RefundBackView(_StepView):
    """A transfer that did not arrive."""

    @extend_schema(
        operation_id="refunds_back",
        parameters=[KEY_HEADER],
        tags=["corrections"],
        summary="Put a refund on the balance again",
        request=ReasonSerializer,
        responses={200: MoneyRefundSerializer},
    )
    def post(self, request: Request, refund_id: UUID) -> Response:
        """Put a refund by bank transfer that was not sent, or came back, on the balance again."""
        return self._step(request, refund_id, ReasonSerializer, take_back)


def read_refund(organization: Organization, refund_id: UUID) -> dict[str, object]:
    """Return a refund as both parties read it. Raises Http404."""
    found = refunds_of(organization).filter(pk=refund_id).first()
    if found is None:
        raise Http404
    return _refund(found)


def _balance(account: BalanceAccount) -> dict[str, object]:
    return {
        "id": str(account.pk),
        "tenant": account.tenant.slug,
        "issuer": account.issuer.slug,
        "currency": account.currency,
        "amount": money(stands_at(account), account.currency),
    }


def _refund(refund: Refund) -> dict[str, object]:
    account = refund.account
    return {
        "id": str(refund.pk),
        "balance_id": str(account.pk),
        "tenant": account.tenant.slug,
        "issuer": account.issuer.slug,
        "amount": money(refund.amount, account.currency),
        "currency": account.currency,
        "method": refund.method,
        "payment_id": str(refund.payment_id) if refund.payment_id else None,
        "top_up_id": str(refund.top_up_id) if refund.top_up_id else None,
        "state": refund.state,
        "reference": refund.reference,
        "reason": refund.reason,
        "last_error": refund.last_error,
        "requested_at": instant(refund.requested_at),
        "finished_at": instant(refund.finished_at) if refund.finished_at else None,
    }


def _now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251  an entry point

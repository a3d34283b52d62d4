"""The API of money that came and went: payments, payouts, and what Stripe and the books say differently."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from django.db.models import Q
from django.http import Http404
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers, status
from rest_framework.response import Response
from rest_framework.views import APIView

from billing import stripe_account
from billing.api_words import instant, money
from billing.models import Difference, DifferenceKind, Payment, Payout, PayoutState
from billing.payment_shapes import (
    DifferenceOfStripeSerializer,
    DifferencesOfStripeSerializer,
    NewPayoutSerializer,
    PaymentSerializer,
    PaymentsSerializer,
    PayoutFailedSerializer,
    PayoutPaidSerializer,
    PayoutSerializer,
    PayoutsSerializer,
    SettleSerializer,
    taken_back_row,
)
from billing.reconciling.settling import settle_difference
from billing.statements.paying_out import make_payout, record_failed, record_paid
from tenants.authentication import caller_of, operator_of, organization_of
from tenants.calls import once
from tenants.listing.answers import PAGE_PARAMETERS, ListView, list_answer, list_responses, page_by_key
from tenants.listing.following import SINCE, SinceSerializer, page_followed
from tenants.models import Organization
from tenants.not_named import NotNamed
from tenants.shaped import valid

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http.response import HttpResponseBase
    from rest_framework.request import Request

READS: Final = {"GET": "invoices:read"}
WRITES: Final = {"POST": "bank:write"}


class PaymentsView(ListView):
    """Payments of invoices."""

    required_scopes = READS

    @extend_schema(
        operation_id="payments_list",
        tags=["payments"],
        summary="List payments",
        parameters=[
            OpenApiParameter("invoice", str, description="only of this invoice, by its id or number"),
            SINCE,
            *PAGE_PARAMETERS,
        ],
        responses=list_responses(PaymentsSerializer),
    )
    def get(self, request: Request) -> HttpResponseBase:
        """List payments made and received, the latest first. A payment that was taken back says how much of it."""
        asked = PaymentQuerySerializer(data=request.query_params.dict())
        asked.is_valid(raise_exception=True)
        found = _payments(request)
        if named := asked.validated_data.get("invoice"):
            found = found.filter(_of_invoice(named))
        paged = page_followed(request, found, ("-received_at", "-pk"), asked.validated_data.get("updated_since"))
        return list_answer(request, "payments", paged, PaymentSerializer, _payment)


class PaymentQuerySerializer(SinceSerializer):
    """Which payments."""

    invoice = serializers.CharField(max_length=64, required=False)


class PaymentView(APIView):
    """One payment."""

    required_scopes = READS

    @extend_schema(
        operation_id="payments_retrieve",
        tags=["payments"],
        summary="Read a payment",
        responses={200: PaymentSerializer},
    )
    def get(self, request: Request, payment_id: UUID) -> Response:
        """Read a payment, made or received."""
        found = _payments(request).filter(pk=payment_id).first()
        if found is None:
            raise Http404
        return Response(_payment(found))


class PayoutsView(ListView):
    """Payouts to providers."""

    required_scopes = {**READS, **WRITES}

    @extend_schema(
        operation_id="payouts_list",
        tags=["payouts"],
        summary="List payouts",
        parameters=[
            OpenApiParameter("state", str, enum=list(PayoutState.values)),
            SINCE,
            *PAGE_PARAMETERS,
        ],
        responses=list_responses(PayoutsSerializer),
    )
    def get(self, request: Request) -> HttpResponseBase:
        """List payouts, the latest first: a provider's own, every one to the operator."""
        asked = PayoutQuerySerializer(data=request.query_params.dict())
        asked.is_valid(raise_exception=True)
        found = _payouts(request)
        if state := asked.validated_data.get("state"):
            found = found.filter(state=state)
        paged = page_followed(request, found, ("-created_at", "-pk"), asked.validated_data.get("updated_since"))
        return list_answer(request, "payouts", paged, PayoutSerializer, _payout)

    @extend_schema(
        operation_id="payouts_create",
        tags=["payouts"],
        summary="Pay a provider out",
        request=NewPayoutSerializer,
        responses={201: PayoutSerializer},
    )
    @once
    def post(self, request: Request) -> Response:
        """Pay out now all that a provider can be paid in a currency. For the operator."""
        operator_of(request)
        given = valid(NewPayoutSerializer, request.data)
        provider = Organization.objects.filter(slug=given["provider"], is_provider=True).first()
        if provider is None:
            raise NotNamed("provider", "organizations")
        now = timezone.now()  # noqa: TID251  an entry point
        made = make_payout(provider_id=provider.pk, currency=given["currency"], by=caller_of(request), now=now)
        return Response(_read_payout(request, made.pk), status=status.HTTP_201_CREATED)


class PayoutQuerySerializer(SinceSerializer):
    """Which payouts."""

    state = serializers.ChoiceField(choices=PayoutState.choices, required=False)


class PayoutView(APIView):
    """One payout."""

    required_scopes = READS

    @extend_schema(
        operation_id="payouts_retrieve", tags=["payouts"], summary="Read a payout", responses={200: PayoutSerializer}
    )
    def get(self, request: Request, payout_id: UUID) -> Response:
        """Read a payout and where it stands."""
        return Response(_read_payout(request, payout_id))


class PayoutPaidView(APIView):
    """A payout that arrived."""

    required_scopes = WRITES

    @extend_schema(
        operation_id="payouts_paid",
        tags=["payouts"],
        summary="Say that a payout was paid",
        request=PayoutPaidSerializer,
        responses={200: PayoutSerializer},
    )
    def post(self, request: Request, payout_id: UUID) -> Response:
        """Record the bank's reference of a payout that reached the provider; the same again changes nothing."""
        operator_of(request)
        given, now = valid(PayoutPaidSerializer, request.data), timezone.now()  # noqa: TID251  an entry point
        _read_payout(request, payout_id)
        record_paid(payout_id=payout_id, reference=given["reference"], by=caller_of(request), at=now, now=now)
        return Response(_read_payout(request, payout_id))


class PayoutFailedView(APIView):
    """A payout that did not go out."""

    required_scopes = WRITES

    @extend_schema(
        operation_id="payouts_failed",
        tags=["payouts"],
        summary="Say that a payout failed",
        request=PayoutFailedSerializer,
        responses={200: PayoutSerializer},
    )
    def post(self, request: Request, payout_id: UUID) -> Response:
        """Record that a payout did not go out: it is owed again. The same again changes nothing."""
        operator_of(request)
        given, now = valid(PayoutFailedSerializer, request.data), timezone.now()  # noqa: TID251  an entry point
        _read_payout(request, payout_id)
        record_failed(payout_id=payout_id, reason=given["reason"], by=caller_of(request), now=now)
        return Response(_read_payout(request, payout_id))


class DifferencesView(ListView):
    """What Stripe and the books say differently."""

    required_scopes = READS

    @extend_schema(
        operation_id="differences_list",
        tags=["reconciliation"],
        summary="List differences from Stripe",
        parameters=[
            OpenApiParameter("kind", str, enum=list(DifferenceKind.values)),
            OpenApiParameter("open", bool, description="true: only what is not settled; false: only what is"),
            *PAGE_PARAMETERS,
        ],
        responses=list_responses(DifferencesOfStripeSerializer),
    )
    def get(self, request: Request) -> HttpResponseBase:
        """List differences, the one that was seen first before the others. For the operator."""
        operator_of(request)
        asked = DifferenceQuerySerializer(data=request.query_params.dict())
        asked.is_valid(raise_exception=True)
        found = Difference.objects.select_related("invoice")
        if kind := asked.validated_data.get("kind"):
            found = found.filter(kind=kind)
        if (is_open := asked.validated_data.get("open")) is not None:
            found = found.filter(settled_at__isnull=is_open)
        paged = page_by_key(request, found, ("first_seen_at", "pk"))
        return list_answer(request, "differences", paged, DifferenceOfStripeSerializer, _difference)


class DifferenceQuerySerializer(serializers.Serializer[Any]):
    """Which differences."""

    kind = serializers.ChoiceField(choices=DifferenceKind.choices, required=False)
    open = serializers.BooleanField(required=False, allow_null=True, default=None)


class DifferenceSettleView(APIView):
    """The end of a difference."""

    required_scopes = WRITES

    @extend_schema(
        operation_id="differences_settle",
        tags=["reconciliation"],
        summary="Settle a difference",
        request=SettleSerializer,
        responses={200: DifferenceOfStripeSerializer},
    )
    def post(self, request: Request, difference_id: UUID) -> Response:
        """Take a way out of a difference; the next look opens it again if it is still there. For the operator."""
        operator_of(request)
        given = valid(SettleSerializer, request.data)
        if not Difference.objects.filter(pk=difference_id).exists():
            raise Http404
        settled = settle_difference(
            difference_id=difference_id,
            way=given["way"],
            note=given["note"],
            by=caller_of(request),
            gateway=stripe_account.gateway(),
            now=timezone.now(),  # noqa: TID251  an entry point
        )
        return Response(_difference(settled))


def _of_invoice(named: str) -> Q:
    """Return what chooses payments of an invoice that is named by its id or its number."""
    try:
        return Q(invoice=UUID(named))
    except ValueError:
        return Q(invoice__number=named)


def _payments(request: Request) -> QuerySet[Payment]:
    organization = organization_of(request)
    found = Payment.objects.filter(Q(invoice__tenant=organization) | Q(invoice__issuer=organization))
    return found.select_related("invoice__tenant", "invoice__issuer").prefetch_related("reversals")


def _payouts(request: Request) -> QuerySet[Payout]:
    organization = organization_of(request)
    found = Payout.objects.all() if organization.is_operator else Payout.objects.filter(provider=organization)
    return found.select_related("provider", "statement").prefetch_related("reversals")


def _read_payout(request: Request, payout_id: UUID) -> dict[str, object]:
    found = _payouts(request).filter(pk=payout_id).first()
    if found is None:
        raise Http404
    return _payout(found)


def _payment(row: Payment) -> dict[str, object]:
    reversals = sorted(row.reversals.all(), key=lambda each: (each.reversed_at, each.pk))
    return {
        "id": str(row.pk),
        "invoice_id": str(row.invoice_id),
        "invoice": row.invoice.number,
        "tenant": row.invoice.tenant.slug,
        "issuer": row.invoice.issuer.slug,
        "method": row.method,
        "reference": row.reference,
        "amount": money(row.amount, row.currency),
        "taken_back": money(sum((each.amount for each in reversals), row.amount * 0), row.currency),
        "reversals": [
            taken_back_row(each, reason=each.reason, at=each.reversed_at, currency=row.currency) for each in reversals
        ],
        "currency": row.currency,
        "received_at": instant(row.received_at),
        "updated_at": instant(row.changed_at),
    }


def _payout(row: Payout) -> dict[str, object]:
    return {
        "id": str(row.pk),
        "number": row.number,
        "provider": row.provider.slug,
        "amount": money(row.amount, row.currency),
        "came_back": money(row.came_back, row.currency),
        "currency": row.currency,
        "method": row.method,
        "state": row.state,
        "statement": row.statement.number if row.statement else None,
        "reference": row.reference,
        "last_error": row.last_error,
        "created_at": instant(row.created_at),
        "settled_at": row.settled_at and instant(row.settled_at),
        "updated_at": instant(row.changed_at),
    }


def _difference(row: Difference) -> dict[str, object]:
    return {
        "id": str(row.pk),
        "kind": row.kind,
        "stripe_id": row.stripe_id,
        "invoice": row.invoice.number if row.invoice else None,
        "ours": row.ours,
        "theirs": row.theirs,
        "our_side": row.our_side or None,
        "their_side": row.their_side or None,
        "first_seen_at": instant(row.first_seen_at),
        "last_seen_at": instant(row.last_seen_at),
        "settled_at": row.settled_at and instant(row.settled_at),
        "settled_by": row.settled_by,
        "way": row.way,
        "note": row.note,
    }

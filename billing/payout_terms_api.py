"""The API of how providers are paid out: each sets what is theirs, and the operator records what came back."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from django.http import Http404
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from billing.api_words import money
from billing.models import Payout, PayoutMethod, PayoutReversal, PayoutSchedule, PayoutTerms
from billing.statements.paying_out import record_reversal
from billing.statements.payout_terms import HOLD_DAYS_MAX, set_terms
from tenants.authentication import key_prefix_of, organization_of
from tenants.calls import once
from tenants.closed_shapes import ClosedSerializer
from tenants.instants import instant_text
from tenants.models import Organization
from tenants.shaped import valid

WRITE: Final = "bank:write"
PROVIDER: Final = OpenApiParameter("provider", str, description="slug of a provider; the operator names one")


class PayoutTermsSerializer(ClosedSerializer):
    """How a provider is paid out; amounts are in every currency. A provider sets the first three, the operator the
    others: what is left out stays."""

    method = serializers.ChoiceField(PayoutMethod.choices, required=False)
    schedule = serializers.ChoiceField(PayoutSchedule.choices, required=False)
    minimum_amount = serializers.DecimalField(19, 4, min_value=Decimal(0), required=False, help_text="less waits")
    hold_days = serializers.IntegerField(
        min_value=0, max_value=HOLD_DAYS_MAX, required=False, help_text="how long card payments are held back"
    )
    reserve_amount = serializers.DecimalField(19, 4, min_value=Decimal(0), required=False, help_text="always held back")
    held_reason = serializers.CharField(
        max_length=200, required=False, allow_blank=True, help_text="nothing is paid out while set"
    )


class PayoutBackSerializer(ClosedSerializer):
    """Money of a payout that came back."""

    amount = serializers.DecimalField(19, 4, min_value=Decimal(0))
    reference = serializers.CharField(max_length=200, help_text="of the bank; recorded once")
    reason = serializers.CharField(max_length=200)


class PayoutReversalSerializer(serializers.Serializer[Any]):
    """Money of a payout that came back, as it was recorded."""

    id = serializers.UUIDField()
    payout_id = serializers.UUIDField()
    amount = serializers.CharField()
    reference = serializers.CharField()
    reason = serializers.CharField()
    at = serializers.DateTimeField()


class PayoutTermsView(APIView):
    """How a provider is paid out."""

    required_scopes = {"GET": "invoices:read", "PUT": WRITE}

    @extend_schema(
        operation_id="payout_terms_retrieve",
        tags=["payouts"],
        summary="Read how a provider is paid out",
        parameters=[PROVIDER],
        responses={200: PayoutTermsSerializer},
    )
    def get(self, request: Request) -> Response:
        """Read how the organization is paid out as a provider; the operator names one."""
        provider = _provider(request)
        return Response(_terms(PayoutTerms.objects.filter(pk=provider.pk).first() or PayoutTerms(provider=provider)))

    @extend_schema(
        operation_id="payout_terms_update",
        tags=["payouts"],
        summary="Set how a provider is paid out",
        parameters=[PROVIDER],
        request=PayoutTermsSerializer,
        responses={200: PayoutTermsSerializer},
    )
    def put(self, request: Request) -> Response:
        """Set what is the caller's to set; the other one's is 403 `not_your_payout_terms` and changes nothing."""
        provider, actor = _provider(request), organization_of(request)
        changes = valid(PayoutTermsSerializer, request.data)
        return Response(
            _terms(set_terms(provider=provider, changes=changes, actor=actor, by=key_prefix_of(request), now=_now()))
        )


class PayoutReversalsView(APIView):
    """What came back of a payout."""

    required_scopes = {"POST": WRITE}

    @extend_schema(
        operation_id="payouts_back",
        tags=["payouts"],
        summary="Record what came back of a payout",
        request=PayoutBackSerializer,
        responses={201: PayoutReversalSerializer},
    )
    @once
    def post(self, request: Request, payout_id: UUID) -> Response:
        """Record that part or all of a paid payout came back: it is owed again. Once by its reference."""
        if not organization_of(request).is_operator or not Payout.objects.filter(pk=payout_id).exists():
            raise Http404
        given = valid(PayoutBackSerializer, request.data)
        made = record_reversal(payout_id=payout_id, by=key_prefix_of(request), at=_now(), **given)
        return Response(_reversal(made), status=status.HTTP_201_CREATED)


def _provider(request: Request) -> Organization:
    """The provider that is asked about: oneself, or whom the operator names. Raises Http404."""
    organization, slug = organization_of(request), request.query_params.get("provider", "")
    if slug and slug != organization.slug:
        found = Organization.objects.filter(slug=slug, is_provider=True).first() if organization.is_operator else None
    else:
        found = organization if organization.is_provider else None
    if found is None:
        raise Http404
    return found


def _terms(terms: PayoutTerms) -> dict[str, Any]:
    return {
        "method": terms.method,
        "schedule": terms.schedule,
        "minimum_amount": f"{Decimal(terms.minimum_amount):.4f}",
        "hold_days": terms.hold_days,
        "reserve_amount": f"{Decimal(terms.reserve_amount):.4f}",
        "held_reason": terms.held_reason,
    }


def _reversal(row: PayoutReversal) -> dict[str, Any]:
    return {
        "id": str(row.pk),
        "payout_id": str(row.payout_id),
        "amount": money(row.amount, row.payout.currency),
        "reference": row.reference,
        "reason": row.reason,
        "at": instant_text(row.at),
    }


def _now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251  an entry point

"""The API of balances and statements of account: what a tenant owes, and what a provider is owed and can be paid."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

from django.http import Http404
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from billing.api_words import money
from billing.statements.account import Line, Party, account_of, parties_of
from billing.statements.payouts import standings_of
from tenants.authentication import organization_of
from tenants.models import Organization

READ: Final = {"GET": "invoices:read"}
FIGURES: Final = ("owed", "uncollected", "recent", "reserve", "held", "amount")


class OwingSerializer(serializers.Serializer[Any]):
    """What the organization owes a provider."""

    provider = serializers.CharField(help_text="its slug")
    currency = serializers.CharField()
    balance = serializers.CharField(help_text="above zero: to be paid; below: paid ahead of any invoice")


class OwedSerializer(serializers.Serializer[Any]):
    """What the organization is owed as a provider, and what of it can be paid out now."""

    currency = serializers.CharField()
    owed = serializers.CharField(help_text="below zero: it is carried")
    uncollected = serializers.CharField(help_text="what tenants have not paid yet of it")
    recent = serializers.CharField(help_text="card payments that are too new")
    reserve = serializers.CharField(help_text="what is always held back")
    held = serializers.CharField(help_text="what the operator holds for it")
    amount = serializers.CharField(help_text="what can be paid out now")


class BalanceSerializer(serializers.Serializer[Any]):
    """Balances of the organization."""

    as_tenant = OwingSerializer(many=True)
    as_provider = OwedSerializer(many=True)


class AccountLineSerializer(serializers.Serializer[Any]):
    """One line of an account."""

    at = serializers.DateTimeField()
    cause = serializers.CharField(help_text="invoice, payment, credit_note and so on")
    memo = serializers.CharField()
    reference = serializers.CharField(help_text="of a payment")
    amount = serializers.CharField(help_text="above zero: owed by the tenant")
    balance = serializers.CharField(help_text="after this line")


class AccountSerializer(serializers.Serializer[Any]):
    """A statement of account."""

    provider = serializers.CharField()
    currency = serializers.CharField()
    opening = serializers.CharField()
    closing = serializers.CharField()
    lines = AccountLineSerializer(many=True)


class AccountQuerySerializer(serializers.Serializer[Any]):
    """What account is asked for."""

    provider = serializers.CharField(max_length=63)
    currency = serializers.CharField(max_length=3)
    to = serializers.DateTimeField()

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """Return the fields with `from`, which Python keeps for itself: what is refused is named as it was asked."""
        return {**super().get_fields(), "from": serializers.DateTimeField()}

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refuse a span that ends before it begins: its closing would not be the balance at its end."""
        if attrs["to"] < attrs["from"]:
            raise serializers.ValidationError({"to": ["must not be before from"]})
        return attrs


class BalanceView(APIView):
    """Balances, now."""

    required_scopes = READ

    @extend_schema(
        operation_id="balance_retrieve",
        tags=["statements"],
        summary="Read balances",
        responses={200: BalanceSerializer},
    )
    def get(self, request: Request) -> Response:
        """Read what the organization owes each provider, and what it is owed as one."""
        organization = organization_of(request)
        owing = [
            {"provider": one.slug, "currency": one.currency, "balance": money(one.balance, one.currency)}
            for one in parties_of(organization)
        ]
        return Response({"as_tenant": owing, "as_provider": list(_owed(organization, timezone.now()))})  # noqa: TID251  an entry point


class AccountView(APIView):
    """A statement of account."""

    required_scopes = READ

    @extend_schema(
        operation_id="account_retrieve",
        tags=["statements"],
        summary="Read a statement of account",
        parameters=[
            OpenApiParameter("provider", str, required=True, description="its slug"),
            OpenApiParameter("currency", str, required=True, description="a code of ISO 4217"),
            OpenApiParameter("from", datetime, required=True, description="what was booked before is the opening"),
            OpenApiParameter("to", datetime, required=True, description="not in it, and not before `from`"),
        ],
        responses={200: AccountSerializer},
    )
    def get(self, request: Request) -> Response:
        """Read what was invoiced, paid and credited over any span, with what was owed before and after."""
        serializer = AccountQuerySerializer(data=request.query_params.dict())
        serializer.is_valid(raise_exception=True)
        tenant, query = organization_of(request), serializer.validated_data
        party = party_named(tenant, query["provider"], query["currency"])
        if party is None:
            raise Http404
        account = account_of(tenant, party, from_at=query["from"], to_at=query["to"])
        return Response(
            {
                "provider": party.slug,
                "currency": party.currency,
                "opening": money(account.opening, party.currency),
                "closing": money(account.closing, party.currency),
                "lines": [_line(line, party.currency) for line in account.lines],
            }
        )


def party_named(tenant: Organization, slug: str, currency: str) -> Party | None:
    """Return the account of a tenant with a provider in a currency, or None."""
    return next((one for one in parties_of(tenant) if (one.slug, one.currency) == (slug, currency)), None)


def _owed(provider: Organization, now: datetime) -> Iterator[dict[str, str]]:
    if not provider.is_provider:
        return
    for standing in standings_of(provider, now):
        found = standing.found
        yield {"currency": found.currency, **{name: money(getattr(found, name), found.currency) for name in FIGURES}}


def _line(line: Line, currency: str) -> dict[str, str]:
    return {
        "at": line.at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "cause": line.cause,
        "memo": line.memo,
        "reference": line.reference,
        "amount": money(line.amount, currency),
        "balance": money(line.balance, currency),
    }

"""The API of the bank accounts that tenants pay a provider to: its own, to read, open and close."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.http import Http404
from django.http.response import HttpResponseBase
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.response import Response
from rest_framework.views import APIView

from billing.api_words import instant
from billing.banking.accounts import HOLDER_CHARACTERS_MAX, close_account, open_account
from billing.models import BankAccount
from clusters.bodies import checked
from tenants.authentication import key_prefix_of, organization_of, provider_of
from tenants.calls import once
from tenants.closed_shapes import ClosedSerializer
from tenants.listing.answers import PAGE_PARAMETERS, ListView, PagedSerializer, list_answer, list_responses, page_by_key
from tenants.problems import Problem

if TYPE_CHECKING:
    from uuid import UUID

    from rest_framework.request import Request


class MalformedBankAccount(Problem):
    """The body is no bank account."""

    status = 400
    code = "bank_account_malformed"
    title = "The bank account cannot be read"


class BankAccountRequestSerializer(ClosedSerializer):
    """An account to be paid to."""

    number = serializers.CharField(max_length=60, help_text="an IBAN, or 4 to 34 letters and digits")
    currency = serializers.CharField(min_length=3, max_length=3)
    holder = serializers.CharField(max_length=HOLDER_CHARACTERS_MAX)
    bic = serializers.CharField(max_length=20, required=False, default="", allow_blank=True)


class BankAccountSerializer(serializers.Serializer[Any]):
    """An account; tenants are told to pay to the open one of a currency that was noted last."""

    id = serializers.UUIDField()
    number = serializers.CharField()
    currency = serializers.CharField()
    holder = serializers.CharField()
    bic = serializers.CharField(allow_blank=True)
    opened_at = serializers.DateTimeField()
    closed_at = serializers.DateTimeField(allow_null=True)


class BankAccountsSerializer(PagedSerializer):
    """A page of accounts, the one that was noted first before the others."""

    accounts = BankAccountSerializer(many=True)


class BankAccountsView(ListView):
    """Bank accounts of a provider."""

    required_scopes = {"GET": "invoices:read", "POST": "bank:write"}

    @extend_schema(
        operation_id="bank_accounts_list",
        tags=["payments"],
        summary="List bank accounts",
        parameters=PAGE_PARAMETERS,
        responses=list_responses(BankAccountsSerializer),
    )
    def get(self, request: Request) -> HttpResponseBase:
        """List the organization's accounts, closed ones too."""
        found = BankAccount.objects.filter(provider=organization_of(request))
        paged = page_by_key(request, found, ("opened_at", "pk"))
        return list_answer(request, "accounts", paged, BankAccountSerializer, _account)

    @extend_schema(
        operation_id="bank_accounts_create",
        tags=["payments"],
        summary="Open a bank account",
        request=BankAccountRequestSerializer,
        responses={200: BankAccountSerializer, 201: BankAccountSerializer},
    )
    @once
    def post(self, request: Request) -> Response:
        """Note an account: tenants are told to pay to it. One that is open already answers 200 and stays as it is."""
        provider = provider_of(request)
        given = checked(BankAccountRequestSerializer(data=request.data), MalformedBankAccount)
        now = timezone.now()  # noqa: TID251  an entry point
        made, is_new = open_account(provider=provider, by=key_prefix_of(request), now=now, **given)
        return Response(_account(made), status=status.HTTP_201_CREATED if is_new else status.HTTP_200_OK)


class BankAccountCloseView(APIView):
    """The end of an account."""

    required_scopes = {"POST": "bank:write"}

    @extend_schema(
        operation_id="bank_accounts_close",
        tags=["payments"],
        summary="Close a bank account",
        request=None,
        responses={200: BankAccountSerializer},
    )
    def post(self, request: Request, account_id: UUID) -> Response:
        """Take no more statements of an account, and name it to tenants no longer. Closed again changes nothing."""
        provider, now = organization_of(request), timezone.now()  # noqa: TID251  an entry point
        try:
            closed = close_account(provider=provider, account_id=account_id, by=key_prefix_of(request), now=now)
        except BankAccount.DoesNotExist as missing:
            raise Http404 from missing
        return Response(_account(closed))


def _account(row: BankAccount) -> dict[str, object]:
    return {
        "id": str(row.pk),
        "number": row.number,
        "currency": row.currency,
        "holder": row.holder,
        "bic": row.bic,
        "opened_at": instant(row.opened_at),
        "closed_at": row.closed_at and instant(row.closed_at),
    }

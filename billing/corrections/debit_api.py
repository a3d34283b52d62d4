"""The API of debits: put on the next invoice by the provider, read by both parties, taken back while on none."""

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
from billing.corrections.debits import add_debit, is_billed, take_back_debit
from billing.corrections.reading import issued_invoice
from billing.models import Debit
from tenants.authentication import caller_of, organization_of
from tenants.calls import KEY_HEADER, made_once
from tenants.closed_shapes import ClosedSerializer
from tenants.idempotency import Answered
from tenants.listing.answers import (
    PAGE_PARAMETERS,
    ListView,
    PagedSerializer,
    list_answer,
    list_responses,
    page_by_key,
)
from tenants.models import Organization

READS: Final = {"GET": "invoices:read"}
WRITES: Final = {"POST": "invoices:correct"}
OPEN: Final = "open"
"""A debit that is on no invoice yet."""


class NewDebitSerializer(ClosedSerializer):
    """What is owed beside an invoice."""

    amount = serializers.DecimalField(38, 4, help_text="before tax, in the invoice's currency")
    reason = serializers.CharField(max_length=200)
    line = serializers.IntegerField(min_value=1, required=False, help_text="position of the line that it corrects")


class TakenBackReasonSerializer(ClosedSerializer):
    """Why a debit is taken back."""

    reason = serializers.CharField(max_length=200)


class DebitSerializer(serializers.Serializer[Any]):
    """An amount that is put on the next invoice of a contract."""

    id = serializers.UUIDField()
    invoice_id = serializers.UUIDField(help_text="that it is about")
    invoice = serializers.CharField()
    line = serializers.IntegerField(allow_null=True)
    term_ref = serializers.CharField(help_text="the term by which it stands on drafts and invoices")
    cause = serializers.CharField(help_text="correction, or late_fee")
    amount = serializers.CharField(help_text="before tax, a decimal as a string")
    currency = serializers.CharField()
    reason = serializers.CharField()
    at = serializers.DateTimeField()
    state = serializers.ChoiceField([OPEN, "billed", "taken_back"])


class DebitsSerializer(PagedSerializer):
    """Debits, the latest first."""

    debits = DebitSerializer(many=True)


class DebitsView(ListView):
    """Debits of the organization, as tenant and as issuer."""

    required_scopes = READS

    @extend_schema(
        operation_id="debits_list",
        tags=["corrections"],
        summary="List debits",
        parameters=PAGE_PARAMETERS,
        responses=list_responses(DebitsSerializer),
    )
    def get(self, request: Request) -> HttpResponseBase:
        """List what was put on later invoices beside what they measure, the latest first."""
        organization = organization_of(request)
        found = Debit.objects.filter(invoice__tenant=organization) | Debit.objects.filter(invoice__issuer=organization)
        paged = page_by_key(request, found.select_related("invoice", "line", "term"), ("-at", "-pk"))
        return list_answer(request, "debits", paged, DebitSerializer, debit_row)


class InvoiceDebitsView(APIView):
    """Debits of one invoice."""

    required_scopes = WRITES

    @extend_schema(
        operation_id="invoices_debits_create",
        tags=["corrections"],
        summary="Put an amount on the next invoice",
        parameters=[KEY_HEADER],
        request=NewDebitSerializer,
        responses={201: DebitSerializer},
    )
    def post(self, request: Request, invoice_id: UUID) -> Response:
        """Put what an invoice came to too little on the next one of its contract, linked to it. For its issuer."""
        body, now = request._request.body, _now()
        if issued_invoice(organization_of(request), pk=invoice_id) is None:
            raise Http404
        given = valid(NewDebitSerializer, request)

        def make() -> Answered:
            made = add_debit(
                invoice_id=invoice_id,
                amount=given["amount"],
                reason=given["reason"],
                position=given.get("line"),
                by=caller_of(request),
                now=now,
            )
            return status.HTTP_201_CREATED, debit_row(made)

        return made_once(request, body, now, make)


class DebitTakeBackView(APIView):
    """The end of a debit."""

    required_scopes = WRITES

    @extend_schema(
        operation_id="debits_take_back",
        tags=["corrections"],
        summary="Take a debit back",
        request=TakenBackReasonSerializer,
        responses={200: DebitSerializer},
    )
    def post(self, request: Request, debit_id: UUID) -> Response:
        """Take a debit back that is on no invoice yet; afterwards a credit note gives it back. For its issuer."""
        _issued(organization_of(request), debit_id)
        given = valid(TakenBackReasonSerializer, request)
        take_back_debit(debit_id=debit_id, reason=given["reason"], by=caller_of(request), now=_now())
        return Response(debit_row(_issued(organization_of(request), debit_id)))


def debit_row(debit: Debit) -> dict[str, object]:
    """Return a debit as an answer."""
    return {
        "id": str(debit.pk),
        "invoice_id": str(debit.invoice_id),
        "invoice": debit.invoice.number,
        "line": debit.line.position if debit.line else None,
        "term_ref": debit.term.ref,
        "cause": str(debit.cause),
        "amount": money(debit.amount, debit.currency),
        "currency": debit.currency,
        "reason": debit.reason,
        "at": instant(debit.at),
        "state": state_of(debit),
    }


def state_of(debit: Debit) -> str:
    """Return where a debit stands: on a draft, on an invoice, or taken back."""
    if hasattr(debit, "taken_back"):
        return "taken_back"
    return "billed" if is_billed(debit) else OPEN


def _issued(organization: Organization, debit_id: UUID) -> Debit:
    found = Debit.objects.select_related("invoice", "line", "term").filter(pk=debit_id, invoice__issuer=organization)
    debit = found.first()
    if debit is None:
        raise Http404
    return debit


def _now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251  an entry point

"""The API of credit notes and write-offs: issued by the provider of an invoice, read by both parties."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.http import Http404
from django.http.response import HttpResponseBase
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from billing.api_words import instant, money
from billing.corrections.amounts import Given
from billing.corrections.credit_notes import issue_credit_note
from billing.corrections.reading import find_credit_note, issued_invoice
from billing.corrections.reissuing import reissue_invoice
from billing.corrections.shapes import (
    CreditNotePreviewSerializer,
    CreditNoteSerializer,
    CreditNotesSerializer,
    NewCreditNoteSerializer,
    ReasonSerializer,
    ReissuedSerializer,
    ScopeSerializer,
    VoidedSerializer,
    WriteOffSerializer,
    read_scope,
)
from billing.corrections.voiding import void_invoice
from billing.corrections.weighing import weigh
from billing.models import CreditNote, CreditNoteLine, CreditReason, Invoice
from billing.write_offs import write_off
from tenants.authentication import caller_of, organization_of
from tenants.calls import KEY_HEADER, made_once, once
from tenants.idempotency import Answered
from tenants.listing.answers import PAGE_PARAMETERS, ListView, list_answer, list_responses
from tenants.listing.following import SINCE, asked_since, page_followed

READS: Final = {"GET": "invoices:read"}
WRITES: Final = {"POST": "invoices:correct"}


class CreditNotesView(ListView):
    """Credit notes of the organization, as tenant and as issuer."""

    required_scopes = READS

    @extend_schema(
        operation_id="credit_notes_list",
        tags=["corrections"],
        summary="List credit notes",
        parameters=[SINCE, *PAGE_PARAMETERS],
        responses=list_responses(CreditNotesSerializer),
    )
    def get(self, request: Request) -> HttpResponseBase:
        """List credit notes issued and received, the latest first."""
        found = CreditNote.objects.for_org(organization_of(request)).select_related("invoice", "issuer", "tenant")
        paged = page_followed(request, found, ("-issued_at", "-pk"), asked_since(request))
        return list_answer(request, "credit_notes", paged, CreditNoteSerializer, credit_note_row)


class CreditNoteView(APIView):
    """One credit note."""

    required_scopes = READS

    @extend_schema(
        operation_id="credit_notes_retrieve",
        tags=["corrections"],
        summary="Read a credit note",
        responses={200: CreditNoteSerializer},
    )
    def get(self, request: Request, credit_note_id: UUID) -> Response:
        """Read a credit note with its lines."""
        return Response(_whole(organization_of(request), credit_note_id))


class InvoiceCreditNotesView(APIView):
    """Credit notes of one invoice."""

    required_scopes = WRITES

    @extend_schema(
        operation_id="invoices_credit_notes_create",
        parameters=[KEY_HEADER],
        tags=["corrections"],
        summary="Issue a credit note",
        request=NewCreditNoteSerializer,
        responses={201: CreditNoteSerializer},
    )
    def post(self, request: Request, invoice_id: UUID) -> Response:
        """Give back lines, quantities or an amount of an invoice, or all that is left of it. Only its issuer can.

        More than is left is refused with what is left (`more_than_left`).
        """
        body, now = request._request.body, _now()
        invoice = _issued(request, invoice_id)
        given = valid(NewCreditNoteSerializer, request)

        def make() -> Answered:
            made = issue_credit_note(
                invoice_id=invoice.pk,
                scope=read_scope(given),
                reason=CreditReason(given["reason"]),
                note=given["note"],
                by=caller_of(request),
                now=now,
            )
            return status.HTTP_201_CREATED, _whole(organization_of(request), made.pk)

        return made_once(request, body, now, make)


class InvoiceCreditNotePreviewView(APIView):
    """A credit note that is not issued."""

    required_scopes = WRITES

    @extend_schema(
        operation_id="invoices_credit_notes_preview",
        tags=["corrections"],
        summary="See what a credit note comes to",
        request=ScopeSerializer,
        responses={200: CreditNotePreviewSerializer},
    )
    def post(self, request: Request, invoice_id: UUID) -> Response:
        """Work out what a credit note over lines, quantities, an amount or all that is left would give back, and
        where that would go. Nothing is stored. Only its issuer can; it is refused as issuing it would be."""
        invoice = _issued(request, invoice_id)
        weighed = weigh(invoice, read_scope(valid(ScopeSerializer, request)))
        amounts = ("subtotal", "tax", "total", "applied", "to_balance", "operator_fee")
        lines = [_line(each.position, each, weighed.taxes[each.position], invoice.currency) for each in weighed.given]
        sums = {name: money(getattr(weighed, name), invoice.currency) for name in amounts}
        return Response({"currency": invoice.currency, **sums, "lines": lines})


class InvoiceWriteOffView(APIView):
    """The end of an issuer's hope."""

    required_scopes = WRITES

    @extend_schema(
        operation_id="invoices_write_off_create",
        parameters=[KEY_HEADER],
        tags=["corrections"],
        summary="Write an invoice off",
        request=ReasonSerializer,
        responses={201: WriteOffSerializer},
    )
    def post(self, request: Request, invoice_id: UUID) -> Response:
        """Write off what an invoice has left and call it uncollectible. A payment that comes later still counts."""
        body, now = request._request.body, _now()
        invoice = _issued(request, invoice_id)
        given = valid(ReasonSerializer, request)

        def make() -> Answered:
            made = write_off(invoice_id=invoice.pk, reason=given["reason"], by=caller_of(request), now=now)
            return status.HTTP_201_CREATED, {
                "invoice_id": str(invoice.pk),
                "amount": money(made.amount, invoice.currency),
                "currency": invoice.currency,
                "reason": made.reason,
                "at": instant(made.at),
            }

        return made_once(request, body, now, make)


class InvoiceVoidView(APIView):
    """An invoice that should never have been issued."""

    required_scopes = WRITES

    @extend_schema(
        operation_id="invoices_void_create",
        parameters=[KEY_HEADER],
        tags=["corrections"],
        summary="Void an invoice",
        request=ReasonSerializer,
        responses={200: VoidedSerializer},
    )
    def post(self, request: Request, invoice_id: UUID) -> Response:
        """Void an invoice of which nothing was paid, credited or written off. Only its issuer can."""
        body, now = request._request.body, _now()
        invoice = _issued(request, invoice_id)
        given = valid(ReasonSerializer, request)

        def make() -> Answered:
            voided = void_invoice(invoice_id=invoice.pk, reason=given["reason"], by=caller_of(request), now=now)
            return status.HTTP_200_OK, {"invoice_id": str(voided.pk), "number": voided.number, "state": voided.state}

        return made_once(request, body, now, make)


class InvoiceReissueView(APIView):
    """The invoice that takes the place of a void one."""

    required_scopes = WRITES

    @extend_schema(
        operation_id="invoices_reissue_create",
        tags=["corrections"],
        summary="Issue a void invoice again",
        request=None,
        responses={201: ReissuedSerializer},
    )
    @once
    def post(self, request: Request, invoice_id: UUID) -> Response:
        """Bill the period of a void invoice again, under a new number. The same call again gives the same invoice."""
        made = reissue_invoice(
            invoice_id=_issued(request, invoice_id).pk,
            by=caller_of(request),
            now=_now(),
            stripe_ready=bool(settings.STRIPE_SECRET_KEY),
        )
        answer = {
            "invoice_id": str(made.pk),
            "number": made.number,
            "state": made.state,
            "reissues_id": str(made.reissues_id),
            "total": money(made.total, made.currency),
            "currency": made.currency,
        }
        return Response(answer, status=status.HTTP_201_CREATED)


def credit_note_row(note: CreditNote) -> dict[str, object]:
    """Return a credit note as an answer, without its lines."""
    amounts = ("subtotal", "tax", "total", "applied")
    return {
        "id": str(note.pk),
        "number": note.number,
        "invoice_id": str(note.invoice_id),
        "invoice": note.invoice.number,
        "issuer": note.issuer.slug,
        "tenant": note.tenant.slug,
        "currency": note.currency,
        "reason": note.reason,
        "note": note.note,
        **{name: money(getattr(note, name), note.currency) for name in amounts},
        "to_balance": money(note.total - note.applied, note.currency),
        "issued_at": instant(note.issued_at),
        "updated_at": instant(note.changed_at),
    }


def valid(shape: type[serializers.Serializer[Any]], request: Request) -> dict[str, Any]:
    """Return a call's body as `shape` reads it; raises ValidationError with the fields that are wrong."""
    serializer = shape(data=request.data)
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)


def _issued(request: Request, invoice_id: UUID) -> Invoice:
    invoice = issued_invoice(organization_of(request), pk=invoice_id)
    if invoice is None:
        raise Http404
    return invoice


def _whole(organization: Any, credit_note_id: UUID) -> dict[str, Any]:
    note = find_credit_note(organization, pk=credit_note_id)
    if note is None:
        raise Http404
    lines = [
        {
            **_line(each.line.position, each, each.tax, note.currency),
            "description": each.line.description,
            "unit": each.line.unit,
        }
        for each in note.lines.all()
    ]
    return {**credit_note_row(note), "lines": lines}


def _line(position: int, given: Given | CreditNoteLine, tax: Decimal, currency: str) -> dict[str, Any]:
    """What is, or would be, given back of a line."""
    return {
        "line": position,
        "quantity": None if given.quantity is None else f"{given.quantity.normalize():f}",
        "amount": money(given.amount, currency),
        "tax": money(tax, currency),
    }


def _now() -> datetime:
    return datetime.now(UTC)

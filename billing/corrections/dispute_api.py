"""The API of questions about what was billed: asked by the tenant, answered by both, decided by the provider."""

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

from billing.api_words import instant
from billing.corrections.api import valid
from billing.corrections.disputes import (
    answer_dispute,
    grant_dispute,
    open_dispute,
    uphold_invoice,
    withdraw_dispute,
)
from billing.corrections.reading import dispute_actions, disputes_of, owed_invoice
from billing.corrections.shapes import (
    DisputeGrantSerializer,
    DisputeSerializer,
    DisputesSerializer,
    NewDisputeSerializer,
    TextSerializer,
    read_scope,
)
from billing.models import Dispute
from tenants.authentication import caller_of, organization_of
from tenants.calls import KEY_HEADER, made_once
from tenants.idempotency import Answered
from tenants.listing.answers import PAGE_PARAMETERS, ListView, list_answer, list_responses, page_by_key
from tenants.models import Organization

READS: Final = {"GET": "invoices:read"}
WRITES: Final = {"POST": "invoices:correct"}


class DisputesView(ListView):
    """Questions of the organization, asked and to be answered."""

    required_scopes = READS

    @extend_schema(
        operation_id="disputes_list",
        tags=["corrections"],
        summary="List questions",
        parameters=PAGE_PARAMETERS,
        responses=list_responses(DisputesSerializer),
    )
    def get(self, request: Request) -> HttpResponseBase:
        """List questions, the latest first."""
        organization = organization_of(request)
        paged = page_by_key(request, disputes_of(organization), ("-opened_at", "-pk"))
        return list_answer(request, "disputes", paged, DisputeSerializer, lambda row: _dispute(row, organization))


class DisputeView(APIView):
    """One question."""

    required_scopes = READS

    @extend_schema(
        operation_id="disputes_retrieve",
        tags=["corrections"],
        summary="Read a question",
        responses={200: DisputeSerializer},
    )
    def get(self, request: Request, dispute_id: UUID) -> Response:
        """Read a question, what was said, and what may be done now."""
        return Response(_read(organization_of(request), dispute_id))


class InvoiceDisputesView(APIView):
    """Questions about one invoice."""

    required_scopes = WRITES

    @extend_schema(
        operation_id="invoices_disputes_create",
        parameters=[KEY_HEADER],
        tags=["corrections"],
        summary="Question an invoice or a line",
        request=NewDisputeSerializer,
        responses={201: DisputeSerializer},
    )
    def post(self, request: Request, invoice_id: UUID) -> Response:
        """Ask about an invoice, or a line of it. Only its tenant can, and once at a time about the same line."""
        body, now, organization = request._request.body, _now(), organization_of(request)
        invoice = owed_invoice(organization, pk=invoice_id)
        if invoice is None:
            raise Http404
        given = valid(NewDisputeSerializer, request)

        def make() -> Answered:
            made = open_dispute(
                invoice=invoice, position=given["line"], text=given["text"], by=caller_of(request), now=now
            )
            return status.HTTP_201_CREATED, _read(organization, made.pk)

        return made_once(request, body, now, make)


class _ActView(APIView):
    """One act on an open question, by a side that may."""

    required_scopes = WRITES

    def _act(
        self, request: Request, dispute_id: UUID, shape: type[serializers.Serializer[Any]], act: Callable[..., Dispute]
    ) -> Response:
        body, now, organization = request._request.body, _now(), organization_of(request)
        if not Dispute.objects.for_org(organization).filter(pk=dispute_id).exists():
            raise Http404
        given = valid(shape, request) if body else {}
        named = {"text": given["text"]} if "text" in given else {}
        if "lines" in given:
            named["scope"] = read_scope(given)

        def make() -> Answered:
            act(dispute_id=dispute_id, organization=organization, by=caller_of(request), now=now, **named)
            return status.HTTP_200_OK, _read(organization, dispute_id)

        return made_once(request, body, now, make)


class DisputeAnswerView(_ActView):
    """An answer."""

    @extend_schema(
        operation_id="disputes_answer",
        parameters=[KEY_HEADER],
        tags=["corrections"],
        summary="Write to the other side",
        request=TextSerializer,
        responses={200: DisputeSerializer},
    )
    def post(self, request: Request, dispute_id: UUID) -> Response:
        """Write to the other side of an open question."""
        return self._act(request, dispute_id, TextSerializer, answer_dispute)


class DisputeGrantView(_ActView):
    """A grant."""

    @extend_schema(
        operation_id="disputes_grant",
        parameters=[KEY_HEADER],
        tags=["corrections"],
        summary="Grant with a credit note",
        request=DisputeGrantSerializer,
        responses={200: DisputeSerializer},
    )
    def post(self, request: Request, dispute_id: UUID) -> Response:
        """Grant a question, whole or in part, with a credit note. Only the issuer of the invoice can."""
        return self._act(request, dispute_id, DisputeGrantSerializer, grant_dispute)


class DisputeUpholdView(_ActView):
    """A refusal."""

    @extend_schema(
        operation_id="disputes_uphold",
        parameters=[KEY_HEADER],
        tags=["corrections"],
        summary="Let the invoice stand",
        request=TextSerializer,
        responses={200: DisputeSerializer},
    )
    def post(self, request: Request, dispute_id: UUID) -> Response:
        """Let the invoice stand, with the reason. Only its issuer can."""
        return self._act(request, dispute_id, TextSerializer, uphold_invoice)


class DisputeWithdrawView(_ActView):
    """A question taken back."""

    @extend_schema(
        operation_id="disputes_withdraw",
        parameters=[KEY_HEADER],
        tags=["corrections"],
        summary="Withdraw a question",
        request=None,
        responses={200: DisputeSerializer},
    )
    def post(self, request: Request, dispute_id: UUID) -> Response:
        """Take a question back. Only who asked can."""
        return self._act(request, dispute_id, serializers.Serializer, withdraw_dispute)


def _read(organization: Organization, dispute_id: UUID) -> dict[str, object]:
    found = disputes_of(organization).filter(pk=dispute_id).first()
    if found is None:
        raise Http404
    return _dispute(found, organization)


def _dispute(dispute: Dispute, organization: Organization) -> dict[str, object]:
    return {
        "id": str(dispute.pk),
        "invoice_id": str(dispute.invoice_id),
        "invoice": dispute.invoice.number,
        "line": dispute.line.position if dispute.line else None,
        "tenant": dispute.tenant.slug,
        "issuer": dispute.issuer.slug,
        "state": dispute.state,
        "pauses_dunning": dispute.pauses_dunning,
        "credit_note": dispute.credit_note.number if dispute.credit_note else None,
        "opened_at": instant(dispute.opened_at),
        "resolved_at": instant(dispute.resolved_at) if dispute.resolved_at else None,
        "messages": [
            {"side": each.side, "author": each.author, "text": each.text, "at": instant(each.at)}
            for each in dispute.messages.all()
        ],
        "actions": dispute_actions(dispute, organization),
    }


def _now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251  an entry point

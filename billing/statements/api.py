"""The API of statements: read by the provider that they are made for, and by nobody else."""

from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from django.http import Http404, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import get_conditional_response
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from billing.api_words import instant
from billing.models import ProviderStatement
from billing.money import round_to_minor
from billing.statements.reading import find_statement
from tenants.authentication import organization_of
from tenants.listing.answers import PAGE_PARAMETERS, ListView, PagedSerializer, list_answer, list_responses, page_by_key

READ: Final = {"GET": "invoices:read"}


class ProviderStatementSerializer(serializers.Serializer[Any]):
    """A statement; amounts above zero are owed to the provider."""

    id = serializers.UUIDField()
    number = serializers.CharField()
    currency = serializers.CharField()
    month = serializers.CharField(help_text="for example 2026-03")
    made_at = serializers.DateTimeField()
    opening = serializers.CharField(help_text="what the statement before ended with")
    earned = serializers.CharField(help_text="net of deposits, fee and tax")
    tax = serializers.CharField(help_text="what tenants owe as tax, for the provider to hand on")
    deposit = serializers.CharField(help_text="what the provider holds for tenants")
    received = serializers.CharField(help_text="what reached it past the operator, below zero")
    moved = serializers.CharField(help_text="corrections and the like")
    paid_out = serializers.CharField(help_text="payouts, below zero")
    closing = serializers.CharField()
    sha256 = serializers.CharField(help_text="of the document")


class ProviderStatementsSerializer(PagedSerializer):
    """Statements, the latest first."""

    statements = ProviderStatementSerializer(many=True)


class StatementsView(ListView):
    """Statements of the organization as a provider."""

    required_scopes = READ

    @extend_schema(
        operation_id="statements_list",
        tags=["statements"],
        summary="List statements",
        parameters=PAGE_PARAMETERS,
        responses=list_responses(ProviderStatementsSerializer),
    )
    def get(self, request: Request) -> HttpResponseBase:
        """List statements, one a month and currency, the latest first."""
        found = ProviderStatement.objects.for_org(organization_of(request)).defer("document")
        paged = page_by_key(request, found, ("-sequence",))
        return list_answer(request, "statements", paged, ProviderStatementSerializer, _statement)


class StatementView(APIView):
    """One statement."""

    required_scopes = READ

    @extend_schema(
        operation_id="statements_retrieve",
        tags=["statements"],
        summary="Read a statement",
        responses={200: ProviderStatementSerializer},
    )
    def get(self, request: Request, statement_id: UUID) -> Response:
        """Read the figures of a statement."""
        return Response(_statement(_found(request, statement_id)))


class StatementDocumentView(APIView):
    """The document of a statement."""

    required_scopes = READ

    @extend_schema(
        operation_id="statements_document_retrieve",
        tags=["statements"],
        summary="Read a statement's document",
        responses={(200, "application/json"): OpenApiTypes.OBJECT},
    )
    def get(self, request: Request, statement_id: UUID) -> HttpResponseBase:
        """Read the document byte for byte as it was frozen: every invoice, term, correction, payout and witness.

        Its SHA-256 is the ETag.
        """
        statement = _found(request, statement_id)
        return document_answer(statement, request)


def document_answer(statement: ProviderStatement, request: Request) -> HttpResponseBase:
    """Return a statement's document with its hash as ETag, or 304."""
    etag = f'"{statement.sha256}"'
    response = HttpResponse(statement.document.encode(), content_type="application/json")
    response["ETag"] = etag
    response["Cache-Control"] = "private, no-cache"
    answer: HttpResponseBase | None = get_conditional_response(request._request, etag=etag, response=response)
    return answer or response


def _found(request: Request, statement_id: UUID) -> ProviderStatement:
    statement = find_statement(organization_of(request), statement_id)
    if statement is None:
        raise Http404
    return statement


def _statement(statement: ProviderStatement) -> dict[str, object]:
    def money(amount: Decimal) -> str:
        return f"{round_to_minor(amount, statement.currency):f}"

    return {
        "id": str(statement.pk),
        "number": statement.number,
        "currency": statement.currency,
        "month": f"{statement.month:%Y-%m}",
        "made_at": instant(statement.made_at),
        "opening": money(statement.opening),
        "earned": money(statement.earned),
        "tax": money(statement.tax),
        "deposit": money(statement.deposit),
        "received": money(statement.received),
        "moved": money(statement.moved),
        "paid_out": money(statement.paid_out),
        "closing": money(statement.closing),
        "sha256": statement.sha256,
    }

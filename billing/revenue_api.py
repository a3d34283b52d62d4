"""The API of certified revenue: stated by the tenant of a contract, read by both parties, and by nobody else."""

import json
from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from django.http import Http404
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from billing.csv_files import document_answer
from billing.models import Contract, RevenueStatement
from billing.money import round_to_minor, to_decimals
from billing.queries.revenue import DueRow, due_rows, statement_file, statements_of
from billing.rating.wording import plain
from billing.revenue_csv import BYTES_MAX
from billing.revenue_statements import state_revenue
from clusters.bodies import checked, read_body
from tenants.authentication import organization_of
from tenants.calls import once
from tenants.closed_shapes import ClosedSerializer
from tenants.listing.answers import PAGE_PARAMETERS, ListView, PagedSerializer, list_answer, list_responses, page_by_key
from tenants.problems import Problem

BODY_BYTES_MAX: Final = 2 * BYTES_MAX
"""A file as a JSON string may take more bytes than the file."""


class NotTheTenant(Problem):
    """Only the tenant of a contract states its revenue."""

    status = 403
    code = "not_the_tenant"
    title = "Only the contract's tenant can do this"


class MalformedStatement(Problem):
    """The body is not a statement in JSON."""

    status = 400
    code = "statement_malformed"
    title = "The revenue statement cannot be read"


class StatementRequestSerializer(ClosedSerializer):
    """A revenue statement to be taken in."""

    term = serializers.CharField(max_length=32, help_text="reference of the share, for example S-0007")
    period_from = serializers.DateTimeField(help_text="where the billing period begins")
    certified_by = serializers.CharField(max_length=200, help_text="name of who certifies it")
    document = serializers.CharField(
        trim_whitespace=False, help_text="CSV with the columns item, amount, currency; deductions are negative"
    )


class StatementSerializer(serializers.Serializer[Any]):
    """A revenue statement; the latest of a term and period counts."""

    id = serializers.UUIDField()
    term = serializers.CharField()
    period_from = serializers.DateTimeField()
    period_to = serializers.DateTimeField()
    currency = serializers.CharField()
    net_revenue_amount = serializers.CharField()
    certified_by = serializers.CharField()
    uploaded_by = serializers.CharField()
    created_at = serializers.DateTimeField()
    sha256 = serializers.CharField()


class DueSerializer(serializers.Serializer[Any]):
    """A statement that is due, and how the latest one fits list price x metered tokens less exclusions."""

    term = serializers.CharField()
    period_from = serializers.DateTimeField()
    period_to = serializers.DateTimeField()
    due_at = serializers.DateTimeField(help_text="from then on an estimate stands in for it")
    state = serializers.ChoiceField(["stated", "waiting", "estimated"])
    statement_id = serializers.UUIDField(allow_null=True)
    metered_amount = serializers.CharField()
    difference_amount = serializers.CharField(allow_null=True, help_text="metered less certified")
    difference_percent = serializers.CharField(allow_null=True, help_text="of the larger of the two")
    within_tolerance = serializers.BooleanField(allow_null=True)
    audit_tolerance_percent = serializers.CharField()


class StatementsSerializer(PagedSerializer):
    """The statements of a contract, and what is due."""

    statements = StatementSerializer(many=True)
    due = DueSerializer(many=True)


class RevenueStatementsView(ListView):
    """Certified revenue statements of one contract."""

    required_scopes = {"GET": "invoices:read", "POST": "revenue:write"}

    @extend_schema(
        operation_id="revenue_statements_list",
        tags=["contracts"],
        summary="List a contract's revenue statements",
        parameters=PAGE_PARAMETERS,
        responses=list_responses(StatementsSerializer),
    )
    def get(self, request: Request, contract_id: UUID) -> HttpResponseBase:
        """List statements, the latest first, and what is due of the latest 24 billing periods with its check."""
        organization = organization_of(request)
        found = statements_of(organization, contract_id)
        if found is None:
            raise Http404
        now = timezone.now()  # noqa: TID251  an entry point
        due = [_due(row) for row in due_rows(organization, now, contract_id=contract_id)]
        paged = page_by_key(request, found, ("-created_at", "-pk"))
        return list_answer(request, "statements", paged, StatementSerializer, _statement, due=due)

    @extend_schema(
        operation_id="revenue_statements_create",
        tags=["contracts"],
        summary="State certified revenue",
        request=StatementRequestSerializer,
        responses={
            201: StatementSerializer,
            200: OpenApiResponse(StatementSerializer, description="The same file again."),
        },
    )
    @once
    def post(self, request: Request, contract_id: UUID) -> Response:
        """Certify the net revenue of a billing period that is over. A correction is another statement.

        The same file again, while it is the latest of its term and period, gets the same answer and changes nothing.
        """
        organization = organization_of(request)
        contract = get_object_or_404(Contract.objects.for_org(organization), pk=contract_id)
        if contract.tenant_id != organization.pk:
            raise NotTheTenant(f"{contract.number}'s tenant states its revenue.")
        given = _read(request)
        program: Any = request.user
        statement, is_new = state_revenue(
            contract=contract,
            term_ref=given["term"],
            period_from_at=given["period_from"],
            document=given["document"].encode(),
            certified_by=given["certified_by"],
            by=program.key.prefix,
            now=timezone.now(),  # noqa: TID251  an entry point
        )
        return Response(_statement(statement), status=status.HTTP_201_CREATED if is_new else status.HTTP_200_OK)


class RevenueDocumentView(APIView):
    """The file of a revenue statement."""

    required_scopes = {"GET": "invoices:read"}

    @extend_schema(
        operation_id="revenue_statements_document",
        tags=["contracts"],
        summary="Download a revenue statement's file",
        responses={(200, "text/csv"): OpenApiTypes.STR},
    )
    def get(self, request: Request, contract_id: UUID, statement_id: UUID) -> HttpResponseBase:
        """Read the file exactly as it was uploaded; its SHA-256 is the ETag."""
        found = statement_file(organization_of(request), statement_id)
        if found is None or found.term.contract_id != contract_id:
            raise Http404
        return document_answer(found)


def _read(request: Request) -> Mapping[str, Any]:
    body = read_body(request._request, BODY_BYTES_MAX)
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as broken:
        raise MalformedStatement("The body is not JSON; expected an object.") from broken
    return checked(StatementRequestSerializer(data=document), MalformedStatement)


def _statement(statement: RevenueStatement) -> dict[str, object]:
    return {
        "id": str(statement.pk),
        "term": statement.term.ref,
        "period_from": statement.period.from_at,
        "period_to": statement.period.to_at,
        "currency": statement.currency,
        "net_revenue_amount": str(round_to_minor(statement.net_revenue_amount, statement.currency)),
        "certified_by": statement.certified_by,
        "uploaded_by": statement.uploaded_by,
        "created_at": statement.created_at,
        "sha256": statement.sha256,
    }


def _due(row: DueRow) -> dict[str, object]:
    due, check, currency = row.due, row.check, row.contract.currency
    stated = due.statement is not None
    return {
        "term": due.term.ref,
        "period_from": due.period.from_at,
        "period_to": due.period.to_at,
        "due_at": due.due_at,
        "state": row.state,
        "statement_id": str(due.statement.pk) if due.statement else None,
        "metered_amount": str(round_to_minor(check.metered, currency)),
        "difference_amount": str(round_to_minor(check.difference, currency)) if stated else None,
        "difference_percent": f"{to_decimals(check.percent, 4):f}" if stated else None,
        "within_tolerance": check.is_within if stated else None,
        "audit_tolerance_percent": plain(check.tolerance_percent),
    }

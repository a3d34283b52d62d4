"""The API of bank statements and movements: a provider's own, to take in, read and decide."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from django.http import Http404
from django.http.response import HttpResponseBase
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers, status
from rest_framework.response import Response
from rest_framework.views import APIView

from billing.api_words import instant
from billing.banking.candidates import proposals_for
from billing.banking.deciding import keep_for_tenant, match_by_hand, match_new, set_aside, unmatch
from billing.banking.importing import import_statement
from billing.banking.lists import Shown, find_line, imports_of, lines_shown
from billing.banking.matching import Part
from billing.banking.shapes import (
    BankAsideRequestSerializer,
    BankKeepRequestSerializer,
    BankLineDetailSerializer,
    BankLineSerializer,
    BankLinesSerializer,
    BankMatchRequestSerializer,
    BankStatementOutcomeSerializer,
    BankStatementRequestSerializer,
    BankStatementSerializer,
    BankStatementsSerializer,
    BankUndoRequestSerializer,
)
from billing.money import round_to_minor
from clusters.bodies import checked
from tenants.authentication import key_prefix_of, organization_of, provider_of
from tenants.calls import once
from tenants.listing.answers import PAGE_PARAMETERS, ListView, list_answer, list_responses, page_by_key
from tenants.problems import Problem

if TYPE_CHECKING:
    from uuid import UUID

    from rest_framework.request import Request

    from billing.models import BankImport, BankLine
    from tenants.models import Organization

MATCHED_AT_ONCE_MAX: Final = 200
SHOWN: Final = {"to_decide": Shown.TO_DECIDE, "matched": Shown.MATCHED, "outgoing": Shown.OUTGOING, "all": Shown.ALL}


class MalformedBankCall(Problem):
    """The body is not what this address takes."""

    status = 400
    code = "bank_call_malformed"
    title = "The call cannot be read"


class BankLineQuerySerializer(serializers.Serializer[Any]):
    """The query of the list."""

    state = serializers.ChoiceField(list(SHOWN), default="to_decide")


class BankStatementsView(ListView):
    """Statement files."""

    required_scopes = {"GET": "invoices:read", "POST": "bank:write"}

    @extend_schema(
        operation_id="bank_statements_list",
        tags=["payments"],
        summary="List bank statements",
        parameters=PAGE_PARAMETERS,
        responses=list_responses(BankStatementsSerializer),
    )
    def get(self, request: Request) -> HttpResponseBase:
        """List the files that were taken in, the latest first, and what became of their entries."""
        paged = page_by_key(request, imports_of(organization_of(request)), ("-created_at", "-pk"))
        return list_answer(request, "statements", paged, BankStatementSerializer, _statement)

    @extend_schema(
        operation_id="bank_statements_create",
        tags=["payments"],
        summary="Take in a bank statement",
        request=BankStatementRequestSerializer,
        responses={200: BankStatementOutcomeSerializer, 201: BankStatementOutcomeSerializer},
    )
    @once
    def post(self, request: Request) -> Response:
        """Take in a file. The same file again answers 200 and changes nothing; every entry has one outcome."""
        provider, now = provider_of(request), timezone.now()
        given = checked(BankStatementRequestSerializer(data=request.data), MalformedBankCall)
        imported, is_new = import_statement(
            provider=provider,
            content=given["document"].encode(),
            name=given["name"],
            by=key_prefix_of(request),
            now=now,
            account_number=given["account"],
        )
        match_new(now=now, limit=MATCHED_AT_ONCE_MAX, import_id=imported.pk)
        return Response(_outcome(imported), status=status.HTTP_201_CREATED if is_new else status.HTTP_200_OK)


class BankLinesView(ListView):
    """Movements."""

    required_scopes = {"GET": "invoices:read"}

    @extend_schema(
        operation_id="bank_lines_list",
        tags=["payments"],
        summary="List bank movements",
        parameters=[
            OpenApiParameter("state", str, enum=list(SHOWN), description="to_decide if not given"),
            *PAGE_PARAMETERS,
        ],
        responses=list_responses(BankLinesSerializer),
    )
    def get(self, request: Request) -> HttpResponseBase:
        """List movements of the organization's accounts, the latest day first."""
        query = checked(BankLineQuerySerializer(data=request.query_params.dict()), MalformedBankCall)
        found = lines_shown(organization_of(request), SHOWN[query["state"]])
        paged = page_by_key(request, found, ("-booked_on", "-pk"))
        return list_answer(request, "lines", paged, BankLineSerializer, _line)


class BankLineView(APIView):
    """One movement."""

    required_scopes = {"GET": "invoices:read"}

    @extend_schema(
        operation_id="bank_lines_retrieve",
        tags=["payments"],
        summary="Read a bank movement",
        responses={200: BankLineDetailSerializer},
    )
    def get(self, request: Request, line_id: UUID) -> Response:
        """Read a movement, what it was matched to, and what it could be."""
        return Response(_detail(organization_of(request), line_id))


class BankLineMatchView(APIView):
    """What a movement pays."""

    required_scopes = {"POST": "bank:write"}

    @extend_schema(
        operation_id="bank_lines_match",
        tags=["payments"],
        summary="Pay invoices with a movement",
        request=BankMatchRequestSerializer,
        responses={200: BankLineDetailSerializer},
    )
    def post(self, request: Request, line_id: UUID) -> Response:
        """Pay invoices with parts of a movement; what is left of it stays unmatched."""
        provider = organization_of(request)
        given = checked(BankMatchRequestSerializer(data=request.data), MalformedBankCall)
        match_by_hand(
            provider=provider,
            line_id=line_id,
            parts=[Part(part["invoice"], part["amount"]) for part in given["parts"]],
            note=given["note"],
            by=key_prefix_of(request),
            now=timezone.now(),
        )
        return Response(_detail(provider, line_id))


class BankLineKeepView(APIView):
    """What a movement leaves for later."""

    required_scopes = {"POST": "bank:write"}

    @extend_schema(
        operation_id="bank_lines_keep",
        tags=["payments"],
        summary="Put a movement to a tenant's balance",
        request=BankKeepRequestSerializer,
        responses={200: BankLineDetailSerializer},
    )
    def post(self, request: Request, line_id: UUID) -> Response:
        """Put what is left of a movement, or an amount of it, to a tenant's balance: it pays what comes."""
        provider = organization_of(request)
        given = checked(BankKeepRequestSerializer(data=request.data), MalformedBankCall)
        tenant_id = given.pop("tenant")
        keep_for_tenant(
            provider=provider,
            line_id=line_id,
            tenant_id=tenant_id,
            by=key_prefix_of(request),
            now=timezone.now(),
            **given,
        )
        return Response(_detail(provider, line_id))


class BankLineAsideView(APIView):
    """What is no money of a tenant."""

    required_scopes = {"POST": "bank:write"}

    @extend_schema(
        operation_id="bank_lines_set_aside",
        tags=["payments"],
        summary="Set a movement aside",
        request=BankAsideRequestSerializer,
        responses={200: BankLineDetailSerializer},
    )
    def post(self, request: Request, line_id: UUID) -> Response:
        """Say that a movement, or an amount of it, is no money of a tenant, and what it is; it leaves these books."""
        provider = organization_of(request)
        given = checked(BankAsideRequestSerializer(data=request.data), MalformedBankCall)
        set_aside(provider=provider, line_id=line_id, by=key_prefix_of(request), now=timezone.now(), **given)
        return Response(_detail(provider, line_id))


class BankMatchUndoView(APIView):
    """A match taken back."""

    required_scopes = {"POST": "bank:write"}

    @extend_schema(
        operation_id="bank_matches_undo",
        tags=["payments"],
        summary="Take a match back",
        request=BankUndoRequestSerializer,
        responses={200: BankLineDetailSerializer},
    )
    def post(self, request: Request, match_id: UUID) -> Response:
        """Take a match back: what was paid by it is owed again, and the money is unmatched."""
        provider = organization_of(request)
        given = checked(BankUndoRequestSerializer(data=request.data), MalformedBankCall)
        now = timezone.now()
        undone = unmatch(
            provider=provider, match_id=match_id, reason=given["reason"], by=key_prefix_of(request), now=now
        )
        return Response(_detail(provider, undone.match.line_id))


def _detail(provider: Organization, line_id: UUID) -> dict[str, Any]:
    line = find_line(provider, line_id)
    if line is None:
        raise Http404
    matches = [
        {
            "id": str(one.pk),
            "kind": one.kind,
            "amount": _money(one.amount, line),
            "invoice_id": None if one.invoice_id is None else str(one.invoice_id),
            "rule": one.rule,
            "undone": hasattr(one, "unmatch"),
        }
        for one in line.matches.all()
    ]
    proposals = [
        {
            "rule": one.rule.value,
            "parts": [{"invoice_id": str(part.invoice_id), "amount": _money(part.amount, line)} for part in one.parts],
            "surplus": _money(one.surplus, line),
        }
        for one in proposals_for(line, _left(line))
    ]
    return {**_line(line), "matches": matches, "proposals": proposals}


def _outcome(imported: BankImport) -> dict[str, Any]:
    names = ("stored", "known", "pending", "refused")
    faults = [{name: fault[name] for name in ("place", "code", "detail")} for fault in imported.faults]
    return {"id": str(imported.pk), **{name: getattr(imported, name) for name in names}, "faults": faults}


def _statement(imported: BankImport) -> dict[str, Any]:
    told = {"name": imported.name, "kind": imported.kind, "sha256": imported.sha256}
    return {**_outcome(imported), **told, "created_at": instant(imported.created_at)}


def _line(line: BankLine) -> dict[str, Any]:
    return {
        "id": str(line.pk),
        "account": line.account.number,
        "booked_on": line.booked_on.isoformat(),
        "amount": _money(line.amount, line),
        "left": _money(_left(line), line),
        "currency": line.currency,
        "payer": line.payer,
        "text": line.text,
        "reference": line.structured,
        "state": line.state,
    }


def _left(line: BankLine) -> Any:
    return getattr(line, "left_amount")  # noqa: B009  an annotation, which the type does not know


def _money(amount: Any, line: BankLine) -> str:
    return f"{round_to_minor(amount, line.currency):f}"

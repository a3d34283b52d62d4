"""The API of what parties state of a token share: a tenant's refunds and a provider's findings of audits."""

from typing import Any
from uuid import UUID

from django.http import Http404
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from billing.audit_claims import NOTE_CHARS_MAX, Claim, answer_audit, claims_of
from billing.models import Contract, TermFact
from billing.queries.revenue import stated_facts
from billing.share_stating import REFERENCE_CHARS_MAX, By, state_audit, state_refund
from billing.stated_facts import AUDIT_CLAIM
from clusters.bodies import checked
from tenants.authentication import organization_of
from tenants.calls import once
from tenants.closed_shapes import ClosedSerializer
from tenants.listing.answers import PAGE_PARAMETERS, ListView, PagedSerializer, list_answer, list_responses, page_by_key
from tenants.listing.paging import Paged
from tenants.problems import Problem


class MalformedFact(Problem):
    """The body is not what can be stated."""

    status = 400
    code = "fact_malformed"
    title = "What was stated cannot be read"


class RefundRequestSerializer(ClosedSerializer):
    """Tokens that were paid back."""

    term = serializers.CharField(max_length=32, help_text="reference of the share, for example S-0007")
    refund = serializers.CharField(max_length=REFERENCE_CHARS_MAX, help_text="your reference; stated once")
    period_from = serializers.DateTimeField(help_text="where the billing period begins in which they are paid back")
    deployment_id = serializers.UUIDField(source="deployment")
    model = serializers.CharField(max_length=200)
    token_class = serializers.ChoiceField(["input", "output"], help_text="cached input is input")
    tokens = serializers.IntegerField(min_value=1, max_value=2**63 - 1)


class AuditRequestSerializer(ClosedSerializer):
    """What an audit found to be owed for a closed period."""

    term = serializers.CharField(max_length=32, help_text="reference of the share, for example S-0007")
    audit = serializers.CharField(max_length=REFERENCE_CHARS_MAX, help_text="your reference; stated once")
    period_from = serializers.DateTimeField(help_text="where the billing period begins that was audited")
    reported_share_amount = serializers.DecimalField(max_digits=19, decimal_places=4, min_value=0)
    found_share_amount = serializers.DecimalField(max_digits=19, decimal_places=4, min_value=0)
    cost_amount = serializers.DecimalField(max_digits=19, decimal_places=4, min_value=0)


class RefundSerializer(serializers.Serializer[Any]):
    """A refund as it was stated; `from_at` and `to_at` are the time in which it is excluded."""

    id = serializers.UUIDField()
    term = serializers.CharField()
    refund = serializers.CharField()
    deployment_id = serializers.UUIDField()
    model = serializers.CharField()
    token_class = serializers.CharField()
    tokens = serializers.IntegerField()
    from_at = serializers.DateTimeField()
    to_at = serializers.DateTimeField()
    recorded_by = serializers.CharField()
    recorded_at = serializers.DateTimeField()


class AuditSerializer(serializers.Serializer[Any]):
    """A finding as it was stated at `found_at`, and what became of it: once settled it bills from `counts_from`."""

    id = serializers.UUIDField()
    term = serializers.CharField()
    audit = serializers.CharField()
    from_at = serializers.DateTimeField()
    to_at = serializers.DateTimeField()
    found_at = serializers.DateTimeField()
    reported_share_amount = serializers.CharField()
    found_share_amount = serializers.CharField()
    cost_amount = serializers.CharField()
    recorded_by = serializers.CharField()
    recorded_at = serializers.DateTimeField()
    state = serializers.ChoiceField(["open", "disputed", "settled"])
    answer_by = serializers.DateTimeField(
        allow_null=True, help_text="until when it can be disputed; null: only the tenant's word settles it"
    )
    counts_from = serializers.DateTimeField(allow_null=True)
    settled_by = serializers.CharField()
    answered_by = serializers.CharField()
    note = serializers.CharField()


class AuditAnswerSerializer(ClosedSerializer):
    """The tenant's word on a finding."""

    term = serializers.CharField(max_length=32, help_text="reference of the share, for example S-0007")
    audit = serializers.CharField(max_length=REFERENCE_CHARS_MAX, help_text="the provider's reference of it")
    accepts = serializers.BooleanField(help_text="true: it bills; false: it is disputed and does not")
    note = serializers.CharField(max_length=NOTE_CHARS_MAX, required=False, default="", allow_blank=True)


class RefundsOfShareSerializer(PagedSerializer):
    """Refunds of a contract, the latest first."""

    refunds = RefundSerializer(many=True)


class AuditsSerializer(PagedSerializer):
    """Findings of audits of a contract, the latest first."""

    audit_findings = AuditSerializer(many=True)


class RefundsView(ListView):
    """Refunds of a contract's shares."""

    required_scopes = {"GET": "invoices:read", "POST": "revenue:write"}

    @extend_schema(
        operation_id="share_refunds_list",
        tags=["contracts"],
        summary="List a contract's refunds of tokens",
        parameters=PAGE_PARAMETERS,
        responses=list_responses(RefundsOfShareSerializer),
    )
    def get(self, request: Request, contract_id: UUID) -> HttpResponseBase:
        """List refunds of tokens, the latest first."""
        paged = _listed(request, contract_id, "refunded_counts")
        return list_answer(request, "refunds", paged, RefundSerializer, _row)

    @extend_schema(
        operation_id="share_refunds_create",
        tags=["contracts"],
        summary="State tokens that were paid back",
        request=RefundRequestSerializer,
        responses={
            201: RefundSerializer,
            200: OpenApiResponse(RefundSerializer, description="It was stated already."),
        },
    )
    @once
    def post(self, request: Request, contract_id: UUID) -> Response:
        """State that the price of tokens was paid back in an open period, where refunds are excluded."""
        contract, given, by = _given(request, contract_id, RefundRequestSerializer)
        stated, is_new = state_refund(
            contract=contract,
            term_ref=given["term"],
            refund=given["refund"],
            period_from_at=given["period_from"],
            deployment=given["deployment"],
            model=given["model"],
            token_class=given["token_class"],
            tokens=given["tokens"],
            by=by,
            now=timezone.now(),  # noqa: TID251  an entry point
        )
        return _answered(stated, is_new)


class AuditFindingsView(ListView):
    """Findings of audits of a contract's shares."""

    required_scopes = {"GET": "invoices:read", "POST": "revenue:write"}

    @extend_schema(
        operation_id="share_audit_findings_list",
        tags=["contracts"],
        summary="List what audits of a contract found",
        parameters=PAGE_PARAMETERS,
        responses=list_responses(AuditsSerializer),
    )
    def get(self, request: Request, contract_id: UUID) -> HttpResponseBase:
        """List what audits found, the latest first."""
        paged = _listed(request, contract_id, AUDIT_CLAIM)
        claims = {claim.stated.pk: claim for claim in claims_of(paged.rows)}
        return list_answer(request, "audit_findings", paged, AuditSerializer, lambda one: _claim_row(claims[one.pk]))

    @extend_schema(
        operation_id="share_audit_findings_create",
        tags=["contracts"],
        summary="State what an audit found",
        request=AuditRequestSerializer,
        responses={
            201: AuditSerializer,
            200: OpenApiResponse(AuditSerializer, description="It was stated already."),
        },
    )
    @once
    def post(self, request: Request, contract_id: UUID) -> Response:
        """State what is owed for a closed period instead of what was reported; the difference bills once settled."""
        contract, given, by = _given(request, contract_id, AuditRequestSerializer)
        stated, is_new = state_audit(
            contract=contract,
            term_ref=given["term"],
            audit=given["audit"],
            period_from_at=given["period_from"],
            reported_share_amount=given["reported_share_amount"],
            found_share_amount=given["found_share_amount"],
            cost_amount=given["cost_amount"],
            by=by,
            now=timezone.now(),  # noqa: TID251  an entry point
        )
        code = status.HTTP_201_CREATED if is_new else status.HTTP_200_OK
        return Response(_claim_row(claims_of([stated])[0]), status=code)


class AuditAnswersView(APIView):
    """The tenant's words on findings of audits."""

    required_scopes = {"POST": "revenue:write"}

    @extend_schema(
        operation_id="share_audit_findings_answer",
        tags=["contracts"],
        summary="Accept or dispute what an audit found",
        request=AuditAnswerSerializer,
        responses={200: AuditSerializer},
    )
    @once
    def post(self, request: Request, contract_id: UUID) -> Response:
        """Accept a finding, which bills it, or dispute it, which keeps it off the bill until it is accepted."""
        contract, given, by = _given(request, contract_id, AuditAnswerSerializer)
        claim = answer_audit(
            contract=contract,
            term_ref=given["term"],
            audit=given["audit"],
            accepts=given["accepts"],
            note=given["note"],
            by=by,
            now=timezone.now(),  # noqa: TID251  an entry point
        )
        return Response(_claim_row(claim))


def _given(
    request: Request, contract_id: UUID, serializer_class: type[serializers.Serializer[Any]]
) -> tuple[Contract, dict[str, Any], By]:
    organization = organization_of(request)
    contract = get_object_or_404(Contract.objects.for_org(organization), pk=contract_id)
    given = checked(serializer_class(data=request.data), MalformedFact)
    program: Any = request.user
    return contract, given, By(organization, program.key.prefix)


def _listed(request: Request, contract_id: UUID, kind: str) -> Paged[TermFact]:
    found = stated_facts(organization_of(request), contract_id, kind)
    if found is None:
        raise Http404
    return page_by_key(request, found, ("-recorded_at", "-pk"))


def _answered(stated: TermFact, is_new: bool) -> Response:
    return Response(_row(stated), status=status.HTTP_201_CREATED if is_new else status.HTTP_200_OK)


def _row(stated: TermFact) -> dict[str, Any]:
    told = {"deployment": "deployment_id"}
    said = {told.get(name, name): value for name, value in stated.document.items() if name != "fact"}
    return {
        "id": str(stated.pk),
        "term": stated.term.ref,
        **said,
        "recorded_by": stated.recorded_by,
        "recorded_at": stated.recorded_at,
    }


def _claim_row(claim: Claim) -> dict[str, Any]:
    return {
        **_row(claim.stated),
        "state": str(claim.state),
        "answer_by": claim.answer_by,
        "counts_from": claim.counts_from,
        "settled_by": claim.settled_by,
        "answered_by": claim.answered_by,
        "note": claim.note,
    }

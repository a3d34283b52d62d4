"""The API of differences of witnesses that are held for an answer: both parties read them and state a count."""

from typing import Any
from uuid import UUID

from django.http import Http404
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from billing.models import Contract
from billing.queries.revenue import HeldRow, held_rows
from billing.share_stating import By
from billing.witness_answers import answer_difference
from clusters.bodies import checked
from tenants.authentication import organization_of
from tenants.calls import once
from tenants.closed_shapes import ClosedSerializer
from tenants.listing.answers import PAGE_PARAMETERS, ListView, PagedSerializer, list_answer, list_responses, page_of_few
from tenants.problems import Problem


class MalformedAnswer(Problem):
    """The body is not a count of a difference."""

    status = 400
    code = "answer_malformed"
    title = "The answer cannot be read"


class DifferenceSerializer(serializers.Serializer[Any]):
    """A difference that is held, and what each party last stated; null where it has stated nothing."""

    term = serializers.CharField()
    deployment_id = serializers.UUIDField()
    model = serializers.CharField()
    token_class = serializers.CharField()
    from_at = serializers.DateTimeField()
    to_at = serializers.DateTimeField()
    engine_tokens = serializers.IntegerField()
    gateway_tokens = serializers.IntegerField()
    provider_tokens = serializers.IntegerField(allow_null=True)
    tenant_tokens = serializers.IntegerField(allow_null=True)
    period_state = serializers.CharField(help_text="of a closed period an agreed count is billed in an open one")


class DifferencesSerializer(PagedSerializer):
    """Differences that are held, the latest first."""

    differences = DifferenceSerializer(many=True)


class AnswerRequestSerializer(ClosedSerializer):
    """A party's count for a difference, which lies between those of the witnesses."""

    term = serializers.CharField(max_length=32)
    deployment_id = serializers.UUIDField(source="deployment")
    model = serializers.CharField(max_length=200)
    token_class = serializers.ChoiceField(["input", "output"])
    from_at = serializers.DateTimeField()
    tokens = serializers.IntegerField(min_value=0, max_value=2**63 - 1)


class AnswerSerializer(serializers.Serializer[Any]):
    """What became of an answer: `settled` once both parties have stated the same count."""

    tokens = serializers.IntegerField()
    settled = serializers.BooleanField()


class WitnessDifferencesView(ListView):
    """Differences of witnesses of one contract that are held."""

    required_scopes = {"GET": "invoices:read", "POST": "revenue:write"}

    @extend_schema(
        operation_id="witness_differences_list",
        tags=["contracts"],
        summary="List differences of witnesses that are held",
        parameters=PAGE_PARAMETERS,
        responses=list_responses(DifferencesSerializer),
    )
    def get(self, request: Request, contract_id: UUID) -> HttpResponseBase:
        """List what is held of the latest 24 billing periods that are over."""
        now = timezone.now()  # noqa: TID251  an entry point
        found = held_rows(organization_of(request), contract_id, now)
        if found is None:
            raise Http404
        paged = page_of_few(request, found, _place, falling=True)
        return list_answer(request, "differences", paged, DifferenceSerializer, _row)

    @extend_schema(
        operation_id="witness_differences_answer",
        tags=["contracts"],
        summary="State a count for a difference that is held",
        request=AnswerRequestSerializer,
        responses={200: AnswerSerializer},
    )
    @once
    def post(self, request: Request, contract_id: UUID) -> Response:
        """State your count; once both parties have stated the same, it bills."""
        organization = organization_of(request)
        contract = get_object_or_404(Contract.objects.for_org(organization), pk=contract_id)
        given = checked(AnswerRequestSerializer(data=request.data), MalformedAnswer)
        program: Any = request.user
        settled = answer_difference(
            contract=contract,
            term_ref=given["term"],
            deployment=given["deployment"],
            model=given["model"],
            token_class=given["token_class"],
            from_at=given["from_at"],
            tokens=given["tokens"],
            by=By(organization, program.key.prefix),
            now=timezone.now(),  # noqa: TID251  an entry point
        )
        return Response({"tokens": given["tokens"], "settled": settled})


def _place(row: HeldRow) -> tuple[object, ...]:
    fact = row.held.fact
    return (fact.from_at, row.term.ref, str(fact.deployment), fact.model, fact.token_class)


def _row(row: HeldRow) -> dict[str, Any]:
    fact = row.held.fact
    return {
        "term": row.term.ref,
        "deployment_id": fact.deployment,
        "model": fact.model,
        "token_class": fact.token_class,
        "from_at": fact.from_at,
        "to_at": fact.to_at,
        "engine_tokens": fact.engine,
        "gateway_tokens": fact.gateway,
        "provider_tokens": row.provider_tokens,
        "tenant_tokens": row.tenant_tokens,
        "period_state": row.period.state,
    }

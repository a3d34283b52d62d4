"""The API of how a provider deals with corrections."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response
from rest_framework.views import APIView

from billing.corrections.policies import keep_policy, policy_of
from clusters.bodies import checked
from tenants.authentication import key_prefix_of, provider_of
from tenants.closed_shapes import ClosedSerializer
from tenants.problems import Problem

if TYPE_CHECKING:
    from rest_framework.request import Request

    from billing.models import CorrectionPolicy


class MalformedPolicy(Problem):
    """The body is no policy."""

    status = 400
    code = "correction_policy_malformed"
    title = "The policy cannot be read"


class CorrectionPolicySerializer(ClosedSerializer):
    """What a provider does while a question is open, and with what stands on a tenant's balance."""

    disputes_pause_dunning = serializers.BooleanField(help_text="no reminder while a question is open")
    applies_balances = serializers.BooleanField(help_text="a balance pays the next invoice by itself")


class CorrectionPolicyView(APIView):
    """The policy of a provider."""

    required_scopes = {"GET": "invoices:read", "PUT": "invoices:correct"}

    @extend_schema(
        operation_id="correction_policy_retrieve",
        tags=["corrections"],
        summary="Read the policy of corrections",
        responses={200: CorrectionPolicySerializer},
    )
    def get(self, request: Request) -> Response:
        """Read what the provider said, or what goes without saying."""
        return Response(_policy(policy_of(provider_of(request).pk)))

    @extend_schema(
        operation_id="correction_policy_update",
        tags=["corrections"],
        summary="Set the policy of corrections",
        request=CorrectionPolicySerializer,
        responses={200: CorrectionPolicySerializer},
    )
    def put(self, request: Request) -> Response:
        """Say it from now on; questions that are open keep the policy that they were opened under."""
        provider = provider_of(request)
        given = checked(CorrectionPolicySerializer(data=request.data), MalformedPolicy)
        now = timezone.now()  # noqa: TID251  an entry point
        kept = keep_policy(provider=provider, by=key_prefix_of(request), now=now, **given)
        return Response(_policy(kept))


def _policy(row: CorrectionPolicy) -> dict[str, bool]:
    return {"disputes_pause_dunning": row.disputes_pause_dunning, "applies_balances": row.applies_balances}

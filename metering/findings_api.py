"""The API of what the checks of usage hours found, and of what people put in its place."""

from __future__ import annotations

from typing import Any

from django.http.response import HttpResponseBase
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request

from metering.adjustment_models import SubstitutionState
from metering.api_parameters import GAP_PARAMETERS, read_gaps_query, window_of
from metering.control_shapes import PageSerializer
from metering.finding_models import FindingState
from metering.findings import Finding, finding_page
from metering.substitutions import SubstitutionRow, substitution_page
from metering.validation import Check, Severity
from tenants.authentication import organization_of
from tenants.listing.answers import ListView, cursor_errors, list_answer, list_responses


class FindingSerializer(serializers.Serializer[Any]):
    """What a rule found in one hour of a meter; counts are strings."""

    hour_at = serializers.DateTimeField()
    node = serializers.CharField()
    model = serializers.CharField()
    rule = serializers.ChoiceField([str(check) for check in Check])
    severity = serializers.ChoiceField([str(severity) for severity in Severity])
    observed = serializers.CharField()
    expected = serializers.CharField()
    looks_for = serializers.CharField(help_text="what is observed; what is expected")
    state = serializers.ChoiceField(FindingState.values)
    found_at = serializers.DateTimeField()

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """Add `class`, which is no name in Python, and `source`, which every field has already."""
        source = serializers.CharField(help_text="where the rule or its threshold comes from")
        return {**super().get_fields(), "class": serializers.CharField(), "source": source}


class FindingsSerializer(PageSerializer):
    """Findings of a window, newest first."""

    findings = FindingSerializer(many=True)


class FindingsView(ListView):
    """What the checks of usage hours found."""

    required_scopes = {"GET": "usage:read"}
    refuses_unknown = False

    @extend_schema(
        operation_id="usage_findings_list",
        tags=["usage"],
        summary="Read findings",
        parameters=GAP_PARAMETERS,
        responses=list_responses(FindingsSerializer),
    )
    def get(self, request: Request) -> HttpResponseBase:
        """List what does not look right in usage hours. A finding edits nothing."""
        query = read_gaps_query(request)
        with cursor_errors():
            paged = finding_page(
                organization=organization_of(request), from_at=query.from_at, to_at=query.to_at, page=query.page
            )
        return list_answer(request, "findings", paged, FindingSerializer, _finding, **window_of(query))


def _finding(one: Finding) -> dict[str, object]:
    return {
        "hour_at": one.hour_at,
        "node": one.node,
        "model": one.model,
        "class": one.quantity,
        "rule": one.rule,
        "severity": one.severity,
        "observed": str(one.observed),
        "expected": str(one.expected),
        "looks_for": one.looks_for,
        "source": one.source,
        "state": one.state,
        "found_at": one.found_at,
    }


class SubstitutionSerializer(serializers.Serializer[Any]):
    """A value put in by a person; counts are strings."""

    id = serializers.UUIDField()
    from_at = serializers.DateTimeField()
    to_at = serializers.DateTimeField()
    node = serializers.CharField()
    deployment = serializers.CharField(allow_null=True)
    model = serializers.CharField()
    value_before = serializers.CharField()
    value = serializers.CharField()
    reason = serializers.CharField()
    state = serializers.ChoiceField(SubstitutionState.values)
    proposed_at = serializers.DateTimeField()
    decided_at = serializers.DateTimeField(allow_null=True)

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """Add `class`, which is no name in Python."""
        return {**super().get_fields(), "class": serializers.CharField()}


class SubstitutionsSerializer(PageSerializer):
    """Substitutions of a window, newest first."""

    substitutions = SubstitutionSerializer(many=True)


class SubstitutionsView(ListView):
    """Values that people put in the place of what was metered."""

    required_scopes = {"GET": "usage:read"}
    refuses_unknown = False

    @extend_schema(
        operation_id="usage_substitutions_list",
        tags=["usage"],
        summary="Read substitutions",
        parameters=GAP_PARAMETERS,
        responses=list_responses(SubstitutionsSerializer),
    )
    def get(self, request: Request) -> HttpResponseBase:
        """List substitutions of a window. A tenant sees those of its own usage once they are approved."""
        query = read_gaps_query(request)
        with cursor_errors():
            paged = substitution_page(
                organization=organization_of(request), from_at=query.from_at, to_at=query.to_at, page=query.page
            )
        return list_answer(request, "substitutions", paged, SubstitutionSerializer, _substitution, **window_of(query))


def _substitution(one: SubstitutionRow) -> dict[str, object]:
    return {
        "id": one.id,
        "from_at": one.from_at,
        "to_at": one.to_at,
        "node": one.node,
        "deployment": one.deployment,
        "model": one.model,
        "class": one.quantity,
        "value_before": str(one.value_before),
        "value": str(one.value),
        "reason": one.reason,
        "state": one.state,
        "proposed_at": one.proposed_at,
        "decided_at": one.decided_at,
    }

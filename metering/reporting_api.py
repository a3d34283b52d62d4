"""The API of whose gateways' reports bill a deployment: to read it, and to hand it over."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Final

from django.http.response import HttpResponseBase
from django.utils import timezone
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from metering.api_parameters import GAP_PARAMETERS, read_gaps_query, window_of
from metering.control_shapes import PageSerializer
from metering.handing_over import hand_over_deployment, reporters_of
from tenants.authentication import organization_of
from tenants.calls import once
from tenants.closed_shapes import ClosedSerializer
from tenants.listing.answers import ListView, cursor_errors, list_answer, list_responses

SLUG_CHARS_MAX: Final = 200


class ReporterSerializer(serializers.Serializer[Any]):
    """Whose reports bill a deployment from an instant on."""

    tenant = serializers.CharField()
    deployment = serializers.CharField()
    reporter = serializers.CharField(help_text="organization whose reports bill")
    from_at = serializers.DateTimeField(help_text="1970-01-01T00:00:00Z of whose reports came first")
    handed_over = serializers.BooleanField(help_text="false where its reports came first")
    named_at = serializers.DateTimeField()


class ReportersSerializer(PageSerializer):
    """Whose reports bill in a window, by deployment."""

    reporters = ReporterSerializer(many=True)


class HandOverSerializer(ClosedSerializer):
    """From when on whose reports bill which deployment."""

    tenant = serializers.SlugField(max_length=SLUG_CHARS_MAX)
    deployment = serializers.SlugField(max_length=SLUG_CHARS_MAX, help_text="slug of a deployment of the tenant")
    to = serializers.SlugField(max_length=SLUG_CHARS_MAX, help_text="its tenant, its provider or the operator")

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """Add `from`, which is no name in Python."""
        return {**super().get_fields(), "from": serializers.DateTimeField(help_text="a full UTC hour, an hour ahead")}


class ReportersView(ListView):
    """Whose reports bill the deployments of the caller."""

    required_scopes = {"GET": "usage:read", "POST": "reporting:write"}
    refuses_unknown = False

    @extend_schema(
        operation_id="usage_reporters_list",
        tags=["usage"],
        summary="Read whose reports bill",
        parameters=GAP_PARAMETERS,
        responses=list_responses(ReportersSerializer),
    )
    def get(self, request: Request) -> HttpResponseBase:
        """List by deployment whose reports bill at some time of the window. What others report has quality `C`."""
        query = read_gaps_query(request)
        with cursor_errors():
            paged = reporters_of(
                organization=organization_of(request), from_at=query.from_at, to_at=query.to_at, page=query.page
            )
        return list_answer(request, "reporters", paged, ReporterSerializer, asdict, **window_of(query))

    @extend_schema(
        operation_id="usage_reporters_create",
        tags=["usage"],
        summary="Hand over whose reports bill",
        request=HandOverSerializer,
        responses={201: OpenApiResponse(ReporterSerializer, description="From when on it bills; again, the same.")},
    )
    @once
    def post(self, request: Request) -> Response:
        """Let another party's reports bill a deployment from a full hour on. Only whose reports bill then can."""
        serializer = HandOverSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        given: dict[str, Any] = serializer.validated_data
        program: Any = request.user
        named = hand_over_deployment(
            organization=organization_of(request),
            tenant=given["tenant"],
            deployment=given["deployment"],
            to=given["to"],
            from_at=given["from"],
            actor=f"key {program.key.prefix}",
            now=timezone.now(),  # noqa: TID251  an entry point
        )
        return Response(asdict(named), status=status.HTTP_201_CREATED)

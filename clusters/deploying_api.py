"""The API of a deployment that is there: it ends, it takes a model of an endpoint, it gives one up."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework.response import Response
from rest_framework.views import APIView

from clusters import fleet_reading as reading
from clusters import fleet_rows as rows
from clusters import fleet_shapes as shapes
from clusters.deploying import bind_model, end_deployment, unbind_model
from clusters.models import Deployment
from tenants.acting import program_acting
from tenants.calls import once

if TYPE_CHECKING:
    from uuid import UUID

    from rest_framework import serializers
    from rest_framework.request import Request


class EndDeploymentView(APIView):
    """The end of a deployment."""

    required_scopes = {"POST": "fleet:write"}

    @extend_schema(
        operation_id="deployments_end",
        tags=["fleet"],
        summary="End a deployment",
        request=shapes.DeploymentEndSerializer,
        responses={200: shapes.DeploymentSerializer},
    )
    @once
    def post(self, request: Request, thing_id: UUID) -> Response:
        """End a deployment of one's own, with all that it is bound to; what was metered past that moves by itself."""
        given = _given(request, shapes.DeploymentEndSerializer, thing_id)
        end_deployment(**given)
        return _answer(given)


class BindView(APIView):
    """What a deployment takes."""

    required_scopes = {"POST": "fleet:write"}

    @extend_schema(
        operation_id="deployments_bind",
        tags=["fleet"],
        summary="Bind a model to a deployment",
        request=shapes.BindSerializer,
        responses={200: shapes.DeploymentSerializer},
    )
    @once
    def post(self, request: Request, thing_id: UUID) -> Response:
        """Attribute a served model of an endpoint to a deployment from an instant on, until the deployment's end."""
        given = _given(request, shapes.BindSerializer, thing_id)
        bind_model(**given)
        return _answer(given)


class UnbindView(APIView):
    """What a deployment gives up."""

    required_scopes = {"POST": "fleet:write"}

    @extend_schema(
        operation_id="deployments_unbind",
        tags=["fleet"],
        summary="Take a model from a deployment",
        request=shapes.UnbindSerializer,
        responses={200: shapes.DeploymentSerializer},
    )
    @once
    def post(self, request: Request, thing_id: UUID) -> Response:
        """Attribute a served model of an endpoint to a deployment no more from an instant on."""
        given = _given(request, shapes.UnbindSerializer, thing_id)
        unbind_model(**given)
        return _answer(given)


def _given(request: Request, shape: type[serializers.Serializer[Any]], deployment_id: UUID) -> dict[str, Any]:
    """Return the arguments of the use case that a call asks for."""
    caller = program_acting(request)
    if not Deployment.objects.filter(pk=deployment_id, provider=caller.organization).exists():
        raise Http404
    serializer = shape(data=request.data)
    serializer.is_valid(raise_exception=True)
    given = dict(serializer.validated_data)
    if "endpoint" in given:
        given["endpoint_id"] = given.pop("endpoint")
    now = datetime.now(UTC)  # noqa: TID251  an entry point
    return {**given, "provider": caller.organization, "deployment_id": deployment_id, "actor": caller.name, "now": now}


def _answer(given: dict[str, Any]) -> Response:
    row: Any = reading.deployments_of(given["provider"], given["now"]).get(pk=given["deployment_id"])
    return Response(rows.deployment_row(row))

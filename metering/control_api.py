"""The API of what watches the metering: gaps, residuals, alerts, and how far gateways have sent everything."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.response import Response
from rest_framework.views import APIView

from clusters.bodies import BodyTooLarge, read_body
from metering.api_parameters import (
    GAP_PARAMETERS,
    RESIDUAL_PARAMETERS,
    next_cursor,
    read_gaps_query,
    read_residuals_query,
)
from metering.api_shapes import CompleteSerializer, GapsSerializer, ResidualsSerializer
from metering.gateway_sources import BODY_BYTES_MAX, CompleteUnreadable, tell_complete
from metering.queries import gaps_for, silent_nodes
from metering.witness import WitnessHour, WitnessTotal, residual_hours, residual_totals
from tenants.authentication import organization_of

if TYPE_CHECKING:
    from rest_framework.request import Request


class CompleteView(APIView):
    """How far a gateway's source has sent everything."""

    required_scopes = {"POST": "events:write"}

    @extend_schema(
        operation_id="events_complete",
        tags=["events"],
        summary="Say that everything before an instant was sent",
        request=CompleteSerializer,
        responses={200: CompleteSerializer},
    )
    def post(self, request: Request) -> Response:
        """Keep that every event of a source before an instant was sent and acknowledged; it is never taken back."""
        try:
            payload = read_body(request._request, BODY_BYTES_MAX)
        except BodyTooLarge as refused:
            raise CompleteUnreadable(refused.detail) from refused
        reporter, now = organization_of(request), timezone.now()  # noqa: TID251  an entry point
        source, complete_to = tell_complete(reporter=reporter, payload=payload, now=now)
        return Response({"source": source, "complete_to": complete_to})


class GapsView(APIView):
    """What could not be metered."""

    required_scopes = {"GET": "usage:read"}

    @extend_schema(
        operation_id="usage_gaps_list",
        tags=["usage"],
        summary="Read gaps",
        parameters=GAP_PARAMETERS,
        responses={200: GapsSerializer},
    )
    def get(self, request: Request) -> Response:
        """List spans that could not be metered, and the nodes that are silent now."""
        query = read_gaps_query(request)
        organization, now = organization_of(request), timezone.now()  # noqa: TID251  an entry point
        gaps = gaps_for(
            organization=organization,
            from_at=query.from_at,
            to_at=query.to_at,
            offset=query.offset,
            limit=query.limit + 1,
        )
        return Response(
            {
                "from": query.from_at,
                "to": query.to_at,
                "gaps": [asdict(one) for one in gaps[: query.limit]],
                "silent": [asdict(one) for one in silent_nodes(organization=organization, now=now)],
                "next_cursor": next_cursor(query, len(gaps)),
            }
        )


class ResidualsView(APIView):
    """Engine against gateway."""

    required_scopes = {"GET": "usage:read"}

    @extend_schema(
        operation_id="usage_residuals_list",
        tags=["usage"],
        summary="Compare the two witnesses",
        parameters=RESIDUAL_PARAMETERS,
        responses={200: ResidualsSerializer},
    )
    def get(self, request: Request) -> Response:
        """Show per deployment, model and class what the engines counted more or less than the gateways."""
        query = read_residuals_query(request)
        organization = organization_of(request)
        read = residual_hours if query.granularity == "hour" else residual_totals
        found = read(organization=organization, from_at=query.from_at, to_at=query.to_at, filters=query.filters)
        return Response(
            {
                "from": query.from_at,
                "to": query.to_at,
                "granularity": query.granularity,
                "residuals": [_residual(one) for one in found],
            }
        )


def _residual(one: WitnessHour | WitnessTotal) -> dict[str, object]:
    return {
        "at": one.hour_at if isinstance(one, WitnessHour) else None,
        "deployment": one.deployment,
        "model": one.model,
        "class": one.quantity,
        "engine": str(one.residual.engine),
        "gateway": str(one.residual.gateway),
        "difference": str(one.residual.difference),
        "explained": [{"cause": part.cause, "tokens": str(part.tokens)} for part in one.residual.explained],
        "unexplained": str(one.residual.unexplained),
        "unexplained_permille": one.residual.fraction_permille,
        "quarantined": str(one.quarantined),
    }

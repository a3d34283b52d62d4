"""The API of what watches the metering: gaps, residuals, alerts, and how far gateways have sent everything."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from django.http.response import HttpResponseBase
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.response import Response
from rest_framework.views import APIView

from metering.acknowledging import acknowledge
from metering.alerts import AlertRow, alert_page
from metering.api_parameters import (
    GAP_PARAMETERS,
    RESIDUAL_PARAMETERS,
    read_gaps_query,
    read_residuals_query,
    window_of,
)
from metering.api_shapes import (
    CompleteSerializer,
    GapSerializer,
    GapsSerializer,
    ResidualSerializer,
    ResidualsSerializer,
)
from metering.comparison import TOLERANCE_PERCENT, terms_of
from metering.control_shapes import (
    AlertSeenRequestSerializer,
    AlertSeenSerializer,
    AlertSerializer,
    AlertsSerializer,
    CompletenessSerializer,
    NodeHourSerializer,
)
from metering.gateway_sources import BODY_BYTES_MAX, tell_complete
from metering.node_hours import SilenceRow, silence_rows, watched_hours
from metering.queries import gap_page, silent_nodes
from metering.sent_bodies import read_sent
from metering.witness import WitnessHour, WitnessTotal, residual_hours, residual_totals
from tenants.authentication import organization_of
from tenants.listing.answers import ListView, cursor_errors, list_answer, list_responses
from tenants.listing.paging import Paged, page_of

if TYPE_CHECKING:
    from decimal import Decimal
    from uuid import UUID

    from rest_framework.request import Request

SILENCES_MAX: Final = 500
NO_TERMS: Final = ("", TOLERANCE_PERCENT)


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
        payload = read_sent(request._request, BODY_BYTES_MAX)
        reporter, now = organization_of(request), timezone.now()  # noqa: TID251  an entry point
        source, complete_to = tell_complete(reporter=reporter, payload=payload, now=now)
        return Response({"source": source, "complete_to": complete_to})


class GapsView(ListView):
    """What could not be metered."""

    required_scopes = {"GET": "usage:read"}
    refuses_unknown = False

    @extend_schema(
        operation_id="usage_gaps_list",
        tags=["usage"],
        summary="Read gaps",
        parameters=GAP_PARAMETERS,
        responses=list_responses(GapsSerializer),
    )
    def get(self, request: Request) -> HttpResponseBase:
        """List spans that could not be metered, and the nodes that are silent now."""
        query = read_gaps_query(request)
        window: Any = {"organization": organization_of(request), "from_at": query.from_at, "to_at": query.to_at}
        with cursor_errors():
            paged = gap_page(**window, page=query.page)
        now = timezone.now()  # noqa: TID251  an entry point
        told: dict[str, object] = {
            "silent": [asdict(one) for one in silent_nodes(organization=window["organization"], now=now)],
            "silences": [_silence(one) for one in silence_rows(**window, limit=SILENCES_MAX)],
        }
        return list_answer(request, "gaps", paged, GapSerializer, asdict, **window_of(query), **told)


class ResidualsView(ListView):
    """Engine against gateway."""

    required_scopes = {"GET": "usage:read"}
    refuses_unknown = False

    @extend_schema(
        operation_id="usage_residuals_list",
        tags=["usage"],
        summary="Compare the two witnesses",
        parameters=RESIDUAL_PARAMETERS,
        responses=list_responses(ResidualsSerializer),
    )
    def get(self, request: Request) -> HttpResponseBase:
        """Show per deployment, model and class what the engines counted more or less than the gateways."""
        query = read_residuals_query(request)
        organization = organization_of(request)
        read = residual_hours if query.granularity == "hour" else residual_totals
        found = read(organization=organization, from_at=query.from_at, to_at=query.to_at, filters=query.filters)
        with cursor_errors():
            paged: Paged[Any] = page_of(found, query.page, _place)
        terms = terms_of({one.deployment_id for one in paged.rows})

        def row(one: WitnessHour | WitnessTotal) -> dict[str, object]:
            return _residual(one, *terms.get(one.deployment_id, NO_TERMS))

        told = {"granularity": query.granularity}
        return list_answer(request, "residuals", paged, ResidualSerializer, row, **window_of(query), **told)


class CompletenessView(ListView):
    """Which nodes should have been read, and were."""

    required_scopes = {"GET": "usage:read"}
    refuses_unknown = False

    @extend_schema(
        operation_id="usage_completeness_list",
        tags=["usage"],
        summary="Read how completely nodes were watched",
        parameters=GAP_PARAMETERS,
        responses=list_responses(CompletenessSerializer),
    )
    def get(self, request: Request) -> HttpResponseBase:
        """List nodes hour by hour: how long each should have looked, and how long its looks cover."""
        query = read_gaps_query(request)
        with cursor_errors():
            paged = watched_hours(
                organization=organization_of(request), from_at=query.from_at, to_at=query.to_at, page=query.page
            )
        return list_answer(request, "hours", paged, NodeHourSerializer, asdict, **window_of(query))


class AlertsView(ListView):
    """Figures that do not fit."""

    required_scopes = {"GET": "usage:read"}
    refuses_unknown = False

    @extend_schema(
        operation_id="usage_alerts_list",
        tags=["usage"],
        summary="Read alerts on what was metered",
        parameters=GAP_PARAMETERS,
        responses=list_responses(AlertsSerializer),
    )
    def get(self, request: Request) -> HttpResponseBase:
        """List the alerts of a window, the newest first."""
        query = read_gaps_query(request)
        with cursor_errors():
            paged = alert_page(
                organization=organization_of(request), from_at=query.from_at, to_at=query.to_at, page=query.page
            )
        return list_answer(request, "alerts", paged, AlertSerializer, _alert, **window_of(query))


class AlertSeenView(APIView):
    """What an alert was."""

    required_scopes = {"POST": "reporting:write"}

    @extend_schema(
        operation_id="usage_alerts_acknowledge",
        tags=["usage"],
        summary="Say what an alert was",
        request=AlertSeenRequestSerializer,
        responses={200: AlertSeenSerializer},
    )
    def post(self, request: Request, alert_id: UUID) -> Response:
        """Put an alert aside with words that say what it was. It stays on record; each party speaks for itself."""
        given = AlertSeenRequestSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        program: Any = request.user
        is_first = acknowledge(
            alert_id=alert_id,
            organization=organization_of(request),
            by=program.key.prefix,
            note=given.validated_data["note"],
            now=timezone.now(),  # noqa: TID251  an entry point
        )
        return Response({"id": str(alert_id), "kept": is_first})


def _place(one: Any) -> tuple[object, ...]:
    at = (one.hour_at,) if isinstance(one, WitnessHour) else ()
    return (*at, one.deployment, one.model, one.quantity, one.deployment_id)


def _alert(one: AlertRow) -> dict[str, object]:
    return {**asdict(one), "measured": str(one.measured), "bound": str(one.bound)}


def _silence(one: SilenceRow) -> dict[str, object]:
    return {"node": one.node, "from_at": one.from_at, "to_at": one.to_at, "end": one.end}


def _residual(one: WitnessHour | WitnessTotal, billed_by: str, tolerance: Decimal) -> dict[str, object]:
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
        "billed_by": billed_by,
        "tolerance_percent": f"{tolerance.normalize():f}",
        "quarantined": str(one.quarantined),
    }

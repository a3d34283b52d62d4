"""The API of usage events: gateways send them, and whoever they belong to reads one again."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from django.db import InterfaceError, InternalError, OperationalError
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.response import Response
from rest_framework.views import APIView

from clusters.bodies import BodyTooLarge
from clusters.models import Deployment
from metering.admission import ingest_gate
from metering.api_parameters import WrongParameters
from metering.api_shapes import EventSerializer, EventsTakenSerializer, StoredEventSerializer
from metering.event_calls import StoredEvent, conflicts_of, find_event
from metering.event_items import COUNT_FIELDS, EVENTS_BYTES_MAX, NAME_CHARS_MAX
from metering.event_marks import GIVEN_MARKS, QUANTITIES, marks_in, text_of
from metering.events import EventsTooLarge, count_refused_call, ingest_events
from metering.sent_bodies import BodyUnreadable, EncodingNotTaken, read_sent
from tenants.authentication import organization_of
from tenants.models import Organization
from tenants.problem_response import answer

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from django.http import HttpResponse
    from rest_framework.request import Request

logger = logging.getLogger(__name__)
RETRY_AFTER_S: Final = 10


class EventsView(APIView):
    """Usage events of gateways."""

    required_scopes = {"POST": "events:write", "GET": "usage:read"}

    @extend_schema(
        operation_id="events_create",
        tags=["events"],
        summary="Send usage events",
        request=EventSerializer(many=True),
        responses={200: EventsTakenSerializer},
    )
    def post(self, request: Request) -> Response | HttpResponse:
        """Take 1 to 10,000 events. Each is judged by itself; sent again they are duplicates and count once.

        The body may be compressed (`Content-Encoding: gzip`). It has 8 MiB at most, also when it is inflated.
        """
        reporter, now = organization_of(request), timezone.now()  # noqa: TID251  an entry point
        try:
            with ingest_gate.entered():
                payload = read_sent(request._request, EVENTS_BYTES_MAX)
                return Response(ingest_events(reporter=reporter, payload=payload, now=now).as_answer())
        except BodyTooLarge as refused:
            count_refused_call(reporter=reporter, code=EventsTooLarge.code, now=now)
            raise EventsTooLarge(refused.detail, limit=EVENTS_BYTES_MAX) from refused
        except (BodyUnreadable, EncodingNotTaken) as refused:
            count_refused_call(reporter=reporter, code=refused.code, now=now)
            raise
        except (InterfaceError, InternalError, OperationalError):
            logger.exception("A call of %s could not be stored.", reporter.slug)
            detail = "The database does not take the events now; send them again, each counts once."
            return answer(status=503, code="unavailable", detail=detail, retry_after_s=RETRY_AFTER_S)

    @extend_schema(
        operation_id="events_read",
        tags=["events"],
        summary="Read one usage event",
        parameters=[
            OpenApiParameter("source", str, required=True, description="the gateway's name for itself"),
            OpenApiParameter("id", str, required=True, description="the event's id within the source"),
            OpenApiParameter("reporter", str, description="slug of who reported it; you if left out"),
        ],
        responses={200: StoredEventSerializer},
    )
    def get(self, request: Request) -> Response:
        """Show an event as it was received, and other content that came under its id, to those it belongs to."""
        organization = organization_of(request)
        source, event_id = _named(request, "source"), _named(request, "id")
        slug = request.query_params.get("reporter", organization.slug)[:NAME_CHARS_MAX]
        reporter = Organization.objects.filter(slug=slug.replace("\0", "")).first()
        found = reporter and find_event(reporter_id=reporter.id, source=source, event_id=event_id)
        if not found or not _belongs(found, organization):
            raise NotFound
        return Response(_shown(found, slug, organization))


def _named(request: Request, name: str) -> str:
    text = request.query_params.get(name, "")
    if not 1 <= len(text) <= NAME_CHARS_MAX or "\0" in text:
        detail = f"Expected 1 to {NAME_CHARS_MAX} characters."
        raise WrongParameters(f"{name}: {detail}", errors=[{"field": name, "detail": detail}])
    return text


def _belongs(found: StoredEvent, organization: Organization) -> bool:
    if organization.id in {found.reporter_id, found.tenant_id}:
        return True
    deployment = _deployment(found)
    return deployment is not None and deployment.provider_id == organization.id


def _deployment(found: StoredEvent) -> Deployment | None:
    return Deployment.objects.get(id=found.deployment_id) if found.deployment_id else None


def _shown(found: StoredEvent, reporter: str, reader: Organization) -> dict[str, object]:
    deployment = _deployment(found)
    marks = marks_in(text_of(found.numbers["marks"]))
    others = conflicts_of(found, reader)
    slugs = _slugs([str(found.tenant_id), *(str(each["tenant"]) for each in others)])
    return {
        "id": found.event_id,
        "source": found.source,
        "reporter": reporter,
        "tenant": slugs.get(str(found.tenant_id)),
        "deployment": deployment.slug if deployment else None,
        "model": found.model,
        "key": found.key,
        "occurred_at": found.occurred_at,
        "received_at": found.received_at,
        **{name: str(found.numbers[name]) for name in COUNT_FIELDS},
        "samples": found.numbers["samples"],
        "status": _status(marks, aborted=bool(found.numbers["aborted"])),
        "marks": sorted(marks & set(GIVEN_MARKS)),
        "quantities": {name: str(found.numbers[name]) for name in QUANTITIES if found.numbers[name]},
        "conflicts": [_conflict(each, slugs) for each in others],
    }


def _conflict(said: Mapping[str, Any], slugs: Mapping[str, str]) -> dict[str, object]:
    """Return other contents in the words of an event; they are kept in their own."""
    marks = marks_in(said.get("marks", ""))
    return {
        **{name: said[name] for name in ("model", "key", "received_at", "samples", *COUNT_FIELDS)},
        "occurred_at": datetime.fromisoformat(said["occurred_at"]),
        "tenant": slugs.get(said["tenant"]),
        "deployment": said["deployment"] or None,
        "status": _status(marks, aborted=said["aborted"]),
        "marks": sorted(marks & set(GIVEN_MARKS)),
        "quantities": {name: said[name] for name in QUANTITIES if name in said},
    }


def _status(marks: Collection[str], *, aborted: bool) -> str:
    if aborted:
        return "aborted"
    return "failed" if "failed" in marks else "complete"


def _slugs(ids: Iterable[str]) -> dict[str, str]:
    found = Organization.objects.filter(id__in={each for each in ids if each}).values_list("id", "slug")
    return {str(key): slug for key, slug in found}

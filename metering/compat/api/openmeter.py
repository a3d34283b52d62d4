"""OpenMeter's `POST` and `GET /api/v1/events`, with its status codes, media types and problem bodies."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

import msgspec
from django.http import HttpResponse
from django.utils import timezone

from metering.compat.callers import READ, WRITE, endpoint, key_of
from metering.compat.cloudevents import NotCloudEvents, read_cloud_events, read_instant
from metering.compat.listing import ListedEvent, list_reported
from metering.compat.taking import count_refused, take_reports
from metering.sent_bodies import read_sent
from tenants.ids import new_id
from tenants.problem_response import CONTENT_TYPE
from tenants.problems import Problem

if TYPE_CHECKING:
    from datetime import datetime

    from django.http import HttpRequest

INPUT: Final = "openmeter"
BYTES_MAX: Final = 8 << 20
LISTED_MAX: Final = 100
NUMBER_CHARS_MAX: Final = 9
YEARS: Final = range(1971, 9_000)
"""Instants between which a span can be added to one or taken from it."""
LISTED_SPAN: Final = timedelta(hours=72)


class EventsInvalid(Problem):
    """The body is not what its media type says."""

    status = 400
    code = "invalid_events"
    title = "Bad Request"


class QueryInvalid(Problem):
    """A parameter of a query cannot be read."""

    status = 400
    code = "invalid_query"
    title = "Bad Request"


def problem(refused: Problem) -> HttpResponse:
    """Return a refusal as OpenMeter words one."""
    body = {
        "type": "about:blank",
        "title": refused.title,
        "status": refused.status,
        "detail": refused.detail,
        "instance": f"urn:request:local/{new_id()}",
    }
    return HttpResponse(msgspec.json.encode(body), status=refused.status, content_type=CONTENT_TYPE)


def take_events(request: HttpRequest) -> HttpResponse:
    """Take one event or many: 204 once all of them are stored, held or counted, repeated ones too."""
    now = timezone.now()
    reporter = key_of(request, WRITE, now).organization
    try:
        received = read_cloud_events(request.headers.get("Content-Type", ""), read_sent(request, BYTES_MAX), now)
    except NotCloudEvents as refused:
        count_refused(reporter=reporter, input_name=INPUT, code=EventsInvalid.code, now=now)
        raise EventsInvalid(str(refused)) from refused
    except Problem as refused:
        count_refused(reporter=reporter, input_name=INPUT, code=refused.code, now=now)
        raise
    take_reports(reporter=reporter, input_name=INPUT, items=[one.item for one in received], now=now)
    return HttpResponse(status=204)


def list_events(request: HttpRequest) -> HttpResponse:
    """List what the organization reported, newest first: stored events, and those that wait for a tenant."""
    now = timezone.now()
    reporter = key_of(request, READ, now).organization
    given = request.GET
    found = list_reported(
        reporter=reporter,
        from_at=instant_in(given.get("from"), "from") or now - LISTED_SPAN,
        to_at=instant_in(given.get("to"), "to"),
        subject=given.get("subject", ""),
        event_id=given.get("id", ""),
        limit=_limit(given.get("limit")),
    )
    return HttpResponse(msgspec.json.encode([_listed(one) for one in found]), content_type="application/json")


def _listed(one: ListedEvent) -> dict[str, object]:
    listed: dict[str, object] = {
        "event": {
            "specversion": "1.0",
            "id": one.event_id,
            "source": one.source,
            "type": "tokens",
            "subject": one.subject,
            "time": one.occurred_at,
            "data": {"model": one.model, **one.tokens},
        },
        "ingestedAt": one.received_at,
        "storedAt": one.received_at,
    }
    if one.fault:
        listed["validationError"] = one.fault
    return listed


def instant_in(text: str | None, name: str) -> datetime | None:
    """Read an instant of a query. Raises QueryInvalid."""
    if not text:
        return None
    at = read_instant(text)
    if at is None or at.year not in YEARS:
        raise QueryInvalid(f"{name}: {text[:60]!r} is no RFC 3339 instant")
    return at


def _limit(text: str | None) -> int:
    if not text:
        return LISTED_MAX
    if not text.isdecimal() or len(text) > NUMBER_CHARS_MAX or not 1 <= int(text) <= LISTED_MAX:
        raise QueryInvalid(f"limit: {text[:20]!r}; expected 1 to {LISTED_MAX}")
    return int(text)


events = endpoint(problem, GET=list_events, POST=take_events)

"""Lago's events: `POST events`, `POST events/batch`, `GET events/{transaction_id}`, `GET events`, `current_usage`.

Status codes and bodies are Lago's own. A shape that is wrong, or an id that was used, is 422 and stores nothing; an
event that is no usage we know, or of a subject that is nobody yet, is taken as Lago takes one that matches no
metric: 200, held or counted, and visible.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import msgspec
from django.http import HttpResponse
from django.utils import timezone

from metering.compat.callers import READ, WRITE, endpoint, key_of
from metering.compat.lago_events import (
    ALREADY_EXIST,
    BATCH_EVENTS_MAX,
    SOURCE,
    Errors,
    NotLagoEvents,
    Received,
    decode_event,
    decode_events,
    read_event,
)
from metering.compat.lago_usage import current_usage
from metering.compat.listing import ListedEvent, known_ids, list_reported
from metering.compat.taking import AlreadyTaken, count_refused, take_reports
from metering.sent_bodies import read_sent
from tenants.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from django.http import HttpRequest

    from metering.compat.lago_events import LagoEvent
    from tenants.models import Organization

INPUT: Final = "lago"
BYTES_MAX: Final = 4 << 20
NAMESPACE: Final = uuid.UUID("6ba7b812-9dad-11d1-80b4-00c04fd430c8")
PAGE_MAX: Final = 100
NUMBER_CHARS_MAX: Final = 9


class ParamMissing(Problem):
    """The body has no root member, or is no JSON."""

    status = 400
    code = "bad_request"
    title = "The request cannot be carried out"


class EventInvalid(Problem):
    """Something is wrong with an event; nothing of the call is stored."""

    status = 422
    code = "validation_errors"
    title = "Unprocessable Entity"


class LagoNotFound(Problem):
    """What was asked for is not there; the code says what."""

    status = 404
    code = "lago_not_found"
    title = "Not Found"


def refuse(refused: Problem) -> HttpResponse:
    """Return a refusal as Lago words one."""
    body: dict[str, object] = {"status": refused.status, "error": refused.title}
    if refused.status == 400:
        body["error"] = f"BadRequest: {refused.detail}"
    elif refused.status == 401:
        body["error"] = "Unauthorized"
    elif refused.status == 403:
        body |= {"error": "Forbidden", "code": "write_action_not_allowed_for_event"}
    elif refused.status == 404:
        body["code"] = refused.extra.get("lago_code", "not_found")
    elif refused.status == 422:
        body |= {"code": "validation_errors", "error_details": refused.extra["error_details"]}
    else:
        body["code"] = refused.code
    return _json(body, refused.status)


def take_event(request: HttpRequest) -> HttpResponse:
    """Take one event."""
    now = timezone.now()
    reporter = key_of(request, WRITE, now).organization
    event = _decoded(reporter, decode_event, read_sent(request, BYTES_MAX), now)
    read = read_event(event, now)
    errors = {"transaction_id": [ALREADY_EXIST]}
    if isinstance(read, dict):
        _refuse(reporter, read, now)
    elif known_ids(reporter=reporter, source=SOURCE, event_ids=[read.transaction_id]):
        _refuse(reporter, errors, now)
    else:
        _take(reporter, [read], errors, now)
        return _json({"event": _answer(reporter, read, now)})
    raise AssertionError("refused above")


def take_batch(request: HttpRequest) -> HttpResponse:
    """Take 1 to 100 events, all or none."""
    now = timezone.now()
    reporter = key_of(request, WRITE, now).organization
    given = _decoded(reporter, decode_events, read_sent(request, BYTES_MAX), now)
    if not given:
        _refuse(reporter, {"events": ["no_events"]}, now)
    if len(given) > BATCH_EVENTS_MAX:
        _refuse(reporter, {"events": ["too_many_events"]}, now)
    received, errors = _read_all(reporter, given, now)
    if errors:
        _refuse(reporter, errors, now)
    everything = {str(index): {"transaction_id": [ALREADY_EXIST]} for index in range(len(received))}
    _take(reporter, received, everything, now)
    return _json({"events": [_answer(reporter, one, now) for one in received]})


def _read_all(
    reporter: Organization, given: Sequence[LagoEvent], now: datetime
) -> tuple[list[Received], dict[str, Errors]]:
    received: list[Received] = []
    errors: dict[str, Errors] = {}
    known = known_ids(reporter=reporter, source=SOURCE, event_ids=[str(one.transaction_id) for one in given])
    for index, event in enumerate(given):
        read = read_event(event, now)
        if isinstance(read, dict):
            errors[str(index)] = read
        elif read.transaction_id in known:
            errors[str(index)] = {"transaction_id": [ALREADY_EXIST]}
        else:
            known.add(read.transaction_id)
            received.append(read)
    return received, errors


def _decoded(reporter: Organization, decode: Any, body: bytes, now: datetime) -> Any:
    try:
        return decode(body)
    except NotLagoEvents as refused:
        count_refused(reporter=reporter, input_name=INPUT, code=ParamMissing.code, now=now)
        raise ParamMissing(str(refused)) from refused


def _refuse(reporter: Organization, errors: Mapping[str, object], now: datetime) -> None:
    count_refused(reporter=reporter, input_name=INPUT, code=EventInvalid.code, now=now)
    raise EventInvalid("The event is not valid.", error_details=errors)


def _take(reporter: Organization, received: Sequence[Received], errors: Mapping[str, object], now: datetime) -> None:
    """Take what was checked; another call with the same ids at the same time leaves nothing of this one."""
    items = [one.item for one in received]
    try:
        take_reports(reporter=reporter, input_name=INPUT, items=items, now=now, all_or_nothing=True)
    except AlreadyTaken:
        _refuse(reporter, errors, now)


def get_event(request: HttpRequest, transaction_id: str) -> HttpResponse:
    """Show one event by the sender's id."""
    now = timezone.now()
    reporter = key_of(request, READ, now).organization
    found = list_reported(reporter=reporter, event_id=transaction_id, source=SOURCE, limit=1)
    if not found:
        raise LagoNotFound("There is no such event.", lago_code="event_not_found")
    return _json({"event": _shown(reporter, found[0])})


def list_events(request: HttpRequest) -> HttpResponse:
    """List the events that came in by this interface, newest first; at most the newest 10 pages."""
    now = timezone.now()
    reporter = key_of(request, READ, now).organization
    given = request.GET
    page, per_page = _number(given.get("page"), 1, 10), _number(given.get("per_page"), PAGE_MAX, PAGE_MAX)
    found = list_reported(
        reporter=reporter,
        source=SOURCE,
        subject=given.get("external_subscription_id", ""),
        from_at=_instant(given.get("timestamp_from")),
        to_at=_instant(given.get("timestamp_to")),
        limit=PAGE_MAX * 10 + 1,
    )
    pages = max(1, -(-len(found) // per_page))
    meta = {
        "current_page": page,
        "next_page": page + 1 if page < pages else None,
        "prev_page": page - 1 if page > 1 else None,
        "total_pages": pages,
        "total_count": len(found),
    }
    shown = found[(page - 1) * per_page : page * per_page]
    return _json({"events": [_shown(reporter, one) for one in shown], "meta": meta})


def get_current_usage(request: HttpRequest, external_id: str) -> HttpResponse:
    """Show a customer's usage of this month; amounts are null, because prices are not known to this interface."""
    now = timezone.now()
    reporter = key_of(request, READ, now).organization
    usage = current_usage(
        reporter=reporter, subject=request.GET.get("external_subscription_id") or external_id, now=now
    )
    if usage is None:
        raise LagoNotFound("There is no such customer.", lago_code="customer_not_found")
    return _json({"customer_usage": usage})


def _number(text: str | None, default: int, most: int) -> int:
    return min(max(int(text), 1), most) if text and text.isdecimal() and len(text) <= NUMBER_CHARS_MAX else default


def _instant(text: str | None) -> datetime | None:
    try:
        return datetime.fromtimestamp(float(text), UTC) if text else None
    except (ValueError, OverflowError, OSError):
        return None


def _lago_id(reporter: Organization, transaction_id: str) -> str:
    return str(uuid.uuid5(NAMESPACE, f"{reporter.id}/{transaction_id}"))


def _answer(reporter: Organization, one: Received, now: datetime) -> dict[str, object]:
    event = one.event
    subscription = event.external_subscription_id
    return {
        "lago_id": _lago_id(reporter, one.transaction_id),
        "transaction_id": one.transaction_id,
        "lago_customer_id": None,
        "code": event.code,
        "timestamp": _iso(one.at),
        "precise_total_amount_cents": event.precise_total_amount_cents,
        "properties": event.properties or {},
        "lago_subscription_id": None,
        "external_subscription_id": str(subscription) if subscription is not None else None,
        "created_at": _iso(now),
    }


def _shown(reporter: Organization, one: ListedEvent) -> dict[str, object]:
    return {
        "lago_id": _lago_id(reporter, one.event_id),
        "transaction_id": one.event_id,
        "lago_customer_id": None,
        "code": "tokens",
        "timestamp": _iso(one.occurred_at),
        "precise_total_amount_cents": None,
        "properties": {"model": one.model, **one.tokens},
        "lago_subscription_id": None,
        "external_subscription_id": one.subject,
        "created_at": _iso(one.received_at),
    }


def _iso(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1_000:03d}Z"


def _json(body: object, status: int = 200) -> HttpResponse:
    return HttpResponse(msgspec.json.encode(body), status=status, content_type="application/json; charset=utf-8")


events = endpoint(refuse, GET=list_events, POST=take_event)
batch = endpoint(refuse, POST=take_batch)
event = endpoint(refuse, GET=get_event)
usage = endpoint(refuse, GET=get_current_usage)

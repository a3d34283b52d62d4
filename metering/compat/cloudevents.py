"""CloudEvents as OpenMeter's clients send them: read whole or refused whole, as OpenMeter's own server does. Pure.

The body's shape follows the media type, compared exactly; unknown members are passed over.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Final

import msgspec

from metering.compat.reports import Report, Unusable, read_report

SINGLE: Final = "application/cloudevents+json"
BATCH: Final = "application/cloudevents-batch+json"
PLAIN: Final = "application/json"

Text = Annotated[str, msgspec.Meta(min_length=1)]


class CloudEvent(msgspec.Struct, frozen=True):
    """One event; `data` is what the sender counts."""

    id: Text
    source: Text
    specversion: Text
    type: Text
    subject: Text
    time: str | None = None
    data: dict[str, object] | None = None
    datacontenttype: str | None = None


class NotCloudEvents(Exception):
    """The body is not what its media type says; the message says what is wrong with which event."""


@dataclass(frozen=True, slots=True)
class Received:
    """A well-formed event and what it reports."""

    event: CloudEvent
    item: Report | Unusable


_one = msgspec.json.Decoder(CloudEvent)
_many = msgspec.json.Decoder(list[CloudEvent])


def read_cloud_events(content_type: str, body: bytes, now: datetime) -> list[Received]:
    """Return the events of a body. Raises NotCloudEvents."""
    events = _decode(content_type, body)
    return [Received(event, _report(event, now)) for event in events]


def _decode(content_type: str, body: bytes) -> list[CloudEvent]:
    if content_type not in {SINGLE, BATCH, PLAIN}:
        raise NotCloudEvents(f"unsupported content type {content_type[:100]!r}; expected {SINGLE}, {BATCH} or {PLAIN}")
    try:
        is_array = content_type == BATCH or (content_type == PLAIN and body.lstrip()[:1] == b"[")
        events = _many.decode(body) if is_array else [_one.decode(body)]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as broken:
        raise NotCloudEvents(f"invalid body: {broken}"[:500]) from broken
    if not events:
        raise NotCloudEvents("no events found")
    for event in events:
        if event.specversion != "1.0":
            raise NotCloudEvents(f"event {event.id[:100]!r}: specversion {event.specversion[:20]!r}; expected '1.0'")
        if event.datacontenttype not in {None, PLAIN}:
            raise NotCloudEvents(f"event {event.id[:100]!r}: datacontenttype is not {PLAIN}")
        if event.time is not None and read_instant(event.time) is None:
            raise NotCloudEvents(f"event {event.id[:100]!r}: time is no RFC 3339 instant")
    return events


def _report(event: CloudEvent, now: datetime) -> Report | Unusable:
    at = read_instant(event.time) if event.time is not None else None
    return read_report(
        source=event.source, event_id=event.id, occurred_at=at, subject=event.subject, data=event.data or {}, now=now
    )


def read_instant(text: str) -> datetime | None:
    """Return an instant in UTC; one without an offset is UTC, as older Pythons of these senders mean it."""
    try:
        at = datetime.fromisoformat(text)
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        return None

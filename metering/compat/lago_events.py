"""Events as Lago's clients send them, and Lago's own words for what is wrong with one. Pure.

Facts: Lago's events controller and services. A transaction id is used once; a batch is taken whole or not at all.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import msgspec

from metering.compat.reports import Report, Unusable, read_report

SOURCE: Final = "lago"
BATCH_EVENTS_MAX: Final = 100
MANDATORY: Final = "value_is_mandatory"
ALREADY_EXIST: Final = "value_already_exist"

Errors = dict[str, list[str]]
"""`{field: [Lago's code]}`."""


class LagoEvent(msgspec.Struct, frozen=True):
    """One event; what is mandatory is checked apart, because Lago names each fault."""

    transaction_id: str | int | None = None
    code: str | None = None
    external_subscription_id: str | int | None = None
    external_customer_id: str | int | None = None
    timestamp: str | int | float | None = None
    precise_total_amount_cents: str | None = None
    properties: dict[str, object] | None = None


class Single(msgspec.Struct, frozen=True):
    """The body of one event."""

    event: LagoEvent


class Many(msgspec.Struct, frozen=True):
    """The body of a batch."""

    events: list[LagoEvent]


class NotLagoEvents(Exception):
    """The body lacks its root or is no JSON; the message is what Lago says."""


@dataclass(frozen=True, slots=True)
class Received:
    """A well-formed event, when it was, and what it reports."""

    event: LagoEvent
    at: datetime
    item: Report | Unusable

    @property
    def transaction_id(self) -> str:
        """The sender's own id."""
        return str(self.event.transaction_id)


_single = msgspec.json.Decoder(Single)
_many = msgspec.json.Decoder(Many)


def decode_event(body: bytes) -> LagoEvent:
    """Return the event of a body. Raises NotLagoEvents."""
    found: Single = _decode(_single, body, "event")
    return found.event


def decode_events(body: bytes) -> list[LagoEvent]:
    """Return the events of a batch's body. Raises NotLagoEvents."""
    found: Many = _decode(_many, body, "events")
    return found.events


def _decode(decoder: Any, body: bytes, root: str) -> Any:
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as refused:
        said = str(refused)
        if "missing required field" in said or ("got `array`" in said.partition(" - at ")[0] and " - at " not in said):
            said = f"param is missing or the value is empty: {root}"
        raise NotLagoEvents(said[:300]) from refused
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as broken:
        raise NotLagoEvents(f"Error occurred while parsing request parameters: {broken}"[:300]) from broken


def read_event(event: LagoEvent, now: datetime) -> Received | Errors:
    """Check one event; returns what is wrong with it in Lago's words."""
    errors: Errors = {}
    if event.transaction_id in {None, ""}:
        errors["transaction_id"] = [MANDATORY]
    if not event.code:
        errors["code"] = [MANDATORY]
    at = _instant(event.timestamp, now)
    if at is None:
        errors["timestamp"] = ["invalid_format"]
    if errors or at is None:
        return errors
    item = read_report(
        source=SOURCE,
        event_id=str(event.transaction_id),
        occurred_at=at,
        subject=subject_of(event),
        data=event.properties or {},
        now=now,
    )
    return Received(event, at, item)


def subject_of(event: LagoEvent) -> str:
    """Whose usage it is: the subscription, or the customer as older senders name it."""
    named = event.external_subscription_id
    return str((event.external_customer_id if named in {None, ""} else named) or "")


def _instant(given: str | int | float | None, now: datetime) -> datetime | None:
    """Unix seconds with decimals, exact to the millisecond; missing is now, unreadable is None."""
    if given is None or given == "":
        return now
    try:
        milliseconds = int(Decimal(str(given)) * 1_000)
        return datetime.fromtimestamp(milliseconds // 1_000, UTC).replace(microsecond=milliseconds % 1_000 * 1_000)
    except (InvalidOperation, ValueError, OverflowError, OSError):
        return None

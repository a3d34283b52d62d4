"""Reading usage events as they come: each item by itself, so that a bad one never takes others with it. Pure."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final, Literal

import msgspec

from metering.checks import EVENT_TOKENS_MAX, EventCounts, check_event
from metering.event_marks import FAILED_BIT, QUANTITIES, bits_of

EVENTS_MAX: Final = 10_000
EVENTS_BYTES_MAX: Final = 8 << 20
NAME_CHARS_MAX: Final = 200
SAMPLES_MAX: Final = 10_000
"""Parallel answers to one prompt; engines allow some hundreds."""
FUTURE_MAX: Final = timedelta(minutes=5)
"""How far a gateway's clock may be ahead."""
EARLIEST: Final = datetime(2000, 1, 1, tzinfo=UTC)
COUNT_FIELDS: Final = ("input", "cached_input", "cache_write", "output", "reasoning")

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=NAME_CHARS_MAX)]
Text = Annotated[str, msgspec.Meta(max_length=NAME_CHARS_MAX)]
Instant = Annotated[datetime, msgspec.Meta(tz=True)]
Count = int | str
Samples = Annotated[int, msgspec.Meta(ge=1, le=SAMPLES_MAX)]


class EventItem(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """One event as it is sent: counts are integers, or strings of decimal digits.

    `input` includes `cached_input`, `output` includes `reasoning`. `deployment` and `tenant` are slugs; the
    tenant may be left out by a tenant. `key` is the tenant's own label of the caller. `samples` is how many answers
    the prompt was given in parallel (n), which only explains. `status` says whether the caller left before the end or
    the request failed; that and `marks` may decide the price. `quantities` are other things than tokens, for example
    `{"images": 2}`.
    """

    id: Name
    source: Name
    occurred_at: Instant
    model: Name
    input: Count
    output: Count
    cached_input: Count = 0
    cache_write: Count = 0
    reasoning: Count = 0
    deployment: Text | None = None
    tenant: Text | None = None
    key: Text | None = None
    samples: Samples = 1
    status: Literal["complete", "aborted", "failed"] = "complete"
    marks: tuple[Literal["batch", "free", "priority", "test"], ...] = ()
    quantities: dict[Literal["images", "audio_seconds", "video_seconds", "steps"], Count] | None = None


@dataclass(frozen=True, slots=True)
class Rejected:
    """Why the item at `index` was not taken: a stable code, the field, and words for a person."""

    index: int
    code: str
    field: str
    detail: str


class Event(msgspec.Struct, frozen=True):
    """One well-formed event; counts are `input, cached_input, cache_write, output, reasoning`.

    `quantities` are those of `metering.event_marks`, `marks` the number of its marks without `interrupted`.
    """

    index: int
    source: str
    event_id: str
    occurred_at: datetime
    model: str
    counts: tuple[int, int, int, int, int]
    deployment: str
    tenant: str
    key: str
    samples: int = 1
    aborted: bool = False
    quantities: tuple[int, ...] = (0,) * len(QUANTITIES)
    marks: int = 0


class EventsMalformed(Exception):
    """The body as a whole is not a list of events."""


_items = msgspec.json.Decoder(list[EventItem])
_raws = msgspec.json.Decoder(list[msgspec.Raw])
_item = msgspec.json.Decoder(EventItem)
_DIGITS = re.compile(r"-?[0-9]{1,19}", re.ASCII)


def check_items(
    items: Iterable[tuple[int, EventItem]], rejected: Iterable[Rejected], now: datetime
) -> tuple[list[Event], list[Rejected]]:
    """Return the events among items, and in order why the others, and those rejected before, are none."""
    events = []
    rejected = list(rejected)
    for index, item in items:
        found = check_item(index, item, now)
        if isinstance(found, Event):
            events.append(found)
        else:
            rejected.append(found)
    rejected.sort(key=lambda each: each.index)
    return events, rejected


def read_events(payload: bytes, now: datetime) -> tuple[list[Event], list[Rejected]]:
    """Return the well-formed events of a JSON array, and why the others are not.

    Raises EventsMalformed for a body that is no JSON array of 1 to EVENTS_MAX items.
    """
    return check_items(*read_items(payload), now)


def read_items(payload: bytes) -> tuple[list[tuple[int, EventItem]], list[Rejected]]:
    """Return the items of a JSON array that have the shape of an event, each with its index; and why others have not.

    Raises EventsMalformed for a body that is no JSON array of 1 to EVENTS_MAX items.
    """
    try:
        items = _items.decode(payload)
        _check_length(len(items))
        return list(enumerate(items)), []
    except msgspec.ValidationError:
        return _decode_singly(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as broken:
        raise EventsMalformed(f"The body is not JSON: {broken}") from broken


def _decode_singly(payload: bytes) -> tuple[list[tuple[int, EventItem]], list[Rejected]]:
    try:
        raws = _raws.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as broken:
        raise EventsMalformed(f"The body is not a JSON array of events: {broken}") from broken
    _check_length(len(raws))
    items, rejected = [], []
    for index, raw in enumerate(raws):
        try:
            items.append((index, _item.decode(raw)))
        except msgspec.ValidationError as refused:
            rejected.append(_rejected(index, str(refused)))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as broken:
            rejected.append(Rejected(index, "malformed", "", str(broken)))
    return items, rejected


def _check_length(count: int) -> None:
    if not 1 <= count <= EVENTS_MAX:
        raise EventsMalformed(f"The body has {count} events; expected 1 to {EVENTS_MAX}.")


def _rejected(index: int, message: str) -> Rejected:
    """Turn what msgspec says into a code and a field."""
    text, _, place = message.replace("`key` in `$", "`$").partition(" - at `$")
    field = place.rstrip("`").lstrip(".")
    named = re.search(r"field `([^`]*)`", text)
    if text.startswith("Object missing"):
        return Rejected(index, "missing", named[1] if named else "", "This field must be there.")
    if text.startswith("Object contains unknown"):
        return Rejected(index, "unknown_field", named[1][:NAME_CHARS_MAX] if named else "", "No event has this field.")
    if field == "occurred_at":
        return Rejected(index, "bad_time", field, "Expected an RFC 3339 instant with its offset.")
    if field in COUNT_FIELDS and "got `float`" in text:
        return Rejected(index, "fractional", field, "Expected whole tokens.")
    if field in COUNT_FIELDS and "out of range" in text:
        return Rejected(index, "absurd", field, f"At most {EVENT_TOKENS_MAX} tokens.")
    if "length" in text:
        return Rejected(index, "bad_length", field, f"Expected 1 to {NAME_CHARS_MAX} characters.")
    return Rejected(index, "wrong_type", field, text)


def check_item(index: int, item: EventItem, now: datetime) -> Event | Rejected:
    """Return the event that the item at `index` of a call is, or why it is none."""
    counts: list[int] = []
    for field in COUNT_FIELDS:
        count = _count(index, field, getattr(item, field))
        if isinstance(count, Rejected):
            return count
        counts.append(count)
    tokens, cached, cache_write, output, reasoning = counts
    within = 0 <= cached <= tokens <= EVENT_TOKENS_MAX and 0 <= reasoning <= output <= EVENT_TOKENS_MAX
    if not (within and 0 <= cache_write <= EVENT_TOKENS_MAX):
        return _wrong_counts(index, EventCounts(*counts))
    if not EARLIEST <= item.occurred_at <= now + FUTURE_MAX:
        code = "time_in_future" if item.occurred_at > now else "bad_time"
        return Rejected(index, code, "occurred_at", f"{item.occurred_at.isoformat()} cannot be when it happened.")
    beside = beside_tokens(index, item)
    if isinstance(beside, Rejected):
        return beside
    occurred_at = item.occurred_at if item.occurred_at.tzinfo is UTC else item.occurred_at.astimezone(UTC)
    texts = (item.source, item.id, item.model, item.deployment or "", item.tenant or "", item.key or "")
    if "\0" in "".join(texts):
        return Rejected(index, "bad_character", "", "No text of an event may hold a NUL character.")
    source, event_id, model, deployment, tenant, key = texts
    return Event(
        index,
        source,
        event_id,
        occurred_at,
        model,
        (tokens, cached, cache_write, output, reasoning),
        deployment,
        tenant,
        key,
        item.samples,
        item.status == "aborted",
        *beside,
    )


def beside_tokens(index: int, item: EventItem) -> tuple[tuple[int, ...], int] | Rejected:
    """Return an item's quantities beside tokens, and its marks as a number; or why they cannot be."""
    quantities = []
    for name in QUANTITIES:
        count = _count(index, f"quantities.{name}", (item.quantities or {}).get(name, 0))
        if isinstance(count, Rejected):
            return count
        if not 0 <= count <= EVENT_TOKENS_MAX:
            code = "negative" if count < 0 else "absurd"
            return Rejected(index, code, f"quantities.{name}", f"Expected 0 to {EVENT_TOKENS_MAX}.")
        quantities.append(count)
    if {"batch", "priority"} <= set(item.marks):
        return Rejected(index, "contradiction", "marks", "A request is served as a batch or with priority, not both.")
    return tuple(quantities), bits_of(item.marks) | (FAILED_BIT if item.status == "failed" else 0)


def _count(index: int, field: str, given: Count) -> int | Rejected:
    if isinstance(given, int):
        return given
    count = _parse_count(given)
    if count is None:
        code = "fractional" if re.fullmatch(r"-?[0-9]+\.[0-9]+", given, re.ASCII) else "not_a_number"
        return Rejected(index, code, field, "Expected a whole number in decimal digits.")
    return count


def _parse_count(text: str) -> int | None:
    return int(text) if _DIGITS.fullmatch(text) else None


def _wrong_counts(index: int, counts: EventCounts) -> Rejected:
    fault = check_event(counts)[0].value
    values = dict(zip(("input", "cached_input", "cache_write", "output", "reasoning"), counts.all_counts, strict=True))
    if fault == "cached_exceeds_input":
        return Rejected(index, fault, "cached_input", "Cached input is a part of input.")
    if fault == "reasoning_exceeds_output":
        return Rejected(index, fault, "reasoning", "Reasoning is a part of output.")
    if fault == "negative":
        field = next(name for name, value in values.items() if value < 0)
        return Rejected(index, fault, field, "Tokens cannot be negative.")
    field = next(name for name, value in values.items() if value > EVENT_TOKENS_MAX)
    return Rejected(index, "absurd", field, f"At most {EVENT_TOKENS_MAX} tokens.")

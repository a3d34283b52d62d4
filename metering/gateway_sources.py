"""How far gateways have sent everything: told by each source itself, kept, and never taken back.

An event says when a request happened, and nothing says that no other is still under way: only the gateway knows. So it
tells "every event before this instant was sent and acknowledged", as often as it likes, and closing a period waits for
that. Told again, or told an earlier instant, changes nothing.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Final

import msgspec
from django.db import connection

from metering.control_models import GatewaySource
from metering.event_items import FUTURE_MAX, NAME_CHARS_MAX
from tenants.ids import first_id_of, new_id
from tenants.problems import Problem

if TYPE_CHECKING:
    from tenants.models import Organization

BODY_BYTES_MAX: Final = 4_096
SOURCES_A_DAY: Final = 1_000
DAY: Final = timedelta(days=1)
RETRY_AFTER_S: Final = 3_600


class CompleteUnreadable(Problem):
    """The body does not say what it should."""

    status = 400
    code = "complete_malformed"
    title = "The call cannot be read"


class CompleteInFuture(Problem):
    """Nobody can have sent what has not happened."""

    status = 422
    code = "complete_in_future"
    title = "The instant lies in the future"


class TooManySources(Problem):
    """More sources than one organization may name anew."""

    status = 429
    code = "too_many_sources"
    title = "Too many new sources"


class _Told(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    source: Annotated[str, msgspec.Meta(min_length=1, max_length=NAME_CHARS_MAX)]
    complete_to: Annotated[datetime, msgspec.Meta(tz=True)]


_decoder = msgspec.json.Decoder(_Told)
TELL: Final = """
    INSERT INTO metering_gatewaysource AS kept (id, reporter_id, source, complete_to_at, told_at)
    VALUES (%s, %s, %s, %s, %s)
    ON CONFLICT (reporter_id, source) DO UPDATE SET
        complete_to_at = GREATEST(kept.complete_to_at, EXCLUDED.complete_to_at),
        told_at = GREATEST(kept.told_at, EXCLUDED.told_at)
    RETURNING source, complete_to_at
"""


def tell_complete(*, reporter: Organization, payload: bytes, now: datetime) -> tuple[str, datetime]:
    """Keep how far a source of the reporter has sent everything; return the source and how far that is now.

    Raises CompleteUnreadable, CompleteInFuture, TooManySources.
    """
    try:
        told = _decoder.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as refused:
        raise CompleteUnreadable(f"{refused}; expected source and complete_to.") from refused
    if "\0" in told.source:
        raise CompleteUnreadable("source may not hold a NUL character.", field="source")
    try:
        complete_to_at = told.complete_to.astimezone(UTC)
    except OverflowError as refused:
        raise CompleteUnreadable(
            "complete_to is no instant of the years 1 to 9999 in UTC.", field="complete_to"
        ) from refused
    if complete_to_at > now + FUTURE_MAX:
        raise CompleteInFuture(f"complete_to is {complete_to_at.isoformat()}; it is {now.isoformat()}.")
    _require_room(reporter, told.source, now)
    with connection.cursor() as cursor:
        cursor.execute(TELL, [new_id(), reporter.id, told.source, min(complete_to_at, now), now])
        source, stands_at = cursor.fetchone()
    return source, stands_at


def _require_room(reporter: Organization, source: str, now: datetime) -> None:
    """Every source is a row that stays, and one that closing waits for: no key makes any number of them."""
    known = GatewaySource.objects.filter(reporter=reporter)
    if known.filter(source=source).exists():
        return
    if known.filter(id__gte=first_id_of(now - DAY)).count() >= SOURCES_A_DAY:
        raise TooManySources(
            f"source: {SOURCES_A_DAY} new ones told of themselves in 24 hours. Name a gateway, not a process or call.",
            field="source",
            retry_after_s=RETRY_AFTER_S,
        )

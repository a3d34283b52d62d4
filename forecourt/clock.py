"""Whether this server's clock and the database's agree: what is stored late is found by when it was stored.

A server that is behind would store usage as if before a close that it came after, and nothing would bill it. So no
sweep runs on a server whose clock is off, and it says that it is not ready.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from django.db import connection

if TYPE_CHECKING:
    from datetime import datetime

OFF_MOST: Final = timedelta(minutes=5)
"""Half of what usage may take until it is seen (`billing.adjusting.late_usage.STORED_WITHIN`): two servers that are off
to both sides are no further apart."""


class ClockOff(Exception):
    """This server's clock is too far from the database's to store anything by it."""


def clock_off(now: datetime) -> timedelta:
    """Return by how much this server's clock is ahead of the database's; below zero it is behind. One query."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        row = cursor.fetchone()
    assert row is not None
    at: datetime = row[0]
    return now - at


def off_words(off: timedelta) -> str:
    """Say that a clock is off, in words for an operator; "" where it is near enough."""
    if abs(off) <= OFF_MOST:
        return ""
    side = "ahead of" if off > timedelta(0) else "behind"
    return f"{abs(off) // timedelta(seconds=1)} s {side} the database's clock"


def require_clock(now: datetime) -> None:
    """Raise `ClockOff` where this server's clock is more than `OFF_MOST` from the database's."""
    wrong = off_words(clock_off(now))
    if wrong:
        raise ClockOff(f"This server's clock is {wrong}: set it by NTP; sweeps go on by themselves then.")

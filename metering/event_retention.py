"""What stays known of usage events that left the database, and for how long their keys do.

1. When a part of `EventCall` goes to the archive for good, the sums of its events stay, so that usage hours can still
   be proved to be the sum of all events ever rolled up.
2. Keys stay for KEYS_KEPT_MONTHS. No column or index says how old one is but its call's id, whose first bits are the
   time: a pass reads the table once a month, some blocks at a time, and deletes what is older.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from uuid import UUID

from django.db import connection, transaction

from metering.event_calls import READ_CALLS, add_totals, read_calls
from metering.event_models import EventKeyPass, EventPartTotal
from metering.event_sums import REQUESTS
from metering.partitions import months_after, span_of

if TYPE_CHECKING:
    from datetime import datetime

KEYS_KEPT_MONTHS: Final = 14
"""Whole months: an event sent again within 13 months is known, whenever in its month it came."""
PASS_BLOCKS: Final = 4_096
"""Of 8 KiB, read in one transaction: some 400,000 keys."""
ANNOUNCE: Final = "SELECT set_config('forecourt.writes', 'key_pass', true)"
DELETE: Final = """
    DELETE FROM metering_eventkey WHERE ctid >= %s::tid AND ctid < %s::tid AND call < %s
"""


def keep_totals(part: str) -> None:
    """Store the sums of a part's events, in the transaction that drops it."""
    totals: dict[tuple[UUID, str, str], dict[str, int]] = {}
    with connection.connection.cursor(name="leaving") as cursor:
        cursor.execute(f"SELECT reporter_id, received_at, body FROM {part}")  # noqa: S608  a part's name from the catalog
        while rows := cursor.fetchmany(READ_CALLS):
            add_totals(totals, read_calls(rows))
    EventPartTotal.objects.bulk_create(
        [
            EventPartTotal(
                partition=part,
                reporter_id=reporter_id,
                source=source,
                model=model,
                events=sums[REQUESTS],
                sums={name: str(value) for name, value in sums.items()},
            )
            for (reporter_id, source, model), sums in totals.items()
        ]
    )


def forget_totals(part: str) -> None:
    """Take back the sums of a part whose events are in the database again."""
    EventPartTotal.objects.filter(partition=part).delete()


def forget_keys(*, now: datetime) -> int | None:
    """Go on with the pass over the keys, or begin this month's; return how many were too old.

    None: the pass is through, or another worker is at it.
    """
    month_at = span_of(months_after(now, -KEYS_KEPT_MONTHS), "month").from_at
    assert month_at is not None
    EventKeyPass.objects.get_or_create(id=EventKeyPass.ONLY, defaults={"before_at": month_at, "next_block": None})
    with transaction.atomic():
        one = EventKeyPass.objects.select_for_update(skip_locked=True).filter(id=EventKeyPass.ONLY).first()
        if one is None:
            return None
        if one.before_at < month_at:
            one.before_at, one.next_block = month_at, 0
        if one.next_block is None:
            return None
        with connection.cursor() as cursor:
            end = one.next_block + PASS_BLOCKS
            cursor.execute(ANNOUNCE)
            cursor.execute(DELETE, [f"({one.next_block},0)", f"({end},0)", first_id(one.before_at)])
            forgotten: int = cursor.rowcount
            cursor.execute("SELECT pg_relation_size('metering_eventkey') / current_setting('block_size')::integer")
            (blocks,) = cursor.fetchone()
        one.next_block = end if end < blocks else None
        one.save(update_fields=["before_at", "next_block"])
    return forgotten


def first_id(at: datetime) -> UUID:
    """Return what no id that was made at or after an instant is below (RFC 9562: 48 bits of Unix milliseconds lead)."""
    return UUID(int=int(at.timestamp() * 1_000) << 80)

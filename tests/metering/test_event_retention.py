"""What stays of events that went to the archive, and keys that are forgotten when they are old."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from django.db import connection

from metering import event_retention
from metering.event_calls import find_event, rolled_totals
from metering.event_models import EventCall, EventKey, EventKeyPass, EventPartTotal
from metering.event_retention import KEYS_KEPT_MONTHS, first_id, forget_keys
from metering.partition_plans import EVENT_CALLS
from metering.partitions import months_after
from metering.retention import keep_table, restore_archive, state_hold
from metering.retention_models import PartitionArchive
from metering.rollup_events import roll_up_events
from tenants.ids import new_id
from tests.metering.fleet import NOON
from tests.metering.forging import forge
from tests.metering.stored import how_many
from tests.metering.test_events import event, outcome, send

if TYPE_CHECKING:
    from pathlib import Path

    from tests.factories import Cast

APRIL = NOON.replace(month=4, day=1, hour=0)
DROP_AT = months_after(APRIL, EVENT_CALLS.keep_months)
PART = "metering_eventcall_2026_03"


def keep(folder: Path, now: datetime) -> tuple[str, ...]:
    state_hold(name="billing", needed_from_at=now, now=now)
    return keep_table(plan=EVENT_CALLS, directory=folder, now=now).dropped


def test_the_sums_of_a_dropped_part_stay_and_its_ids_stay_known(cast: Cast, tmp_path: Path) -> None:
    send(cast.tenant, event("1"), event("2", source="gateway-2", samples=2))
    send(cast.outsider, event("3"))
    send(cast.tenant, event("4"), now=APRIL)
    roll_up_events(now=NOON)
    keep(tmp_path, NOON)
    before = rolled_totals()
    assert PART in keep(tmp_path, DROP_AT)
    assert EventCall.objects.count() == 1
    assert EventPartTotal.objects.count() == 3
    assert rolled_totals() == before
    assert before[0] == 4
    assert find_event(reporter_id=cast.tenant.id, source="gateway-1", event_id="1") is None
    assert outcome(send(cast.tenant, event("1"))) == (0, 1, 0, [])
    path = tmp_path / PartitionArchive.objects.get(partition=PART).file
    assert restore_archive(path=path, now=DROP_AT) == 2
    assert not EventPartTotal.objects.exists()
    assert rolled_totals() == before


def test_a_call_that_waits_keeps_its_part(cast: Cast, tmp_path: Path) -> None:
    send(cast.tenant, event("1"))
    keep(tmp_path, NOON)
    assert keep(tmp_path, DROP_AT) == ()
    assert how_many() == (1, 1, 1)


def through(now: datetime) -> int:
    forgotten = 0
    while (some := forget_keys(now=now)) is not None:
        forgotten += some
    return forgotten


def test_keys_are_forgotten_once_they_are_old_and_not_before(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_retention, "PASS_BLOCKS", 1)
    send(cast.tenant, *(event(f"e-{number}") for number in range(400)))
    old = first_id(NOON)
    forge(EventKey.objects.all(), call=old)
    send(cast.tenant, event("young"))
    forge(EventKey.objects.exclude(call=old), call=first_id(APRIL))
    first_of_month = months_after(NOON.replace(day=1, hour=0), KEYS_KEPT_MONTHS)
    assert through(first_of_month + timedelta(days=30)) == 0
    assert forget_keys(now=months_after(first_of_month, 1)) is not None
    through(months_after(first_of_month, 1))
    assert [key.call for key in EventKey.objects.all()] == [first_id(APRIL)]
    assert EventKeyPass.objects.get().next_block is None
    assert through(months_after(first_of_month, 2)) == 1


def test_an_ids_first_bits_are_its_time(db: None) -> None:
    made = new_id()
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        (now,) = cursor.fetchone()
    assert first_id(now - timedelta(minutes=1)) < made < first_id(now + timedelta(minutes=1))

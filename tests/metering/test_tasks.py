"""Sweeps: they find the work, do all of it, and one node's trouble is only its own."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest
from django.db import connection

import metering.rollup_events
from forecourt.celery import SWEEPS
from metering.event_models import WaitingEvents
from metering.models import Batch, UsageHour
from metering.rollup import lagging_nodes
from metering.tasks import restate_usage, rollup_batches, rollup_events
from tests.metering.fleet import NOON_MS, column, make_agent, meter, total
from tests.metering.test_events import event, send

if TYPE_CHECKING:
    from tests.factories import Cast


def test_sweeps_have_the_names_that_beat_sends() -> None:
    assert {rollup_batches.name, rollup_events.name, restate_usage.name} <= SWEEPS.keys()


def test_one_sweep_rolls_up_every_node(cast: Cast) -> None:
    agents = [make_agent(cast.provider, name) for name in ("first", "second", "third")]
    for agent in agents:
        agent.ship(column(meter(), [0, 5], [NOON_MS, NOON_MS + 10_000]))
    assert rollup_batches(hint="ignored") == 3
    assert total() == 15
    assert rollup_batches() == 0


def test_a_node_with_more_than_a_chunk_is_rolled_up_to_its_end(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    agent = make_agent(cast.provider)
    monkeypatch.setattr("metering.rollup.CHUNK_READINGS", 3)
    for number in range(8):
        agent.ship(column(meter(), [number], [NOON_MS + 10_000 * number], first_seq=number + 1))
    assert rollup_batches() == 8
    assert lagging_nodes() == []


@pytest.mark.django_db(transaction=True)
def test_one_node_in_trouble_does_not_stop_the_others(cast: Cast, caplog: pytest.LogCaptureFixture) -> None:
    broken, sound = make_agent(cast.provider, "broken"), make_agent(cast.provider, "sound")
    for agent in (broken, sound):
        agent.ship(column(meter(), [0, 5], [NOON_MS, NOON_MS + 10_000]))
    stored = Batch.objects.get(node=broken.node)
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE metering_batch DISABLE TRIGGER metering_batch_append_only")
        cursor.execute("UPDATE metering_batch SET body = 'broken' WHERE id = %s", [stored.id])
        cursor.execute("ALTER TABLE metering_batch ENABLE TRIGGER metering_batch_append_only")
    with caplog.at_level(logging.ERROR):
        assert rollup_batches() == 1
    assert total(meter__node=sound.node) == 5
    assert lagging_nodes() == [broken.node.id]
    assert str(broken.node.id) in caplog.text


def test_one_sweep_counts_every_event(cast: Cast) -> None:
    send(cast.tenant, *(event(f"e-{number}") for number in range(30)))
    assert rollup_events() == 30
    assert not WaitingEvents.objects.exists()
    assert UsageHour.objects.get(quantity="requests").value == 30
    assert rollup_events(hint="ignored") == 0


def test_a_sweep_does_not_end_with_a_chunk_of_small_calls(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metering.rollup_events, "CHUNK_CALLS", 2)
    for number in range(5):
        send(cast.tenant, event(f"e-{number}"))
    assert rollup_events() == 5


def test_one_call_in_trouble_does_not_stop_the_others(cast: Cast, caplog: pytest.LogCaptureFixture) -> None:
    for number in range(5):
        send(cast.tenant, event(f"e-{number}"))
    broken = WaitingEvents.objects.order_by("call")[2].call
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE metering_eventcall DISABLE TRIGGER metering_eventcall_append_only")
        cursor.execute("UPDATE metering_eventcall SET body = 'broken' WHERE id = %s", [broken])
        cursor.execute("ALTER TABLE metering_eventcall ENABLE TRIGGER metering_eventcall_append_only")
    assert rollup_events() == 4
    assert WaitingEvents.objects.get().call == broken
    assert UsageHour.objects.get(quantity="requests").value == 4
    assert str(broken) in caplog.text

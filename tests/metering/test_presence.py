"""What rollup learns of a node beside its usage."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from metering.control_models import NodeHour, NodePresence, Silence
from metering.ingest import ingest_batch
from metering.models import UsageHour
from tests.metering.fleet import NOON, NOON_MS, FakeAgent, column, hours, make_agent, meter, roll_up

if TYPE_CHECKING:
    from datetime import datetime

    from metering.wire import RegisterColumn
    from tests.factories import Cast

HOUR = timedelta(hours=1)
STEP_MS = 10_000


def steady(first: int, count: int = 60, rate: int = 7) -> RegisterColumn:
    """Ten minutes of readings: every ten seconds, from the `first` after noon on."""
    ticks = range(first, first + count)
    return column(
        meter(), [rate * tick for tick in ticks], [NOON_MS + STEP_MS * tick for tick in ticks], first_seq=first + 1
    )


def looked(agent: FakeAgent) -> list[tuple[datetime, int, int]]:
    rows = NodeHour.objects.filter(node=agent.node).order_by("hour_at")
    return list(rows.values_list("hour_at", "observed_ms", "looks"))


def test_hours_are_covered_by_looks_however_the_work_is_cut_up(cast: Cast) -> None:
    first, second = make_agent(cast.provider, "first"), make_agent(cast.provider, "second")
    for agent, chunk in ((first, 64), (second, 1)):
        for part in range(12):
            agent.ship(steady(60 * part))
        roll_up(agent.node, chunk_batches=chunk)
    assert looked(first) == looked(second) == [(NOON, 3_600_000, 360), (NOON + HOUR, 3_590_000, 360)]
    presence = NodePresence.objects.get(node=first.node)
    assert (presence.observed_to_at, presence.usual_pause_ms) == (NOON + timedelta(seconds=7_190), STEP_MS)


def test_a_node_that_did_not_look_leaves_a_hole_on_record(cast: Cast) -> None:
    agent = make_agent(cast.provider)
    agent.ship(steady(0))
    agent.ship(steady(720))
    roll_up(agent.node)
    (hole,) = Silence.objects.filter(node=agent.node)
    assert (hole.from_at, hole.to_at, hole.end) == (NOON + timedelta(seconds=590), NOON + 2 * HOUR, "missed")
    assert [(at, ms) for at, ms, _ in looked(agent)] == [(NOON, 590_000), (NOON + 2 * HOUR, 590_000)]


def test_a_batch_without_readings_says_that_the_node_looked(cast: Cast) -> None:
    agent = make_agent(cast.provider)
    for minute in range(3):
        agent.ship(metered_to_ms=NOON_MS + 60_000 * minute)
    roll_up(agent.node)
    assert looked(agent) == [(NOON, 120_000, 3)]


def test_instants_of_a_clock_that_is_off_are_moved_and_no_total_changes(cast: Cast) -> None:
    right, slow = make_agent(cast.provider, "right"), make_agent(cast.provider, "slow")
    for agent, slow_ms in ((right, 0), (slow, 60_000)):
        for part in range(12):
            own = steady(60 * part)
            own = column(meter(), own.values, [at_ms - slow_ms for at_ms in own.read_at_ms], first_seq=own.first_seq)
            sent_at = NOON + timedelta(milliseconds=own.read_at_ms[-1] - NOON_MS)
            sent = agent.seal(registers=[own], sent_at=sent_at.isoformat())
            ingest_batch(sent=sent, now=sent_at + timedelta(milliseconds=slow_ms))
        roll_up(agent.node)
    assert hours(meter__node=slow.node) == hours(meter__node=right.node)
    assert looked(slow) == looked(right)
    assert NodePresence.objects.get(node=slow.node).clock["correction_ms"] == 60_000
    assert UsageHour.objects.filter(meter__node=slow.node, quality="Q").count() == 0

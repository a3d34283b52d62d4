"""Where rollup stood: written once a day, read back whole, and only from before the batch that is asked for."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from metering.adjustment_models import RollupCheckpoint
from metering.checkpoints import is_due, reached_ms, read_checkpoint, write_checkpoint
from metering.clock import ClockState
from metering.deltas import RegisterState
from metering.hours import unix_ms_of
from metering.models import MeterState
from metering.node_fold import Place
from tests.factories import make_cluster, make_node
from tests.metering.fleet import NOON, NOON_MS, column, make_agent, meter, roll_up

if TYPE_CHECKING:
    from datetime import datetime

    from tests.factories import Cast

MIDNIGHT = NOON + timedelta(hours=12)
SECOND = timedelta(seconds=1)
CLOCK = ClockState(boot_id="boot-1", offset_ms=7, least_ms=-12, measured=3, stepped_ms=40, stepped_at_ms=NOON_MS)


@pytest.mark.parametrize(
    ("before", "after", "due"),
    [
        (MIDNIGHT - SECOND, MIDNIGHT, True),
        (MIDNIGHT, MIDNIGHT + timedelta(hours=23), False),
        (MIDNIGHT - SECOND, MIDNIGHT + timedelta(days=9), True),
        (None, MIDNIGHT, False),
        (MIDNIGHT, None, False),
    ],
)
def test_a_checkpoint_is_due_when_a_day_of_metering_ended(
    before: datetime | None, after: datetime | None, due: bool
) -> None:
    assert is_due(Place(1, before), Place(2, after)) is due


def test_the_last_values_of_meters_are_read_back_as_they_were(cast: Cast) -> None:
    agent = make_agent(cast.provider)
    agent.ship(column(meter(), [5, 9], [NOON_MS, NOON_MS + 1]), column(meter("input"), [2**62], [NOON_MS]))
    roll_up(agent.node)
    kept = {row.meter_id: row for row in MeterState.objects.filter(meter__node=agent.node)}
    assert len(kept) == 2
    write_checkpoint(node=agent.node, place=Place(1, NOON), clock=CLOCK)
    place, states, clock = read_checkpoint(agent.node, 2)
    assert (place, clock) == (Place(1, NOON), CLOCK)
    assert states == {
        meter_id: RegisterState(row.epoch, row.seq, row.value, unix_ms_of(row.read_at), row.closed, row.base)
        for meter_id, row in kept.items()
    }
    assert sorted(state.value for state in states.values()) == [9, 2**62]


def test_the_newest_before_a_batch_is_read(cast: Cast) -> None:
    node = make_node(make_cluster(cast.provider))
    for seq in (10, 20):
        write_checkpoint(node=node, place=Place(seq, NOON + seq * SECOND), clock=ClockState(measured=seq))
    found = {before: read_checkpoint(node, before)[0].seq for before in (10, 11, 20, 21, 99)}
    assert found == {10: 0, 11: 10, 20: 10, 21: 20, 99: 20}


def test_without_one_a_node_begins_at_the_beginning(cast: Cast) -> None:
    one, other = (make_node(make_cluster(cast.provider, slug)) for slug in ("one", "other"))
    write_checkpoint(node=other, place=Place(3, NOON), clock=CLOCK)
    assert read_checkpoint(one, 99) == (Place(), {}, ClockState())


def test_the_same_place_again_is_kept_once_and_as_it_was(cast: Cast) -> None:
    node = make_node(make_cluster(cast.provider))
    write_checkpoint(node=node, place=Place(3, NOON), clock=CLOCK)
    write_checkpoint(node=node, place=Place(3, NOON), clock=ClockState())
    assert RollupCheckpoint.objects.filter(node=node).count() == 1
    assert read_checkpoint(node, 4)[2] == CLOCK


def test_how_far_usage_of_a_node_was_counted(cast: Cast) -> None:
    agent = make_agent(cast.provider)
    assert reached_ms(agent.node) is None
    agent.ship(column(meter(), [5], [NOON_MS]), column(meter("input"), [1], [NOON_MS + 2_000]))
    roll_up(agent.node)
    assert reached_ms(agent.node) == NOON_MS + 2_000

"""Which nodes should have reported, and which fell silent."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from clusters.models import Node
from metering.control_models import NodeHour, Silence
from metering.ingest import ingest_batch
from metering.watching import end_silences, expect_hours, find_silences
from tests.factories import make_node
from tests.metering.fleet import NOON, FakeAgent, hours, make_agent, roll_up
from tests.metering.test_presence import looked, steady

if TYPE_CHECKING:
    from datetime import datetime

    from tests.factories import Cast

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


def silences(agent: FakeAgent) -> list[tuple[datetime, datetime | None, str]]:
    rows = Silence.objects.filter(node=agent.node).order_by("from_at")
    return list(rows.values_list("from_at", "to_at", "end"))


def test_what_is_expected_follows_enrolment_and_revocation(cast: Cast) -> None:
    agent = make_agent(cast.provider)
    make_node(agent.node.cluster, "without an agent")
    Node.objects.filter(id=agent.node.id).update(enrolled_at=NOON - HOUR - 15 * MINUTE, revoked_at=NOON + 30 * MINUTE)
    assert expect_hours(now=NOON + 3 * HOUR) == 3
    rows = NodeHour.objects.order_by("hour_at").values_list("node", "hour_at", "expected_ms", "observed_ms")
    assert list(rows) == [
        (agent.node.id, NOON - 2 * HOUR, 15 * 60_000, 0),
        (agent.node.id, NOON - HOUR, 3_600_000, 0),
        (agent.node.id, NOON, 30 * 60_000, 0),
    ]
    assert expect_hours(now=NOON + 3 * HOUR + MINUTE) == 0


def test_the_hour_that_runs_is_not_expected_yet_and_what_was_seen_stays(cast: Cast) -> None:
    agent = make_agent(cast.provider)
    Node.objects.filter(id=agent.node.id).update(enrolled_at=NOON)
    for part in range(6):
        agent.ship(steady(60 * part))
    roll_up(agent.node)
    assert expect_hours(now=NOON + HOUR - MINUTE) == 0
    assert expect_hours(now=NOON + HOUR) == 1
    row = NodeHour.objects.get()
    assert (row.expected_ms, row.observed_ms, row.looks) == (3_600_000, 3_590_000, 360)


def test_a_node_silent_for_three_hours_is_on_record_until_its_spool_fills_it(cast: Cast) -> None:
    """Its totals are those of a run without the outage, however often the spool comes (G5)."""
    undisturbed, agent = make_agent(cast.provider, "undisturbed"), make_agent(cast.provider, "cut-off")
    for part in range(24):
        undisturbed.ship(steady(60 * part), now=NOON + (part + 1) * 10 * MINUTE)
    roll_up(undisturbed.node)
    sealed = [agent.seal(registers=[steady(60 * part)]) for part in range(24)]
    for part in range(6):
        ingest_batch(sent=sealed[part], now=NOON + (part + 1) * 10 * MINUTE)
    roll_up(agent.node)
    back_at = NOON + 4 * HOUR
    assert find_silences(now=NOON + HOUR + MINUTE) == 0
    for minute in (5, 6):
        find_silences(now=NOON + HOUR + minute * MINUTE)
    assert silences(agent) == [(NOON + timedelta(seconds=3_590), None, "")]
    assert end_silences(now=back_at - MINUTE) == 0
    for _ in range(2):
        for sent in sealed:
            ingest_batch(sent=sent, now=back_at)
        roll_up(agent.node)
    assert end_silences(now=back_at) == 1
    assert silences(agent) == [(NOON + timedelta(seconds=3_590), NOON + timedelta(seconds=14_390), "filled")]
    assert (find_silences(now=back_at), end_silences(now=back_at)) == (0, 0)
    assert hours(meter__node=agent.node) == hours(meter__node=undisturbed.node)
    assert looked(agent) == looked(undisturbed)


def test_a_node_that_did_not_look_while_silent_leaves_a_gap(cast: Cast) -> None:
    agent = make_agent(cast.provider)
    agent.ship(steady(0), now=NOON + 10 * MINUTE)
    roll_up(agent.node)
    find_silences(now=NOON + HOUR)
    agent.ship(steady(1_080), now=NOON + 3 * HOUR + 10 * MINUTE)
    roll_up(agent.node)
    assert silences(agent) == [(NOON + timedelta(seconds=590), NOON + 3 * HOUR, "missed")]
    assert end_silences(now=NOON + 3 * HOUR + 10 * MINUTE) == 0


def test_nothing_is_expected_of_a_revoked_node_any_more(cast: Cast) -> None:
    agent, never = make_agent(cast.provider), make_agent(cast.provider, "never")
    agent.ship(steady(0), now=NOON + 10 * MINUTE)
    Node.objects.filter(id=never.node.id).update(enrolled_at=NOON)
    assert find_silences(now=NOON + HOUR) == 2
    Node.objects.filter(id=agent.node.id).update(revoked_at=NOON + 2 * HOUR)
    assert end_silences(now=NOON + 2 * HOUR) == 1
    assert find_silences(now=NOON + 3 * HOUR) == 0
    assert silences(agent) == [(NOON + timedelta(seconds=590), NOON + 2 * HOUR, "missed")]
    assert silences(never) == [(NOON, None, "")]

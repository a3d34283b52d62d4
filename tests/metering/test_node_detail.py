"""One node in detail: its own rows only, at their boundaries, in a fixed number of queries."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from clusters.models import Slice
from metering.models import AcceleratorHour, Meter, MeterState, UsageGap, Witness
from metering.node_detail import BATCHES_MAX, GAPS_MAX, GAPS_SINCE, HOURS_SHOWN, NodeDetail, node_detail
from tests.factories import make_accelerator, make_allocation, make_cluster, make_endpoint, make_node, make_slice
from tests.kept import kept
from tests.metering.fleet import NOON, NOON_MS, column, make_agent, meter, roll_up

if TYPE_CHECKING:
    from django.test import Client

    from clusters.models import Accelerator, Node
    from tests.factories import Cast

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)
NOW = NOON + timedelta(minutes=20)
MICROSECOND = timedelta(microseconds=1)


@kept
def node(cast: Cast) -> Node:
    return make_node(make_cluster(cast.provider), "node-1", b"k" * 32)


@kept
def card(node: Node) -> Accelerator:
    return make_accelerator(node)


def detail(cast: Cast, now: datetime = NOW) -> NodeDetail:
    found = node_detail(provider=cast.provider, cluster_slug="sample-1", name="node-1", now=now)
    assert found is not None
    return found


def sampled(card: Accelerator, at: datetime, *, percent: int = 0, power_mw: int = 0, samples: int = 0) -> None:
    AcceleratorHour.objects.create(
        accelerator=card,
        hour_at=at,
        utilisation_percent_sum=percent,
        utilisation_samples=samples,
        power_mw_sum=power_mw,
        power_samples=samples,
        last_read_at=at,
    )


def gap(node: Node, from_at: datetime, to_at: datetime, reason: str = "unreadable") -> None:
    UsageGap.objects.create(node=node, subject="node", from_at=from_at, to_at=to_at, reason=reason)


@pytest.mark.parametrize(("cluster", "name"), [("sample-1", "node-2"), ("sample-2", "node-1"), ("", "")])
def test_a_node_that_is_not_there_is_none(cast: Cast, node: Node, cluster: str, name: str) -> None:
    assert node_detail(provider=cast.provider, cluster_slug=cluster, name=name, now=NOW) is None


def test_a_node_of_another_provider_is_none_to_everybody_else(cast: Cast, node: Node, client: Client) -> None:
    for stranger in (cast.outsider, cast.tenant, cast.operator):
        assert node_detail(provider=stranger, cluster_slug="sample-1", name="node-1", now=NOW) is None
    client.force_login(cast.charlie)
    assert client.get("/p/fleet/sample-1/node-1/").status_code == 404
    client.force_login(cast.petra)
    assert client.get("/p/fleet/sample-1/node-1/").status_code == 200


def test_a_node_that_never_sent_anything_is_shown_with_nothing(cast: Cast, node: Node) -> None:
    found = detail(cast)
    assert (found.card_hours, found.holds, found.meters, found.gaps, found.silences) == ({}, {}, (), (), ())
    assert (found.chain.last_seq, found.chain.rolled_seq, found.chain.rolled_to_at, found.chain.batches) == (
        0,
        0,
        None,
        (),
    )
    assert found.clock is None


@pytest.mark.parametrize("now", [NOON, NOW, NOON + HOUR - MICROSECOND])
def test_the_hours_end_with_the_one_that_runs(cast: Cast, node: Node, now: datetime) -> None:
    hours = detail(cast, now).hours
    assert (len(hours), hours[0], hours[-1]) == (HOURS_SHOWN, NOON - 23 * HOUR, NOON)


def test_a_card_has_a_figure_for_each_hour_and_none_where_it_was_not_sampled(cast: Cast, card: Accelerator) -> None:
    sampled(card, NOON, percent=150, power_mw=1001, samples=2)
    sampled(card, NOON - 23 * HOUR, samples=0)
    sampled(card, NOON - 24 * HOUR, percent=100, samples=1)
    hours = detail(cast).card_hours[card.id]
    assert len(hours) == HOURS_SHOWN
    assert (hours[-1].utilisation, hours[-1].power_mw) == (Decimal("0.75"), 500)
    assert {(one.utilisation, one.power_mw) for one in hours[:-1]} == {(None, None)}


@pytest.mark.parametrize(
    ("from_at", "to_at", "holds"),
    [
        (NOW, None, True),
        (NOW + MICROSECOND, None, False),
        (NOW - HOUR, NOW, False),
        (NOW - HOUR, NOW + MICROSECOND, True),
    ],
)
def test_a_slice_is_held_from_its_first_instant_and_not_at_its_last(
    cast: Cast, card: Accelerator, from_at: datetime, to_at: datetime | None, *, holds: bool
) -> None:
    make_allocation(make_slice(card), cast.tenant, from_at, to_at)
    [hold] = detail(cast).holds[card.id]
    assert (hold.tenant, hold.from_at) == ((cast.tenant.name, from_at) if holds else ("", None))


def test_a_retired_slice_is_shown_as_long_as_somebody_holds_it(cast: Cast, card: Accelerator) -> None:
    held, free = make_slice(card, 500), make_slice(card, 500)
    make_allocation(held, cast.tenant, NOON)
    Slice.objects.filter(pk__in=[held.pk, free.pk]).update(retired_at=NOON)
    assert [hold.label for hold in detail(cast).holds[card.id]] == [held.label]


@pytest.mark.parametrize(
    ("from_at", "to_at", "shown"),
    [
        (NOW - GAPS_SINCE - HOUR, NOW - GAPS_SINCE - MICROSECOND, False),
        (NOW - GAPS_SINCE - HOUR, NOW - GAPS_SINCE, True),
        (NOW - MICROSECOND, NOW + HOUR, True),
        (NOW, NOW + HOUR, False),
    ],
)
def test_gaps_of_the_last_week_are_shown(
    cast: Cast, node: Node, from_at: datetime, to_at: datetime, *, shown: bool
) -> None:
    gap(node, from_at, to_at)
    gap(make_node(node.cluster, "node-2"), NOON - HOUR, NOON)
    assert [one.from_at for one in detail(cast).gaps] == ([from_at] if shown else [])


def test_of_many_gaps_the_latest_are_shown(cast: Cast, node: Node) -> None:
    for minutes in range(GAPS_MAX + 5):
        gap(node, NOON - timedelta(minutes=minutes), NOON)
    found = detail(cast).gaps
    assert len(found) == GAPS_MAX
    assert [one.from_at for one in found] == [NOON - timedelta(minutes=minutes) for minutes in range(GAPS_MAX)]


def test_meters_stand_in_order_with_the_reading_that_was_counted_last(cast: Cast, node: Node) -> None:
    endpoint = make_endpoint(node)
    for quantity in ("output", "input"):
        Meter.objects.create(
            witness=Witness.ENGINE, node=node, endpoint=endpoint, model="sample-model", quantity=quantity
        )
    counted = Meter.objects.get(quantity="output")
    MeterState.objects.create(meter=counted, epoch="e1", seq=7, value=2**62, read_at=NOON)
    first, second = detail(cast).meters
    assert (first.quantity, first.epoch, first.seq, first.value, first.read_at) == ("input", "", None, None, None)
    assert (second.quantity, second.epoch, second.seq, second.value, second.read_at) == ("output", "e1", 7, 2**62, NOON)


def test_the_newest_links_of_the_chain_are_shown_and_how_far_it_is_rolled_up(cast: Cast) -> None:
    agent = make_agent(cast.provider, "node-9")
    for place in range(BATCHES_MAX + 1):
        agent.ship(column(meter(), [place], [NOON_MS + place * 1000], first_seq=place + 1))
    roll_up(agent.node)
    found = node_detail(provider=cast.provider, cluster_slug="cluster-node-9", name="node-9", now=NOW)
    assert found is not None
    chain = found.chain
    assert [link.seq for link in chain.batches] == list(range(BATCHES_MAX + 1, 1, -1))
    assert (chain.last_seq, chain.rolled_seq, chain.conflicts) == (BATCHES_MAX + 1, BATCHES_MAX + 1, 0)
    assert chain.last_hash == chain.batches[0].hash == agent.prev_hash
    assert [link.prev_hash for link in chain.batches[:-1]] == [link.hash for link in chain.batches[1:]]


def test_the_number_of_queries_does_not_grow_with_what_a_node_has(cast: Cast, node: Node) -> None:
    counts = []
    for round_ in range(2):
        for position in range(1 + 4 * round_):
            card = make_accelerator(node, 10 * round_ + position)
            make_allocation(make_slice(card), cast.tenant, NOON)
            sampled(card, NOON, percent=50, samples=1)
            gap(node, NOON - HOUR, NOON, f"reason-{round_}-{position}")
        with CaptureQueriesContext(connection) as queries:
            detail(cast)
        counts.append(len(queries))
    assert counts[0] == counts[1]

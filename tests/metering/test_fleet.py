"""A provider's fleet as its meters show it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from metering.fleet import fleet_of
from metering.wire import AcceleratorSeen, EndpointSeen, GaugeColumn
from tests.factories import make_accelerator, make_cluster, make_node
from tests.metering.fleet import MODEL, NOON, NOON_MS, URL, column, energy, make_agent, roll_up

if TYPE_CHECKING:
    from tests.factories import Cast

HOUR = timedelta(hours=1)
HOUR_MS = 3_600_000
WINDOW: dict[str, Any] = {"from_at": NOON, "to_at": NOON + 2 * HOUR}


def gauge(quantity: Any, values: list[int | None], from_ms: int = NOON_MS) -> GaugeColumn:
    return GaugeColumn("GPU-1", quantity, values, [from_ms + 10_000 * index for index in range(len(values))])


def test_a_card_shows_its_latest_gauges_its_mean_and_its_energy(cast: Cast) -> None:
    agent = make_agent(cast.provider)
    card = AcceleratorSeen("GPU-1", "1", "NVIDIA H100 80GB HBM3", 81_559, None, False, [], None)
    agent.ship(
        column(energy("GPU-1"), [0, 700_000, 1_500_000], [NOON_MS, NOON_MS + 1_000_000, NOON_MS + HOUR_MS]),
        gauges=[
            gauge("utilisation_percent", [50, None, 70]),
            gauge("power_mw", [600_000]),
            gauge("memory_used_mib", [10, 40, 30]),
        ],
        accelerators=[card],
        endpoints=[EndpointSeen(URL, "vllm", [MODEL], None)],
    )
    agent.ship(
        gauges=[gauge("utilisation_percent", [90], NOON_MS + HOUR_MS), gauge("power_mw", [None], NOON_MS + HOUR_MS)]
    )
    roll_up(agent.node)
    (cluster,) = fleet_of(provider=cast.provider, **WINDOW)
    (node,) = cluster.nodes
    (seen,) = node.accelerators
    assert (seen.utilisation_percent, seen.utilisation_percent_mean) == (90, 70)
    assert (seen.power_mw, seen.memory_used_mib_max) == (None, 40)
    assert seen.last_read_at == NOON + HOUR
    assert seen.energy_mj == node.energy_mj == cluster.energy_mj == 1_500_000
    assert node.endpoints == ((URL, "vllm", (MODEL,)),)
    assert node.metered_to_at == NOON + HOUR


def test_gauges_alone_are_those_of_the_whole(cast: Cast, django_assert_num_queries: Any) -> None:
    agent, foreign = make_agent(cast.provider), make_agent(cast.outsider, "foreign")
    for one in (agent, foreign):
        one.ship(
            column(energy("GPU-1"), [0, 700_000, 1_500_000], [NOON_MS, NOON_MS + 1_000_000, NOON_MS + HOUR_MS]),
            gauges=[gauge("utilisation_percent", [50, 70])],
            accelerators=[AcceleratorSeen("GPU-1", "1", "NVIDIA H100 80GB HBM3", 81_559, None, False, [], None)],
            endpoints=[EndpointSeen(URL, "vllm", [MODEL], None)],
        )
        roll_up(one.node)
    ((node,),) = (one.nodes for one in fleet_of(provider=cast.provider, **WINDOW))
    for ids in (None, [agent.node.id, foreign.node.id]):
        with django_assert_num_queries(3):
            found = fleet_of(provider=cast.provider, node_ids=ids, gauges_only=True, **WINDOW)
        ((alone,),) = (one.nodes for one in found)
        cards = tuple(replace(card, energy_mj=None) for card in node.accelerators)
        assert alone == replace(node, accelerators=cards, endpoints=())
    assert (node.energy_mj, node.endpoints[0][0]) == (1_500_000, URL)


def test_unknown_gauges_are_unknown_and_impossible_ones_are_left_out(cast: Cast) -> None:
    agent = make_agent(cast.provider)
    agent.ship(gauges=[gauge("utilisation_percent", [None, 101, 2**62]), gauge("power_mw", [2**62])])
    roll_up(agent.node)
    (cluster,) = fleet_of(provider=cast.provider, **WINDOW)
    assert cluster.nodes[0].accelerators == ()


def test_a_card_without_readings_in_the_window_is_there_and_unknown(cast: Cast) -> None:
    node = make_node(make_cluster(cast.provider))
    make_accelerator(node)
    (cluster,) = fleet_of(provider=cast.provider, **WINDOW)
    (seen,) = cluster.nodes[0].accelerators
    assert (seen.utilisation_percent, seen.last_read_at, seen.energy_mj) == (None, None, None)


def test_one_cluster_or_node_can_be_asked_for_and_others_are_not_there(cast: Cast) -> None:
    first, second = make_agent(cast.provider, "first"), make_agent(cast.provider, "second")
    foreign = make_agent(cast.outsider, "foreign")
    assert [one.slug for one in fleet_of(provider=cast.provider, **WINDOW)] == ["cluster-first", "cluster-second"]
    (only,) = fleet_of(provider=cast.provider, cluster_slug="cluster-second", **WINDOW)
    assert [node.id for node in only.nodes] == [second.node.id]
    (only,) = fleet_of(provider=cast.provider, node_ids=[first.node.id], **WINDOW)
    assert [node.id for node in only.nodes] == [first.node.id]
    assert fleet_of(provider=cast.provider, node_ids=[foreign.node.id], **WINDOW) == ()
    assert fleet_of(provider=cast.tenant, **WINDOW) == ()


def test_the_number_of_queries_does_not_grow_with_the_fleet(cast: Cast, django_assert_num_queries: Any) -> None:
    def grow(name: str) -> None:
        node = make_node(make_cluster(cast.provider, name))
        for position in range(8):
            make_accelerator(node, position)

    grow("first")
    with django_assert_num_queries(5):
        fleet_of(provider=cast.provider, **WINDOW)
    for name in ("second", "third"):
        grow(name)
    with django_assert_num_queries(5):
        assert len(fleet_of(provider=cast.provider, **WINDOW)) == 3

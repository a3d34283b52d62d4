"""What a batch tells beside its readings: inventory, troubles and events of cards, at instants that can be true."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from clusters.models import Accelerator, Endpoint
from metering.card_models import AcceleratorEvent
from metering.clock import ClockLimits
from metering.hours import unix_ms_of
from metering.models import UsageGap
from metering.seen import record_seen
from metering.wire import FIRST_PREV_HASH, WIRE_VERSION, AcceleratorSeen, Batch, EndpointSeen, Outcome
from tests.factories import make_accelerator, make_cluster, make_node
from tests.kept import kept
from tests.metering.fleet import NOON, NOON_MS, URL, column, meter

if TYPE_CHECKING:
    from clusters.models import Node
    from tests.factories import Cast

pytestmark = pytest.mark.django_db
MINUTE = timedelta(minutes=1)
MINUTE_MS = 60_000
ANY_TIME = ClockLimits(0, 2**53)


@kept
def node(cast: Cast) -> Node:
    return make_node(make_cluster(cast.provider), "node-1")


def batch(**parts: Any) -> Batch:
    about: dict[str, Any] = {
        "version": WIRE_VERSION, "node": "n", "seq": 1, "prev_hash": FIRST_PREV_HASH, "agent_version": "0.2.0",
        "boot_id": "b", "created_at_ms": NOON_MS, "monotonic_ms": 1, "metered_to_ms": NOON_MS, "registers": [],
        "gauges": [], "outcomes": [], "accelerators": [], "endpoints": [],
    }  # fmt: skip
    return Batch(**{**about, **parts})


def card(uuid: str = "GPU-1", driver: str | None = "570.1", bus: str = "00000000:01:00.0") -> AcceleratorSeen:
    return AcceleratorSeen(uuid, f"serial of {uuid}", "NVIDIA H100 80GB HBM3", 81_559, bus, None, [], driver)


def outcome(reason: str, at_ms: int = NOON_MS, count: int = 1, subject: Any = "endpoint") -> Outcome:
    return Outcome(subject, URL if subject == "endpoint" else "GPU-1", at_ms, reason, "HTTP 500", count)


def see(node: Node, previous_at: datetime | None = None, limits: ClockLimits = ANY_TIME, **parts: Any) -> None:
    record_seen(node=node, batch=batch(**parts), previous_at=previous_at, limits=limits)


def gap() -> tuple[datetime, datetime, int]:
    found = UsageGap.objects.get()
    return found.from_at, found.to_at, found.occurrences


def test_a_node_is_described_by_its_agent_and_the_first_driver_that_is_told(node: Node) -> None:
    see(node, accelerators=[card("GPU-1", None), card("GPU-2", "570.2", "00000000:02:00.0"), card("GPU-3", "1", "x")])
    node.refresh_from_db()
    assert (node.agent_version, node.driver_version) == ("0.2.0", "570.2")
    see(node, agent_version="v" * 200)
    node.refresh_from_db()
    assert (node.agent_version, node.driver_version) == ("v" * 32, "570.2")


def test_cards_and_endpoints_that_are_not_listed_again_stay(node: Node) -> None:
    see(node, accelerators=[card()], endpoints=[EndpointSeen(URL, "vllm", ["m"], "0.9")])
    see(node, created_at_ms=NOON_MS + MINUTE_MS)
    assert Accelerator.objects.get().last_seen_at == NOON
    assert Endpoint.objects.get().served_models == ["m"]


@pytest.mark.parametrize(
    ("read_at_ms", "previous_at", "first_at"),
    [
        (None, None, NOON),
        (NOON_MS - 5 * MINUTE_MS, None, NOON - 5 * MINUTE),
        (NOON_MS - 5 * MINUTE_MS, NOON - 9 * MINUTE, NOON - 9 * MINUTE),
        (NOON_MS - 5 * MINUTE_MS, NOON - MINUTE, NOON - 5 * MINUTE),
    ],
)
def test_an_endpoint_was_first_there_at_the_earliest_instant_that_is_told(
    node: Node, read_at_ms: int | None, previous_at: datetime | None, first_at: datetime
) -> None:
    registers = [] if read_at_ms is None else [column(meter(), [1, 2], [read_at_ms, NOON_MS])]
    see(node, previous_at, registers=registers, endpoints=[EndpointSeen(URL, "vllm", ["m"], None)])
    assert Endpoint.objects.get().first_seen_at == first_at


@pytest.mark.parametrize(
    ("count", "previous_at", "from_at"),
    [
        (1, NOON - 5 * MINUTE, NOON),
        (2, NOON - 5 * MINUTE, NOON - 5 * MINUTE),
        (2, None, NOON),
        (2, NOON + 5 * MINUTE, NOON),
    ],
)
def test_a_trouble_that_happened_many_times_may_have_begun_after_the_batch_before(
    node: Node, count: int, previous_at: datetime | None, from_at: datetime
) -> None:
    see(node, previous_at, outcomes=[outcome("unreadable", count=count)])
    assert gap() == (from_at, NOON, count)


@pytest.mark.parametrize(
    ("at_ms", "at"),
    [
        (NOON_MS, NOON),
        (NOON_MS - MINUTE_MS, NOON - MINUTE),
        (NOON_MS - 2 * MINUTE_MS, NOON - MINUTE),
        (0, NOON - MINUTE),
        (NOON_MS + MINUTE_MS, NOON + MINUTE),
        (2**50, NOON + MINUTE),
    ],
)
def test_an_instant_that_cannot_be_true_becomes_the_nearest_that_can(node: Node, at_ms: int, at: datetime) -> None:
    limits = ClockLimits(unix_ms_of(NOON - MINUTE), unix_ms_of(NOON + MINUTE))
    see(node, limits=limits, outcomes=[outcome("unreadable", at_ms)])
    assert gap() == (at, at, 1)


def test_an_event_of_a_card_is_no_gap_and_a_gap_is_no_event(node: Node) -> None:
    see(node, accelerators=[card()], outcomes=[outcome("xid_79", subject="accelerator"), outcome("unreadable")])
    assert UsageGap.objects.get().reason == "unreadable"
    event = AcceleratorEvent.objects.get()
    assert (event.kind, event.code, event.detail, event.last_at) == ("xid", 79, "HTTP 500", NOON)


def test_a_card_in_the_slot_of_another_is_told_as_its_replacement(node: Node) -> None:
    see(node, accelerators=[card("GPU-old")])
    see(node, accelerators=[card("GPU-new")], created_at_ms=NOON_MS + MINUTE_MS)
    event = AcceleratorEvent.objects.get(kind="replaced")
    assert "GPU-old" in event.detail
    assert event.last_at == NOON + MINUTE


def test_a_card_of_another_provider_is_a_trouble_and_stays_where_it_is(cast: Cast, node: Node) -> None:
    theirs = make_accelerator(make_node(make_cluster(cast.outsider, "their-cluster")))
    see(node, accelerators=[card(theirs.uuid)])
    found = UsageGap.objects.get()
    assert (found.node, found.subject_id, found.reason) == (node, theirs.uuid, "claimed_by_another_provider")
    theirs.refresh_from_db()
    assert theirs.node_id != node.id

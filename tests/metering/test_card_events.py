"""Events of cards: counted by hour, apart from gaps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from clusters.models import AcceleratorHealth
from metering.card_events import kind_of
from metering.card_models import AcceleratorEvent
from metering.models import UsageGap
from metering.wire import AcceleratorSeen, CardHealth, Outcome, ProcessSeen
from tests.metering.fleet import NOON, NOON_MS, make_agent

if TYPE_CHECKING:
    from tests.factories import Cast

CARD = AcceleratorSeen("GPU-1", "1", "NVIDIA H100 80GB HBM3", 81_559, "00:01", False, [], None)


def outcome(reason: str, uuid: str = "GPU-1", at_ms: int = NOON_MS, detail: str = "", count: int = 1) -> Outcome:
    return Outcome("accelerator", uuid, at_ms, reason, detail, count)


@pytest.mark.parametrize(
    ("subject", "reason", "kind"),
    [
        ("accelerator", "xid_79", ("xid", 79)),
        ("accelerator", "xid_0", ("xid", 0)),
        ("accelerator", "ecc_double_bit", ("ecc_double_bit", 0)),
        ("accelerator", "recovery_action", ("recovery_action", 0)),
        ("accelerator", "gpu_lost", None),
        ("accelerator", "xid_", None),
        ("accelerator", "xid_99999999999", None),
        ("accelerator", "xid_79_more", None),
        ("nvml", "xid_79", None),
        ("endpoint", "timeout", None),
    ],
)
def test_which_outcomes_are_events_of_a_card(subject: str, reason: str, kind: tuple[str, int] | None) -> None:
    assert kind_of(subject, reason) == kind


def test_events_are_counted_by_hour_and_are_no_gaps(cast: Cast) -> None:
    agent = make_agent(cast.provider)
    agent.ship(
        accelerators=[CARD],
        outcomes=[outcome("xid_13", detail="first"), outcome("xid_79"), outcome("gpu_lost", detail="XID 79")],
    )
    agent.ship(outcomes=[outcome("xid_13", at_ms=NOON_MS + 60_000, detail="GPU instance 3", count=4)])
    rows = {event.code: event for event in AcceleratorEvent.objects.all()}
    assert {code: event.occurrences for code, event in rows.items()} == {13: 5, 79: 1}
    assert (rows[13].first_at, rows[13].detail) == (NOON, "GPU instance 3")
    assert (rows[13].last_at - rows[13].first_at).total_seconds() == 60
    assert list(UsageGap.objects.values_list("reason", flat=True)) == ["gpu_lost"]


def test_an_event_of_a_card_that_the_node_does_not_have_is_left_out(cast: Cast) -> None:
    agent = make_agent(cast.provider)
    agent.ship(accelerators=[CARD], outcomes=[outcome("xid_13", uuid="GPU-9")])
    assert not AcceleratorEvent.objects.exists()


def test_a_count_beyond_its_column_stays_at_the_bound(cast: Cast) -> None:
    agent = make_agent(cast.provider)
    for _ in range(2):
        agent.ship(accelerators=[CARD], outcomes=[outcome("xid_13", count=2**40)])
    assert AcceleratorEvent.objects.get().occurrences == 2**31 - 1


def test_a_swapped_card_is_an_event_of_the_new_one(cast: Cast) -> None:
    agent = make_agent(cast.provider)
    agent.ship(accelerators=[CARD])
    other = AcceleratorSeen("GPU-2", "2", "NVIDIA H100 80GB HBM3", 81_559, "00:01", False, [], None)
    agent.ship(accelerators=[other])
    event = AcceleratorEvent.objects.get()
    assert (event.accelerator.uuid, event.kind, event.detail) == ("GPU-2", "replaced", "in the slot of GPU-1")


def test_health_and_processes_travel_from_the_agent_to_the_card(cast: Cast) -> None:
    seen = msgspec.structs.replace(
        CARD,
        health=CardHealth(ecc_corrected=3, row_remap_pending=True),
        processes=[ProcessSeen(4711, "c" * 64, NOON_MS, 70_000, "")],
    )
    make_agent(cast.provider).ship(accelerators=[seen])
    stored = AcceleratorHealth.objects.get()
    assert (stored.ecc_corrected, stored.ecc_uncorrected, stored.row_remap_pending) == (3, None, True)
    assert stored.processes == [
        {"pid": 4711, "container_id": "c" * 64, "started_at_ms": NOON_MS, "memory_mib": 70_000, "instance": ""}
    ]

"""What a tick gives and the collector remembers: earlier agents' memory is read, and nothing is forgotten."""

from __future__ import annotations

import msgspec
import pytest

from metering.agent.tick import DriverMemory, Memory, Tick

NOW_MS = 1_773_144_000_000


def test_nothing_is_remembered_of_a_source_never_seen() -> None:
    assert Memory().driver("nvml") == Memory().driver("smi") == DriverMemory(0, None, "", None)


@pytest.mark.parametrize(
    ("source", "known"), [("nvml", DriverMemory(3, NOW_MS)), ("smi", DriverMemory()), ("", DriverMemory())]
)
def test_what_earlier_agents_remembered_is_of_nvml_alone(source: str, known: DriverMemory) -> None:
    assert Memory(driver_generation=3, driver_gone_ms=NOW_MS).driver(source) == known


def test_a_source_seen_since_is_known_by_what_was_seen() -> None:
    seen = DriverMemory(4, None, "boot-7", NOW_MS)
    memory = Memory(driver_generation=3, driver_gone_ms=NOW_MS, drivers={"nvml": seen})
    assert memory.driver("nvml") == seen


def test_remembering_one_source_leaves_the_others_and_the_pages() -> None:
    old = Memory(pages={"http://127.0.0.1:8000": (NOW_MS, "abc")}, drivers={"smi": DriverMemory(1)})
    tick = Tick(NOW_MS, old)
    tick.remember_driver("nvml", DriverMemory(2))
    tick.remember_driver("nvml", DriverMemory(3))
    assert tick.memory.drivers == {"smi": DriverMemory(1), "nvml": DriverMemory(3)}
    assert tick.memory.pages == old.pages
    assert old.drivers == {"smi": DriverMemory(1)}


def test_a_memory_comes_back_from_the_disk_as_it_was_written() -> None:
    memory = Memory({"http://127.0.0.1:8000": (NOW_MS, "abc")}, 2, NOW_MS, {"nvml": DriverMemory(3, None, "x", 5)})
    assert msgspec.json.decode(msgspec.json.encode(memory), type=Memory) == memory
    assert msgspec.json.decode(b'{"pages":{},"driver_generation":2}', type=Memory).driver("nvml").generation == 2


def test_each_failure_is_counted_once_at_the_instant_of_the_tick() -> None:
    tick = Tick(NOW_MS, Memory())
    tick.fail("endpoint", "http://127.0.0.1:8000", "unreadable", "HTTP 500")
    tick.fail("endpoint", "http://127.0.0.1:8000", "unreadable", "HTTP 500")
    assert [(one.subject, one.at_ms, one.reason, one.count) for one in tick.outcomes] == [
        ("endpoint", NOW_MS, "unreadable", 1)
    ] * 2
    assert (tick.registers, tick.gauges) == ([], [])


def test_two_ticks_share_no_list() -> None:
    first, second = Tick(NOW_MS, Memory()), Tick(NOW_MS, Memory())
    first.fail("spool", "", "full", "")
    assert second.outcomes == []

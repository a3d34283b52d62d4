"""A child's cards over time: loads of the driver, losses, swaps, instances, health, and who computes there."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from metering.agent.cards import LOST_SURVEY_MS, ChildCards
from metering.agent.clock import SystemClock
from metering.agent.epochs import Markers, MeterState, Sighting, advance
from metering.agent.machine import EngineProcess
from metering.agent.nvml import NvmlReader
from metering.agent.observe import Part
from metering.agent.spool import RegisterEntry
from metering.agent.tick import DriverMemory, Memory, Start, Tick
from metering.wire import CardHealth, MeterKey, ProcessSeen
from tests.fakes.nvml import StubMachine
from tests.metering.agent.simulated import FixedMachine
from tests.metering.agent.test_collect import NOW, S

UUID = "GPU-00000000-0000-0000-0000-{:012}"
CONTAINER = "c0ffee" * 10 + "abcd"
PLAYED = """
import json, pathlib, sys
for line in sys.stdin:
    asked = json.loads(line)
    answer = json.loads(pathlib.Path(sys.argv[1]).read_text())[asked["op"]]
    print(json.dumps({"id": asked["id"], "ok": True, **answer}), flush=True)
"""


class Watched:
    """A child's cards with meters that are advanced as the collector does it."""

    def __init__(self, command: list[str]) -> None:
        self.machine = FixedMachine()
        self.reader = NvmlReader(command, SystemClock(), 10)
        self.processes: dict[int, EngineProcess] = {}
        self.memory = Memory()
        self.states: dict[str, MeterState] = {}
        self.cards = self.restart()

    def restart(self) -> ChildCards:
        self.cards = ChildCards(
            "nvml", self.reader, self.machine, advance=self._advance, describe=lambda pid: self.processes.get(pid)
        )
        return self.cards

    def _advance(self, tick: Tick, key: MeterKey, parts: dict[str, Part], markers: Markers, start: Start) -> None:
        sighting = Sighting(key.subject_id, parts, tick.read_at_ms, markers, start.at_ms, start.proof)
        step = advance(self.states.get(key.subject_id), sighting)
        self.states[key.subject_id] = step.state
        tick.registers.append(RegisterEntry(key, step.state, step.value, tick.read_at_ms))

    def tick(self, after_s: int) -> Tick:
        tick = Tick(NOW + after_s * S, self.memory)
        self.cards.read(tick, set())
        self.memory = tick.memory
        return tick

    @property
    def listed(self) -> list[str]:
        return [card.uuid[-2:] for card in self.cards.accelerators]


@pytest.fixture
def watched(gpu_machine: StubMachine) -> Iterator[Watched]:
    gpu_machine.play("gpus 2")
    watched = Watched(gpu_machine.command)
    yield watched
    watched.reader.close()


@pytest.fixture
def played(tmp_path: Path) -> Iterator[tuple[Watched, Path]]:
    watched = Watched([sys.executable, "-u", "-c", PLAYED, str(tmp_path / "answers")])
    yield watched, tmp_path / "answers"
    watched.reader.close()


def play(path: Path, energy_mj: int, load: str | None, **card: Any) -> None:
    seen = {"uuid": "GPU-1", "serial": None, "name": "", "memory_mib": None, "pci_bus_id": None, "mig_mode": None}
    path.write_text(
        json.dumps(
            {
                "list": {"driver_load": load, "accelerators": [{**seen, "mig": [], "driver_version": "580", **card}]},
                "read": {"readings": [{"uuid": "GPU-1", "energy_mj": energy_mj}]},
            }
        )
    )


def reasons(tick: Tick) -> list[tuple[str, str]]:
    return [(outcome.subject_id[-1:], outcome.reason) for outcome in tick.outcomes]


def test_a_driver_loaded_anew_while_the_agent_was_down_is_counted_from_zero(played: tuple[Watched, Path]) -> None:
    watched, path = played
    play(path, 5_000, "101")
    watched.tick(0)
    first = watched.tick(10).registers[0].state
    play(path, 9_000, "102")
    watched.restart()
    (entry,) = watched.tick(600).registers
    assert entry.state.epoch != first.epoch
    # Higher than before, and all of it since the load, which was after the last look at the old driver.
    assert (entry.value, entry.state.started_ms, entry.state.proof) == (9_000, NOW + 10 * S + 1, "driver")


def test_a_child_that_only_lost_its_library_begins_nothing(played: tuple[Watched, Path]) -> None:
    watched, path = played
    play(path, 5_000, "101")
    first = watched.tick(0).registers[0].state
    path.write_text(json.dumps({"read": {"ok": False, "reason": "driver_reloaded", "detail": "Uninitialized"}}))
    assert reasons(watched.tick(10)) == [("", "driver_reloaded")]
    play(path, 6_000, "101")
    (entry,) = watched.tick(20).registers
    assert (entry.state.epoch, entry.value) == (first.epoch, 6_000)


def test_where_loads_cannot_be_seen_a_lost_driver_counts_as_one(played: tuple[Watched, Path]) -> None:
    watched, path = played
    play(path, 5_000, None)
    first = watched.tick(0).registers[0].state
    path.write_text(json.dumps({"read": {"ok": False, "reason": "driver_reloaded", "detail": "Uninitialized"}}))
    watched.tick(10)
    play(path, 6_000, None)
    (entry,) = watched.tick(20).registers
    assert entry.state.epoch != first.epoch
    assert (entry.state.started_ms, entry.state.proof) == (NOW + 10 * S, "driver")


def test_what_an_earlier_agent_remembered_of_the_driver_still_counts(played: tuple[Watched, Path]) -> None:
    watched, path = played
    watched.memory = Memory(driver_generation=3, driver_gone_ms=NOW - 5 * S)
    play(path, 5_000, "101")
    (entry,) = watched.tick(0).registers
    assert (entry.state.process, entry.state.started_ms, entry.state.proof) == ("driver:3", NOW - 5 * S, "driver")
    assert watched.memory.driver("nvml") == DriverMemory(3, NOW - 5 * S, "101", NOW)


def test_a_lost_card_is_looked_for_at_once_and_then_once_a_minute(watched: Watched, gpu_machine: StubMachine) -> None:
    watched.tick(0)
    epoch = watched.states[UUID.format(1)].epoch
    lost = ("gpus 2", "fail nvmlDeviceGetTotalEnergyConsumption 15 1", "fail nvmlDeviceGetHandleByIndex_v2 15 1")
    gpu_machine.play(*lost)
    assert reasons(watched.tick(10)) == [("1", "gpu_lost")]
    assert (reasons(watched.tick(20)), watched.listed) == ([("1", "gpu_lost")], ["00"])
    # Initializing the library anew disturbs the others: not at every read.
    assert [reasons(watched.tick(after_s)) for after_s in (30, 50, 70)] == [[], [], []]
    gpu_machine.play("gpus 2", "energy 1 2000500")
    assert watched.listed == ["00"]
    back = watched.tick(20 + LOST_SURVEY_MS // S)
    assert (watched.listed, reasons(back)) == (["00", "01"], [])
    # The driver stayed: the register goes on where it was.
    entry = back.registers[1]
    assert (entry.state.epoch, entry.value) == (epoch, 2_000_500)


def test_a_card_that_was_swapped_is_another_card_with_its_own_register(
    watched: Watched, gpu_machine: StubMachine
) -> None:
    watched.tick(0)
    before = watched.cards.accelerators[1]
    gpu_machine.play("gpus 2", "card 1 77", "energy 1 40")
    watched.tick(60)
    tick = watched.tick(70)
    after = watched.cards.accelerators[1]
    assert (after.uuid, after.serial, after.pci_bus_id) == (UUID.format(77), "1651923000077", before.pci_bus_id)
    assert (before.serial, watched.listed) == ("1651923000001", ["00", "77"])
    assert [entry.key.subject_id for entry in tick.registers] == [UUID.format(0), UUID.format(77)]


def test_instances_made_anew_are_listed_within_a_minute(watched: Watched, gpu_machine: StubMachine) -> None:
    gpu_machine.play("gpus 1", "mig 0", "instances 0 1")
    watched.tick(0)
    assert [each.uuid.split("-")[4] for each in watched.cards.accelerators[0].mig] == ["0000"]
    gpu_machine.play("gpus 1", "mig 0", "instances 0 4")
    watched.tick(60)
    watched.tick(70)
    assert [each.uuid.split("-")[4] for each in watched.cards.accelerators[0].mig] == ["0002"]


def test_a_change_that_the_driver_reports_is_listed_at_the_next_read(
    watched: Watched, gpu_machine: StubMachine
) -> None:
    gpu_machine.play("gpus 1", "mig 0", "instances 0 1")
    watched.tick(0)
    gpu_machine.play("gpus 1", "mig 0", "instances 0 5", "event 1 0 256 0")
    watched.tick(10)
    watched.tick(20)
    assert len(watched.cards.accelerators[0].mig) == 2


def test_an_xid_after_which_nothing_is_computed_is_a_loss_of_that_card(
    watched: Watched, gpu_machine: StubMachine
) -> None:
    watched.tick(0)
    gpu_machine.play("gpus 2", "event 1 1 8 79")
    tick = watched.tick(10)
    assert reasons(tick) == [("1", "xid_79"), ("1", "gpu_lost")]
    assert {outcome.subject for outcome in tick.outcomes} == {"accelerator"}
    assert [entry.key.subject_id for entry in tick.registers] == [UUID.format(0)]


def test_health_and_processes_go_with_the_list(watched: Watched, gpu_machine: StubMachine) -> None:
    watched.processes[4711] = EngineProcess(4711, 5, NOW - 60 * S, CONTAINER, "vllm serve --api-key secret")
    watched.processes[4713] = EngineProcess(4713, 5, NOW - 60 * S, "", "python train.py")
    gpu_machine.play("gpus 1", "ecc 0 3", "process 0 4711", "process 0 4712", "process 0 4713")
    watched.tick(0)
    (card,) = watched.cards.accelerators
    assert card.health == CardHealth(3, 0, 0, 0, False, False)
    assert card.processes == [
        ProcessSeen(4711, CONTAINER, NOW - 60 * S, 60_000),
        # Seen by the driver, not by the agent: another namespace, or gone since.
        ProcessSeen(4712, None, None, None),
        ProcessSeen(4713, "", NOW - 60 * S, None),
    ]
    assert "secret" not in repr(card)


def test_an_id_that_was_given_to_a_younger_process_is_nobodys(watched: Watched, gpu_machine: StubMachine) -> None:
    watched.processes[4711] = EngineProcess(4711, 9, NOW + 5 * S, CONTAINER, "another")
    gpu_machine.play("gpus 1", "process 0 4711")
    watched.tick(0)
    assert watched.cards.accelerators[0].processes == [ProcessSeen(4711, None, None, 60_000)]


def test_the_list_changes_with_its_processes_and_not_with_their_memory(
    played: tuple[Watched, Path],
) -> None:
    watched, path = played

    def show(pid: int, memory_mib: int) -> None:
        play(path, 1, "101")
        answers = json.loads(path.read_text())
        health = {"uuid": "GPU-1", "processes": [{"pid": pid, "memory_mib": memory_mib}], "later": "field"}
        answers["read"]["health"] = [health]
        path.write_text(json.dumps(answers))

    show(7, 100)
    watched.tick(0)
    first = watched.cards.accelerators
    show(7, 200)
    watched.tick(60)
    assert watched.cards.accelerators == first
    show(8, 200)
    watched.tick(120)
    assert watched.cards.accelerators[0].processes == [ProcessSeen(8, None, None, 200)]


def test_a_driver_that_tells_neither_leaves_both_unknown(watched: Watched, gpu_machine: StubMachine) -> None:
    gpu_machine.play(
        "gpus 1",
        "fail nvmlDeviceGetTotalEccErrors 3",
        "fail nvmlDeviceGetRemappedRows 3",
        "fail nvmlDeviceGetComputeRunningProcesses_v3 3",
    )
    watched.tick(0)
    (card,) = watched.cards.accelerators
    assert (card.health, card.processes) == (None, None)


def test_activity_goes_out_where_it_is_known(watched: Watched, gpu_machine: StubMachine) -> None:
    gpu_machine.play("gpus 2", "gpm 0 60", "mig 1", "gpm 1 10")
    watched.tick(0)
    gauges = {
        (gauge.accelerator, gauge.quantity): gauge.value
        for gauge in watched.tick(10).gauges
        if gauge.quantity.endswith("permille")
    }
    assert gauges == {
        (UUID.format(0), "graphics_permille"): 600,
        (UUID.format(0), "sm_permille"): 300,
        ("MIG-00000000-0000-0000-0000-000000000001", "graphics_permille"): 700,
        ("MIG-00000000-0000-0000-0000-000000000001", "sm_permille"): 350,
        ("MIG-00000000-0000-0000-0002-000000000001", "graphics_permille"): 200,
        ("MIG-00000000-0000-0000-0002-000000000001", "sm_permille"): 100,
    }


def test_a_card_that_an_earlier_source_gave_is_not_read_twice(watched: Watched) -> None:
    tick, taken = Tick(NOW, Memory()), {UUID.format(0)}
    watched.cards.read(tick, taken)
    assert [entry.key.subject_id for entry in tick.registers] == [UUID.format(1)]
    assert taken == {UUID.format(0), UUID.format(1)}

"""Health, processes, layout and loads of the driver, over the real nvidia-ml-py and a stub of NVIDIA's library."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from metering.agent.clock import SystemClock
from metering.agent.nvml import Answer, CardProcess, HealthReading, NvmlReader
from metering.agent.nvml_cards import SLOW_MS, driver_load
from tests.fakes.nvml import StubMachine


@pytest.fixture
def reader(gpu_machine: StubMachine) -> Iterator[NvmlReader]:
    reader = NvmlReader(gpu_machine.command, SystemClock(), 10)
    yield reader
    reader.close()


def health(answer: Answer, index: int = 0) -> HealthReading:
    return next(each for each in answer.health if each.uuid.endswith(f"{index:012}"))


def test_health_is_told_and_what_a_card_lacks_is_null(gpu_machine: StubMachine, reader: NvmlReader) -> None:
    gpu_machine.play(
        "gpus 3",
        "ecc 0 12",
        "eccbad 0 1",
        "remapped 0 3",
        "pending 0 1",
        "fail nvmlDeviceGetTotalEccErrors 3 1",
        "fail nvmlDeviceGetRemappedRows 3 1",
    )
    answer = reader.read_cards(1)
    assert health(answer) == HealthReading(12, 1, 0, 3, True, False, uuid=answer.readings[0].uuid, processes=[])
    unknown = health(answer, 1)
    assert (unknown.ecc_corrected, unknown.ecc_uncorrected, unknown.rows_remapped_uncorrected) == (None, None, None)
    assert (unknown.row_remap_pending, unknown.row_remap_failed) == (None, None)
    # Nothing wrong is a figure, unknown is none.
    assert (health(answer, 2).ecc_corrected, health(answer, 2).row_remap_failed) == (0, False)


def test_processes_and_health_are_read_once_a_minute(gpu_machine: StubMachine, reader: NvmlReader) -> None:
    gpu_machine.play("gpus 1", "process 0 4711", "process 0 4712", "mps 0 4713")
    answer = reader.read_cards(0)
    assert health(answer).processes == [
        CardProcess(4711, 60_000),
        # What the driver does not tell of a process is null.
        CardProcess(4712, None),
        CardProcess(4713, 60_000),
    ]
    told = [bool(reader.read_cards(at_ms).health) for at_ms in range(10_000, 2 * SLOW_MS + 1, 10_000)]
    assert [place for place, yes in enumerate(told, 1) if yes] == [6, 12]


def test_a_list_of_processes_that_is_not_supported_is_unknown_not_empty(
    gpu_machine: StubMachine, reader: NvmlReader
) -> None:
    gpu_machine.play("gpus 1", "fail nvmlDeviceGetComputeRunningProcesses_v3 3")
    assert health(reader.read_cards(0)).processes is None
    gpu_machine.play("gpus 1")


def test_without_the_list_of_mps_the_other_one_counts(gpu_machine: StubMachine, reader: NvmlReader) -> None:
    gpu_machine.play("gpus 1", "process 0 4711", "fail nvmlDeviceGetMPSComputeRunningProcesses_v3 13")
    assert health(reader.read_cards(0)).processes == [CardProcess(4711, 60_000)]


def test_a_process_on_an_instance_names_it(gpu_machine: StubMachine, reader: NvmlReader) -> None:
    gpu_machine.play("gpus 1", "mig 0", "process 0 4711")
    found = health(reader.read_cards(0)).processes
    assert found is not None
    assert found[0].instance == "MIG-00000000-0000-0000-0000-000000000000"


@pytest.mark.parametrize("missing", ["", "fail nvmlDeviceGetCurrentClocksEventReasons 13"])
def test_throttle_reasons_are_read_under_both_names(gpu_machine: StubMachine, reader: NvmlReader, missing: str) -> None:
    gpu_machine.play("gpus 2", "clocks 0 72", *([missing] if missing else []))
    assert [reading.clock_events for reading in reader.read_cards(0).readings] == [72, 1]


def test_throttle_reasons_that_no_name_gives_are_null(gpu_machine: StubMachine, reader: NvmlReader) -> None:
    gpu_machine.play(
        "gpus 1",
        "fail nvmlDeviceGetCurrentClocksEventReasons 3",
        "fail nvmlDeviceGetCurrentClocksThrottleReasons 3",
    )
    assert reader.read_cards(0).readings[0].clock_events is None


@pytest.mark.parametrize("change", [("gpus 2", "mig 0"), ("gpus 3",), ("gpus 2", "mig 1", "instances 1 1")])
def test_cards_and_instances_that_come_and_go_ask_for_a_new_list(
    gpu_machine: StubMachine, reader: NvmlReader, change: tuple[str, ...]
) -> None:
    gpu_machine.play("gpus 2", "mig 1")
    assert reader.list_cards(0).ok
    assert not reader.read_cards(0).relist
    gpu_machine.play(*change)
    assert not reader.read_cards(10_000).relist
    assert reader.read_cards(SLOW_MS).relist
    assert reader.list_cards(SLOW_MS).ok
    assert not reader.read_cards(SLOW_MS).relist


def test_two_instances_are_listed_apart_by_their_measured_memory(gpu_machine: StubMachine, reader: NvmlReader) -> None:
    gpu_machine.play("gpus 1", "mig 0", "instances 0 3")
    first, second = reader.list_cards(0).accelerators[0].mig
    assert first.uuid != second.uuid
    assert (first.memory_mib, first.gpu_instance, first.compute_instance) == (9_728, 7, 0)
    assert (second.memory_mib, second.profile) == (40_192, "3g.40gb")


def test_a_lost_card_that_is_back_is_read_again_by_the_same_child(gpu_machine: StubMachine, reader: NvmlReader) -> None:
    gpu_machine.play("gpus 2", "fail nvmlDeviceGetTotalEnergyConsumption 15 1")
    reader.list_cards(0)
    child = reader.pid
    assert [outcome.reason for outcome in reader.read_cards(0).outcomes] == ["gpu_lost"]
    gpu_machine.play("gpus 2", "fail nvmlDeviceGetHandleByIndex_v2 15 1")
    assert len(reader.list_cards(10_000).accelerators) == 1
    gpu_machine.play("gpus 2")
    assert len(reader.list_cards(70_000).accelerators) == 2
    readings = reader.read_cards(70_000).readings
    assert ([reading.energy_mj for reading in readings], reader.pid) == ([1_000_000, 2_000_000], child)


def test_a_lost_card_is_not_asked_for_its_health(gpu_machine: StubMachine, reader: NvmlReader) -> None:
    gpu_machine.play("gpus 1", "fail nvmlDeviceGetTotalEnergyConsumption 15 0", "ecc 0 5")
    answer = reader.read_cards(0)
    assert (health(answer).ecc_corrected, health(answer).processes) == (None, None)


def test_the_number_of_a_module_folder_tells_loads_apart(tmp_path: Path) -> None:
    assert driver_load(str(tmp_path / "nvidia")) is None
    (tmp_path / "nvidia").mkdir()
    assert driver_load(str(tmp_path / "nvidia")) == driver_load(str(tmp_path / "nvidia")) != driver_load(str(tmp_path))

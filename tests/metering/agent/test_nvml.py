"""The watched child over the real nvidia-ml-py and a stub of NVIDIA's library."""

import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from metering.agent.clock import SystemClock
from metering.agent.nvml import ABSENT_PAUSE_S, RESTART_PAUSE_S, NvmlReader, default_command
from metering.wire import MigSeen
from tests.fakes.nvml import StubMachine, without_library


class ManualClock(SystemClock):
    """A monotonic clock that moves when told; the timeouts of real reads still end by their own count of looks."""

    def __init__(self) -> None:
        self.shift_s = 0.0

    def monotonic_s(self) -> float:
        return super().monotonic_s() + self.shift_s


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def readers(clock: ManualClock) -> Iterator[Callable[..., NvmlReader]]:
    made: list[NvmlReader] = []

    def make(command: list[str], timeout_s: float = 10) -> NvmlReader:
        made.append(NvmlReader(command, clock, timeout_s))
        return made[-1]

    yield make
    for reader in made:
        reader.close()


Readers = Callable[..., NvmlReader]


def uuid(index: int) -> str:
    return f"GPU-00000000-0000-0000-0000-{index:012}"


def test_eight_cards_are_described(gpu_machine: StubMachine, readers: Readers) -> None:
    answer = readers(gpu_machine.command).list_cards(1)
    assert (answer.ok, answer.driver_version, answer.outcomes) == (True, "580.65.06", [])
    assert [card.uuid for card in answer.accelerators] == [uuid(index) for index in range(8)]
    card = answer.accelerators[2]
    assert (card.serial, card.name, card.memory_mib) == ("1651923000002", "NVIDIA H100 80GB HBM3", 81_559)
    assert (card.pci_bus_id, card.mig_mode, card.mig) == ("00000000:1A:00.0", False, [])


def test_eight_cards_are_read(gpu_machine: StubMachine, readers: Readers) -> None:
    gpu_machine.play("energy 3 18446744073709")
    answer = readers(gpu_machine.command).read_cards(1)
    assert [reading.energy_mj for reading in answer.readings[:4]] == [
        1_000_000,
        2_000_000,
        3_000_000,
        18_446_744_073_709,
    ]
    reading = answer.readings[0]
    assert (reading.utilisation_percent, reading.memory_used_mib, reading.power_mw) == (98, 70_000, 650_000)


def test_mig_instances_are_listed_and_utilisation_is_unknown_there(gpu_machine: StubMachine, readers: Readers) -> None:
    gpu_machine.play("mig 1")
    reader = readers(gpu_machine.command)
    card = reader.list_cards(1).accelerators[1]
    assert card.mig_mode is True
    assert card.mig == [
        MigSeen("MIG-00000000-0000-0000-0000-000000000001", "1g.10gb", 9_728, 7, 0),
        MigSeen("MIG-00000000-0000-0000-0002-000000000001", "3g.40gb", 40_192, 2, 0),
    ]
    reading = reader.read_cards(2).readings[1]
    assert (reading.utilisation_percent, reading.energy_mj) == (None, 2_000_000)


@pytest.mark.parametrize("code", [3, 13, 25, 6, 21, 10])
def test_a_field_that_a_card_does_not_have_is_null_never_zero(
    gpu_machine: StubMachine, readers: Readers, code: int
) -> None:
    gpu_machine.play(f"fail nvmlDeviceGetTotalEnergyConsumption {code}", f"fail nvmlDeviceGetSerial {code} 0")
    reader = readers(gpu_machine.command)
    assert [card.serial is None for card in reader.list_cards(1).accelerators[:2]] == [True, False]
    answer = reader.read_cards(2)
    assert {reading.energy_mj for reading in answer.readings} == {None}
    assert {reading.power_mw for reading in answer.readings} == {650_000}
    assert answer.outcomes == []


@pytest.mark.parametrize(("code", "comes_back"), [(3, False), (21, True)])
def test_what_is_not_supported_is_remembered_and_what_is_empty_is_asked_again(
    gpu_machine: StubMachine, readers: Readers, code: int, comes_back: bool
) -> None:
    reader = readers(gpu_machine.command)
    gpu_machine.play(f"fail nvmlDeviceGetPowerUsage {code}")
    assert reader.read_cards(1).readings[0].power_mw is None
    gpu_machine.play()
    assert (reader.read_cards(2).readings[0].power_mw is not None) == comes_back


def test_an_old_driver_without_the_second_version_of_memory_info(gpu_machine: StubMachine, readers: Readers) -> None:
    gpu_machine.play("fail nvmlDeviceGetMemoryInfo_v2 13")
    reader = readers(gpu_machine.command)
    assert reader.list_cards(1).accelerators[0].memory_mib == 81_559
    assert reader.read_cards(2).readings[0].memory_used_mib == 71_000


@pytest.mark.parametrize("code", [15, 16, 28])
def test_a_card_that_is_lost_is_told_and_the_others_are_read(
    gpu_machine: StubMachine, readers: Readers, code: int
) -> None:
    reader = readers(gpu_machine.command)
    assert len(reader.list_cards(1).accelerators) == 8
    gpu_machine.play(f"fail nvmlDeviceGetUtilizationRates {code} 3")
    answer = reader.read_cards(2)
    assert answer.ok
    assert [(outcome.uuid, outcome.reason) for outcome in answer.outcomes] == [(uuid(3), "gpu_lost")]
    lost = answer.readings[3]
    # The energy was read before the card went: it is real.
    assert (lost.energy_mj, lost.utilisation_percent, lost.power_mw) == (4_000_000, None, None)
    assert all(reading.power_mw == 650_000 for reading in answer.readings if reading.uuid != uuid(3))


def test_a_card_that_cannot_be_listed_is_an_outcome_under_its_known_name(
    gpu_machine: StubMachine, readers: Readers
) -> None:
    reader = readers(gpu_machine.command)
    reader.list_cards(1)
    gpu_machine.play("fail nvmlDeviceGetHandleByIndex_v2 15 5")
    answer = reader.list_cards(2)
    assert len(answer.accelerators) == 7
    assert [(outcome.uuid, outcome.reason) for outcome in answer.outcomes] == [(uuid(5), "gpu_lost")]


@pytest.mark.parametrize("code", [4, 17, 20, 27, 777])
def test_trouble_of_the_environment_is_an_outcome(gpu_machine: StubMachine, readers: Readers, code: int) -> None:
    gpu_machine.play(f"fail nvmlDeviceGetPowerUsage {code} 0")
    answer = readers(gpu_machine.command).read_cards(1)
    assert answer.ok
    assert [(outcome.uuid, outcome.reason) for outcome in answer.outcomes] == [(uuid(0), "nvml_error")]
    assert answer.readings[0].power_mw is None


@pytest.mark.parametrize("code", [1, 9, 12, 18])
def test_a_driver_that_goes_ends_the_child_and_the_next_one_reads_again(
    gpu_machine: StubMachine, readers: Readers, code: int
) -> None:
    reader = readers(gpu_machine.command)
    assert reader.read_cards(1).ok
    first = reader.pid
    gpu_machine.play(f"fail nvmlDeviceGetTotalEnergyConsumption {code}")
    gone = reader.read_cards(2)
    assert (gone.ok, gone.reason) == (False, "driver_reloaded")
    gpu_machine.play()
    assert reader.read_cards(3).ok
    assert reader.pid not in {first, None}


@pytest.mark.parametrize(
    ("code", "reason"),
    [(9, "nvml_absent"), (18, "driver_mismatch"), (999, "device_access_lost"), (4, "nvml_error")],
)
def test_why_nvml_does_not_start_is_told(gpu_machine: StubMachine, readers: Readers, code: int, reason: str) -> None:
    gpu_machine.play(f"fail nvmlInitWithFlags {code}")
    answer = readers(gpu_machine.command).read_cards(1)
    assert (answer.ok, answer.reason) == (False, reason)


def test_no_library_is_normal_and_not_asked_for_at_every_tick(readers: Readers, clock: ManualClock) -> None:
    reader = readers(without_library())
    assert reader.read_cards(1).reason == "nvml_absent"
    assert reader.pid is None
    clock.shift_s += ABSENT_PAUSE_S / 2
    assert reader.read_cards(2).reason == "nvml_absent"
    assert reader.pid is None


def test_a_machine_without_cards_is_read_as_such(gpu_machine: StubMachine, readers: Readers) -> None:
    gpu_machine.play("gpus 0")
    answer = readers(gpu_machine.command).read_cards(1)
    assert (answer.ok, answer.readings) == (True, [])


def test_a_call_that_hangs_is_killed_and_the_next_child_reads_after_a_pause(
    gpu_machine: StubMachine, readers: Readers, clock: ManualClock
) -> None:
    reader = readers(gpu_machine.command, timeout_s=3)
    assert reader.read_cards(1).ok
    hung = reader.pid
    assert hung is not None
    gpu_machine.play("hang nvmlDeviceGetPowerUsage")
    reader._timeout_s = 0.2
    assert reader.read_cards(2).reason == "nvml_hung"
    assert not Path(f"/proc/{hung}").exists()
    gpu_machine.play()
    reader._timeout_s = 10
    assert reader.read_cards(3).reason == "nvml_hung"
    assert reader.pid is None
    clock.shift_s += RESTART_PAUSE_S
    assert reader.read_cards(4).ok


def test_the_pause_grows_while_it_keeps_failing_and_is_short_again_after_a_success(
    gpu_machine: StubMachine, readers: Readers, clock: ManualClock
) -> None:
    reader = readers(gpu_machine.command)
    gpu_machine.play("fail nvmlInitWithFlags 4")
    pauses = []
    for _ in range(4):
        assert reader.read_cards(1).reason == "nvml_error"
        assert reader._not_before_s is not None
        pauses.append(round(reader._not_before_s - clock.monotonic_s()))
        clock.shift_s += 100
    assert pauses == [1, 2, 4, 8]
    gpu_machine.play()
    assert reader.read_cards(2).ok
    gpu_machine.play("fail nvmlDeviceGetCount_v2 1")
    reader.list_cards(3)
    assert reader._pause_s <= 2 * RESTART_PAUSE_S


def test_a_library_that_prints_does_not_disturb_the_protocol(gpu_machine: StubMachine, readers: Readers) -> None:
    gpu_machine.play("say nvmlDeviceGetName", "say nvmlDeviceGetPowerUsage")
    reader = readers(gpu_machine.command)
    assert len(reader.list_cards(1).accelerators) == 8
    assert reader.read_cards(2).ok


def child(program: str) -> list[str]:
    return [sys.executable, "-u", "-c", program]


@pytest.mark.parametrize(
    "program",
    [
        "",
        "input(); print('no json')",
        "input(); print('{}')",
        "input(); print('[]')",
        'input(); print(\'{"ok": true, "id": 99}\')',
        'input(); print(\'{"ok": true, "id": 1, "readings": [{"uuid": ""}]}\')',
        'input(); print(\'{"ok": true, "id": 1, "readings": [{"uuid": "a", "energy_mj": -1}]}\')',
        'input(); print(\'{"ok": true, "id": 1, "readings": [{"uuid": "a", "energy_mj": 0.5}]}\')',
        'input(); print(\'{"ok": true, "id": 1, "driver_version": "\\\\u0000"}\')',
        'input(); print(\'{"ok": false, "id": 1, "reason": "Not a code"}\')',
        "input(); print('x' * 5_000_000)",
        "raise SystemExit(1)",
    ],
)
def test_a_child_that_answers_nonsense_is_an_error_not_a_crash(readers: Readers, program: str) -> None:
    reader = readers(child(program))
    answer = reader.read_cards(1)
    assert (answer.ok, answer.reason) == (False, "nvml_error")
    assert reader.pid is None


def test_a_command_that_does_not_exist_is_an_error(readers: Readers) -> None:
    assert readers(["/nonexistent/nvml-child"]).read_cards(1).reason == "nvml_error"


def test_any_child_that_speaks_the_protocol_will_do_and_gets_the_injected_instant(readers: Readers) -> None:
    program = (
        "import sys, json\n"
        "for line in sys.stdin:\n"
        "    asked = json.loads(line)\n"
        "    cards = [{'uuid': 'SIM-1', 'energy_mj': asked['at_ms'] * 2}]\n"
        "    print(json.dumps({'id': asked['id'], 'ok': True, 'readings': cards, 'later': 'field'}), flush=True)\n"
    )
    reader = readers(child(program))
    assert [reader.read_cards(at).readings[0].energy_mj for at in (5, 7)] == [10, 14]
    assert reader.read_cards(8).readings[0].power_mw is None


def test_closing_ends_the_child(gpu_machine: StubMachine, readers: Readers) -> None:
    reader = readers(gpu_machine.command)
    reader.read_cards(1)
    pid = reader.pid
    reader.close()
    assert not Path(f"/proc/{pid}").exists()
    with suppress(OSError):
        reader.close()


def test_the_real_child_is_started_by_this_very_python() -> None:
    assert default_command() == [sys.executable, "-m", "metering.agent.nvml_child"]

"""One tick over real NVML children: energy, gauges, lost cards, reloaded drivers."""

import sys
from collections.abc import Iterator

import pytest

from metering.agent.cards import SURVEY_MS
from metering.agent.clock import SystemClock
from metering.agent.collect import Collector
from metering.agent.nvml import NvmlReader
from metering.agent.scrape import Scraper
from metering.agent.spool import RegisterEntry
from metering.agent.tick import Memory, Tick
from metering.wire import MeterKey
from tests.fakes.engine_pages import PageServer
from tests.fakes.nvml import StubMachine, without_library
from tests.metering.agent.test_collect import NOW, SCRAPE_TIMEOUT_S, S, World, llamacpp, reasons, value


@pytest.fixture
def gpu_world(engine: PageServer, gpu_machine: StubMachine) -> Iterator[World]:
    nvml = NvmlReader(gpu_machine.command, SystemClock(), 10)
    world = World(engine, nvml)
    yield world
    nvml.close()
    world.client.close()


def energy(tick: Tick, index: int = 0) -> RegisterEntry:
    entries = [entry for entry in tick.registers if entry.key.quantity == "energy_mj"]
    return entries[index]


def test_cards_give_energy_and_gauges(gpu_world: World) -> None:
    tick = gpu_world.tick(0)
    assert [entry.value for entry in tick.registers] == [1_000_000 * n for n in range(1, 9)]
    assert energy(tick).key == MeterKey("accelerator", "GPU-00000000-0000-0000-0000-000000000000", "", "", "energy_mj")
    assert (energy(tick).state.started_ms, energy(tick).state.proof) == (gpu_world.machine.booted_at_ms, "boot")
    assert len(tick.gauges) == 32
    assert {(gauge.quantity, gauge.value) for gauge in tick.gauges} == {
        ("utilisation_percent", 98),
        ("memory_used_mib", 70_000),
        ("power_mw", 650_000),
        ("clock_events", 1),
    }
    assert len(gpu_world.collector.accelerators) == 8


def test_an_unknown_gauge_is_null_and_an_unknown_energy_no_reading(gpu_world: World, gpu_machine: StubMachine) -> None:
    gpu_machine.play("fail nvmlDeviceGetTotalEnergyConsumption 3", "fail nvmlDeviceGetPowerUsage 3")
    tick = gpu_world.tick(0)
    assert tick.registers == []
    assert [gauge.value for gauge in tick.gauges if gauge.quantity == "power_mw"] == [None] * 8


def test_a_reloaded_driver_is_a_new_energy_epoch_with_proof(gpu_world: World, gpu_machine: StubMachine) -> None:
    first = energy(gpu_world.tick(0))
    gpu_machine.play("fail nvmlDeviceGetTotalEnergyConsumption 1")
    gone = gpu_world.tick(10)
    assert reasons(gone) == [("nvml", "driver_reloaded")]
    gpu_machine.play("energy 0 1500000")
    second = energy(gpu_world.tick(20))
    assert second.state.epoch != first.state.epoch
    # Higher than before the reload, and counted whole all the same: it began at zero.
    assert (second.value, second.state.started_ms, second.state.proof) == (1_500_000, NOW + 10 * S, "driver")


def test_a_hang_is_no_new_energy_epoch(gpu_world: World, gpu_machine: StubMachine) -> None:
    first = energy(gpu_world.tick(0))
    assert gpu_world.nvml is not None
    gpu_world.nvml._timeout_s = 0.2
    gpu_machine.play("hang nvmlDeviceGetPowerUsage")
    assert reasons(gpu_world.tick(10)) == [("nvml", "nvml_hung")]
    gpu_world.nvml._timeout_s = 10
    gpu_world.nvml._not_before_s = None
    gpu_machine.play("energy 0 1500000")
    assert energy(gpu_world.tick(20)).state.epoch == first.state.epoch


def test_a_boot_is_a_new_energy_epoch_with_proof(gpu_world: World) -> None:
    first = energy(gpu_world.tick(0))
    gpu_world.machine.boot_id = "boot-2"
    gpu_world.machine.booted_at_ms = NOW + 60 * S
    second = energy(gpu_world.tick(120))
    assert second.state.epoch != first.state.epoch
    assert (second.state.started_ms, second.state.proof) == (NOW + 60 * S, "boot")


def test_a_boot_is_newer_than_a_reload_before_it(gpu_world: World, gpu_machine: StubMachine) -> None:
    gpu_world.tick(0)
    gpu_machine.play("fail nvmlDeviceGetTotalEnergyConsumption 1")
    gpu_world.tick(10)
    gpu_machine.play()
    gpu_world.machine.boot_id = "boot-2"
    gpu_world.machine.booted_at_ms = NOW + 60 * S
    assert energy(gpu_world.tick(120)).state.proof == "boot"


def test_a_lost_card_is_told_under_its_own_name_and_looked_for_again(
    gpu_world: World, gpu_machine: StubMachine
) -> None:
    gpu_world.tick(0)
    gpu_machine.play("fail nvmlDeviceGetTotalEnergyConsumption 15 2")
    tick = gpu_world.tick(10)
    assert reasons(tick) == [("accelerator", "gpu_lost")]
    assert tick.outcomes[0].subject_id.endswith("2")
    assert len([entry for entry in tick.registers if entry.value is not None]) == 7
    gpu_machine.play("gpus 7")
    gpu_world.tick(20)
    assert len(gpu_world.collector.accelerators) == 7


def test_cards_are_listed_again_once_an_hour(gpu_world: World, gpu_machine: StubMachine) -> None:
    gpu_world.tick(0)
    gpu_machine.play("gpus 4")
    gpu_world.tick(10)
    assert len(gpu_world.collector.accelerators) == 8
    gpu_world.tick(SURVEY_MS // S)
    assert len(gpu_world.collector.accelerators) == 4


def test_an_absent_driver_is_told_once_and_tokens_are_metered(engine: PageServer) -> None:
    nvml = NvmlReader(without_library(), SystemClock(), 10)
    world = World(engine, nvml)
    world.watch("llamacpp")
    world.serve(llamacpp(500))
    first, second = world.tick(0), world.tick(10)
    assert reasons(first) == [("nvml", "nvml_absent")]
    assert reasons(second) == []
    assert value(first, "input") == value(second, "input") == 500
    nvml.close()
    world.client.close()


def test_another_library_gives_its_cards_beside_nvmls(engine: PageServer, gpu_machine: StubMachine) -> None:
    program = (
        "import sys, json\n"
        "for line in sys.stdin:\n"
        "    asked = json.loads(line)\n"
        "    cards = [{'uuid': 'AMD-1', 'serial': None, 'name': 'MI300X', 'memory_mib': None, 'pci_bus_id': None,"
        " 'mig_mode': None, 'mig': [], 'driver_version': None}]\n"
        "    reading = [{'uuid': 'AMD-1', 'energy_mj': 77}]\n"
        "    answer = {'accelerators': cards} if asked['op'] == 'list' else {'readings': reading}\n"
        "    print(json.dumps({'id': asked['id'], 'ok': True, **answer}), flush=True)\n"
    )
    gpu_machine.play("gpus 1")
    readers = [
        NvmlReader(command, SystemClock(), 10) for command in (gpu_machine.command, [sys.executable, "-c", program])
    ]
    world = World(engine, None)
    collector = Collector(
        machine=world.machine,
        mappings={},
        scraper=Scraper(world.client, SystemClock(), SCRAPE_TIMEOUT_S),
        nvml=readers[0],
        states={},
        memory=Memory(),
        libraries={"amdsmi": readers[1]},
    )
    tick = collector.read(NOW)
    assert [(entry.key.subject_id[-2:], entry.value) for entry in tick.registers] == [("00", 1_000_000), ("-1", 77)]
    assert [card.uuid[:4] for card in collector.accelerators] == ["GPU-", "AMD-"]
    for reader in readers:
        reader.close()
    world.client.close()

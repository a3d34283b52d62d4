"""Exporters' pages over real HTTP: their pace, frozen registers, cards that are absent, and cards seen twice."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from metering.agent.accelerators import load_accelerators
from metering.agent.card_exporters import ELSEWHERE_MS, FORGET_MS, checked_accelerators
from metering.agent.clock import SystemClock
from metering.agent.collect import Collector
from metering.agent.config import AcceleratorSetting, Config, ConfigError
from metering.agent.nvml import NvmlReader
from metering.agent.scrape import Scraper, http_client
from metering.agent.tick import Memory, Tick
from tests.fakes.card_pages import recorded_cards
from tests.fakes.engine_pages import PageServer, Reply, page
from tests.fakes.nvml import StubMachine
from tests.metering.agent.simulated import FixedMachine
from tests.metering.agent.test_collect import NOW, SCRAPE_TIMEOUT_S, S, reasons

AMD = "AMD-692409005400"


class ExporterWorld:
    """A collector that reads one exporter, and NVML where a reader is given."""

    def __init__(self, server: PageServer, exporter: str, nvml: NvmlReader | None = None, **setting: int) -> None:
        self.server = server
        self.machine = FixedMachine()
        self.client = http_client([], "", trust_env=False)
        self.collector = Collector(
            machine=self.machine,
            mappings={},
            scraper=Scraper(self.client, SystemClock(), SCRAPE_TIMEOUT_S),
            nvml=nvml,
            states={},
            memory=Memory(),
            node="node-1",
        )
        self.setting = AcceleratorSetting(server.url, exporter, interval_s=setting.get("interval_s"))
        self.collector.watch_exporters([self.setting], load_accelerators())

    def serve(self, text: str) -> None:
        self.server.routes["/metrics"] = page(text)

    def tick(self, after_s: int) -> Tick:
        tick = self.collector.read(NOW + after_s * S)
        self.collector.keep(tick)
        return tick


@pytest.fixture
def amd(engine: PageServer) -> Iterator[ExporterWorld]:
    world = ExporterWorld(engine, "amd")
    world.serve(recorded_cards("amd"))
    yield world
    world.client.close()


def energies(tick: Tick) -> dict[str, int | None]:
    return {entry.key.subject_id: entry.value for entry in tick.registers}


def moved(text: str, by_uj: int = 10**9) -> str:
    return text.replace("1.3971229312e+14", str(139_712_293_120_000 + by_uj)).replace(
        "9.8765432101e+13", str(98_765_432_101_000 + by_uj)
    )


def test_a_page_gives_energy_gauges_and_the_list(amd: ExporterWorld) -> None:
    tick = amd.tick(0)
    assert energies(tick) == {AMD: 139_712_293_120, "AMD-692409005401": 98_765_432_101}
    assert {(entry.state.started_ms, entry.state.proof) for entry in tick.registers} == {
        (amd.machine.booted_at_ms, "boot")
    }
    assert {gauge.quantity: gauge.value for gauge in tick.gauges if gauge.accelerator == AMD} == {
        "utilisation_percent": 97,
        "memory_used_mib": 183_265,
        "power_mw": 748_000,
    }
    card = amd.collector.accelerators[0]
    assert (card.uuid, card.serial, card.memory_mib, card.mig_mode) == (AMD, "692409005400", 196_288, None)
    assert tick.outcomes == []


def test_a_page_is_read_at_the_pace_of_its_exporter_and_at_the_full_hour(engine: PageServer) -> None:
    world = ExporterWorld(engine, "dcgm_exporter")
    world.serve(recorded_cards("dcgm_exporter"))
    read = [after_s for after_s in range(0, 120, 10) if world.tick(after_s).gauges]
    # Dcgm-exporter samples every 30 s: in between it shows the same sample, which is no new one.
    assert read == [0, 30, 60, 90]
    assert world.tick(3_600).gauges
    world.client.close()


def test_the_pace_can_be_set(engine: PageServer) -> None:
    world = ExporterWorld(engine, "dcgm_exporter", interval_s=10)
    world.serve(recorded_cards("dcgm_exporter"))
    assert [bool(world.tick(after_s).gauges) for after_s in (0, 10, 20)] == [True, True, True]
    world.client.close()


def test_a_stamped_sample_counts_once_and_an_old_one_not_at_all(engine: PageServer) -> None:
    world = ExporterWorld(engine, "ascend")
    world.serve(recorded_cards("ascend"))
    assert len(world.tick(0).gauges) == 6
    again = world.tick(5)
    assert (again.gauges, again.outcomes) == ([], [])
    world.serve(recorded_cards("ascend").replace(" 1795428000000", f" {NOW + 9 * S}"))
    assert len(world.tick(10).gauges) == 6
    stale = world.tick(120)
    assert (stale.gauges, set(reasons(stale))) == ([], {("accelerator", "stale_sample")})
    assert len(world.collector.accelerators) == 2
    world.client.close()


def test_watts_without_a_register_give_no_energy(engine: PageServer) -> None:
    world = ExporterWorld(engine, "ascend")
    world.serve(recorded_cards("ascend"))
    assert world.tick(0).registers == []
    world.client.close()


def test_a_register_that_stands_still_while_power_flows_is_unknown(amd: ExporterWorld) -> None:
    for after_s in (0, 10, 20, 30, 40, 50):
        assert reasons(amd.tick(after_s)) == []
    frozen = amd.tick(60)
    assert energies(frozen) == {}
    assert [(each.subject_id, each.reason) for each in frozen.outcomes] == [
        (AMD, "energy_frozen"),
        ("AMD-692409005401", "energy_frozen"),
    ]
    assert "748 W" in frozen.outcomes[0].detail
    # Its gauges are as good as ever.
    assert len(frozen.gauges) == 6
    amd.serve(moved(recorded_cards("amd")))
    moving = amd.tick(70)
    assert (energies(moving)[AMD], moving.outcomes) == (139_713_293_120, [])


def test_a_card_known_for_it_is_flagged_at_once(amd: ExporterWorld) -> None:
    amd.serve(recorded_cards("amd").replace("AMD Instinct MI300X OAM", "AMD Instinct MI210"))
    assert len(energies(amd.tick(0))) == 2
    assert (energies(amd.tick(10)), reasons(amd.tick(20))) == ({}, [("accelerator", "energy_frozen")] * 2)


def test_a_card_without_power_may_stand_still(amd: ExporterWorld) -> None:
    text = recorded_cards("amd").replace("} 748\n", "} 0\n").replace("} 141\n", "} 0\n")
    amd.serve(text)
    assert [len(energies(amd.tick(after_s))) for after_s in range(0, 200, 10)] == [2] * 20


def test_a_card_that_is_not_on_its_page_is_told_and_listed_for_an_hour(amd: ExporterWorld) -> None:
    amd.tick(0)
    amd.serve("".join(f"{line}\n" for line in recorded_cards("amd").splitlines() if "692409005401" not in line))
    tick = amd.tick(10)
    assert [(each.subject_id, each.reason) for each in tick.outcomes] == [("AMD-692409005401", "card_not_on_page")]
    assert {gauge.accelerator for gauge in tick.gauges} == {AMD}
    assert len(amd.collector.accelerators) == 2
    amd.tick(FORGET_MS // S)
    assert [card.uuid for card in amd.collector.accelerators] == [AMD]


def test_a_page_without_cards_is_not_a_machine_without_cards(amd: ExporterWorld) -> None:
    amd.tick(0)
    amd.serve("# HELP up nothing\nup 1\n")
    tick = amd.tick(10)
    assert sorted(reasons(tick)) == [("accelerator", "card_not_on_page")] * 2 + [("accelerator", "no_known_series")]
    assert (tick.gauges, tick.registers, len(amd.collector.accelerators)) == ([], [], 2)


def test_a_workload_that_ended_takes_its_chips_off_the_page_without_trouble(engine: PageServer) -> None:
    world = ExporterWorld(engine, "tpu")
    world.serve(recorded_cards("tpu"))
    assert len(world.tick(0).gauges) == 8
    world.serve("\n")
    idle = world.tick(30)
    assert (idle.gauges, idle.outcomes, len(world.collector.accelerators)) == ([], [], 2)
    world.client.close()


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (Reply(status=503), "http_status"),
        (Reply(body=b"gpu_energy_consumed 1"), "truncated"),
        (Reply(body=b"x 1\n", cut=True), "broken_answer"),
    ],
)
def test_a_page_that_fails_is_an_outcome_of_its_url(amd: ExporterWorld, reply: Reply, reason: str) -> None:
    amd.tick(0)
    amd.server.routes["/metrics"] = reply
    tick = amd.tick(10)
    assert [(each.subject_id, each.reason) for each in tick.outcomes] == [(amd.server.url, reason)]
    assert (tick.gauges, tick.registers, len(amd.collector.accelerators)) == ([], [], 2)


def test_a_card_that_nvml_gives_is_not_read_from_a_page_too(engine: PageServer, gpu_machine: StubMachine) -> None:
    gpu_machine.play("gpus 1")
    nvml = NvmlReader(gpu_machine.command, SystemClock(), 10)
    world = ExporterWorld(engine, "dcgm_exporter", nvml, interval_s=10)
    text = recorded_cards("dcgm_exporter").replace(
        "GPU-6d5c0ac5-74d7-3130-46f1-e93ed57f4690", "GPU-00000000-0000-0000-0000-000000000000"
    )
    world.serve(text)
    tick = world.tick(0)
    assert energies(tick) == {
        "GPU-00000000-0000-0000-0000-000000000000": 1_000_000,
        "GPU-6d5c0ac5-74d7-3130-46f1-e93ed57f4691": 32_972_735_665,
    }
    assert len(tick.gauges) == 4 + 3
    assert len(world.collector.accelerators) == 2
    # NVML hangs: the page does not become another witness of the same card in between.
    gpu_machine.play("gpus 1", "fail nvmlDeviceGetPowerUsage 1")
    assert "GPU-00000000-0000-0000-0000-000000000000" not in energies(world.tick(10))
    # After a while without NVML the page is better than nothing, and its register is another epoch.
    gpu_machine.play("fail nvmlInitWithFlags 9")
    later = world.tick(10 + ELSEWHERE_MS // S)
    assert energies(later)["GPU-00000000-0000-0000-0000-000000000000"] == 15_152_422_938
    nvml.close()
    world.client.close()


def test_an_exporter_that_counts_by_itself_proves_no_start(engine: PageServer) -> None:
    world = ExporterWorld(engine, "all_smi")
    world.serve(recorded_cards("all_smi"))
    (entry,) = world.tick(0).registers
    assert (entry.state.started_ms, entry.state.proof, entry.value) == (None, "none", 8_430_001_500)
    world.client.close()


def test_mig_instances_of_a_page_are_listed_by_card_and_instance(engine: PageServer) -> None:
    world = ExporterWorld(engine, "dcgm_exporter")
    world.serve(recorded_cards("dcgm_mig"))
    tick = world.tick(0)
    (card,) = world.collector.accelerators
    assert card.mig_mode is True
    assert [(each.uuid, each.profile, each.memory_mib, each.gpu_instance) for each in card.mig] == [
        (f"{card.uuid}/gi3", "2g.20gb", 19_968, 3),
        (f"{card.uuid}/gi9", "1g.10gb", 9_728, 9),
    ]
    activity = {gauge.accelerator: gauge.value for gauge in tick.gauges if gauge.quantity == "graphics_permille"}
    assert activity == {f"{card.uuid}/gi3": 996, f"{card.uuid}/gi9": 0}
    world.client.close()


def test_settings_must_name_a_known_exporter(tmp_path: Path) -> None:
    config = Config(accelerators=[AcceleratorSetting("http://127.0.0.1:5000", "amb")])
    with pytest.raises(ConfigError, match=r"accelerators\[0\].exporter: 'amb'; expected one of all_smi, amd"):
        checked_accelerators(config)
    mapping = tmp_path / "amb.toml"
    mapping.write_text(
        'accelerator = "amb"\ntitle = "Amb"\npage = "/m"\ndefault_port = 1\nid_labels = ["u"]\ncannot_tell = []\n'
        '[[readings]]\nquantity = "power_mw"\nunit = "W"\nany_of = ["p"]\n',
        encoding="utf-8",
    )
    assert "amb" in checked_accelerators(Config(accelerators=config.accelerators, accelerators_dir=str(tmp_path)))


def test_the_same_pages_give_the_same_epochs_after_a_restart_of_the_agent(amd: ExporterWorld) -> None:
    before = {entry.key.subject_id: entry.state.epoch for entry in amd.tick(0).registers}
    again = ExporterWorld(amd.server, "amd")
    after = {entry.key.subject_id: entry.state.epoch for entry in again.tick(10).registers}
    assert before == after
    again.client.close()


def test_an_exporter_that_new_settings_leave_as_it_is_goes_on(engine: PageServer) -> None:
    world = ExporterWorld(engine, "dcgm_exporter")
    world.serve(recorded_cards("dcgm_exporter"))
    world.tick(0)
    world.collector.watch_exporters([world.setting], load_accelerators())
    assert world.tick(10).gauges == []
    faster = AcceleratorSetting(engine.url, "dcgm_exporter", interval_s=10)
    world.collector.watch_exporters([faster], load_accelerators())
    assert world.tick(20).gauges
    world.collector.watch_exporters([], load_accelerators())
    assert (world.tick(30).gauges, world.collector.accelerators) == ([], [])
    world.client.close()

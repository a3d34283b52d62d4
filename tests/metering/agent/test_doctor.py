"""What the doctor sees, what it says is missing, and the fix, as a person reads it."""

from datetime import datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from metering.agent import keys, state
from metering.agent.clock import SystemClock
from metering.agent.config import Config, EndpointSetting
from metering.agent.doctor import ALARM_FIXES, OTHER_FIX, Finding, examine, report
from metering.agent.machine import LinuxMachine
from metering.agent.mend import set_aside
from metering.agent.seal import seal
from metering.agent.ship import ALARM_META, Alarm
from metering.agent.spool import Spool
from metering.agent.status import StatusPage
from tests.fakes.engine_pages import PageServer, Reply, page, recorded
from tests.fakes.nvml import StubMachine, without_library
from tests.metering.agent.batch_server import BatchServer
from tests.metering.agent.test_machine import made_up
from tests.metering.agent.test_seal import context
from tests.metering.agent.test_spool import NOW, ROOMY, entry, store


def see(tmp_path: Path, config: Config, command: list[str] | None = None) -> list[Finding]:
    proc = tmp_path / "proc"
    proc.mkdir(exist_ok=True)
    return examine(config, machine=LinuxMachine(proc), clock=SystemClock(), nvml_command=command or without_library())


def about(findings: list[Finding], subject: str) -> list[tuple[str, str]]:
    return [(finding.level, finding.what) for finding in findings if finding.subject == subject]


def test_a_healthy_node_reads_so(
    tmp_path: Path, state_dir: Path, server: BatchServer, engine: PageServer, gpu_machine: StubMachine
) -> None:
    gpu_machine.play("mig 2")
    engine.routes["/metrics"] = page(recorded("vllm"))
    config = Config(state_dir=str(state_dir), endpoints=[EndpointSetting(engine.url, "vllm")])
    with state.StateLock(state_dir):
        findings = see(tmp_path, config, gpu_machine.command)
    assert {finding.level for finding in findings} == {"ok"}
    text = report(findings, "node-1")
    assert text.startswith("Forecourt agent 0.1.0 on node-1\n\nState\n  ok    ")
    for line in (
        f"  ok    enrolled as node {server.node} of cluster sample",
        "  ok    an agent runs here",
        f"  ok    {server.url} answers",
        "  ok    8 × NVIDIA H100 80GB HBM3, driver 580.65.06",
        "  ok    2 MIG instances; energy is of whole cards only",
        f"  ok    vLLM at {engine.url}/metrics: input 123,456, output 65,432, cached_input 40,960, requests 330, "
        "finished_input 740, finished_output 370 of meta-llama/Llama-3.1-8B-Instruct",
    ):
        assert line in text.splitlines()


def test_a_bare_node_is_told_every_step(tmp_path: Path) -> None:
    findings = see(tmp_path, Config(state_dir=str(tmp_path / "state")))
    text = report(findings, "node-1")
    assert "  FAIL  this node is not enrolled\n        → forecourt agent enroll --server URL --token TOKEN\n" in text
    assert "fine on a CPU node: set nvml = false" in text
    assert "FORECOURT_AGENT_ENDPOINTS=" in text
    assert text.endswith("\n1 to fix before this node can be metered, 2 to look at.\n")


def test_a_folder_that_cannot_be_used_is_the_only_word_about_state(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    findings = see(tmp_path, Config(state_dir=str(tmp_path / "file" / "x"), nvml=False))
    ((level, what),) = about(findings, "State")
    assert (level, "expected a folder" in what) == ("FAIL", True)
    assert about(findings, "GPUs") == [("ok", "not read (nvml = false)")]


def test_a_key_that_others_can_read_must_be_mended(tmp_path: Path, state_dir: Path) -> None:
    (state_dir / keys.KEY_FILE).chmod(0o644)
    findings = see(tmp_path, Config(state_dir=str(state_dir), nvml=False))
    assert about(findings, "State")[1][0] == "FAIL"
    assert "0644" in about(findings, "State")[1][1]


def test_a_server_that_is_gone_is_told_and_readings_wait(tmp_path: Path, state_dir: Path) -> None:
    identity = state.load_identity(state_dir)
    state.save_identity(state_dir, state.Identity("http://127.0.0.1:9", identity.node, identity.cluster))
    findings = see(tmp_path, Config(state_dir=str(state_dir), nvml=False))
    ((level, what),) = about(findings, "Server")
    assert (level, what.startswith("http://127.0.0.1:9 does not answer")) == ("FAIL", True)


def test_an_unencrypted_way_to_another_machine_is_worth_a_look(
    tmp_path: Path, state_dir: Path, server: BatchServer
) -> None:
    identity = state.load_identity(state_dir)
    port = server.url.rpartition(":")[2]
    state.save_identity(state_dir, state.Identity(f"http://0.0.0.0:{port}", identity.node, identity.cluster))
    findings = see(tmp_path, Config(state_dir=str(state_dir), nvml=False))
    assert ("warn", "the connection is not encrypted") in about(findings, "Server")


def test_a_bad_certificate_file_is_told(tmp_path: Path, state_dir: Path) -> None:
    identity = state.load_identity(state_dir)
    state.save_identity(state_dir, state.Identity("https://127.0.0.1:9", identity.node, identity.cluster))
    config = Config(state_dir=str(state_dir), nvml=False, ca_file=str(tmp_path / "absent.pem"))
    ((level, what),) = about(see(tmp_path, config), "Server")
    assert (level, what.startswith("ca_file")) == ("FAIL", True)


class WrongClock(SystemClock):
    """An hour ahead."""

    def now(self) -> datetime:
        return super().now() + timedelta(hours=1)


def test_a_wrong_clock_is_told(tmp_path: Path, state_dir: Path) -> None:
    config = Config(state_dir=str(state_dir), nvml=False)
    findings = examine(config, machine=LinuxMachine(tmp_path), clock=WrongClock(), nvml_command=[])
    (skew,) = [what for level, what in about(findings, "Server") if level == "warn"]
    assert skew.startswith("this node's clock is +36")


@pytest.mark.parametrize(
    ("play", "what", "fix"),
    [
        ("fail nvmlInitWithFlags 18", "driver_mismatch", "reboot"),
        ("fail nvmlInitWithFlags 999", "device_access_lost", "on the host"),
        ("hang nvmlInitWithFlags", "nvml_hung", "dmesg"),
    ],
)
def test_a_driver_in_trouble_is_told_with_its_fix(
    tmp_path: Path, gpu_machine: StubMachine, play: str, what: str, fix: str
) -> None:
    gpu_machine.play(play)
    # Only the child that hangs may run out of time; on a busy machine another one needs seconds to start.
    config = Config(state_dir=str(tmp_path / "state"), nvml_timeout_s=1 if what == "nvml_hung" else 30)
    (finding,) = [each for each in see(tmp_path, config, gpu_machine.command) if each.subject == "GPUs"]
    assert (finding.level, what in finding.what, fix in finding.fix) == ("FAIL", True, True)


def test_a_lost_card_and_a_missing_energy_counter_are_told(tmp_path: Path, gpu_machine: StubMachine) -> None:
    gpu_machine.play("fail nvmlDeviceGetUtilizationRates 15 3", "fail nvmlDeviceGetTotalEnergyConsumption 3 1")
    findings = about(see(tmp_path, Config(state_dir=str(tmp_path / "s")), gpu_machine.command), "GPUs")
    assert [level for level, _ in findings] == ["ok", "FAIL", "warn"]
    assert "gpu_lost" in findings[1][1]
    assert findings[2][1] == "1 without an energy counter"


@pytest.mark.parametrize(
    ("reply", "level", "what"),
    [
        (Reply(status=404), "FAIL", "http_status: 404"),
        (page("llamacpp:prompt_tokens_total NaN\n"), "FAIL", "not_a_number"),
        (page("llamacpp:prompt_tokens_total 5"), "FAIL", "truncated"),
        (page("other 5\n"), "warn", "none of its series is on the page yet"),
    ],
)
def test_an_engine_that_cannot_be_metered_is_told_with_its_fix(
    tmp_path: Path, engine: PageServer, reply: Reply, level: str, what: str
) -> None:
    engine.routes["/metrics"] = reply
    endpoint = EndpointSetting(engine.url, "llamacpp", model="m")
    config = Config(state_dir=str(tmp_path / "s"), nvml=False, endpoints=[endpoint])
    findings = [each for each in see(tmp_path, config) if each.subject == "Engines" and each.level != "ok"]
    assert (findings[0].level, what in findings[0].what) == (level, True)
    assert all(each.fix for each in findings)


def test_how_to_switch_metrics_on_is_the_fix(tmp_path: Path, engine: PageServer) -> None:
    config = Config(state_dir=str(tmp_path / "s"), nvml=False, endpoints=[EndpointSetting(engine.url, "sglang")])
    (finding,) = [each for each in see(tmp_path, config) if each.subject == "Engines"]
    assert finding.fix == "start SGLang with --enable-metrics"


def test_what_is_wrong_in_the_engines_own_version_is_told(tmp_path: Path, engine: PageServer) -> None:
    engine.routes["/metrics"] = page(recorded("ray_serve_252"))
    config = Config(state_dir=str(tmp_path / "s"), nvml=False, endpoints=[EndpointSetting(engine.url, "ray_serve")])
    (warned, read) = [each for each in see(tmp_path, config) if each.subject == "Engines"]
    assert (warned.level, warned.fix) == ("warn", "another version; see ray#59072")
    assert warned.what.endswith("2.52.0: the counters' _total is missing: the gauges are read")
    assert read.level == "ok"


def test_an_engine_without_counters_is_said_to_be_metered_by_its_gateway(tmp_path: Path, engine: PageServer) -> None:
    config = Config(state_dir=str(tmp_path / "s"), nvml=False, endpoints=[EndpointSetting(engine.url, "ollama")])
    ((level, what),) = about(see(tmp_path, config), "Engines")
    assert level == "ok"
    assert what.endswith(
        "Ollama has no page of counters. Its tokens are metered by the usage events of the gateway in front of it."
    )
    assert engine.requests == []


def test_a_wrong_mapping_or_engine_is_told(tmp_path: Path) -> None:
    config = Config(state_dir=str(tmp_path / "s"), nvml=False, endpoints=[EndpointSetting("http://h:1", "vlm")])
    ((level, what),) = about(see(tmp_path, config), "Engines")
    assert (level, "'vlm'" in what) == ("FAIL", True)


def test_an_engine_that_listens_is_found(tmp_path: Path, engine: PageServer) -> None:
    port = int(engine.url.rpartition(":")[2])
    engine.routes["/metrics"] = page(recorded("vllm"))
    proc = made_up(tmp_path / "proc", pids={300: 400}, port=port)
    (proc / "300/cmdline").write_bytes(f"vllm\0serve\0--port\0{port}\0".encode())
    findings = about(see(tmp_path, Config(state_dir=str(tmp_path / "s"), nvml=False)), "Engines")
    assert findings[0][0] == "ok"
    assert (
        about(see(tmp_path, Config(state_dir=str(tmp_path / "s"), nvml=False, discover=False)), "Engines")[0][0]
        == "warn"
    )


@pytest.mark.parametrize(("age_h", "level"), [(0.1, "ok"), (2.0, "warn"), (30.0, "FAIL")])
def test_how_full_the_spool_is(tmp_path: Path, state_dir: Path, age_h: float, level: str) -> None:
    spool = Spool(state_dir / state.SPOOL_FILE, ROOMY)
    at_ms = int(SystemClock().now().timestamp() * 1000 - age_h * 3_600_000)
    store(spool, entry(5, at_ms=at_ms), at_ms=at_ms)
    spool.close()
    ((found, what),) = about(see(tmp_path, Config(state_dir=str(state_dir), nvml=False)), "Spool")
    assert found == level
    assert f"oldest {age_h:.1f} h of 24 h" in what


def test_a_broken_spool_is_told(tmp_path: Path, state_dir: Path) -> None:
    (state_dir / state.SPOOL_FILE).write_text("no database at all, but some length")
    ((level, _),) = about(see(tmp_path, Config(state_dir=str(state_dir), nvml=False)), "Spool")
    assert level == "FAIL"


@pytest.mark.parametrize(
    ("models", "level", "words"),
    [
        (page('{"data":[{"id":"tiny"}]}'), "ok", "it serves tiny"),
        (page('{"data":[{"id":"a"},{"id":"b"}]}'), "warn", "it serves a, b; its counts are of no named model"),
        (Reply(status=404), "warn", "neither page nor engine names a model"),
        (Reply(status=503), "FAIL", "does not say what it serves, and is not read before"),
    ],
)
def test_whose_tokens_a_page_without_names_counts(
    tmp_path: Path, engine: PageServer, models: Reply, level: str, words: str
) -> None:
    engine.routes |= {"/metrics": page(recorded("llamacpp")), "/v1/models": models}
    config = Config(state_dir=str(tmp_path / "s"), nvml=False, endpoints=[EndpointSetting(engine.url, "llamacpp")])
    first, *_ = about(see(tmp_path, config), "Engines")
    assert first[0] == level
    assert words in first[1]


def test_an_engine_without_counters_is_found_and_said_so(tmp_path: Path) -> None:
    proc = made_up(tmp_path / "proc", pids={300: 400}, port=11434)
    (proc / "300/cmdline").write_bytes(b"/usr/bin/ollama\0serve\0")
    ((level, what),) = about(see(tmp_path, Config(state_dir=str(tmp_path / "s"), nvml=False)), "Engines")
    assert level == "ok"
    assert "Ollama at http://127.0.0.1:11434" in what
    assert "gateway" in what


@pytest.mark.parametrize("code", [*ALARM_FIXES, "http_413"])
def test_a_refusal_that_stands_is_told_with_its_fix(tmp_path: Path, state_dir: Path, code: str) -> None:
    spool = Spool(state_dir / state.SPOOL_FILE, ROOMY)
    spool.set_meta(ALARM_META, msgspec.json.encode(Alarm(code, "batch 1 refused: because", 0)).decode())
    spool.close()
    findings = see(tmp_path, Config(state_dir=str(state_dir), nvml=False))
    (found,) = [finding for finding in findings if "refused" in finding.what]
    assert (found.subject, found.level) == ("Spool", "FAIL")
    assert found.what == "since 1970-01-01 00:00 UTC: batch 1 refused: because"
    assert found.fix == ALARM_FIXES.get(code, OTHER_FIX)


def test_what_was_set_aside_and_a_rotation_without_an_answer_are_told(tmp_path: Path, state_dir: Path) -> None:
    spool = Spool(state_dir / state.SPOOL_FILE, ROOMY)
    store(spool, entry(5))
    seal(spool, context())
    set_aside(spool, 1, "batch_malformed", NOW)
    spool.close()
    keys.load_or_create_pending(state_dir)
    text = report(see(tmp_path, Config(state_dir=str(state_dir), nvml=False)), "n")
    assert "  warn  1 batches are set aside in spool.sqlite3, table set_aside" in text
    assert "  warn  a key rotation was begun and not answered\n        → forecourt agent rotate-key" in text


def test_settings_that_a_running_agent_refused_are_told(tmp_path: Path, state_dir: Path) -> None:
    health = {"ok": False, "settings": "interval_s: 'x'; expected a whole number"}
    status_page = StatusPage(0, health=lambda: health, metrics=str, read_now=bool, flush=str)
    status_page.start()
    with state.StateLock(state_dir):
        config = Config(state_dir=str(state_dir), nvml=False, status_port=status_page.port)
        found = about(see(tmp_path, config), "State")
        health["settings"] = "ok"
        assert about(see(tmp_path, config), "State") == found[:-1]
    status_page.close()
    assert found[-1][0] == "FAIL"
    assert "interval_s: 'x'" in found[-1][1]


def test_the_verdict_counts() -> None:
    ok, warn, fail = (Finding("S", level, "x") for level in ("ok", "warn", "FAIL"))
    assert report([ok], "n").endswith("\nThis node can be metered.\n")
    assert report([ok, warn], "n").endswith("\nThis node can be metered, 1 to look at.\n")
    assert report([fail, fail], "n").endswith("\n2 to fix before this node can be metered.\n")

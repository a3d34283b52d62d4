"""The loop under a simulated clock, with real pages, a real NVML child, a real spool and a real server."""

import socket
import threading
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from metering import deltas
from metering.agent import state
from metering.agent.clock import SystemClock, unix_ms
from metering.agent.config import Config, EndpointSetting
from metering.agent.machine import LinuxMachine
from metering.agent.run import Agent, merge, run
from metering.agent.spool import SpoolBroken, read_fill
from metering.wire import Batch, Outcome
from tests.fakes.engine_pages import PageServer, Reply, page, recorded
from tests.fakes.nvml import StubMachine
from tests.metering.agent.batch_server import BatchServer, Fault
from tests.metering.agent.simulated import START, FixedMachine, SimulatedClock
from tests.metering.agent.test_collect import llamacpp
from tests.metering.agent.test_machine import made_up

S = 1_000
NOW = unix_ms(START)


def config(state_dir: Path, engine: PageServer | None = None, **changes: object) -> Config:
    endpoints = [EndpointSetting(engine.url, "llamacpp", model="tiny")] if engine is not None else []
    fields: dict[str, object] = {
        "state_dir": str(state_dir),
        "endpoints": endpoints,
        "nvml": False,
        "discover": False,
        "status_port": 0,
        **changes,
    }
    return Config(**fields)  # type: ignore[arg-type]  # fields of one known struct


def go(settings: Config, clock: SimulatedClock, **more: object) -> bool:
    machine = more.pop("machine", FixedMachine())
    stop = threading.Event()
    return run(settings, clock=clock, stop=stop, machine=machine, **more)  # type: ignore[arg-type]  # its own names


class Working:
    """An llama.cpp whose prompt counter rises by 7 at every read."""

    def __init__(self, engine: PageServer) -> None:
        self.tokens = 0
        engine.routes["/metrics"] = self.reply

    def reply(self) -> Reply:
        self.tokens += 7
        return page(llamacpp(self.tokens, 1))


def instants(batches: list[Batch]) -> list[int]:
    return [
        at_ms
        for batch in batches
        for column in batch.registers
        if column.meter.quantity == "input"
        for at_ms in column.read_at_ms
    ]


def test_reads_are_at_the_instants_and_everything_is_shipped_at_the_end(
    state_dir: Path, engine: PageServer, server: BatchServer
) -> None:
    Working(engine)
    clock = SimulatedClock(start=START + timedelta(seconds=3), ticks=6)
    assert go(config(state_dir, engine), clock)
    # One baseline at the start, then aligned.
    assert [(at - NOW) // S for at in instants(server.batches)] == [3, 10, 20, 30, 40, 50, 60]
    assert server.values("input") == [7, 14, 21, 28, 35, 42, 49]
    assert [batch.seq for batch in server.batches] == [1, 2, 3, 4, 5, 6, 7]
    assert server.batches[-1].metered_to_ms == NOW + 60 * S
    assert read_fill(state_dir / state.SPOOL_FILE).batches == 0
    assert server.outcomes() == {}


def test_the_full_hour_is_always_read(state_dir: Path, engine: PageServer, server: BatchServer) -> None:
    Working(engine)
    clock = SimulatedClock(start=START + timedelta(minutes=59, seconds=50), ticks=4)
    go(config(state_dir, engine, interval_s=7), clock)
    assert [(at - NOW) // S for at in instants(server.batches)] == [3590, 3591, 3598, 3600, 3607]


def test_seq_is_gapless_and_epochs_stand_over_restarts_of_the_agent(
    state_dir: Path, engine: PageServer, server: BatchServer
) -> None:
    Working(engine)
    for hour in range(3):
        go(config(state_dir, engine), SimulatedClock(start=START + timedelta(hours=hour), ticks=5))
    columns = server.columns("input")
    assert len({column.epoch for column in columns}) == 1
    seqs = [seq for column in columns for seq in range(column.first_seq, column.first_seq + len(column.values))]
    assert seqs == list(range(1, 19))
    assert [batch.seq for batch in server.batches] == list(range(1, 19))


def test_an_agent_that_reads_as_it_stops_does_not_lose_the_tail(
    state_dir: Path, engine: PageServer, server: BatchServer
) -> None:
    work = Working(engine)
    clock = SimulatedClock(ticks=2)
    stop = threading.Event()

    def stopped() -> None:
        clock.instant += timedelta(seconds=4)
        work.tokens += 1_000
        stop.set()

    clock._at = {1: stopped}
    assert run(config(state_dir, engine), clock=clock, stop=stop, machine=FixedMachine())
    assert server.values("input")[-1] == work.tokens
    assert (instants(server.batches)[-1] - NOW) // S == 24


def test_an_outage_makes_larger_batches_and_loses_nothing(
    state_dir: Path, engine: PageServer, server: BatchServer
) -> None:
    work = Working(engine)
    server.always = Fault(status=503)

    def back() -> None:
        server.always = None

    clock = SimulatedClock(ticks=40, at={35: back})
    assert go(config(state_dir, engine, ship_readings=40), clock)
    assert server.values("input") == list(range(7, work.tokens + 1, 7))
    sizes = [sum(len(column.values) for column in batch.registers) for batch in server.batches]
    assert len(sizes) < 10
    assert max(sizes) >= 40


def test_a_server_that_stays_gone_leaves_everything_on_disk_for_the_next_start(
    state_dir: Path, engine: PageServer, server: BatchServer
) -> None:
    Working(engine)
    server.always = Fault(status=0)
    assert not go(config(state_dir, engine, flush_timeout_s=0), SimulatedClock(ticks=3))
    assert server.bodies == {}
    fill = read_fill(state_dir / state.SPOOL_FILE)
    assert (fill.batches > 0, fill.pending_readings) == (True, 0)
    server.always = None
    assert go(config(state_dir, engine), SimulatedClock(start=START + timedelta(hours=1), ticks=1))
    assert server.values("input") == [7, 14, 21, 28, 35, 42]


def test_a_refused_batch_is_an_outcome_of_a_later_one(state_dir: Path, engine: PageServer, server: BatchServer) -> None:
    Working(engine)
    server.faults.append(Fault(status=401, body={"code": "signature_invalid", "detail": "no"}))
    assert go(config(state_dir, engine), SimulatedClock(ticks=3))
    assert server.outcomes() == {("spool", "ship_refused"): 1}
    assert server.values("input") == [7, 14, 21, 28]


def test_an_engine_restart_is_billed_to_the_token_by_the_servers_own_rule(
    state_dir: Path, engine: PageServer, server: BatchServer
) -> None:
    """From page to delta: registers before and after a restart with a marker, folded as the server does."""
    text = (
        "# TYPE vllm:prompt_tokens_total counter\n"
        'vllm:prompt_tokens_total{{engine="0",model_name="m"}} {value}.0\n'
        'vllm:prompt_tokens_created{{engine="0",model_name="m"}} {created}\n'
    )
    born = NOW / 1_000 - 500
    reads = [(100, born), (250, born), (900, born), (40, NOW / 1_000 + 25), (90, NOW / 1_000 + 25)]
    pages = iter(reads)
    last = reads[-1]

    def serve() -> Reply:
        value, created = next(pages, last)
        return page(text.format(value=value, created=created))

    engine.routes["/metrics"] = serve
    settings = config(state_dir, endpoints=[EndpointSetting(engine.url, "vllm")])
    assert go(settings, SimulatedClock(ticks=4))
    readings = [
        deltas.RegisterReading(
            column.epoch, column.first_seq + index, value, at_ms, column.epoch_started_ms, column.epoch_proof
        )
        for column in server.columns("input")
        for index, (value, at_ms) in enumerate(zip(column.values, column.read_at_ms, strict=True))
    ]
    folded = deltas.fold(None, readings, deltas.RegisterBound(watched_since_ms=NOW))
    assert folded.total == (900 - 100) + 90
    assert [outcome.rule for _, outcome in folded.outcomes] == [
        "first_contact_baseline",
        "same_epoch_rise",
        "same_epoch_rise",
        "new_epoch_proved",
        "same_epoch_rise",
    ]


def test_an_engine_that_hangs_is_an_outcome_and_the_others_are_read(
    state_dir: Path, engine: PageServer, server: BatchServer
) -> None:
    engine.routes["/metrics"] = page(llamacpp(5))
    engine.routes["/slow/metrics"] = Reply(hang_s=60)
    endpoints = [EndpointSetting(engine.url, "llamacpp"), EndpointSetting(f"{engine.url}/slow", "llamacpp")]
    settings = config(state_dir, endpoints=endpoints, scrape_timeout_s=1)
    go(settings, SimulatedClock(ticks=1))
    assert server.values("input") == [5, 5]
    assert server.outcomes() == {("endpoint", "timeout"): 2}


def test_a_whole_node_goes_over_the_wire(
    state_dir: Path, engine: PageServer, server: BatchServer, gpu_machine: StubMachine
) -> None:
    gpu_machine.play("mig 1")
    engine.routes["/metrics"] = page(recorded("vllm"))
    settings = config(state_dir, nvml=True, endpoints=[EndpointSetting(engine.url, "vllm")])
    assert go(settings, SimulatedClock(ticks=3), nvml_command=gpu_machine.command)
    first, second = server.batches[:2]
    assert (len(first.accelerators), len(second.accelerators)) == (8, 0)
    assert [len(card.mig) for card in first.accelerators[:3]] == [0, 2, 0]
    assert [(seen.engine, seen.models) for seen in first.endpoints] == [("vllm", ["meta-llama/Llama-3.1-8B-Instruct"])]
    assert server.values("energy_mj").count(8_000_000) == 4
    utilisation = {column.accelerator[-1]: column.values for column in first.gauges if "util" in column.quantity}
    assert utilisation["0"] == [98]
    assert utilisation["1"] == [None]
    assert first.boot_id == "boot-1"
    assert first.created_at_ms == NOW
    assert first.monotonic_ms == 1_000_000_000


def test_a_full_spool_keeps_the_oldest_refuses_the_newest_and_says_so(
    state_dir: Path, engine: PageServer, server: BatchServer
) -> None:
    Working(engine)
    server.always = Fault(status=503)
    settings = config(state_dir, engine, spool_hours_max=1, interval_s=300, flush_timeout_s=0)
    go(settings, SimulatedClock(ticks=24))
    server.always = None
    go(settings, SimulatedClock(start=START + timedelta(hours=3), ticks=1))
    # 13 ticks fit the hour; later ones were refused until there was room again.
    assert [(at - NOW) // (300 * S) for at in instants(server.batches)][:13] == list(range(13))
    assert server.outcomes()[("spool", "spool_full")] >= 12
    assert server.batches[-1].metered_to_ms == NOW + 10_800 * S + 300 * S


@pytest.mark.parametrize(("hours", "told"), [(-1, "-3597.0 s, to "), (7, "+25203.0 s, to ")])
def test_a_clock_that_jumps_is_told_and_reads_stay_aligned_and_ordered(
    state_dir: Path, engine: PageServer, server: BatchServer, hours: int, told: str
) -> None:
    Working(engine)
    clock = SimulatedClock(ticks=6)
    clock._at = {2: lambda: clock.jump(timedelta(hours=hours, seconds=3))}
    assert go(config(state_dir, engine), clock)
    (jump,) = [outcome for batch in server.batches for outcome in batch.outcomes]
    assert (jump.subject, jump.reason, jump.count) == ("spool", "clock_jump", 1)
    assert jump.detail.startswith(told)
    values = server.values("input")
    assert values == list(range(7, 7 * len(values) + 1, 7))
    for column in server.columns("input"):
        assert column.read_at_ms == sorted(column.read_at_ms)
    # A clock that went forward is past its instant and reads at once; then at the instants of the new time.
    assert sum(at // S % 10 != 0 for at in instants(server.batches)) == (hours > 0)


def test_the_same_instant_is_read_once(state_dir: Path, engine: PageServer, server: BatchServer) -> None:
    Working(engine)
    go(config(state_dir, engine), SimulatedClock(ticks=0))
    assert server.values("input") == [7]


def test_a_spool_that_cannot_be_written_is_told_when_it_can_again(
    state_dir: Path, engine: PageServer, server: BatchServer
) -> None:
    Working(engine)
    agent = an_agent(config(state_dir, engine), SimulatedClock(ticks=0))
    store = agent._spool.store
    broken = [True, True]

    def failing(**fields: object) -> bool:
        if broken:
            broken.pop()
            raise SpoolBroken("disk is full")
        return store(**fields)  # type: ignore[arg-type]  # passed through

    agent._spool.store = failing  # type: ignore[method-assign]  # a disk that fails twice
    clock = agent._clock
    assert isinstance(clock, SimulatedClock)
    results = []
    for _ in range(3):
        results.append(agent.read_once())
        clock.instant += timedelta(seconds=10)
    assert results == [False, False, True]
    assert not agent.progress.refused_ticks
    assert agent.run(threading.Event())
    assert server.outcomes() == {("spool", "spool_broken"): 2}
    assert server.values("input")[0] == 21


def an_agent(settings: Config, clock: SimulatedClock) -> Agent:
    return Agent(settings, clock=clock, ship_clock=SystemClock(), nvml_command=None, machine=FixedMachine())


def test_outcomes_that_wait_for_a_disk_are_counted_together() -> None:
    one = Outcome("endpoint", "e", 5, "timeout", "first", 2)
    other = Outcome("spool", "", 5, "spool_broken", "", 1)
    last = Outcome("endpoint", "e", 9, "timeout", "last", 3)
    assert merge([one, other, last]) == [Outcome("endpoint", "e", 9, "timeout", "last", 5), other]


def test_the_status_page_shows_the_loop_and_reads_on_demand(
    state_dir: Path, engine: PageServer, server: BatchServer
) -> None:
    Working(engine)
    answers: list[httpx.Response] = []
    clock = SimulatedClock(ticks=3)
    agent = an_agent(config(state_dir, engine, status_port=free_port()), clock)
    url = f"http://127.0.0.1:{agent._config.status_port}"

    def look() -> None:
        answers.extend([httpx.get(f"{url}/healthz"), httpx.get(f"{url}/metrics")])
        clock.instant += timedelta(seconds=2)
        answers.append(httpx.post(f"{url}/read"))

    clock._at = {1: look}
    assert agent.run(threading.Event()) or clock.slept
    health, metrics, read = answers
    assert health.status_code == 200
    assert (health.json()["ok"], health.json()["shipping"]) == (True, "ok")
    assert "forecourt_agent_ticks_total 2\n" in metrics.text
    assert read.status_code == 200
    assert NOW + 22 * S in instants(server.batches)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def test_health_fails_when_the_server_refuses_or_reads_stop(
    state_dir: Path, engine: PageServer, server: BatchServer
) -> None:
    Working(engine)
    agent = an_agent(config(state_dir, engine), SimulatedClock(ticks=1))
    assert agent.health()["ok"] is True
    agent._shipper.status.alarm = agent._shipper.status.alarm_detail = "node_revoked"
    assert (agent.health()["ok"], agent.health()["shipping"]) == (False, "node_revoked")
    assert 'forecourt_agent_ship_alarm{code="node_revoked"} 1\n' in agent.metrics()
    agent._shipper.status.alarm = ""
    agent.progress.at_s -= 1_000
    assert agent.health()["ok"] is False
    agent._close(None)


def test_engines_are_discovered_and_dropped_with_their_process(
    state_dir: Path, engine: PageServer, server: BatchServer, tmp_path: Path
) -> None:
    port = int(engine.url.rpartition(":")[2])
    engine.routes["/metrics"] = page(recorded("vllm"))
    proc = made_up(tmp_path / "proc", pids={300: 400}, port=port)
    (proc / "300/cmdline").write_bytes(f"vllm\0serve\0m\0--port\0{port}\0".encode())

    def gone() -> None:
        (proc / "net/tcp").write_text("")

    clock = SimulatedClock(ticks=14, at={2: gone})
    assert go(config(state_dir, discover=True), clock, machine=LinuxMachine(proc))
    assert server.batches[0].endpoints[0].url == engine.url
    (last,) = [instants(server.batches)[-1]]
    # Looked for once a minute.
    assert (last - NOW) // S == 50
    assert server.columns("input")[0].epoch_proof == "created"

"""One tick over real pages and real NVML children: what goes to the spool and what is remembered."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from metering.agent.clock import SystemClock
from metering.agent.collect import Collector
from metering.agent.config import EndpointSetting
from metering.agent.engines import load_mappings
from metering.agent.epochs import MeterState
from metering.agent.machine import EngineProcess
from metering.agent.nvml import NvmlReader
from metering.agent.scrape import Scraper, http_client
from metering.agent.spool import RegisterEntry, key_text
from metering.agent.tick import Memory, Tick
from tests.fakes.engine_pages import PageServer, Reply, page, recorded
from tests.metering.agent.simulated import START, FixedMachine

NOW = int(START.timestamp() * 1000)
S = 1_000
# No test here waits for it to run out: a busy machine may take long over a page.
SCRAPE_TIMEOUT_S = 60
PROCESS = EngineProcess(100, 5000, NOW - 3_600 * S, "", "llama-server")


class World:
    """A collector with everything around it."""

    def __init__(self, engine: PageServer, nvml: NvmlReader | None) -> None:
        self.engine = engine
        self.machine = FixedMachine()
        self.client = http_client([], "", trust_env=False)
        self.nvml = nvml
        self.collector = self.make({}, Memory())
        self.kept: list[Tick] = []

    def make(self, states: dict[str, MeterState], memory: Memory) -> Collector:
        return Collector(
            machine=self.machine,
            mappings=load_mappings(),
            scraper=Scraper(self.client, SystemClock(), SCRAPE_TIMEOUT_S),
            nvml=self.nvml,
            states=states,
            memory=memory,
        )

    def watch(self, kind: str, model: str | None = None) -> None:
        self.collector.watch([EndpointSetting(self.engine.url, kind, model=model)])

    def serve(self, text: str, **headers: str) -> None:
        self.engine.routes["/metrics"] = page(text, **headers)

    def tick(self, after_s: int) -> Tick:
        """Read and keep, as if it had been stored."""
        tick = self.collector.read(NOW + after_s * S)
        self.collector.keep(tick)
        self.kept.append(tick)
        return tick

    def restart_agent(self, kind: str) -> None:
        """Another collector with what the spool would give it."""
        states = {key_text(entry.key): entry.state for tick in self.kept for entry in tick.registers}
        self.collector = self.make(states, self.kept[-1].memory)
        self.watch(kind)


@pytest.fixture
def world(engine: PageServer) -> Iterator[World]:
    world = World(engine, None)
    yield world
    world.client.close()


def value(tick: Tick, quantity: str) -> int | None:
    return the(tick, quantity).value


def the(tick: Tick, quantity: str) -> RegisterEntry:
    (entry,) = [entry for entry in tick.registers if entry.key.quantity == quantity]
    return entry


def reasons(tick: Tick) -> list[tuple[str, str]]:
    return [(outcome.subject, outcome.reason) for outcome in tick.outcomes]


def llamacpp(prompt: int, output: int = 0) -> str:
    return f"llamacpp:prompt_tokens_total {prompt}\nllamacpp:tokens_predicted_total {output}\n"


def test_a_page_becomes_readings_stamped_with_the_tick(world: World) -> None:
    world.watch("vllm")
    world.serve(recorded("vllm"))
    tick = world.tick(0)
    assert {entry.key.quantity: entry.value for entry in tick.registers} == {
        "input": 123_456,
        "output": 65_432,
        "cached_input": 40_960,
        "requests": 330,
        "finished_input": 740,
        "finished_output": 370,
    }
    assert {entry.read_at_ms for entry in tick.registers} == {NOW}
    assert {(entry.state.started_ms, entry.state.proof) for entry in tick.registers} == {(1_795_323_219_012, "created")}
    assert tick.outcomes == []
    (seen,) = world.collector.endpoints.values()
    assert (seen.url, seen.engine, seen.models) == (world.engine.url, "vllm", ["meta-llama/Llama-3.1-8B-Instruct"])


def test_created_is_trusted_before_the_process_and_the_page_before_the_machine(world: World) -> None:
    lines = recorded("vllm").splitlines(keepends=True)
    without_created = [line for line in lines if "_created" not in line]
    without_both = [line for line in without_created if "process_" not in line]
    world.machine.processes[world.engine.url] = PROCESS
    proofs = []
    for page_lines in (lines, without_created, without_both):
        world.collector = world.make({}, Memory())
        world.watch("vllm")
        world.serve("".join(page_lines))
        state = the(world.tick(0), "input").state
        proofs.append((state.started_ms, state.proof))
    assert proofs == [(1_795_323_219_012, "created"), (1_795_323_207_160, "process"), (None, "none")]


def test_a_new_process_proves_a_reset_where_registers_live_in_memory_only(world: World) -> None:
    world.watch("llamacpp", "tiny")
    world.machine.processes[world.engine.url] = PROCESS
    world.serve(llamacpp(500))
    first = the(world.tick(0), "input")
    world.machine.processes[world.engine.url] = replace(PROCESS, pid=101, started_at_ms=NOW + 5 * S)
    world.serve(llamacpp(600))
    second = the(world.tick(10), "input")
    assert second.state.epoch != first.state.epoch
    assert (second.value, second.state.started_ms, second.state.proof) == (600, NOW + 5 * S, "process")


def test_a_new_process_proves_nothing_where_a_folder_of_counters_can_outlive_it(world: World) -> None:
    world.watch("sglang")
    world.machine.processes[world.engine.url] = PROCESS
    world.serve(recorded("sglang"))
    first = the(world.tick(0), "input")
    world.machine.processes[world.engine.url] = replace(PROCESS, pid=101, started_at_ms=NOW + 5 * S)
    second = the(world.tick(10), "input")
    assert second.state.epoch != first.state.epoch
    assert second.state.proof == "none"


def test_a_start_in_the_future_is_a_wrong_clock_and_no_proof(world: World) -> None:
    world.watch("llamacpp")
    world.machine.processes[world.engine.url] = replace(PROCESS, started_at_ms=NOW + 60 * S)
    world.serve(llamacpp(500))
    assert the(world.tick(0), "input").state.proof == "none"


def test_a_header_that_changes_opens_an_epoch(world: World) -> None:
    world.watch("llamacpp")
    world.serve(llamacpp(500), Process_Start_Time_Unix="1")
    first = the(world.tick(0), "input").state.epoch
    assert the(world.tick(10), "input").state.epoch == first
    world.serve(llamacpp(900), Process_Start_Time_Unix="2")
    assert the(world.tick(20), "input").state.epoch != first


def test_a_page_read_while_the_engine_was_replaced_is_nobodys(world: World) -> None:
    world.watch("llamacpp")
    url = world.engine.url
    world.machine.processes[url] = PROCESS

    def replaced() -> Reply:
        world.machine.processes[url] = replace(PROCESS, pid=101)
        return page(llamacpp(500))

    world.engine.routes["/metrics"] = replaced
    tick = world.tick(0)
    assert (tick.registers, reasons(tick)) == ([], [("endpoint", "engine_restarting")])
    assert value(world.tick(10), "input") == 500


def test_six_significant_digits_count_the_least_that_they_stand_for_and_are_told_once(world: World) -> None:
    world.watch("llamacpp")
    world.serve(recorded("llamacpp"))
    tick = world.tick(0)
    assert value(tick, "input") == 3_214_565 + 812
    assert [(outcome.reason, outcome.detail) for outcome in tick.outcomes] == [
        ("coarse_register", "input: the page shows it to within 10, the least is counted")
    ]
    assert reasons(world.tick(10)) == []
    world.serve(recorded("llamacpp").replace("3.21457e+06", "1.00000e+07"))
    assert reasons(world.tick(20)) == [("endpoint", "coarse_register")]


def test_a_fall_inside_a_process_is_told_and_opens_an_epoch(world: World) -> None:
    world.machine.processes[world.engine.url] = PROCESS
    world.watch("llamacpp")
    world.serve(llamacpp(500, 50))
    first = world.tick(0)
    world.serve(llamacpp(20, 60))
    second = world.tick(10)
    assert reasons(second) == [("endpoint", "register_fell")]
    assert the(second, "input").state.epoch != the(first, "input").state.epoch
    assert the(second, "output").state.epoch == the(first, "output").state.epoch


def test_a_series_that_vanishes_is_told_once_and_its_return_is_a_new_epoch(world: World) -> None:
    world.watch("llamacpp")
    world.serve(llamacpp(500, 50))
    first = world.tick(0)
    world.serve("llamacpp:prompt_tokens_total 600\n")
    gone = world.tick(10)
    assert reasons(gone) == [("endpoint", "series_vanished")]
    assert the(gone, "output").value is None
    assert reasons(world.tick(20)) == []
    world.serve(llamacpp(600, 70))
    back = world.tick(30)
    assert reasons(back) == [("endpoint", "series_returned")]
    assert the(back, "output").state.epoch != the(first, "output").state.epoch


def test_a_quantity_that_cannot_be_read_is_unknown_not_gone(world: World) -> None:
    world.watch("llamacpp")
    world.serve(llamacpp(500, 50))
    first = world.tick(0)
    world.serve("llamacpp:prompt_tokens_total 600\nllamacpp:tokens_predicted_total NaN\n")
    assert reasons(world.tick(10)) == [("endpoint", "not_a_number")]
    world.serve(llamacpp(600, 70))
    back = world.tick(20)
    assert reasons(back) == []
    assert the(back, "output").state.epoch == the(first, "output").state.epoch


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (Reply(status=500), "http_status"),
        (Reply(body=b"llamacpp:prompt_tokens_total 6"), "truncated"),
        (Reply(body=b"something_else 6\n"), "no_known_series"),
    ],
)
def test_a_page_that_fails_is_an_outcome_and_the_epoch_goes_on(world: World, reply: Reply, reason: str) -> None:
    world.watch("llamacpp")
    world.serve(llamacpp(500, 50))
    first = world.tick(0)
    world.engine.routes["/metrics"] = reply
    tick = world.tick(10)
    assert ("endpoint", reason) in reasons(tick)
    world.serve(llamacpp(700, 50))
    if reason != "no_known_series":
        assert the(world.tick(20), "input").state.epoch == the(first, "input").state.epoch


def test_a_counter_that_appears_on_a_watched_page_is_counted_from_its_first_token(world: World) -> None:
    """SGLang shows a counter after its first request; the tokens of that request must not be lost."""
    world.watch("sglang")
    world.serve("# TYPE sglang:gen_throughput gauge\nsglang:gen_throughput 0\n")
    assert reasons(world.tick(0)) == [("endpoint", "no_known_series")]
    world.serve(recorded("sglang"))
    entry = the(world.tick(10), "input")
    assert (entry.value, entry.state.started_ms, entry.state.proof) == (1_250, NOW, "created")


def test_the_watch_goes_on_over_a_restart_of_the_agent(world: World) -> None:
    world.watch("sglang")
    world.serve("sglang:gen_throughput 0\n")
    world.tick(0)
    world.restart_agent("sglang")
    world.serve(recorded("sglang"))
    assert the(world.tick(10), "input").state.started_ms == NOW


def test_a_page_first_read_another_way_proves_nothing_of_what_was_there(world: World) -> None:
    """A model named only now, or another mapping, makes new meters of old counters: they must not count whole."""
    world.watch("llamacpp")
    world.serve(llamacpp(500_000))
    world.tick(0)
    world.watch("llamacpp", "tiny")
    named = [entry for entry in world.tick(10).registers if entry.key.model == "tiny"]
    assert {(entry.key.quantity, entry.state.proof) for entry in named} == {("input", "none"), ("output", "none")}


def test_a_page_with_a_fault_proves_no_absence(world: World) -> None:
    world.watch("llamacpp")
    world.serve("llamacpp:tokens_predicted_total NaN\n")
    world.tick(0)
    world.serve(llamacpp(5, 50))
    assert the(world.tick(10), "output").state.proof == "none"


def test_nothing_is_remembered_that_was_not_kept(world: World) -> None:
    world.machine.processes[world.engine.url] = PROCESS
    world.watch("llamacpp")
    world.serve(llamacpp(500))
    world.tick(0)
    world.serve(llamacpp(100))
    lost = world.collector.read(NOW + 10 * S)
    assert reasons(lost) == [("endpoint", "register_fell")]
    again = world.tick(20)
    assert reasons(again) == [("endpoint", "register_fell")]
    assert the(again, "input").state.epoch == the(lost, "input").state.epoch


def test_a_restart_of_the_agent_goes_on_in_the_same_epoch(world: World) -> None:
    world.watch("llamacpp")
    world.serve(llamacpp(500))
    first = the(world.tick(0), "input").state.epoch
    world.restart_agent("llamacpp")
    assert the(world.tick(10), "input").state.epoch == first


def test_endpoints_no_longer_watched_are_not_read(world: World) -> None:
    world.watch("llamacpp")
    world.serve(llamacpp(5))
    world.tick(0)
    world.collector.watch([])
    tick = world.tick(10)
    assert (tick.registers, tick.outcomes, world.collector.endpoints) == ([], [], {})


def test_a_configured_model_is_known_before_the_first_page(world: World) -> None:
    world.watch("llamacpp", "tiny")
    world.engine.routes["/metrics"] = Reply(status=503)
    world.tick(0)
    (seen,) = world.collector.endpoints.values()
    assert seen.models == ["tiny"]

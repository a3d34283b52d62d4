"""Which endpoints are read: found by their processes, named by what they serve, followed when they change."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from metering.agent.clock import SystemClock
from metering.agent.config import Config, EndpointSetting
from metering.agent.engines import load_mappings
from metering.agent.finder import DISCOVER_MS, SLOW_RETRY_MS, Finder
from metering.agent.machine import EngineProcess, LinuxMachine, Machine
from tests.fakes.engine_pages import PageServer, Reply, page, recorded
from tests.metering.agent.simulated import FixedMachine
from tests.metering.agent.test_machine import made_up

MAPPINGS = load_mappings()
MODELS = '{"data":[{"id":"%s"}]}'


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    with httpx.Client() as client:
        yield client


def finder(config: Config, client: httpx.Client, machine: Machine | None = None) -> Finder:
    return Finder(config, MAPPINGS, machine or FixedMachine(), client, SystemClock())


def test_a_page_without_a_name_waits_until_the_engine_says_what_it_serves(
    client: httpx.Client, engine: PageServer
) -> None:
    engine.routes["/v1/models"] = Reply(status=503)
    here = finder(Config(endpoints=[EndpointSetting(engine.url, "llamacpp")]), client)
    found = here.look(0)
    assert (found.settings, found.unnamed) == ([], [engine.url])
    engine.routes["/v1/models"] = page(MODELS % "tiny")
    assert here.look(1).settings == [EndpointSetting(engine.url, "llamacpp", model="tiny")]
    # Its process cannot be seen here, so it is asked again in a minute; what it said stands while it does not answer.
    engine.routes["/v1/models"] = Reply(status=503)
    for at_ms in (2, DISCOVER_MS + 2, DISCOVER_MS + 4):
        assert here.look(at_ms).settings == [EndpointSetting(engine.url, "llamacpp", model="tiny")]
    engine.routes["/v1/models"] = page(MODELS % "other")
    assert here.look(DISCOVER_MS + 6).settings == [EndpointSetting(engine.url, "llamacpp", model="other")]


def test_an_engine_that_hangs_is_not_asked_at_every_read(client: httpx.Client, engine: PageServer) -> None:
    here = finder(Config(endpoints=[EndpointSetting(engine.url, "llamacpp")]), client)
    engine.routes["/v1/models"] = Reply(hang_s=60)
    assert here.look(0).unnamed == [engine.url]
    engine.routes["/v1/models"] = page(MODELS % "tiny")
    assert here.look(SLOW_RETRY_MS - 1).unnamed == [engine.url]
    assert here.look(SLOW_RETRY_MS).settings[0].model == "tiny"


def test_another_life_of_the_engine_may_serve_another_model(client: httpx.Client, engine: PageServer) -> None:
    machine = FixedMachine()
    machine.processes[engine.url] = EngineProcess(7, 100, 0, "", "llama-server")
    here = finder(Config(endpoints=[EndpointSetting(engine.url, "llamacpp")]), client, machine)
    engine.routes["/v1/models"] = page(MODELS % "first")
    assert here.look(0).settings[0].model == "first"
    engine.routes["/v1/models"] = page(MODELS % "second")
    assert here.look(1).settings[0].model == "first"
    machine.processes[engine.url] = EngineProcess(8, 200, 0, "", "llama-server")
    assert here.look(2).settings[0].model == "second"


def test_a_configured_name_and_a_page_with_names_ask_nothing(client: httpx.Client) -> None:
    gone = "http://127.0.0.1:9"
    settings = [EndpointSetting(gone, "llamacpp", model="mine"), EndpointSetting(f"{gone}/x", "vllm")]
    found = finder(Config(endpoints=settings), client).look(0)
    assert (found.settings, found.unnamed) == (settings, [])


def test_what_listens_is_looked_for_again_once_a_minute(client: httpx.Client, tmp_path: Path) -> None:
    machine = LinuxMachine(made_up(tmp_path, pids={300: 400}, port=8000))
    here = finder(Config(), client, machine)
    assert here.look(0).settings == [EndpointSetting("http://127.0.0.1:8000", "vllm")]
    (tmp_path / "net/tcp").write_text("")
    assert len(here.look(DISCOVER_MS - 1).settings) == 1
    assert here.look(DISCOVER_MS).settings == []
    made_up(tmp_path, pids={300: 400}, port=8000)
    # A clock that was set back looks at once.
    assert len(here.look(5).settings) == 1


def test_an_engine_under_another_name_is_known_by_its_page_where_that_is_allowed(
    client: httpx.Client, engine: PageServer, tmp_path: Path
) -> None:
    port = int(engine.url.rpartition(":")[2])
    proc = made_up(tmp_path, pids={300: 400}, port=port)
    (proc / "300/cmdline").write_bytes(b"/opt/start-my-model\0")
    engine.routes["/metrics"] = page(recorded("vllm"))
    machine = LinuxMachine(proc)
    assert finder(Config(), client, machine).look(0).settings == []
    probing = finder(Config(discover_probe=True), client, machine)
    assert probing.look(0).settings == [EndpointSetting(engine.url, "vllm")]
    # Read once in the process's life.
    engine.routes["/metrics"] = Reply(status=500)
    assert len(probing.look(DISCOVER_MS).settings) == 1


@pytest.mark.parametrize("command_line", [b"python3\0trtllm-serve-wrapper\0", b"tritonserver-start\0"])
def test_a_page_whose_reading_takes_something_away_is_never_probed(
    client: httpx.Client, engine: PageServer, tmp_path: Path, command_line: bytes
) -> None:
    proc = made_up(tmp_path, pids={300: 400}, port=int(engine.url.rpartition(":")[2]))
    (proc / "300/cmdline").write_bytes(command_line)
    asked: list[bool] = []

    def reading() -> Reply:
        asked.append(True)
        return page(recorded("vllm"))

    engine.routes["/metrics"] = reading
    assert finder(Config(discover_probe=True), client, LinuxMachine(proc)).look(0).settings == []
    assert asked == []

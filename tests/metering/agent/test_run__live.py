"""What happens to a running agent: new settings, an engine that comes and goes, a day without its server."""

import threading
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from metering.agent.clock import SystemClock
from metering.agent.config import Config, ConfigError, EndpointSetting
from metering.agent.run import Agent
from tests.fakes.engine_pages import PageServer, Reply, page
from tests.metering.agent.batch_server import BatchServer, Fault
from tests.metering.agent.simulated import FixedMachine, SimulatedClock
from tests.metering.agent.test_collect import llamacpp
from tests.metering.agent.test_run import NOW, S, Working, config, go, instants


class Settings:
    """What a changed file would give at the next look."""

    def __init__(self) -> None:
        self.next: Config | Exception | None = None

    def look(self) -> Config | None:
        found, self.next = self.next, None
        if isinstance(found, Exception):
            raise found
        return found


def test_changed_settings_are_used_and_wrong_ones_change_nothing(
    state_dir: Path, engine: PageServer, server: BatchServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    Working(engine)
    engine.routes["/other/metrics"] = page(llamacpp(1_000, 1))
    settings, before = Settings(), config(state_dir, engine)
    both = [*before.endpoints, EndpointSetting(f"{engine.url}/other", "llamacpp", model="other")]
    healths: list[object] = []
    agents: list[Agent] = []

    def change(to: Config | Exception) -> Callable[[], None]:
        def at() -> None:
            healths.append(agents[0].health()["settings"])
            settings.next = to

        return at

    unknown = msgspec.structs.replace(before, endpoints=[EndpointSetting(engine.url, "nonesuch")])
    good = msgspec.structs.replace(before, endpoints=both, interval_s=5, status_port=1)
    clock = SimulatedClock(
        ticks=5, at={0: change(ConfigError("interval_s", "'x'", "a number")), 1: change(unknown), 2: change(good)}
    )
    agents.append(
        Agent(
            before,
            clock=clock,
            ship_clock=SystemClock(),
            nvml_command=None,
            machine=FixedMachine(),
            reload=settings.look,
        )
    )
    stop = threading.Event()
    assert agents[0].run(stop)
    assert healths[0] == "ok"
    assert "interval_s" in str(healths[1])
    assert "nonesuch" in str(healths[2])
    assert (agents[0].health()["settings"], agents[0].progress.reloads) == ("ok", 1)
    assert "status_port at the next start" in caplog.text
    assert sorted((at - NOW) // S for at in instants(server.batches)) == [0, 10, 20, 30, 35, 35, 40, 40]
    assert {column.meter.model for column in server.columns("input")} == {"tiny", "other"}


def test_an_engine_that_goes_down_and_comes_back_is_logged_once_each(
    state_dir: Path, engine: PageServer, server: BatchServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    up = page(llamacpp(5))
    engine.routes["/metrics"] = up

    def down() -> None:
        engine.routes["/metrics"] = Reply(status=500)

    def back() -> None:
        engine.routes["/metrics"] = up

    go(config(state_dir, engine), SimulatedClock(ticks=7, at={1: down, 4: back}))
    assert [line for line in caplog.messages if engine.url in line and "llamacpp at" in line] == [
        f"llamacpp at {engine.url} cannot be read: http_status: 500",
        f"llamacpp at {engine.url} is read again",
    ]


def test_a_day_without_the_server_loses_nothing_and_is_shipped_in_order(
    state_dir: Path, engine: PageServer, server: BatchServer
) -> None:
    """24 hours at 5 minutes: every reading waits on disk, then goes out in order."""
    work = Working(engine)
    server.always = Fault(status=0)

    def back() -> None:
        server.always = None

    settings = config(state_dir, engine, interval_s=300, ship_readings=100, ship_batches_per_s=1_000)
    assert go(settings, SimulatedClock(ticks=288, at={286: back}))
    assert server.values("input") == list(range(7, work.tokens + 1, 7))
    assert [batch.seq for batch in server.batches] == list(range(1, len(server.batches) + 1))
    assert len(instants(server.batches)) == 289
    assert server.outcomes() == {}


def test_an_outcome_of_one_series_is_not_a_page_that_cannot_be_read(
    state_dir: Path, engine: PageServer, server: BatchServer
) -> None:
    engine.routes["/metrics"] = page(llamacpp(3_214_570))
    agent = Agent(
        config(state_dir, engine),
        clock=SimulatedClock(ticks=1),
        ship_clock=SystemClock(),
        nvml_command=None,
        machine=FixedMachine(),
    )
    assert agent.run(threading.Event())
    assert server.outcomes() == {("endpoint", "coarse_register"): 1}
    assert agent.progress.endpoints_up == {(engine.url, "llamacpp"): True}
    assert f'forecourt_agent_endpoint_up{{url="{engine.url}",engine="llamacpp"}} 1\n' in agent.metrics()

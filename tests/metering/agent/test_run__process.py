"""Real agent processes: killed, stopped, started twice, and without Django."""

import os
import resource
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from metering.agent import state
from tests.fakes.engine_pages import PageServer, Reply, page
from tests.fakes.nvml import StubMachine
from tests.metering.agent.batch_server import BatchServer, Fault
from tests.metering.agent.test_collect import llamacpp
from tests.plugins.measured_processes import measured

ROOT = Path(__file__).parents[3]


class Running:
    """Starts agents on one folder and ends them all at last."""

    def __init__(self, folder: Path, engine: PageServer, machine: StubMachine) -> None:
        self.folder = folder
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("FORECOURT_")},
            **measured(),
            **machine.environment,
            "PYTHONPATH": str(ROOT),
            "FORECOURT_AGENT_STATE_DIR": str(folder),
            "FORECOURT_AGENT_ENDPOINTS": f"llamacpp={engine.url}",
            "FORECOURT_AGENT_INTERVAL_S": "1",
            "FORECOURT_AGENT_SHIP_INTERVAL_S": "1",
            "FORECOURT_AGENT_STATUS_PORT": "0",
            "FORECOURT_AGENT_FLUSH_TIMEOUT_S": "10",
        }
        self.agents: list[subprocess.Popen[str]] = []

    def start(self) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "metering.agent", "run"]
        agent = subprocess.Popen(command, env=self.environment, stderr=subprocess.PIPE, text=True)
        self.agents.append(agent)
        return agent

    def end(self) -> None:
        for agent in [agent for agent in self.agents if agent.returncode is None]:
            agent.kill()
            agent.communicate()


@pytest.fixture
def running(state_dir: Path, engine: PageServer, gpu_machine: StubMachine) -> Iterator[Running]:
    running = Running(state_dir, engine, gpu_machine)
    yield running
    running.end()


@pytest.fixture
def counter(engine: PageServer) -> list[int]:
    """What the engine showed at each read."""
    shown: list[int] = []

    def serve() -> Reply:
        shown.append(len(shown) * 7)
        return page(llamacpp(shown[-1]))

    engine.routes["/metrics"] = serve
    return shown


def wait_for(condition: Callable[[], bool]) -> None:
    for _ in range(9_000):
        if condition():
            return
        time.sleep(0.01)
    pytest.fail("it did not come to pass")


def spooled(folder: Path) -> tuple[list[bytes], list[int]]:
    """Sealed bodies and pending prompt values on disk."""
    db = sqlite3.connect(folder / state.SPOOL_FILE)
    try:
        bodies = [row[0] for row in db.execute("SELECT body FROM batches ORDER BY seq")]
        pending = [row[0] for row in db.execute("SELECT value FROM readings ORDER BY id")]
        return bodies, pending
    finally:
        db.close()


def seqs(server: BatchServer, quantity: str) -> list[int]:
    return [
        seq
        for column in server.columns(quantity)
        for seq in range(column.first_seq, column.first_seq + len(column.values))
    ]


def test_killed_at_any_time_it_goes_on_with_the_same_bytes_and_a_gapless_seq(
    running: Running, server: BatchServer, counter: list[int]
) -> None:
    server.always = Fault(status=503)
    for _ in range(3):
        before = len(counter)
        agent = running.start()
        wait_for(lambda before=before: len(counter) >= before + 3)  # type: ignore[misc]  # bound to this round
        agent.send_signal(signal.SIGKILL)
        agent.communicate()
    sealed_before, _ = spooled(running.folder)
    assert sealed_before
    server.received.clear()
    server.always = None
    agent = running.start()
    wait_for(lambda: len(server.bodies) > len(sealed_before))
    agent.send_signal(signal.SIGTERM)
    _, log = agent.communicate(timeout=30)
    assert agent.returncode == 0, log
    # The bytes that lay on disk were sent as they lay.
    assert [server.bodies[seq] for seq in range(1, len(sealed_before) + 1)] == sealed_before
    assert server.received[0] == sealed_before[0]
    # Readings of a tick that was cut off before its commit are gone, with no gap and no repetition.
    values = server.values("input")
    assert seqs(server, "input") == list(range(1, len(values) + 1))
    assert values == sorted(set(values))
    assert set(values) <= set(counter)
    assert len(set(counter) - set(values)) <= 3
    assert values[-1] == counter[-1]
    assert len({column.epoch for column in server.columns("input")}) == 1
    assert spooled(running.folder) == ([], [])


def test_killed_between_the_commit_and_its_answer_nothing_is_doubled(
    running: Running, server: BatchServer, counter: list[int]
) -> None:
    server.always = Fault(status=0, commit=True)
    agent = running.start()
    wait_for(lambda: bool(server.bodies))
    agent.send_signal(signal.SIGKILL)
    agent.communicate()
    server.always = None
    agent = running.start()
    wait_for(lambda: len(server.bodies) >= 3)
    agent.send_signal(signal.SIGTERM)
    agent.communicate(timeout=30)
    assert agent.returncode == 0
    assert seqs(server, "input") == list(range(1, len(server.values("input")) + 1))
    assert spooled(running.folder) == ([], [])


def test_a_stop_reads_once_more_seals_ships_and_leaves_no_child(
    running: Running, server: BatchServer, counter: list[int]
) -> None:
    agent = running.start()
    wait_for(lambda: len(server.bodies) >= 2)
    children = Path(f"/proc/{agent.pid}/task/{agent.pid}/children").read_text().split()
    assert len(children) == 1
    agent.send_signal(signal.SIGTERM)
    _, log = agent.communicate(timeout=30)
    assert (agent.returncode, "everything is shipped" in log) == (0, True)
    assert server.values("input")[-1] == counter[-1]
    assert len(server.values("energy_mj")) >= 16
    assert not Path(f"/proc/{children[0]}").exists()


def test_a_second_agent_on_the_folder_is_refused(running: Running, server: BatchServer, counter: list[int]) -> None:
    first = running.start()
    wait_for(lambda: bool(server.bodies))
    second = running.start()
    _, log = second.communicate(timeout=30)
    assert second.returncode == 1
    assert f"an agent (process {first.pid}) already runs" in log


def test_it_imports_and_runs_with_django_blocked() -> None:
    program = (
        "import sys\n"
        "for name in ('django', 'rest_framework', 'celery', 'forecourt', 'billing', 'clusters', 'tenants'):\n"
        "    sys.modules[name] = None\n"
        "import importlib, pathlib, metering.agent\n"
        "for path in pathlib.Path(metering.agent.__file__).parent.glob('*.py'):\n"
        "    if path.stem not in ('__init__', '__main__'):\n"
        "        importlib.import_module(f'metering.agent.{path.stem}')\n"
        "from metering.agent.command import main\n"
        "sys.exit(main(['doctor', '--state-dir', sys.argv[1]]))\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", program, "/proc/nowhere"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1
    assert "Forecourt agent" in done.stdout
    assert done.stderr == ""


def test_a_full_disk_costs_resolution_and_no_token(running: Running, server: BatchServer, counter: list[int]) -> None:
    """Its file may not grow any more, as on a full disk; later it may again."""
    agent = running.start()
    wait_for(lambda: len(server.bodies) >= 2)
    server.always = Fault(status=503)
    resource.prlimit(agent.pid, resource.RLIMIT_FSIZE, (4_096, resource.RLIM_INFINITY))
    before = len(counter)
    wait_for(lambda: len(counter) >= before + 3)
    assert agent.poll() is None
    resource.prlimit(agent.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    server.always = None
    before = len(counter)
    wait_for(lambda: len(counter) >= before + 2)
    agent.send_signal(signal.SIGTERM)
    _, log = agent.communicate(timeout=30)
    assert agent.returncode == 0, log
    assert "readings are stored again" in log
    assert server.outcomes()["spool", "spool_broken"] >= 1
    values = server.values("input")
    assert seqs(server, "input") == list(range(1, len(values) + 1))
    assert values == sorted(set(values))
    # The register carries what could not be written: the last reading is the engine's own.
    assert values[-1] == counter[-1]
    assert len({column.epoch for column in server.columns("input")}) == 1


def test_a_running_agent_takes_new_settings_by_a_signal(
    running: Running, server: BatchServer, counter: list[int], tmp_path: Path, engine: PageServer
) -> None:
    file = tmp_path / "agent.toml"
    file.write_text("interval_s = 1\n")
    running.environment["FORECOURT_AGENT_CONFIG"] = str(file)
    del running.environment["FORECOURT_AGENT_INTERVAL_S"]
    agent = running.start()
    assert agent.stderr is not None
    said: list[str] = []
    reader = threading.Thread(target=said.extend, args=[agent.stderr])
    reader.start()
    wait_for(lambda: len(server.bodies) >= 1)
    for settings, answer in (
        (
            "interval_s = 'soon'\n",
            "the new settings are not used, the old ones stay: interval_s: 'soon'; expected a whole number",
        ),
        ("interval_s = 1\nscrape_timeout_s = 7\n", "new settings are used from now on"),
    ):
        file.write_text(settings)
        agent.send_signal(signal.SIGHUP)
        wait_for(lambda answer=answer: any(answer in line for line in said))  # type: ignore[misc]  # bound to this round
        before = len(counter)
        wait_for(lambda before=before: len(counter) >= before + 2)  # type: ignore[misc]  # bound to this round
    agent.send_signal(signal.SIGTERM)
    assert agent.wait(30) == 0, said
    reader.join()
    agent.stderr.close()

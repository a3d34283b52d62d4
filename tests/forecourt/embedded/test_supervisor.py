import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from forecourt.embedded.folder import CannotStart
from forecourt.embedded.supervisor import LOG_BYTES_MAX, Program, Supervisor

DEADLINE_S = 30.0


def eventually(look: Callable[[], object]) -> None:
    deadline_s = time.monotonic() + DEADLINE_S
    while not look():
        assert time.monotonic() < deadline_s, "it never came true"
        time.sleep(0.01)


class Bench:
    """A supervisor, what it said, and programs that are lines of shell."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.said: list[str] = []
        self.supervisor = Supervisor(say=self.said.append)

    def program(self, name: str, script: str) -> Program:
        """Ready once it has made the file of its own name."""
        return Program(
            name=name,
            argv=["/bin/sh", "-c", script],
            log=self.folder / f"{name}.log",
            environ={"PATH": os.defpath},
            cwd=self.folder,
            ready=(self.folder / name).exists,
        )

    def tend_until(self, look: Callable[[], object]) -> None:
        def once() -> object:
            self.supervisor.tend()
            return look()

        eventually(once)

    def lines(self, name: str) -> list[str]:
        path = self.folder / name
        return path.read_text().splitlines() if path.exists() else []


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.supervisor.stop()


def test_start_returns_when_the_program_is_ready(bench: Bench) -> None:
    bench.supervisor.start(bench.program("a", "sleep 0.2; touch a; exec sleep 60"))
    assert (bench.folder / "a").exists()
    assert psutil.Process(bench.supervisor.pids()["a"]).is_running()


def test_program_that_ends_while_starting_fails_with_the_end_of_its_log(bench: Bench) -> None:
    with pytest.raises(CannotStart, match=r"a ended with status 3\. The end of .*a\.log:\n  no luck"):
        bench.supervisor.start(bench.program("a", "echo no luck >&2; exit 3"))


def test_program_that_never_gets_ready_fails(bench: Bench) -> None:
    with pytest.raises(CannotStart, match="a was not ready within 0 s"):
        bench.supervisor.start(replace(bench.program("a", "exec sleep 60"), ready_timeout_s=0.1))


def test_dead_program_starts_again_with_growing_delays(bench: Bench) -> None:
    bench.supervisor.start(bench.program("a", "echo >> starts; touch a; sleep 0.1; exit 7"))
    bench.tend_until(lambda: len(bench.lines("starts")) >= 3)
    assert bench.said[:2] == [
        "a ended with status 7, starts again in 0.5 s",
        "a ended with status 7, starts again in 1.5 s",
    ]


def test_others_are_tended_while_one_starts_and_while_one_runs(bench: Bench) -> None:
    bench.supervisor.start(bench.program("a", "echo >> starts; touch a; exec sleep 60"))
    os.kill(bench.supervisor.pids()["a"], signal.SIGKILL)
    bench.supervisor.start(
        bench.program("b", "while [ $(wc -l < starts) -lt 2 ]; do sleep 0.05; done; touch b; sleep 60")
    )
    os.kill(bench.supervisor.pids()["a"], signal.SIGKILL)
    waits = ["/bin/sh", "-c", f"cd {bench.folder}; while [ $(wc -l < starts) -lt 3 ]; do sleep 0.05; done"]
    bench.supervisor.run("wait", waits, environ={"PATH": os.defpath}, log=bench.folder / "wait.log")
    assert len(bench.lines("starts")) == 3


def test_what_a_dead_program_left_in_its_group_is_killed_before_the_next_start(bench: Bench) -> None:
    bench.supervisor.start(bench.program("a", "sleep 60 & echo $! >> children; touch a; exec sleep 60"))
    os.kill(bench.supervisor.pids()["a"], signal.SIGKILL)
    bench.tend_until(lambda: len(bench.lines("children")) == 2)
    first = int(bench.lines("children")[0])
    eventually(lambda: not psutil.pid_exists(first) or psutil.Process(first).status() == psutil.STATUS_ZOMBIE)


def test_stop_goes_in_reverse_order_with_each_programs_signal(bench: Bench) -> None:
    for name, number in (("a", signal.SIGTERM), ("b", signal.SIGUSR1)):
        script = f"trap 'echo {name} >> ended; exit' {number.name[3:]}; touch {name}; while :; do sleep 0.05; done"
        bench.supervisor.start(replace(bench.program(name, script), stop_signal=number))
    pids = bench.supervisor.pids()
    bench.supervisor.stop()
    assert bench.lines("ended") == ["b", "a"]
    assert not any(psutil.pid_exists(pid) for pid in pids.values())
    assert bench.supervisor.pids() == {}


def test_stubborn_program_is_killed_with_its_children(bench: Bench) -> None:
    script = "trap '' TERM; sleep 60 & echo $! > child; touch a; while :; do sleep 0.05; done"
    bench.supervisor.start(replace(bench.program("a", script), stop_timeout_s=0.2))
    bench.supervisor.stop()
    assert bench.said == ["a did not stop in time and is killed"]
    child = int(bench.lines("child")[0])
    eventually(lambda: not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE)


def test_clearing_comes_before_each_start_and_after_the_stop(bench: Bench) -> None:
    calls: list[bool] = []
    program = replace(
        bench.program("a", "touch a; exec sleep 60"),
        clear=lambda: calls.append((bench.folder / "a").exists()),
    )
    bench.supervisor.start(program)
    bench.supervisor.stop()
    assert calls == [False, True]


def test_start_that_fails_later_is_tried_again(bench: Bench) -> None:
    attempts: list[int] = []

    def clear() -> None:
        attempts.append(1)
        if len(attempts) == 2:
            raise CannotStart("the folder is in the way")

    bench.supervisor.start(replace(bench.program("a", "echo >> starts; touch a; exec sleep 60"), clear=clear))
    os.kill(bench.supervisor.pids()["a"], signal.SIGKILL)
    bench.tend_until(lambda: len(bench.lines("starts")) == 2)
    assert "a cannot start: the folder is in the way" in bench.said


def test_run_waits_for_success(bench: Bench) -> None:
    log = bench.folder / "step.log"
    bench.supervisor.run("step", ["/bin/echo", "done"], environ={}, log=log)
    assert log.read_text() == "done\n"


def test_run_that_fails_tells_the_end_of_its_log(bench: Bench) -> None:
    log = bench.folder / "step.log"
    with pytest.raises(CannotStart, match=r"step ended with status 1\. The end of .*:\n  why"):
        bench.supervisor.run("step", ["/bin/sh", "-c", "echo why; exit 1"], environ={}, log=log)


@pytest.mark.parametrize("what", ["start", "run"])
def test_stop_that_was_asked_for_ends_waiting(what: str, bench: Bench) -> None:
    threading.Timer(0.2, bench.supervisor.request_stop).start()
    waits = {
        "start": lambda: bench.supervisor.start(bench.program("a", "exec sleep 60")),
        "run": lambda: bench.supervisor.run("a", ["/bin/sleep", "60"], environ={}, log=bench.folder / "a.log"),
    }
    with pytest.raises(CannotStart, match=r"^Stopped "):
        waits[what]()
    assert bench.supervisor.stop_was_asked


def test_watch_restarts_until_a_stop_is_asked_for(bench: Bench) -> None:
    bench.supervisor.start(bench.program("a", "echo >> starts; touch a; exec sleep 60"))
    watcher = threading.Thread(target=bench.supervisor.watch)
    watcher.start()
    os.kill(bench.supervisor.pids()["a"], signal.SIGKILL)
    eventually(lambda: len(bench.lines("starts")) == 2)
    bench.supervisor.request_stop()
    watcher.join(DEADLINE_S)
    assert not watcher.is_alive()


def test_large_log_is_put_aside(bench: Bench) -> None:
    log = bench.folder / "step.log"
    with log.open("wb") as file:
        file.truncate(LOG_BYTES_MAX + 1)
    bench.supervisor.run("step", ["/bin/echo", "done"], environ={}, log=log)
    assert log.read_text() == "done\n"
    assert (bench.folder / "step.log.1").stat().st_size == LOG_BYTES_MAX + 1


# PR_SET_CHILD_SUBREAPER is 36: orphans come to this process, as they come to the first one of a container.
REAP = """
import ctypes, os, sys, time
from forecourt.embedded.supervisor import Supervisor
assert ctypes.CDLL(None).prctl(36, 1, 0, 0, 0) == 0
os.system("(sleep 0.1; exit 0) & exec true")
supervisor = Supervisor(say=print, reaps_orphans=True)
deadline_s = time.monotonic() + 20
while time.monotonic() < deadline_s:
    supervisor.tend()
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        print("nobody left")
        break
    time.sleep(0.02)
"""


def test_orphans_given_to_the_first_process_of_a_container_are_reaped() -> None:
    result = subprocess.run([sys.executable, "-c", REAP], capture_output=True, text=True, check=False)
    assert result.stdout == "nobody left\n", result.stderr

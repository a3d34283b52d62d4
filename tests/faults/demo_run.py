"""The demo as a user runs it: a process of its own, a folder of its own, and an environment that holds nothing else."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from forecourt.embedded.places import places_of
from tests.plugins.measured_processes import measured

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).resolve().parents[2]
END_S = 120
# A worker that is killed while it pays holds what it had for five minutes.
RUN_S = 600


@dataclass
class DemoRun:
    """One run of `forecourt demo --once` and where it keeps things."""

    process: subprocess.Popen[str]
    folder: Path

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def said(self) -> str:
        """Standard output and error up to now."""
        return (self.folder / "said").read_text(encoding="utf-8")

    def report(self) -> dict[str, Any]:
        """The report that it wrote."""
        found: dict[str, Any] = json.loads((self.folder / "report.json").read_text(encoding="utf-8"))
        return found

    def pids(self) -> dict[str, int]:
        """The processes that the demo's supervisors run now, by name; empty before there are any."""
        try:
            found: dict[str, int] = json.loads((self.data / "pids.json").read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        return found

    def wait(self, timeout_s: float) -> int:
        """Its exit status."""
        return self.process.wait(timeout_s)

    def interrupt(self) -> None:
        """Ctrl-C."""
        self.process.send_signal(signal.SIGINT)

    def processes(self) -> list[psutil.Process]:
        """Every living process that works in the folder or was told of it, found without the product's own code."""
        found = []
        for process in psutil.process_iter():
            try:
                told = [*process.cmdline(), *process.environ().values(), process.cwd()]
                if process.status() != psutil.STATUS_ZOMBIE and any(str(self.data) in each for each in told):
                    found.append(process)
            except psutil.Error:
                continue
        return [process for process in found if process.pid != self.process.pid]

    def clean(self) -> None:
        """End whatever is left, and remove the sockets, which lie outside the folder for root."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(END_S)
        left = self.processes()
        for process in left:
            process.kill()
        psutil.wait_procs(left, timeout=END_S)
        shutil.rmtree(places_of(self.data).sockets, ignore_errors=True)


def environment(*, covered: bool = False) -> dict[str, str]:
    """What any shell has; nothing of the test run but, where wanted, its measuring of coverage."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    return {**kept, **(measured() if covered else {}), "PYTHONUNBUFFERED": "1", "PYTHONPATH": str(ROOT)}


def ids_of(run: DemoRun) -> set[int]:
    """The processes of a run."""
    return {process.pid for process in run.processes()}


def has_begun(run: DemoRun, processes: int) -> bool:
    """Whether a run has so many processes below it; to ask this often costs less than to look for all of them."""
    try:
        return len(psutil.Process(run.process.pid).children(recursive=True)) >= processes
    except psutil.NoSuchProcess:
        return False


def wait_until(run: DemoRun, what: Callable[[], bool]) -> None:
    """Wait for something to come about while a run goes on."""
    deadline_s = time.monotonic() + RUN_S
    while not what():
        assert run.process.poll() is None, run.said
        assert time.monotonic() < deadline_s, run.said
        time.sleep(0.1)


@contextmanager
def demo(folder: Path, *options: str, covered: bool = False) -> Iterator[DemoRun]:
    """Start `forecourt demo --once` with further options; nothing of it is left at the end of the block."""
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "forecourt.cli", "demo", "--once", "--port", "0"]
    places = ["--data", str(folder / "data"), "--json", str(folder / "report.json")]
    with (folder / "said").open("wb") as said:
        process = subprocess.Popen(
            [*command, *places, *options],
            cwd=folder,
            env=environment(covered=covered),
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            text=True,
            start_new_session=True,
        )
    run = DemoRun(process, folder)
    try:
        yield run
    finally:
        run.clean()

"""Starts, kills and looks at stacks that run in processes of their own, as root or as an ordinary user."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from forecourt.embedded.places import places_of
from tests.plugins.measured_processes import measured

NOBODY = 65534
ROOT = Path(__file__).parents[3]
# An ordinary run can only be itself; root can be both.
USERS = (0, NOBODY) if os.geteuid() == 0 else (os.geteuid(),)
DEADLINE_S = 60.0
OWN_SETTINGS = ("DATABASE_URL", "BROKER_URL", "DJANGO_SETTINGS_MODULE")


@dataclass
class Stack:
    """One supervisor process and the first line that it said."""

    process: subprocess.Popen[str]
    facts: dict[str, Any] = field(default_factory=dict)

    def next_line(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.error()
        found: dict[str, Any] = json.loads(line)
        return found

    def error(self) -> str:
        """What the run says on standard error until its end."""
        return self.process.communicate(timeout=DEADLINE_S)[1]

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        self.process.communicate(timeout=DEADLINE_S)
        return self.process.returncode


@dataclass
class Site:
    """A data folder, its user, and the stacks that were started on it."""

    folder: Path
    user: int
    stacks: list[Stack] = field(default_factory=list)

    def launch(self, *arguments: str, **environ: str) -> Stack:
        """Start `run_stack` with `arguments`; returns at once."""
        settings = {name: value for name, value in os.environ.items() if name not in OWN_SETTINGS}
        folders = {"FORECOURT_DATA_DIR": str(self.folder), "SAMPLE_FOLDER": str(self.folder)}
        process = subprocess.Popen(
            [*as_user(self.user), sys.executable, "-m", "tests.forecourt.embedded.run_stack", *arguments],
            cwd=ROOT,
            env={**settings, **measured(), **environ, **folders},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        stack = Stack(process)
        self.stacks.append(stack)
        return stack

    def up(self, **environ: str) -> Stack:
        """Start PostgreSQL and the broker and wait until both serve."""
        stack = self.launch("parts", **environ)
        stack.facts = stack.next_line()
        return stack

    def processes(self, *programs: str) -> list[psutil.Process]:
        """Every living process that works in the folder or names it in its environment, found without our code.

        With `programs` only those that one of them is an argument of.
        """
        found = []
        for process in psutil.process_iter():
            try:
                if process.status() == psutil.STATUS_ZOMBIE:
                    continue
                if programs and set(programs).isdisjoint(process.cmdline()):
                    continue
                inside = process.cwd().startswith(str(self.folder))
                if inside or process.environ().get("FORECOURT_DATA_DIR") == str(self.folder):
                    found.append(process)
            except psutil.Error:
                continue
        return found

    def kill(self, *programs: str) -> list[psutil.Process]:
        """`kill -9` to what runs `programs`, or to everything; some end by themselves when what began them is gone."""
        processes = self.processes(*programs)
        for process in processes:
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue
        return processes

    def kill_everything(self) -> None:
        """`kill -9` to supervisor, servers and all their children at once."""
        processes = self.kill()
        for stack in self.stacks:
            stack.process.communicate()
        psutil.wait_procs(processes, timeout=DEADLINE_S)


@contextmanager
def site(user: int | None = None, *, name: str = "data") -> Iterator[Site]:
    """A data folder of `user`'s (default: the current one) for one test; what still runs there is killed."""
    user = os.geteuid() if user is None else user
    outer = Path(tempfile.mkdtemp(prefix="fc-"))
    os.chown(outer, user, -1)
    found = Site(outer / name, user)
    try:
        yield found
    finally:
        found.kill_everything()
        shutil.rmtree(outer)
        shutil.rmtree(places_of(found.folder, uid=user).sockets, ignore_errors=True)


def as_user(user: int) -> list[str]:
    """What to put before a command so that it runs as `user`.

    The capability lets an ordinary user read an interpreter and a checkout that lie in root's home.
    """
    if user == os.geteuid():
        return []
    capability = "+dac_override"
    ids = [f"--reuid={user}", f"--regid={user}", "--clear-groups"]
    return ["setpriv", *ids, f"--inh-caps={capability}", f"--ambient-caps={capability}"]

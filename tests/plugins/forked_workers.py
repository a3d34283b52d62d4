"""Shares the tests among processes that are forks of the one that collected them: `--forks N`.

Each worker of pytest-xdist begins as an empty interpreter, which imports the product and collects fifteen thousand
tests for itself: a sixth of a minute of processor time, a half where nothing is compiled yet. A fork has all of that at
once. It reports each test in one message, where pytest-xdist sends five through two threads.

A worker begins with its stretch of the list, as `tests.plugins.long_first` lays them out. Whoever is through takes half
of what the one with the most has left. To fixtures and other plugins a fork is a worker of pytest-xdist: they look at
`config.workerinput`. A worker has room for its frames (`forecourt.frames`): pytest stands so deep in functions that the
loops of many a test stood at the end of a chunk. Coverage is measured by pytest-xdist's own workers (`-n N`).
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
import traceback
import warnings
from collections import deque
from dataclasses import dataclass, field
from multiprocessing.connection import Pipe, wait
from typing import TYPE_CHECKING, Any, Final, NoReturn

import pytest
from _pytest.config import create_terminal_writer

from forecourt.frames import with_room
from tests.plugins.few_messages import is_uneventful

if TYPE_CHECKING:
    from collections.abc import Sequence
    from multiprocessing.connection import Connection

HELD: Final = 3
"""Tests that a worker knows of: what it runs, the next, by which it knows what to keep, and one to go on with."""
END_S: Final = 30.0
"""How long workers may take to end what they run when the run is broken off; then they are killed."""
LOOK_S: Final = 1.0
"""How long is listened to workers before they are looked at: one that ended and left a process behind, which has what
it had open, is not heard to end."""
TERMINAL: Final = "terminalreporter"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Make the option known."""
    parser.addoption("--forks", type=int, default=0, metavar="N", help="share the tests among N forks of this process")


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool | None:
    """Run what was collected in forks, where they are asked for; else pytest does."""
    forks = session.config.option.forks
    if forks < 1 or session.config.option.collectonly or session.testsfailed or not session.items:
        return None
    Run(session, forks).run()
    return True


class Shares:
    """Who runs which test, by their numbers in the list: first a stretch each, then what others have left."""

    def __init__(self, tests: int, workers: int) -> None:
        size = -(-tests // workers)
        self.stretches = [deque(range(at * size, min(tests, (at + 1) * size))) for at in range(workers)]

    def take(self, worker: int) -> int | None:
        """Return the next test for a worker; None when there is none left."""
        own = self.stretches[worker % len(self.stretches)]
        if not own:
            longest = max(self.stretches, key=len)
            own.extendleft([longest.pop() for _ in range((len(longest) + 1) // 2)])
        return own.popleft() if own else None

    def give_back(self, worker: int, tests: Sequence[int]) -> None:
        """Put tests that a worker did not come to before those that wait."""
        self.stretches[worker % len(self.stretches)].extendleft(reversed(tests))


@dataclass
class Worker:
    """A fork as the first process knows it; `held` are the tests that it was given and has not reported."""

    number: int
    process: int
    connection: Connection[Any, Any]
    held: deque[int] = field(default_factory=deque)
    is_told_to_end: bool = False
    status: int | None = None
    """How it ended, as `os.waitpid` says it."""

    def has_ended(self) -> bool:
        """Whether it has, without waiting for it."""
        if self.status is None:
            ended, status = os.waitpid(self.process, os.WNOHANG)
            self.status = status if ended else None
        return self.status is not None


class Run:
    """The first process's side: gives tests out and hands on what comes back."""

    def __init__(self, session: pytest.Session, forks: int) -> None:
        self.session, self.config, self.forks = session, session.config, forks
        self.shares = Shares(len(session.items), forks)
        self.workers: list[Worker] = []
        self.begun = 0

    def run(self) -> None:
        """Run every test, or as many as are run until enough failed."""
        reporter: Any = self.config.pluginmanager.get_plugin(TERMINAL)
        if reporter is not None:
            reporter.showfspath = False  # tests of several files come in turns
        try:
            for _ in range(self.forks):
                self._begin()
            while self.workers:
                ready = wait([worker.connection for worker in self.workers], LOOK_S)
                for worker in [one for one in self.workers if one.connection in ready]:
                    self._hear(worker)
                for worker in [one for one in self.workers if not ready and one.has_ended()]:
                    self._bury(worker)
        finally:
            self._end()
        if self.session.shouldfail:
            raise self.session.Failed(self.session.shouldfail)
        if self.session.shouldstop:
            raise self.session.Interrupted(self.session.shouldstop)

    def _begin(self) -> None:
        number, ours, theirs = self.begun, *Pipe()
        self.begun += 1
        base = self.config._tmp_path_factory.getbasetemp()  # type: ignore[attr-defined]
        sys.stdout.flush()
        sys.stderr.flush()
        with warnings.catch_warnings():
            # From Python 3.12 on it warns of any thread; those of numpy's library know what a fork is.
            warnings.simplefilter("ignore", DeprecationWarning)
            process = os.fork()
        if process == 0:
            for one in (ours, *(worker.connection for worker in self.workers)):
                one.close()  # else this process would not see the end of the first
            _work(self.session, theirs, f"gw{number}", self.forks, base / f"popen-gw{number}")
        theirs.close()
        worker = Worker(number, process, ours)
        self.workers.append(worker)
        self._give(worker)

    def _give(self, worker: Worker) -> None:
        """Let a worker hold as many tests as it should; at the end tell it that there is none."""
        while len(worker.held) < HELD and not worker.is_told_to_end:
            stopping = self.session.shouldfail or self.session.shouldstop
            test = None if stopping else self.shares.take(worker.number)
            worker.is_told_to_end = test is None
            if test is not None:
                worker.held.append(test)
            try:
                worker.connection.send(test)
            except OSError:
                return  # it died; `_hear` comes to that

    def _hear(self, worker: Worker) -> None:
        try:
            told, warned, broken = worker.connection.recv()
        except (EOFError, OSError):
            self._bury(worker)
            return
        if broken:
            raise RuntimeError(f"worker gw{worker.number}: {broken}")
        worker.held.popleft()
        self._give(worker)
        hook = self.config.hook
        for warning in warned:
            hook.pytest_warning_recorded.call_historic(kwargs=warning)
        for data in told:
            report = hook.pytest_report_from_serializable(config=self.config, data=data)
            hook.pytest_runtest_logreport(report=report)

    def _bury(self, worker: Worker) -> None:
        """A worker's end: in order, or in a test, which failed by that; another takes its place."""
        self.workers.remove(worker)
        worker.connection.close()
        if worker.status is None:
            _, worker.status = os.waitpid(worker.process, 0)
        if not worker.held:
            return
        item = self.session.items[worker.held.popleft()]
        report = pytest.TestReport(
            nodeid=item.nodeid,
            location=item.location,
            keywords={},
            outcome="failed",
            longrepr=f"worker gw{worker.number} ended with {os.waitstatus_to_exitcode(worker.status)} in {item.nodeid}",
            when="call",
        )
        self.config.hook.pytest_runtest_logreport(report=report)
        self.shares.give_back(worker.number, list(worker.held))
        if any(self.shares.stretches):
            self._begin()

    def _end(self) -> None:
        """Wait for workers that are left when the run is broken off: they see it by the end of their connection."""
        for worker in self.workers:
            worker.connection.close()
        deadline_s = time.monotonic() + END_S
        for worker in self.workers:
            while not worker.has_ended():
                if time.monotonic() > deadline_s:
                    os.kill(worker.process, signal.SIGKILL)
                time.sleep(0.05)
        self.workers.clear()


class Reporter:
    """Keeps what a worker's test reports until it is over."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.told: list[dict[str, Any]] = []
        self.warned: list[dict[str, Any]] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep a report in a form that can be sent."""
        told = self.config.hook.pytest_report_to_serializable(config=self.config, report=report)
        if not is_uneventful(told):
            self.told.append(told)

    def pytest_warning_recorded(
        self, warning_message: warnings.WarningMessage, when: str, nodeid: str, location: tuple[str, int, str] | None
    ) -> None:
        """Keep a warning; what it refers to stays here."""
        plain = warnings.WarningMessage(
            str(warning_message.message),
            warning_message.category,
            warning_message.filename,
            warning_message.lineno,
        )
        self.warned.append({"warning_message": plain, "when": when, "nodeid": nodeid, "location": location})

    def take(self) -> tuple[list[dict[str, Any]], list[dict[str, Any]], str]:
        """What was kept since it was last taken."""
        taken = (self.told, self.warned, "")
        self.told, self.warned = [], []
        return taken


class Mute:
    """In the place of pytest's reporter: what writes to the terminal all the same, as a timeout does, may."""

    def __init__(self, config: pytest.Config) -> None:
        self._tw = create_terminal_writer(config, sys.stderr)


def _work(session: pytest.Session, connection: Connection[Any, Any], name: str, forks: int, base: Any) -> NoReturn:
    """Be a worker until there is nothing left; does not return."""
    status = 1
    try:
        reporter = _become_worker(session.config, name, forks, base)
        try:
            with_room(_run_given, session, connection, reporter)
        finally:
            session._setupstate.teardown_exact(None)
        status = 0
    except (EOFError, BrokenPipeError, ConnectionResetError, KeyboardInterrupt):
        pass  # the first process is gone, or says it itself
    except BaseException:  # noqa: BLE001  the first process raises it
        connection.send(([], [], traceback.format_exc()))
    finally:
        # Nothing of what the first process has to clear away is cleared away here.
        os._exit(status)


def _become_worker(config: pytest.Config, name: str, forks: int, base: Any) -> Reporter:
    """Leave what is the first process's alone: its captured output, its terminal, its folder."""
    told: Any = config
    told.workerinput = {"workerid": name, "workercount": forks}
    os.environ["PYTEST_XDIST_WORKER"] = name
    base.mkdir()
    told._tmp_path_factory._basetemp = base
    plugins = config.pluginmanager
    capture: Any = plugins.get_plugin("capturemanager")
    capture.stop_global_capturing()
    capture.start_global_capturing()
    _log_to(sys.stderr)
    capture.suspend_global_capture(in_=True)
    terminal = plugins.unregister(name=TERMINAL)
    if terminal is not None:
        plugins.register(Mute(config), TERMINAL)
    reporter = Reporter(config)
    plugins.register(reporter, "forked-reporter")
    reporter.take()  # warnings from before, which whoever is registered hears: the first process knows them
    return reporter


def _log_to(stream: Any) -> None:
    """Let what was logged to the captured output that is closed now go to this: each such line would be a traceback."""
    for kept in logging._handlerList:  # type: ignore[attr-defined]
        handler = kept()
        if isinstance(handler, logging.StreamHandler) and getattr(handler.stream, "closed", False):
            handler.stream = stream  # `setStream` would flush the other


def _run_given(session: pytest.Session, connection: Connection[Any, Any], reporter: Reporter) -> None:
    number = connection.recv()
    while number is not None:
        following = connection.recv()
        after = None if following is None else session.items[following]
        session.config.hook.pytest_runtest_protocol(item=session.items[number], nextitem=after)
        connection.send(reporter.take())
        number = following

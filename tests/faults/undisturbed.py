"""One undisturbed run of the demo for all tests of a session, also where several processes share the tests."""

from __future__ import annotations

import fcntl
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.faults.demo_run import demo

if TYPE_CHECKING:
    from pathlib import Path

RUN_S: Final = 240
SHORT: Final = ("--days", "1", "--requests", "400", "--seed", "11")
"""The sample of the short runs: the last day of the month."""


@dataclass(frozen=True)
class Ended:
    """How a run ended: its status, what it said, its report, and the command lines of what it left behind."""

    status: int
    said: str
    report: dict[str, Any]
    left: list[str]


def run_to_end(folder: Path, *options: str, covered: bool = False) -> Ended:
    """Run the demo to its end."""
    with demo(folder, *options, covered=covered) as run:
        status = run.wait(RUN_S)
        assert status == 0, run.said
        left = [" ".join(process.cmdline()) for process in run.processes()]
        return Ended(status, run.said, run.report(), left)


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Ended:
    """The short sample run without any kill."""
    base = tmp_path_factory.getbasetemp()
    shared = base if worker_id == "master" else base.parent
    kept = shared / "undisturbed.json"
    with (shared / "undisturbed.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not kept.exists():
            ended = run_to_end(shared / "undisturbed", *SHORT, covered=True)
            kept.write_text(json.dumps(ended.__dict__))
        return Ended(**json.loads(kept.read_text()))

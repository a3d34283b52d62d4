"""One run of the demo for all tests of a session, also where several processes share the tests.

Its parts are killed while it meters: what the trace and the job list say comes out all the same.
"""

from __future__ import annotations

import fcntl
import json
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.faults.demo_run import RUN_S, demo, has_begun, ids_of, wait_until
from tests.faults.kills import TARGETS, carry_out, make_kills

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.faults.demo_run import DemoRun

SEED: Final = 3
UNTIL_PERMILLE: Final = 667
"""Kills are spread over so much of the sample's time: two of its three days."""

SHORT: Final = ("--days", "3", "--seed", "11")
"""The last days of the month: so many that every part can be killed, and come back, while they are metered."""
ONE_WEB: Final = ("--web", "1")
"""One web process, so that while it is dead nobody answers; and each that begins loads the whole platform."""
DATABASE_PROCESSES: Final = 8
"""A PostgreSQL that has started has at least so many; the folder's own preparation never has."""
FEW: Final = (*ONE_WEB, "--workers", "1")
"""As few processes as there can be; what comes out is the same."""
TRACE_HEADER: Final = "TIMESTAMP,ContextTokens,GeneratedTokens"
CONVERSATION: Final = [(374, 44), (396, 109), (879, 55), (0, 1), (91, 0), (16_384, 700)]
CODE: Final = [(4808 + number, 10 + number % 7) for number in range(60)]
JOBS: Final = """\
name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,qos,pod_phase,creation_time,deletion_time,scheduled_time
a,12000,16384,1,1000,,LS,Running,0,5000,0
b,6000,12288,1,460,,LS,Running,0,9001,1000
c,6000,12288,1,540,,BE,Succeeded,0,9001,1000
d,6000,12288,8,1000,A100,BE,Succeeded,100,200,150
e,6000,12288,0,0,,BE,Succeeded,100,200,150
f,6000,12288,2,1000,,BE,Pending,100,,"""


def own_samples(folder: Path) -> list[str]:
    """Write a trace and a job list of one's own, and return the options that name them."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in (("conv", CONVERSATION), ("code", CODE)):
        lines = [
            f"2023-11-16 18:{15 + number // 60:02d}:{number % 60:02d}.6805900,{size},{output}"
            for number, (size, output) in enumerate(rows)
        ]
        (folder / f"AzureLLMInferenceTrace_{name}.csv").write_text("\n".join([TRACE_HEADER, *lines]))
    (folder / "openb_pod_list_default.csv").write_text(JOBS)
    return ["--trace", str(folder), "--jobs", str(folder)]


@dataclass(frozen=True)
class Ended:
    """How a run ended: its status, what it said, its report, the command lines of what it left behind; the kills."""

    status: int
    said: str
    report: dict[str, Any]
    left: list[str]
    killed: list[str]


def run_to_end(folder: Path) -> Ended:
    """Run the demo to its end, with a trace and a job list of one's own, and kill every part of it in the first days.

    Before it another was killed in the same folder, whose servers and preparation it finds running. What is metered
    on the last day, closed and paid goes on without a kill.
    """
    kills = make_kills(seed=SEED, metering=len(TARGETS), closing=0, until_permille=UNTIL_PERMILLE)
    with demo(folder) as first, demo_after_kill(folder, first) as run:
        done = carry_out(kills, run)
        assert [each.kill for each in done] == kills, run.said
        status = run.wait(RUN_S)
        assert status == 0, run.said
        left = [" ".join(process.cmdline()) for process in run.processes()]
        return Ended(status, run.said, run.report(), left, [each.kill.target for each in done])


@contextmanager
def demo_after_kill(folder: Path, first: DemoRun) -> Iterator[DemoRun]:
    """Kill the first demo, which leaves its servers and its preparation running, and start another in its folder."""
    wait_until(first, lambda: has_begun(first, DATABASE_PROCESSES))
    first.process.kill()
    first.process.wait()
    left = ids_of(first)
    assert len(left) > 4
    with demo(folder, *SHORT, *ONE_WEB, *own_samples(folder / "samples"), covered=True) as second:
        wait_until(second, lambda: "gateway" in second.pids())
        assert left.isdisjoint(ids_of(second))
        assert len(second.processes()) > 10
        yield second


@pytest.fixture(scope="session")
def ended(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Ended:
    """The short sample run, whose parts were killed."""
    base = tmp_path_factory.getbasetemp()
    shared = base if worker_id == "master" else base.parent
    kept = shared / "ended.json"
    with (shared / "ended.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not kept.exists():
            kept.write_text(json.dumps(run_to_end(shared / "ended").__dict__))
        return Ended(**json.loads(kept.read_text()))

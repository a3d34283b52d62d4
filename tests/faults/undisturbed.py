"""One undisturbed run of the demo for all tests of a session, also where several processes share the tests."""

from __future__ import annotations

import fcntl
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.faults.demo_run import RUN_S, demo

if TYPE_CHECKING:
    from pathlib import Path

SHORT: Final = ("--days", "3", "--seed", "11")
"""The last days of the month: so many that every part can be killed, and come back, while they are metered."""
FEW: Final = ("--web", "1", "--workers", "1")
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
    """How a run ended: its status, what it said, its report, and the command lines of what it left behind."""

    status: int
    said: str
    report: dict[str, Any]
    left: list[str]


def run_to_end(folder: Path) -> Ended:
    """Run the demo to its end, with a trace and a job list of one's own."""
    with demo(folder, *SHORT, *FEW, *own_samples(folder / "samples"), covered=True) as run:
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
            ended = run_to_end(shared / "undisturbed")
            kept.write_text(json.dumps(ended.__dict__))
        return Ended(**json.loads(kept.read_text()))

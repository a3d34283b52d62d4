"""A look at the files that a run was given, before anything of it is started."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from clusters.occupancy import Card, place_jobs
from forecourt.demo.joblist import OPENB_FILE, JobList, JobListUnusable, read_openb
from forecourt.demo.plan import CARDS_PER_NODE, JOB_NODES, instant
from forecourt.demo.workload import TraceUnusable
from forecourt.embedded.folder import CannotStart

if TYPE_CHECKING:
    from forecourt.demo.plan import Plan


def check_inputs(plan: Plan) -> None:
    """Read the traces and the job list of a plan once. Raises CannotStart, which says what is wrong with them."""
    try:
        if plan.trace_dir:
            _check_trace(plan)
        if plan.jobs_dir:
            _check_jobs(read_openb(Path(plan.jobs_dir)))
    except (TraceUnusable, JobListUnusable) as wrong:
        raise CannotStart(str(wrong)) from wrong


def _check_trace(plan: Plan) -> None:
    last = max(plan.workload(), key=lambda one: one.done_ms)
    if last.done_ms >= plan.month_to_ms:
        raise TraceUnusable(
            f"{plan.trace_dir}: request {last.id} would be done at {instant(last.done_ms):%F %R}, "
            f"after the sample's month ends at {instant(plan.month_to_ms):%F %R}; expected a shorter trace"
        )


def _check_jobs(jobs: JobList) -> None:
    if not jobs.jobs:
        raise JobListUnusable(f"{OPENB_FILE}: expected at least one pod that held a GPU")
    cards = [Card(f"{node}-{card}", f"{node}") for node in range(JOB_NODES) for card in range(CARDS_PER_NODE)]
    without_room = place_jobs(jobs.jobs, cards).without_room
    if without_room:
        raise JobListUnusable(
            f"{OPENB_FILE}: {len(without_room)} jobs such as {without_room[0].job_ref} find no room; "
            f"the sample has {JOB_NODES} servers of {CARDS_PER_NODE} cards for them"
        )

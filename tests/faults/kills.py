"""A seeded plan of kills, and carrying it out on a running demo.

A moment while it meters is an instant of the sample world, whose clock is the same in every run; a moment while it
closes is counted in seconds from the line that says that everything is rolled up.
"""

from __future__ import annotations

import json
import os
import random
import signal
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import psutil

from forecourt.demo.plan import read_plan

if TYPE_CHECKING:
    from collections.abc import Sequence

    from forecourt.demo.plan import Plan
    from tests.faults.demo_run import DemoRun

NODES: Final = ("north-h100-01", "north-h100-02", "south-h100-01", "south-a100-01")
TARGETS: Final = (
    "web",
    "web/child",
    "worker",
    "worker/child",
    "beat",
    *(f"agent-{node}" for node in NODES),
    f"agent-{NODES[1]}/child",
    "broker",
    "postgres",
    "postgres/child",
    "gateway",
)
"""Programs of the supervisors; `/child` is one of its children: a server process, a backend, the agent's NVML child."""
ROLLED_UP: Final = "✓ Rolling up"
WHOLE_PERMILLE: Final = 1000
CLOSING_S: Final = 8.0
POLL_S: Final = 0.05
APPEAR_S: Final = 120


@dataclass(frozen=True)
class Kill:
    """`kill -9` of a target once so many thousandths of the sample's time have passed, or so long into closing."""

    target: str
    at_permille: int | None = None
    closing_s: float = 0.0


@dataclass(frozen=True)
class Killed:
    """What was killed, and the process that it was."""

    kill: Kill
    pid: int


def make_kills(
    *, seed: int, metering: int, closing: int, targets: Sequence[str] = TARGETS, until_permille: int = WHOLE_PERMILLE
) -> list[Kill]:
    """Return so many kills spread over metering and closing; the targets take turns in an order of the seed's own.

    None of those while it meters comes after `until_permille` thousandths of the sample's time.
    """
    source = random.Random(f"kills-{seed}")
    order: list[str] = []
    while len(order) < metering + closing:
        order += source.sample(targets, len(targets))
    spread = until_permille / max(metering, 1)
    first = [Kill(order[at], int(spread * (at + source.random()))) for at in range(metering)]
    moments = sorted(source.uniform(0, CLOSING_S) for _ in range(closing))
    last = [Kill(order[metering + at], closing_s=moment) for at, moment in enumerate(moments)]
    return first + last


def carry_out(kills: Sequence[Kill], run: DemoRun) -> list[Killed]:
    """Do every kill at its moment; those left over when the run ends are not done."""
    done: list[Killed] = []
    begun_s: float | None = None
    for kill in kills:
        while not _is_due(kill, run, begun_s):
            if run.process.poll() is not None:
                return done
            if begun_s is None and ROLLED_UP in run.said:
                begun_s = time.monotonic()
            time.sleep(POLL_S)
        pid = _kill(kill.target, run)
        if pid is None:
            return done
        done.append(Killed(kill, pid))
    return done


def _is_due(kill: Kill, run: DemoRun, begun_s: float | None) -> bool:
    if kill.at_permille is None:
        return begun_s is not None and time.monotonic() - begun_s >= kill.closing_s
    if "gateway" not in run.pids():
        return False
    plan = read_plan(run.data / "plan.json")
    now_ms = _world_ms(plan)
    return now_ms is not None and (now_ms - plan.from_ms) * WHOLE_PERMILLE >= kill.at_permille * (
        plan.end_ms - plan.from_ms
    )


def _world_ms(plan: Plan) -> int | None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"{plan.world_url}/state", timeout=10) as answer:
            return int(json.load(answer)["now_ms"])
    except (OSError, urllib.error.URLError, ValueError):
        return None


def _kill(target: str, run: DemoRun) -> int | None:
    """Kill it as soon as it is there: perhaps it is just coming back. None where the run ends before.

    An agent without its child waits before it starts another: the child of another agent is killed then.
    """
    name, _, child = target.partition("/")
    deadline_s = time.monotonic() + APPEAR_S
    while run.process.poll() is None:
        pids = run.pids()
        others = [other for other in sorted(pids) if child and name.startswith("agent-") and other.startswith("agent-")]
        for pid in filter(None, map(pids.get, (name, *others))):
            found = _child_of(pid) if child else pid
            if found and _is_ours(pid, run):
                os.kill(found, signal.SIGKILL)
                return found
        assert time.monotonic() < deadline_s, f"{target} did not come back\n{run.said}"
        time.sleep(POLL_S)
    return None


def _child_of(pid: int) -> int | None:
    try:
        children = psutil.Process(pid).children()
    except psutil.NoSuchProcess:
        return None
    return children[-1].pid if children else None


def _is_ours(pid: int | None, run: DemoRun) -> bool:
    """Whether the process lives and is the demo's child: an id that was noted may belong to somebody else by now."""
    try:
        process = psutil.Process(pid)
        return bool(process.ppid() == run.process.pid and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False

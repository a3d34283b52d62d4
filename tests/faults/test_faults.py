"""`kill -9` of every part while the sample world is metered and closed: the figures are those of the run without.

The short form; `python -m tests.faults` runs as many seeds as one likes.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import pytest

from tests.faults.demo_run import RUN_S, demo, ids_of, wait_until
from tests.faults.kills import TARGETS, carry_out, make_kills
from tests.faults.outcome import differences
from tests.faults.undisturbed import SHORT, Ended, own_samples

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.faults.demo_run import DemoRun

pytestmark = pytest.mark.stack
SEED: Final = 3


@pytest.mark.timeout(900)
def test_a_killed_demo_is_cleared_away_by_the_next_whose_figures_kills_while_metering_do_not_change(
    tmp_path: Path, undisturbed: Ended
) -> None:
    kills = make_kills(seed=SEED, metering=len(TARGETS), closing=0)
    with demo(tmp_path) as first, demo_after_kill(tmp_path, first) as run:
        done = carry_out(kills, run)
        status = run.wait(RUN_S)
        assert status == 0, run.said
        assert [each.kill for each in done] == kills
        assert {each.kill.target for each in done} == set(TARGETS)
        assert differences(run.report(), undisturbed.report) == []
        for target in TARGETS:
            if "/" not in target:
                assert re.search(rf"{target} ended with status -9, starts again", run.said), run.said
        assert run.processes() == []


@contextmanager
def demo_after_kill(folder: Path, first: DemoRun) -> Iterator[DemoRun]:
    """Kill the first demo, which leaves its servers and its preparation running, and start another in its folder."""
    wait_until(first, lambda: len(ids_of(first)) > 4)
    first.process.kill()
    first.process.wait()
    left = ids_of(first)
    assert len(left) > 4
    with demo(folder, *SHORT, *own_samples(folder / "samples")) as second:
        wait_until(second, lambda: "gateway" in second.pids())
        assert left.isdisjoint(ids_of(second))
        assert len(second.processes()) > 10
        yield second

"""`kill -9` of every part while the sample world is metered and closed: the figures are those of the run without.

The short form; `python -m tests.faults` runs as many seeds as one likes.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import pytest

from tests.faults.demo_run import demo
from tests.faults.kills import TARGETS, carry_out, make_kills
from tests.faults.outcome import differences
from tests.faults.undisturbed import RUN_S, SHORT, Ended

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.stack
SEED: Final = 3


@pytest.mark.timeout(400)
def test_kills_while_metering_change_no_figure(tmp_path: Path, undisturbed: Ended) -> None:
    kills = make_kills(seed=SEED, metering=len(TARGETS), closing=0)
    with demo(tmp_path, *SHORT) as run:
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

"""Whatever goes wrong between a counter and a usage hour, the tokens are those that were made: the short form.

`make faults` and `python -m tests.faults.metering --seeds 1000` are the long one.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.faults.metering.outcome import differences
from tests.faults.metering.plan import (
    EVENT_FAULTS,
    KILL_FAULTS,
    READ_FAULTS,
    SEND_FAULTS,
    SERVER_FAULTS,
    UNDISTURBED,
    make_plan,
)
from tests.faults.metering.simulation import Run
from tests.faults.metering.workload import make_workload, must_read, truth

if TYPE_CHECKING:
    from pathlib import Path

SHORT = (0, 2, 5)


@pytest.mark.unmeasured
@pytest.mark.django_db(transaction=True)
def test_without_faults_every_hour_holds_what_was_done_in_it(tmp_path: Path) -> None:
    run = Run("undisturbed", 1, UNDISTURBED, tmp_path)
    ended = run.go()
    expected = truth(run.workload)
    assert differences(ended.engine, expected, by_hour=True) == []
    assert differences(ended.gateway, expected, by_hour=True) == []
    assert set(ended.answers) == {"delivered", "events 200"}


@pytest.mark.unmeasured
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("seed", SHORT)
def test_with_faults_the_tokens_are_the_same(seed: int, tmp_path: Path) -> None:
    plan = make_plan(seed)
    run = Run(f"seed-{seed}", seed, plan, tmp_path)
    ended = run.go()
    expected = truth(run.workload)
    assert differences(ended.engine, expected, by_hour=not plan.loses_readings) == []
    assert differences(ended.gateway, expected, by_hour=True) == []


def test_a_seed_repeats_its_plan_and_workload() -> None:
    assert make_workload(7, 0) == make_workload(7, 0)
    assert make_plan(7) == make_plan(7)
    assert make_plan(8) != make_plan(7)


def test_some_hundred_seeds_hold_every_fault() -> None:
    plans = [make_plan(seed) for seed in range(300)]
    assert {one.fault for plan in plans for one in plan.windows} == set(READ_FAULTS)
    assert {fault for plan in plans for _, fault in plan.kills} == set(KILL_FAULTS)
    assert {fault for plan in plans for _, fault in plan.sends} == set(SEND_FAULTS)
    assert {fault for plan in plans for _, fault, _ in plan.server} == set(SERVER_FAULTS)
    assert {fault for plan in plans for _, fault in plan.events} == set(EVENT_FAULTS)
    assert any(plan.cuts for plan in plans)
    assert any(not plan.loses_readings for plan in plans)


def test_ticks_that_tell_a_life_apart_are_always_read() -> None:
    for seed in range(300):
        plan = make_plan(seed)
        for tick in must_read(seed):
            assert not any(one.holds(tick, one.kind) for one in plan.windows)
            assert tick not in dict(plan.kills)


def test_a_difference_is_told_with_its_place() -> None:
    found, expected = Counter({("vllm", "input", 0): 3, ("vllm", "input", 1): 2}), Counter({("vllm", "input", 0): 5})
    assert differences(found, expected, by_hour=False) == []
    assert differences(found, expected, by_hour=True) == [
        "vllm input hour 0: 3, expected 5",
        "vllm input hour 1: 2, expected 0",
    ]

"""Schedules: what may be one, what comes next, and that nobody is suspended without notice."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.dunning.schedule import (
    NOTICE_DAYS_MIN,
    Action,
    Planned,
    WrongSchedule,
    announces_nothing,
    days_of_notice,
    next_step,
    planned_at,
    read_schedule,
    write_schedule,
)
from tests.examples import examples

STEP = st.fixed_dictionaries({"after_days": st.integers(-1, 400), "action": st.sampled_from([*Action, "shout"])})


def step(days: object, action: object = "remind") -> dict[str, Any]:
    return {"after_days": days, "action": action}


def test_steps_come_in_the_order_of_their_days() -> None:
    schedule = read_schedule([step(10), step(3), step(20, "suspend"), step(12, "notice"), step(3, "retry_card")])
    assert [one.after_days for one in schedule] == [3, 3, 10, 12, 20]
    assert read_schedule(write_schedule(schedule)) == schedule
    assert days_of_notice(schedule) == 8
    assert days_of_notice(read_schedule([step(1)])) == 0
    assert next_step(schedule, {("remind", 3)}) == Planned(3, Action.RETRY_CARD)
    assert next_step(schedule, {("remind", 10), ("remind", 3), ("retry_card", 3)}) == Planned(12, Action.NOTICE)
    assert next_step((), set()) is None
    due = datetime(2026, 4, 17, tzinfo=UTC)
    assert planned_at(schedule[0], due) - due == timedelta(days=3)


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        ([step(-1)], "expected 0 to 365"),
        ([step(366)], "expected 0 to 365"),
        ([step(True)], "expected 0 to 365"),
        ([step("3")], "expected 0 to 365"),
        ([step(3, "shout")], "expected one of remind, retry_card, notice, suspend"),
        ([step(3), step(3)], "twice on one day"),
        ([step(3, "suspend")], "expected a notice at least 3 days before"),
        ([step(5, "suspend"), step(3, "notice")], "expected a notice at least 3 days before"),
        ([step(3, "notice"), step(4, "notice")], "notice: at most one"),
        ([step(day) for day in range(21)], "at most 20"),
    ],
)
def test_what_cannot_be_a_schedule_says_why(steps: list[dict[str, Any]], words: str) -> None:
    with pytest.raises(WrongSchedule, match=words):
        read_schedule(steps)


@settings(max_examples=examples(25))
@given(st.lists(STEP, max_size=6))
def test_every_schedule_that_is_taken_gives_notice_before_it_suspends(steps: list[dict[str, Any]]) -> None:
    try:
        schedule = read_schedule(steps)
    except WrongSchedule:
        return
    assert list(schedule) == sorted(schedule)
    if any(one.action is Action.SUSPEND for one in schedule):
        assert days_of_notice(schedule) >= NOTICE_DAYS_MIN


def test_a_notice_without_a_suspension_announces_nothing() -> None:
    assert announces_nothing(read_schedule([step(3), step(10, "notice")]))
    assert not announces_nothing(read_schedule([step(3), step(10, "notice"), step(17, "suspend")]))
    assert not announces_nothing(read_schedule([step(3)]))
    assert not announces_nothing(())

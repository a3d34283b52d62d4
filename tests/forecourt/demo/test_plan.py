"""The plan: the right month, a world that can be written down and read again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from forecourt.demo.plan import (
    instant,
    last_month_of_31_days,
    make_plan,
    read_plan,
    requests_of,
    unix_ms,
    write_plan,
)
from forecourt.demo.workload import SMALL, SMALL_INPUT_MAX, totals

if TYPE_CHECKING:
    from pathlib import Path

    from forecourt.demo.workload import Request

NOW = datetime(2026, 11, 22, 8, tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "month"),
    [
        (datetime(2026, 11, 22, tzinfo=UTC), (2026, 10)),
        (datetime(2026, 12, 5, tzinfo=UTC), (2026, 10)),
        (datetime(2026, 3, 1, tzinfo=UTC), (2026, 1)),
        (datetime(2026, 9, 30, 23, tzinfo=UTC), (2026, 8)),
        (datetime(2027, 1, 1, tzinfo=UTC), (2026, 12)),
    ],
)
def test_the_month_is_the_last_whole_one_of_31_days(now: datetime, month: tuple[int, int]) -> None:
    from_at, to_at = last_month_of_31_days(now)
    assert (from_at.year, from_at.month) == month
    assert (to_at - from_at).days == 31
    assert to_at <= now


def test_a_plan_survives_being_written_down(tmp_path: Path) -> None:
    plan = make_plan(seed=1, requests=100, now=NOW, ports=[1, 2, 3, 4, 5])
    write_plan(plan, tmp_path / "plan.json")
    assert read_plan(tmp_path / "plan.json") == plan
    assert plan.workload() == read_plan(tmp_path / "plan.json").workload()


def test_every_request_is_served_by_exactly_one_endpoint() -> None:
    plan = make_plan(seed=1, requests=3000, now=NOW, ports=[1, 2, 3, 4, 5])
    requests = plan.workload()
    served = [one.id for node in plan.nodes for endpoint in node.endpoints for one in requests_of(endpoint, requests)]
    assert sorted(served) == sorted(one.id for one in requests)


def test_the_month_after_goes_on_until_now() -> None:
    plan = make_plan(seed=1, requests=3100, now=NOW, ports=[1, 2, 3, 4, 5])
    later = [one for one in plan.workload() if one.at_ms >= plan.month_to_ms]
    assert len(later) == 3100 * 21 // 31
    assert max(one.done_ms for one in later) < plan.end_ms


def test_a_short_run_meters_the_end_of_the_month_and_stops_after_it() -> None:
    plan = make_plan(seed=1, requests=310, now=NOW, ports=[1, 2, 3, 4, 5], days=2, until_now=False)
    assert instant(plan.month_to_ms) - instant(plan.from_ms) == timedelta(days=2)
    assert instant(plan.end_ms) - instant(plan.month_to_ms) == timedelta(hours=2)
    assert {one.at_ms >= plan.from_ms and one.done_ms < plan.month_to_ms for one in plan.workload()} == {True}


def test_the_world_never_ends_after_now() -> None:
    just_after = datetime(2026, 11, 1, 0, 30, tzinfo=UTC)
    plan = make_plan(seed=1, requests=310, now=just_after, ports=[1, 2, 3, 4, 5], days=2, until_now=False)
    assert instant(plan.end_ms) <= just_after
    assert instant(plan.month_to_ms) == datetime(2026, 9, 1, tzinfo=UTC)


def test_instants_and_milliseconds_are_each_others_inverse() -> None:
    assert instant(unix_ms(NOW)) == NOW


def test_llama_cpp_is_exact_over_the_month_and_the_time_after_it() -> None:
    # Its registers go on from one into the other, and print six digits: a busy demo missed some tokens of its checks.
    plan = make_plan(seed=1, requests=60_000, now=NOW, ports=[1, 2, 3, 4, 5])
    parts: list[list[Request]] = [[], []]
    for one in plan.workload():
        if one.stream == SMALL:
            parts[one.at_ms >= plan.month_to_ms].append(one)
    assert parts[0]
    assert totals(parts[0] + parts[1]).input <= SMALL_INPUT_MAX

"""What must be equal between two runs, and what need not be."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from tests.faults.kills import CLOSING_S, TARGETS, WHOLE_PERMILLE, make_kills
from tests.faults.outcome import REPEATS, differences


def report() -> dict[str, Any]:
    invoices = [
        {"number": f"INV-{number}", "tenant": tenant, "total": "1.00", "status": "paid", "lines": [{"amount": "1.00"}]}
        for number, tenant in ((1, "a"), (2, "b"))
    ]
    return {
        "tokens": {"engine": {"input": "5", "output": "2"}},
        "events": {"sent": 12, "accepted": 10, "duplicates": 2},
        "gpu_seconds": "3600",
        "invoices": invoices,
        "ledger": {"balanced": True, "postings": 4},
        "residual": {"input": "0", "output": "0"},
        "seconds": {"setup": 1.0, "run": 2.0, "close": 3.0},
        "checks": [{"name": REPEATS[1], "ok": True, "detail": "2"}, {"name": "books", "ok": True, "detail": "True"}],
    }


def test_time_repeats_and_the_order_of_numbers_may_differ() -> None:
    other = report()
    other["seconds"]["run"] = 50.0
    other["events"].update(sent=19, duplicates=9)
    other["checks"][0]["detail"] = "9"
    first, second = other["invoices"]
    first["number"], second["number"] = second["number"], first["number"]
    assert differences(other, report()) == []


@pytest.mark.parametrize(
    ("path", "value", "part"),
    [
        (("tokens", "engine", "input"), "6", "tokens"),
        (("events", "accepted"), 11, "events"),
        (("gpu_seconds",), "3599", "gpu_seconds"),
        (("invoices", 1, "lines", 0, "amount"), "1.01", "invoices"),
        (("invoices", 1, "status"), "issued", "invoices"),
        (("invoices", 1, "number"), "INV-3", "numbers"),
        (("ledger", "postings"), 5, "ledger"),
        (("residual", "output"), "1", "residual"),
        (("checks", 0, "ok"), False, "checks"),
        (("checks", 1, "detail"), "False", "checks"),
    ],
)
def test_any_other_difference_is_found_and_named(path: tuple[str | int, ...], value: object, part: str) -> None:
    other = copy.deepcopy(report())
    place: Any = other
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    (found,) = differences(other, report())
    assert found.startswith(f"{part}: ")


def test_a_seed_gives_its_plan_of_kills_again() -> None:
    kills = make_kills(seed=5, metering=len(TARGETS), closing=4)
    assert kills == make_kills(seed=5, metering=len(TARGETS), closing=4)
    assert kills != make_kills(seed=6, metering=len(TARGETS), closing=4)
    metering, closing = kills[: len(TARGETS)], kills[len(TARGETS) :]
    assert {each.target for each in metering} == set(TARGETS)
    moments = [each.at_permille for each in metering if each.at_permille is not None]
    assert moments == sorted(moments)
    assert len(moments) == len(TARGETS)
    assert max(moments) < WHOLE_PERMILLE
    assert {each.at_permille for each in closing} == {None}
    assert all(0 <= each.closing_s <= CLOSING_S for each in closing)


def test_the_last_part_of_the_time_can_be_left_without_kills() -> None:
    kills = make_kills(seed=5, metering=len(TARGETS), closing=0, until_permille=600)
    moments = [each.at_permille for each in kills if each.at_permille is not None]
    assert {each.target for each in kills} == set(TARGETS)
    assert 500 < max(moments) < 600

"""`kill -9` of every part while the sample world is metered: the figures are those of the trace and the job list.

The short form; `python -m tests.faults` runs as many seeds as one likes, kills while it closes too, and compares all of
it with a run that nothing disturbed. What else is true of a run that came to its end, `tests/flows/test_demo.py` says.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import pytest

from tests.faults.ended import CODE, CONVERSATION
from tests.faults.kills import TARGETS

if TYPE_CHECKING:
    from tests.faults.ended import Ended

pytestmark = [pytest.mark.stack, pytest.mark.timeout(900)]
LINES: Final = {
    ("sample-research", "L-0001 · 8 × H100 cluster node", "15033600", "9813.60"),
    ("sample-research", "L-0011 · 4 jobs on demand", "13401", "5.55"),
    ("sample-chat", "S-0001 · llama-3-70b tokens · 30 % of list price", "19033", "0.00"),
    ("sample-code", "S-0002 · qwen3-coder-30b tokens · 40 % of list price", "281312", "0.03"),
    ("sample-code", "S-0003 · qwen3-4b tokens · 20 % of list price", "9712", "0.00"),
}
"""Tenant, line, quantity and amount: everything that the month's bills are about."""


def test_a_killed_demo_is_cleared_away_by_the_next_and_every_part_of_that_comes_back(ended: Ended) -> None:
    assert set(ended.killed) == set(TARGETS)
    for target in TARGETS:
        if "/" not in target:
            assert re.search(rf"{target} ended with status -9, starts again", ended.said), ended.said
    assert (ended.status, ended.left) == (0, [])


def test_kills_while_it_meters_change_no_line_of_a_bill(ended: Ended) -> None:
    invoices = ended.report["invoices"]
    lines = [
        (invoice["tenant"], line["description"], line["quantity"], line["amount"])
        for invoice in invoices
        for line in invoice["lines"]
        if line["quantity"] != "0"
    ]
    assert sorted(lines) == sorted(LINES)
    assert sorted(invoice["number"] for invoice in invoices) == [f"INV-{1 + at:04d}" for at in range(len(invoices))]


def test_kills_while_it_meters_lose_and_double_nothing(ended: Ended) -> None:
    report = ended.report
    rows = CONVERSATION + CODE
    metered = {"input": str(sum(size for size, _ in rows)), "output": str(sum(made for _, made in rows))}
    assert report["tokens"] == dict.fromkeys(("engine", "gateway", "billed"), metered)
    assert report["residual"] == {"input": "0", "output": "0"}
    assert report["events"]["accepted"] == len(rows)
    # The gateway sends every tenth event twice; one whose answer was lost it sends once more.
    assert report["events"]["duplicates"] >= len(rows) // 10
    assert report["gpu_seconds"] == str(sum(int(quantity) for _, line, quantity, _ in LINES if line.startswith("L-")))
    details = {check["name"]: check["detail"] for check in report["checks"] if check["ok"]}
    assert len(details) == len(report["checks"])
    assert details["8 × H100 from the 10th 06:00 of a 31-day month"] == "9813.60"
    assert details["contracts invoiced for the closed period"] == "4"
    assert details["check_books"].endswith("invariants hold.")

"""The page on metering says what the decision table and the qualities say."""

from __future__ import annotations

import re

from metering import deltas
from metering.adjustment_models import AdjustmentCause
from metering.clock import CLOCK_SKEW_MS_MAX
from metering.models import Quality, Witness
from metering.queries import BILLED
from metering.validation import RULES
from tests.docs.pages import code, rows_of, text_of

PAGE = "docs/metering.md"


def test_every_rule_is_listed_in_the_order_of_the_code() -> None:
    assert [code(row[0]) for row in rows_of(PAGE, "rule")] == [rule.value for rule in deltas.Rule]


def test_the_rules_have_the_qualities_of_the_code() -> None:
    of_the_code = dict(re.findall(r"^\| `(\w+)` \|.*\| ([^|]+) \|$", deltas.__doc__ or "", re.MULTILINE))
    for row in rows_of(PAGE, "rule"):
        assert _letters(row[3]) == _letters(of_the_code[code(row[0])]), row[0]


def _letters(cell: str) -> list[str]:
    return re.findall(r"`([AESQG])`", cell)


def test_qualities_and_what_is_billed() -> None:
    rows = {code(row[0]): (row[1], row[2]) for row in rows_of(PAGE, "quality")}
    billed = {Quality(quality) for quality in BILLED}
    assert rows == {quality.value: (str(quality.label), "yes" if quality in billed else "no") for quality in Quality}


def test_every_check_is_listed_with_what_it_looks_for() -> None:
    rows = {code(row[0]): (row[1], row[2]) for row in rows_of(PAGE, "check")}
    assert rows == {str(rule.check): (str(rule.severity), rule.looks_for) for rule in RULES.values()}


def test_causes_of_corrections() -> None:
    assert [code(row[0]) for row in rows_of(PAGE, "cause")] == AdjustmentCause.values


def test_witnesses() -> None:
    assert [code(row[0]) for row in rows_of(PAGE, "witness")] == Witness.values


def test_the_clock_limit() -> None:
    assert f"off by more than {CLOCK_SKEW_MS_MAX // 60_000} minutes" in text_of(PAGE)

"""The page on metering says what the decision table, the qualities and the engines' mappings say."""

from __future__ import annotations

import re

import pytest

from metering import deltas
from metering.agent.engines import EngineMapping, load_mappings
from metering.clock import CLOCK_SKEW_MS_MAX
from metering.models import Quality, Witness
from metering.queries import BILLED
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


def test_witnesses() -> None:
    assert [code(row[0]) for row in rows_of(PAGE, "witness")] == Witness.values


def test_the_clock_limit() -> None:
    assert f"off by more than {CLOCK_SKEW_MS_MAX // 60_000} minutes" in text_of(PAGE)


@pytest.fixture(scope="module")
def mappings() -> dict[str, EngineMapping]:
    return load_mappings()


def test_every_engine_is_listed_as_its_mapping_says(mappings: dict[str, EngineMapping]) -> None:
    rows = {code(row[0]): row for row in rows_of(PAGE, "engine")}
    assert list(rows) == sorted(mappings)
    for name, mapping in mappings.items():
        _, title, page, port, cached, reads, cannot = rows[name]
        assert mapping.title.startswith(title), name
        assert code(page) == mapping.page, name
        assert port == (str(mapping.default_port) if mapping.default_port else "–"), name
        assert cached == mapping.cached_tokens, name
        assert reads.split(", ") == list(dict.fromkeys(rule.quantity for rule in mapping.meters)), name
        for unread in {"requests", "cached_input"} - {rule.quantity for rule in mapping.meters}:
            assert unread.replace("cached_input", "cached tokens") in cannot, f"{name} does not read {unread}"

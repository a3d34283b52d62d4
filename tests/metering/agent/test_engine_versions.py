"""Versions of engines as they are written, and ranges of them."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metering.agent.engine_versions import RANGE_PATTERN, in_range, parse_version
from tests.examples import examples


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("0.33.0", (0, 33)),
        ("v0.9.2rc1", (0, 9, 2)),
        ("b10519", (10519,)),
        ("b10519-c392e50", (10519,)),
        ("2026.08.1.dev3+g1234", (2026, 8, 1)),
        ("0", (0,)),
        ("0.0.0", (0,)),
        (" 1.2 ", (1, 2)),
        ("", None),
        ("unknown", None),
        ("dirty", None),
    ],
)
def test_a_version_is_read_by_its_numbers(text: str, numbers: tuple[int, ...] | None) -> None:
    assert parse_version(text) == numbers


@pytest.mark.parametrize(
    ("version", "wanted", "expected"),
    [
        ("0.9.2", ">=0.9.2", True),
        ("0.9.1", ">=0.9.2", False),
        ("0.10", ">=0.9.2", True),
        ("0.11", ">=0.9.2,<0.11", False),
        ("0.11.0", "<0.11", False),
        ("0.10.9", ">=0.9.2,<0.11", True),
        ("b7010", ">=b7010", True),
        ("b7009", "<b7010", True),
        ("0.9.1", "", True),
        (None, "<0.1", True),
        ("unknown", "<0.1", True),
    ],
)
def test_a_range_holds_from_its_first_version_up_to_its_last(version: str | None, wanted: str, expected: bool) -> None:
    assert in_range(version, wanted) == expected


@pytest.mark.parametrize("text", ["0.9", "=0.9", ">0.9", "<=0.9", ">=0.9 <1", "<1,>=0.9", ">=", ">=x", ">=1.2.3.4.5"])
def test_another_way_to_write_a_range_is_none(text: str) -> None:
    assert re.fullmatch(RANGE_PATTERN.replace("^", "").replace("$", ""), text) is None


@settings(max_examples=examples(25))
@given(st.lists(st.integers(0, 99), min_size=1, max_size=4), st.lists(st.integers(0, 99), min_size=1, max_size=4))
def test_a_version_is_below_a_bound_or_not_below_it(left: list[int], right: list[int]) -> None:
    version, bound = (".".join(map(str, each)) for each in (left, right))
    assert in_range(version, f"<{bound}") != in_range(version, f">={bound}")

"""Reading tokens from other programs' names for them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metering.compat.reports import Report, TokensUnreadable, Unusable, read_counts, read_report
from tests.examples import examples

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("data", "counts"),
    [
        ({"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}, (10, 0, 0, 5, 0)),
        ({"input_tokens": "10", "output_tokens": "5"}, (10, 0, 0, 5, 0)),
        ({"prompt_tokens": 10.0, "completion_tokens": None}, (10, 0, 0, 0, 0)),
        ({"type": "output", "tokens": "123"}, (0, 0, 0, 123, 0)),
        ({"type": "prompt", "tokens": 7}, (7, 0, 0, 0, 0)),
        (
            {
                "prompt_tokens": 10,
                "completion_tokens": 5,
                "prompt_tokens_details": {"cached_tokens": 4},
                "completion_tokens_details": {"reasoning_tokens": 2, "audio_tokens": 0},
                "cache_creation_input_tokens": 3,
            },
            (10, 4, 3, 5, 2),
        ),
        ({"input": 3, "output": 0, "prompt_tokens_details": None}, (3, 0, 0, 0, 0)),
    ],
)
def test_tokens_are_read_by_each_name(data: dict[str, Any], counts: tuple[int, ...]) -> None:
    assert read_counts(data) == counts


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ({}, "no_tokens"),
        ({"cost": 0.1}, "no_tokens"),
        ({"prompt_tokens": "many"}, "not_a_number"),
        ({"prompt_tokens": 1.5}, "not_a_number"),
        ({"prompt_tokens": True}, "not_a_number"),
        ({"prompt_tokens": float("inf")}, "not_a_number"),
        ({"prompt_tokens": -1}, "absurd"),
        ({"prompt_tokens": 10**18}, "absurd"),
        ({"prompt_tokens": 1, "prompt_tokens_details": {"cached_tokens": 2}}, "cached_exceeds_input"),
        ({"completion_tokens": 1, "reasoning_tokens": 2}, "reasoning_exceeds_output"),
    ],
)
def test_what_is_no_count_says_so(data: dict[str, Any], code: str) -> None:
    with pytest.raises(TokensUnreadable) as refused:
        read_counts(data)
    assert refused.value.code == code


@pytest.mark.parametrize("changes", [{"model": None}, {"model": ""}, {"model": "m" * 201}, {"model": "a\0b"}])
def test_an_item_without_a_name_it_needs_is_unusable(changes: dict[str, Any]) -> None:
    data = {"model": "m", "prompt_tokens": 1, **changes}
    found = read_report(source="s", event_id="e", occurred_at=NOW, subject="t", data=data, now=NOW)
    assert isinstance(found, Unusable)
    assert found.sample["id"] == "e"


@settings(max_examples=examples(25))
@given(st.dictionaries(st.text(max_size=30), st.none() | st.booleans() | st.integers() | st.floats() | st.text()))
def test_any_data_is_a_report_or_says_why_not(data: dict[str, Any]) -> None:
    found = read_report(source="s", event_id="e", occurred_at=NOW, subject="t", data={"model": "m", **data}, now=NOW)
    if isinstance(found, Report):
        tokens, cached, cache_write, output, reasoning = found.counts
        assert 0 <= cached <= tokens
        assert 0 <= reasoning <= output
        assert cache_write >= 0
    else:
        assert found.code

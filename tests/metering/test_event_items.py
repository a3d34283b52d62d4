"""Reading events: whatever comes in, every item has exactly one outcome."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metering.checks import EVENT_TOKENS_MAX
from metering.event_items import EVENTS_MAX, EventsMalformed, read_events
from tests.examples import examples
from tests.metering.fleet import NOON
from tests.metering.test_events import event

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)
FIELDS = ["id", "source", "occurred_at", "model", "input", "output", "cached_input", "reasoning", "tenant", "key", "x"]


@settings(max_examples=examples(25))
@given(st.lists(JSON | st.dictionaries(st.sampled_from(FIELDS), JSON), min_size=1, max_size=8), st.data())
def test_every_item_has_one_outcome_and_good_ones_are_untouched_by_bad_ones(
    items: list[Any], data: st.DataObject
) -> None:
    places = data.draw(st.sets(st.integers(0, len(items)), max_size=3))
    sent: list[Any] = []
    good = []
    for index, item in enumerate([*items, None]):
        if index in places:
            good.append(len(sent))
            sent.append(event(f"good-{index}"))
        if index < len(items):
            sent.append(item)
    events, rejected = read_events(json.dumps(sent).encode(), NOON)
    indices = [one.index for one in events] + [one.index for one in rejected]
    assert sorted(indices) == list(range(len(sent)))
    assert set(good) <= {one.index for one in events}
    assert all(one.code and one.detail for one in rejected)


@settings(max_examples=examples(25))
@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(payload: bytes) -> None:
    try:
        events, rejected = read_events(payload, NOON)
    except EventsMalformed:
        return
    assert 1 <= len(events) + len(rejected) <= EVENTS_MAX


@settings(max_examples=examples(25))
@given(
    tokens=st.integers(0, EVENT_TOKENS_MAX),
    output=st.integers(0, EVENT_TOKENS_MAX),
    as_text=st.booleans(),
    data=st.data(),
)
def test_counts_are_read_exactly_from_numbers_and_digits(
    tokens: int, output: int, as_text: bool, data: st.DataObject
) -> None:
    cached, reasoning = data.draw(st.integers(0, tokens)), data.draw(st.integers(0, output))
    counts: dict[str, Any] = {"input": tokens, "output": output, "cached_input": cached, "reasoning": reasoning}
    if as_text:
        counts = {name: str(value) for name, value in counts.items()}
    (found,), rejected = read_events(json.dumps([event(**counts)]).encode(), NOON)
    assert found.counts == (tokens, cached, 0, output, reasoning)
    assert rejected == []


@pytest.mark.parametrize(
    ("written", "at"),
    [
        ("2026-03-10T12:00:00Z", NOON),
        ("2026-03-10T12:00:00.000001Z", NOON + timedelta(microseconds=1)),
        ("2026-03-10T20:00:00+08:00", NOON),
        ("2026-03-10t12:00:00z", NOON),
        ("2026-03-10T12:05:00Z", NOON + timedelta(minutes=5)),
        ("2000-01-01T00:00:00Z", datetime(2000, 1, 1, tzinfo=UTC)),
    ],
)
def test_instants_are_kept_in_utc(written: str, at: datetime) -> None:
    (found,), _ = read_events(json.dumps([event(occurred_at=written)]).encode(), NOON)
    assert found.occurred_at == at
    assert found.occurred_at.utcoffset() == timedelta(0)


@pytest.mark.parametrize("number", ["9" * 25, "9" * 5_000, "1e400", '"' + "9" * 19 + '"'], ids=range(4))
def test_numbers_beyond_any_count_are_absurd(number: str) -> None:
    payload = json.dumps([event()]).replace('"input": 100', f'"input": {number}').encode()
    events, (rejected,) = read_events(payload, NOON)
    assert (events, rejected.code, rejected.field) == ([], "absurd", "input")


def test_an_item_nested_too_deep_is_refused() -> None:
    deep = "[" * 50_000 + "]" * 50_000
    with pytest.raises(EventsMalformed):
        read_events(f"[{json.dumps(event())}, {deep}]".encode(), NOON)

"""Events as columns: the same judgement for all at once as for each by itself."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from metering.checks import EVENT_TOKENS_MAX
from metering.event_columns import (
    NUMBERS,
    EventColumns,
    columns_of,
    columns_of_items,
    instant_us,
    places_of,
    pointed_at,
    unix_us,
)
from metering.event_items import COUNT_FIELDS, EARLIEST, Event, check_items, read_items
from metering.event_marks import GIVEN_MARKS, QUANTITIES
from tests.examples import examples
from tests.metering.fleet import NOON
from tests.metering.test_events import event

COUNTS = st.integers(0, 5) | st.sampled_from([-1, EVENT_TOKENS_MAX, EVENT_TOKENS_MAX + 1, 2**63, "7", "x"])
INSTANTS = st.integers(unix_us(EARLIEST) - 10, unix_us(NOON)).map(instant_us) | st.sampled_from(
    [NOON, NOON + timedelta(minutes=5), NOON + timedelta(minutes=5, microseconds=1), EARLIEST]
)
ITEMS = st.fixed_dictionaries(
    {
        "id": st.sampled_from(["a", "b", "c\0"]),
        "source": st.sampled_from(["gateway-1", "gateway-2"]),
        "model": st.sampled_from(["m", "n\0"]),
        "input": COUNTS,
        "output": COUNTS,
        "occurred_at": INSTANTS.map(datetime.isoformat),
    },
    optional={
        "cached_input": COUNTS,
        "cache_write": COUNTS,
        "reasoning": COUNTS,
        "tenant": st.sampled_from([None, "", "tenant"]),
        "deployment": st.sampled_from([None, "chat"]),
        "key": st.sampled_from([None, "team", "te\0am"]),
        "samples": st.integers(1, 3),
        "status": st.sampled_from(["complete", "aborted", "failed"]),
        "marks": st.lists(st.sampled_from(GIVEN_MARKS), max_size=3),
        "quantities": st.none() | st.dictionaries(st.sampled_from(QUANTITIES), COUNTS, max_size=2),
    },
)


def rows_of(columns: EventColumns) -> list[Event]:
    """The events again."""
    rows = []
    for place, event_id in enumerate(columns.ids):
        stream = columns.streams[columns.stream[place]]
        numbers = dict(zip(NUMBERS, columns.numbers[place].tolist(), strict=True))
        samples, aborted = numbers.pop("samples"), bool(numbers.pop("aborted"))
        said = (stream.source, event_id, instant_us(int(columns.occurred_us[place])), stream.model)
        counts: Any = tuple(numbers[name] for name in COUNT_FIELDS)
        beside: Any = tuple(numbers[name] for name in QUANTITIES)
        label = columns.labels[columns.label[place]]
        named = (stream.deployment, stream.tenant, label)
        rows.append(Event(int(columns.index[place]), *said, counts, *named, samples, aborted, beside, numbers["marks"]))
    return rows


@settings(max_examples=examples(25))
@given(st.lists(ITEMS, min_size=1, max_size=5))
@example([event("a"), event("b", key="team")])
def test_all_at_once_are_judged_as_each_by_itself(sent: list[dict[str, Any]]) -> None:
    items, misshapen = read_items(json.dumps(sent).encode())
    events, rejected = check_items(items, misshapen, NOON)
    assert rows_of(columns_of(events)) == events
    if items and not misshapen:
        at_once = columns_of_items([item for _, item in items], NOON)
        assert (at_once is None) == bool(rejected or any(type(count) is str for count in _counts(sent)))
        assert at_once is None or rows_of(at_once) == events


def _counts(sent: list[dict[str, Any]]) -> list[object]:
    return [one[name] for one in sent for name in COUNT_FIELDS if name in one]


@settings(max_examples=examples(25))
@given(st.integers(unix_us(EARLIEST), unix_us(datetime(2100, 1, 1, tzinfo=UTC))).map(instant_us))
def test_an_instant_keeps_its_microseconds(at: datetime) -> None:
    items, _ = read_items(json.dumps([event(occurred_at=at.isoformat())]).encode())
    columns = columns_of_items([items[0][1]], at)
    assert columns is not None
    assert columns.occurred_us.tolist() == [unix_us(at)]
    assert instant_us(unix_us(at)) == at


@settings(max_examples=examples(25))
@given(st.lists(st.sampled_from("abc")))
def test_what_repeats_is_kept_once_and_found_again(values: list[str]) -> None:
    seen, places = pointed_at(values)
    assert [seen[place] for place in places] == values
    assert len(set(seen)) == len(seen)
    found = places_of(places, len(seen))
    assert [np.array(values, dtype=object)[at].tolist() for at in found] == [
        [one for one in values if one == value] for value in seen
    ]
    assert np.concatenate([*found, np.array([], dtype=np.int64)]).size == len(values)

"""Use by key: sums that add up to those without keys, whatever the chunks."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from random import Random
from uuid import UUID

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from metering.event_columns import NOBODY, NUMBERS, Owned, OwnedColumns, unix_us
from metering.event_sums import ReceivedEvents, sum_events
from metering.key_sums import BILLS, CONTROL, COUNTED, KeyPart, KeySum, add_sums, labelled, missing_of, sum_keys
from tests.metering.fleet import NOON

TENANT, OTHER, REPORTER, SECOND, CHAT, CODE = (UUID(int=number) for number in range(1, 7))
OWNERS = tuple(
    Owned("gateway-1", model, tenant, deployment, "")
    for tenant in (TENANT, OTHER)
    for model in ("small", "large")
    for deployment in (CHAT, CODE, NOBODY)
)
LABELS = ("", "night-batch", "chat-web")
MINUTE = timedelta(minutes=1)
EDGES = {CHAT: [NOON + 20 * MINUTE], CODE: [NOON - MINUTE, NOON + 65 * MINUTE]}

events_said = st.lists(
    st.tuples(
        st.integers(0, len(OWNERS) - 1), st.integers(0, len(LABELS) - 1), st.integers(0, 130), st.integers(0, 300_000)
    ),
    min_size=1,
    max_size=30,
)


def call(rows: list[tuple[int, int, int, int]], reporter: UUID = REPORTER) -> ReceivedEvents:
    numbers = [
        [
            {"input": tokens, "cached_input": tokens // 3, "output": 7, "images": tokens % 2}.get(name, 0)
            for name in NUMBERS
        ]
        for *_, tokens in rows
    ]
    events = OwnedColumns(
        (),
        OWNERS,
        np.array([owner for owner, *_ in rows]),
        LABELS,
        np.array([label for _, label, *_ in rows]),
        np.array([unix_us(NOON + minute * MINUTE) for _, _, minute, _ in rows]),
        np.array(numbers),
    )
    return ReceivedEvents(reporter, NOON, events)


def always(*_: object) -> bool:
    return True


@settings(max_examples=40, deadline=None)
@given(events_said)
def test_keys_and_what_has_none_add_up_to_the_sums_without_keys(rows: list[tuple[int, int, int, int]]) -> None:
    calls = [call(rows)]
    whole: Counter[object] = Counter()
    for one in sum_events(calls, EDGES):
        about = (one.tenant_id, one.deployment_id, one.model, one.from_at, one.to_at, one.context_over, one.marks)
        for name, value in one.totals.items():
            whole[*about, name] += value
    unnamed = [row for row in rows if not LABELS[row[1]]]
    for one in sum_events([call(unnamed)], EDGES) if unnamed else ():
        about = (one.tenant_id, one.deployment_id, one.model, one.from_at, one.to_at, one.context_over, one.marks)
        for name, value in one.totals.items():
            whole[*about, name] -= value
    for key in sum_keys(labelled(calls), EDGES, always):
        part = key.part
        about = (part.tenant_id, part.deployment_id, part.model, part.from_at, key.to_at, part.context_over, part.marks)
        for name, value in zip(COUNTED, key.counts, strict=True):
            whole[*about, name] -= value
    assert not any(whole.values())


@settings(max_examples=30, deadline=None)
@given(events_said, st.integers(0, 1000))
def test_any_chunks_give_the_same(rows: list[tuple[int, int, int, int]], seed: int) -> None:
    together = {one.part: one for one in sum_keys(labelled([call(rows)]), EDGES, always)}
    chunked: dict[KeyPart, KeySum] = {}
    Random(seed).shuffle(rows)
    for place in range(0, len(rows), 3):
        add_sums(chunked, sum_keys(labelled([call(rows[place : place + 3])]), EDGES, always))
    assert chunked == together
    assert missing_of(together, chunked) == []


def test_events_without_a_label_are_left_out_and_no_label_is_nothing() -> None:
    assert labelled([call([(0, 0, 5, 1)])]) == []
    assert sum_keys([], {}, always) == []
    (kept,) = labelled([call([(0, 0, 5, 1), (0, 1, 6, 2)])])
    assert len(kept.events) == 1


def test_another_reporters_events_stay_apart() -> None:
    calls = labelled([call([(0, 1, 5, 10)]), call([(0, 1, 6, 20)], SECOND)])
    found = sum_keys(calls, {}, lambda _deployment, reporter, _hour: reporter == REPORTER)
    assert {one.part.quality: one.counts[0] for one in found} == {BILLS: 10, CONTROL: 20}


def test_what_is_missing_is_the_difference_and_what_is_too_much_is_taken_away() -> None:
    (wanted,) = sum_keys(labelled([call([(0, 1, 5, 10)])]), {}, always)
    (more,) = sum_keys(labelled([call([(0, 1, 5, 10), (0, 1, 7, 3)])]), {}, always)
    (missing,) = missing_of({more.part: more}, {wanted.part: wanted})
    assert (missing.counts[COUNTED.index("input")], missing.counts[COUNTED.index("requests")]) == (3, 1)
    (surplus,) = missing_of({}, {wanted.part: wanted})
    assert surplus.counts == tuple(-count for count in wanted.counts)

"""Sums of events: each once, in its part of its hour, whatever the chunks."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING
from uuid import UUID

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from metering.context_bands import CONTEXT_BANDS, band_of
from metering.event_columns import NOBODY, NUMBERS, Owned, OwnedColumns, unix_us
from metering.event_items import COUNT_FIELDS
from metering.event_marks import bits_of
from metering.event_sums import Explaining, ReceivedEvents, deployments_in, explain_events, sum_events
from tests.examples import examples
from tests.metering.fleet import NOON

if TYPE_CHECKING:
    from collections.abc import Sequence

    from metering.event_sums import EventSum

TENANT, REPORTER, CHAT, CODE = (UUID(int=number) for number in range(1, 5))
OWNERS = tuple(
    Owned(source, model, TENANT, deployment, "")
    for source in ("gateway-1", "gateway-2")
    for model in ("small", "large")
    for deployment in (CHAT, CODE, NOBODY)
)
MINUTE = timedelta(minutes=1)
EDGES = {CHAT: [NOON + 20 * MINUTE, NOON + 65 * MINUTE], CODE: [NOON - MINUTE, NOON + 40 * MINUTE]}
Said = tuple[int, int, int, int, tuple[str, ...]]
"""Owner, minute, input, samples, marks beside what follows from the status."""


def call(said: Sequence[Said], received: timedelta = timedelta()) -> ReceivedEvents:
    numbers = [
        [
            {
                "input": tokens,
                "cached_input": tokens // 2,
                "cache_write": written(tokens),
                "samples": samples,
                "aborted": int(tokens == 0),
                "images": samples - 1,
                "marks": bits_of(marks),
            }.get(name, 0)
            for name in NUMBERS
        ]
        for _, _, tokens, samples, marks in said
    ]
    events = OwnedColumns(
        (),
        OWNERS,
        np.array([owner for owner, *_ in said]),
        ("",),
        np.zeros(len(said), dtype=np.int64),
        np.array([unix_us(NOON + minute * MINUTE) for _, minute, *_ in said]),
        np.array(numbers),
    )
    return ReceivedEvents(REPORTER, NOON + received, events)


def written(tokens: int) -> int:
    """What stands beside the input of some requests."""
    return 1 if tokens % 2 else 0


LENGTHS = st.integers(0, 9) | st.sampled_from(CONTEXT_BANDS[1:]).flatmap(lambda over: st.integers(over - 1, over + 1))
MARKED = st.sampled_from([(), (), ("batch",), ("test",), ("batch", "test"), ("failed",)])
SAID = st.tuples(st.integers(0, len(OWNERS) - 1), st.integers(-70, 130), LENGTHS, st.integers(1, 3), MARKED)


def totals(sums: Sequence[EventSum]) -> Counter[tuple[object, ...]]:
    found: Counter[tuple[object, ...]] = Counter()
    for one in sums:
        row = (
            one.source,
            one.model,
            one.deployment_id,
            one.from_at,
            one.to_at,
            one.version,
            one.context_over,
            one.marks,
        )
        found.update({(*row, name): value for name, value in one.totals.items() if value})
    return found


def expected(said: Sequence[Said], received: timedelta) -> Counter[tuple[object, ...]]:
    """The same, event by event."""
    found: Counter[tuple[object, ...]] = Counter()
    for number, minute, tokens, samples, marks in said:
        owner, at = OWNERS[number], NOON + minute * MINUTE
        hour = at.replace(minute=0)
        edges = [hour, hour + 60 * MINUTE, *EDGES.get(owner.deployment_id, [])]
        late = max(0, (NOON + received - hour) // timedelta(hours=1) - 1)
        row = (
            owner.source,
            owner.model,
            None if owner.deployment_id == NOBODY else owner.deployment_id,
            max(edge for edge in edges if edge <= at),
            min(edge for edge in edges if edge > at),
            1 + late,
            band_of(tokens + written(tokens)),
            "+".join(sorted((*marks, *(["interrupted"] if tokens == 0 else [])))),
        )
        counts = {"input": tokens, "cached_input": tokens // 2, "cache_write": written(tokens), "requests": 1}
        counts["images"] = samples - 1
        found.update({(*row, name): count for name, count in counts.items()})
    return Counter({key: value for key, value in found.items() if value})


@settings(max_examples=examples(25))
@given(st.lists(SAID, min_size=1, max_size=12), st.integers(0, 300), st.integers(0, 5))
def test_sums_are_those_of_each_event_in_any_chunks(said: list[Said], received_min: int, parts: int) -> None:
    received = received_min * MINUTE
    whole = sum_events([call(said, received)], EDGES)
    assert totals(whole) == expected(said, received)
    assert sum(one.records for one in whole) == len(said)
    assert sum(one.totals["input"] for one in whole) == sum(tokens for _, _, tokens, _, _ in said)
    mixed = list(said)
    Random(parts).shuffle(mixed)
    chunks = [call(mixed[start : start + 1 + parts], received) for start in range(0, len(mixed), 1 + parts)]
    assert totals(sum_events(chunks, EDGES)) == totals(whole)
    one_by_one: Counter[tuple[object, ...]] = Counter()
    for chunk in chunks:
        one_by_one.update(totals(sum_events([chunk], EDGES)))
    assert one_by_one == totals(whole)


def test_input_output_and_requests_are_there_when_they_are_zero() -> None:
    [one] = sum_events([call([(0, 0, 0, 1, ())])], {})
    assert one.totals == {"input": 0, "output": 0, "requests": 1}
    assert set(COUNT_FIELDS) - one.totals.keys() == {"cached_input", "cache_write", "reasoning"}


def test_an_hour_stands_an_hour_after_its_end() -> None:
    at = [timedelta(minutes=minute) for minute in (0, 119, 120, 179, 180)]
    assert [one.version for after in at for one in sum_events([call([(0, 5, 1, 1, ())], after)], {})] == [1, 1, 2, 2, 3]


def test_the_deployments_whose_edges_are_needed() -> None:
    assert deployments_in([call([(0, 0, 1, 1, ())])]) == {CHAT, CODE}


@settings(max_examples=30)
@given(st.lists(SAID, min_size=1, max_size=8))
def test_what_explains_is_summed_by_deployment_model_and_hour(said: list[Said]) -> None:
    found = {(one.deployment_id, one.model, one.hour_at): one for one in explain_events([call(said)])}
    for key, one in found.items():
        mine = [
            (tokens, samples)
            for owner, minute, tokens, samples, _ in said
            if (OWNERS[owner].deployment_id, OWNERS[owner].model, _hour(minute)) == key
        ]
        several = [(tokens, samples) for tokens, samples in mine if samples > 1]
        assert one == Explaining(
            *key,
            several_requests=len(several),
            several_input=sum(tokens for tokens, _ in several),
            repeated_input=sum(tokens * (samples - 1) for tokens, samples in several),
            further_answers=sum(samples - 1 for _, samples in several),
            aborted_requests=sum(tokens == 0 for tokens, _ in mine),
        )
    explaining = {
        (OWNERS[owner].deployment_id, OWNERS[owner].model, _hour(minute))
        for owner, minute, tokens, samples, _ in said
        if (samples > 1 or tokens == 0) and OWNERS[owner].deployment_id != NOBODY
    }
    assert explaining == found.keys()


def _hour(minute: int) -> datetime:
    return (NOON + minute * MINUTE).replace(minute=0).astimezone(UTC)

"""Cutting deltas at hours and edges: sums are exact, order and refinement do not matter."""

from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metering.deltas import DeltaOutcome, Quality, RegisterReading, RegisterState, delta
from metering.hours import HOUR_MS, Part, cut, cut_outcome, hour_of, hour_totals, instant_of, unix_ms_of
from tests.examples import examples

NOON_MS = unix_ms_of(datetime(2026, 3, 10, 12, tzinfo=UTC))


def test_a_delta_inside_one_hour_stays_whole_and_actual() -> None:
    parts = cut(value=70, from_ms=NOON_MS + 10_000, to_ms=NOON_MS + 20_000)
    assert parts == (Part(NOON_MS, NOON_MS + 10_000, NOON_MS + 20_000, 70, Quality.ACTUAL, split=False),)


def test_a_reading_on_the_full_hour_closes_the_hour_before() -> None:
    (part,) = cut(value=7, from_ms=NOON_MS - 10_000, to_ms=NOON_MS)
    assert part.hour_ms == NOON_MS - HOUR_MS
    (part,) = cut(value=7, from_ms=NOON_MS, to_ms=NOON_MS + 10_000)
    assert part.hour_ms == NOON_MS


def test_a_delta_over_three_hours_is_shared_by_time_as_an_estimate() -> None:
    parts = cut(value=1_000, from_ms=NOON_MS - HOUR_MS // 2, to_ms=NOON_MS + 2 * HOUR_MS)
    assert [part.value for part in parts] == [200, 400, 400]
    assert {part.quality for part in parts} == {Quality.ESTIMATED}
    assert all(part.split for part in parts)


def test_a_silent_register_is_an_actual_zero_in_every_hour() -> None:
    parts = cut(value=0, from_ms=NOON_MS - HOUR_MS, to_ms=NOON_MS + HOUR_MS)
    assert [(part.value, part.quality) for part in parts] == [(0, Quality.ACTUAL)] * 2


def test_a_quarantined_delta_stays_quarantined_when_split() -> None:
    parts = cut(value=10, from_ms=NOON_MS - 60_000, to_ms=NOON_MS + 60_000, quality=Quality.QUARANTINED)
    assert {part.quality for part in parts} == {Quality.QUARANTINED}


def test_an_edge_inside_the_hour_cuts_and_one_outside_does_not() -> None:
    edge_ms = NOON_MS + 20 * 60_000
    parts = cut(
        value=3_000,
        from_ms=NOON_MS,
        to_ms=NOON_MS + HOUR_MS,
        edges_ms=[edge_ms, edge_ms, NOON_MS, NOON_MS + HOUR_MS, NOON_MS - 5, NOON_MS + HOUR_MS + 5],
    )
    assert [(part.from_ms, part.to_ms, part.value) for part in parts] == [
        (NOON_MS, edge_ms, 1_000),
        (edge_ms, NOON_MS + HOUR_MS, 2_000),
    ]
    assert {part.hour_ms for part in parts} == {NOON_MS}


def test_one_unit_goes_to_the_longer_side() -> None:
    third, two_thirds = NOON_MS + HOUR_MS // 3, NOON_MS + 2 * HOUR_MS // 3
    assert [p.value for p in cut(value=1, from_ms=NOON_MS, to_ms=NOON_MS + HOUR_MS, edges_ms=[third])] == [
        0,
        1,
    ]
    parts = cut(value=1, from_ms=NOON_MS, to_ms=NOON_MS + HOUR_MS, edges_ms=[two_thirds])
    assert [part.value for part in parts] == [1, 0]


def test_a_reading_taken_just_past_the_hour_belongs_wholly_before_it() -> None:
    late_ms = NOON_MS + 30
    (before,) = cut(value=50, from_ms=NOON_MS - 10_000, to_ms=late_ms, snap_ms=250)
    (after,) = cut(value=60, from_ms=late_ms, to_ms=NOON_MS + 10_000, snap_ms=250)
    assert (before.hour_ms, before.quality) == (NOON_MS - HOUR_MS, Quality.ACTUAL)
    assert (after.hour_ms, after.quality) == (NOON_MS, Quality.ACTUAL)


def test_a_reading_taken_just_before_the_hour_ends_it_too() -> None:
    early_ms = NOON_MS - 30
    (after,) = cut(value=60, from_ms=early_ms, to_ms=NOON_MS + 10_000, snap_ms=250)
    assert after.hour_ms == NOON_MS


def test_a_rise_in_no_time_belongs_to_the_hour_that_ends_there() -> None:
    (part,) = cut(value=5, from_ms=NOON_MS, to_ms=NOON_MS)
    assert part == Part(NOON_MS - HOUR_MS, NOON_MS - 1, NOON_MS, 5, Quality.ACTUAL, split=False)


def test_an_outcome_is_cut_over_its_own_interval() -> None:
    before = RegisterState("e1", 1, 100, NOON_MS - 60_000)
    rise = delta(before, RegisterReading("e1", 2, 220, NOON_MS + 60_000))
    assert [part.value for part in cut_outcome(rise)] == [60, 60]
    assert [part.value for part in cut_outcome(rise, [NOON_MS + 30_000])] == [60, 30, 30]


def test_an_outcome_that_counts_nothing_has_no_parts() -> None:
    before = RegisterState("e1", 1, 100, NOON_MS)
    held: DeltaOutcome = delta(before, RegisterReading("e1", 2, 50, NOON_MS + 10_000))
    assert cut_outcome(held) == ()
    assert cut_outcome(delta(None, RegisterReading("e1", 1, 50, NOON_MS))) == ()


def test_hours_add_up_by_quality() -> None:
    parts = [
        Part(NOON_MS, NOON_MS, NOON_MS + 1, 5, Quality.ESTIMATED, split=True),
        Part(NOON_MS, NOON_MS + 1, NOON_MS + 2, 7, Quality.ACTUAL, split=False),
        Part(NOON_MS - HOUR_MS, NOON_MS - 1, NOON_MS, 2, Quality.ACTUAL, split=False),
        Part(NOON_MS, NOON_MS + 2, NOON_MS + 3, 1, Quality.ACTUAL, split=False),
    ]
    assert hour_totals(parts) == {
        NOON_MS - HOUR_MS: {Quality.ACTUAL: 2},
        NOON_MS: {Quality.ACTUAL: 8, Quality.ESTIMATED: 5},
    }


def test_instants_and_milliseconds_convert_both_ways() -> None:
    assert instant_of(NOON_MS) == datetime(2026, 3, 10, 12, tzinfo=UTC)
    tokyo = timezone(timedelta(hours=9))
    assert unix_ms_of(datetime(2026, 3, 10, 21, 0, 0, 1_999, tzinfo=tokyo)) == NOON_MS + 1
    with pytest.raises(AssertionError):
        unix_ms_of(datetime(2026, 3, 10))  # noqa: DTZ001 - the naive instant is what is refused


SPANS = st.tuples(st.integers(0, 40 * HOUR_MS), st.integers(1, 6 * HOUR_MS))
EDGES = st.lists(st.integers(0, 46 * HOUR_MS), max_size=6)
VALUES = st.integers(0, 2**62)


@settings(max_examples=examples(25))
@given(VALUES, SPANS, EDGES, st.integers(0, 1_000))
def test_parts_sum_to_the_whole_and_are_proportional(
    value: int, span: tuple[int, int], edges: list[int], snap_ms: int
) -> None:
    from_ms, length = span
    parts = cut(value=value, from_ms=from_ms, to_ms=from_ms + length, edges_ms=edges, snap_ms=snap_ms)
    assert sum(part.value for part in parts) == value
    assert (parts[0].from_ms, parts[-1].to_ms) == (from_ms, from_ms + length)
    assert all(left.to_ms == right.from_ms for left, right in pairwise(parts))
    for part in parts:
        assert abs(part.value * length - value * (part.to_ms - part.from_ms)) <= length
        assert part.value >= 0


@settings(max_examples=examples(25))
@given(VALUES, SPANS, EDGES)
def test_no_part_crosses_an_hour(value: int, span: tuple[int, int], edges: list[int]) -> None:
    from_ms, length = span
    for part in cut(value=value, from_ms=from_ms, to_ms=from_ms + length, edges_ms=edges):
        assert hour_of(part.from_ms) == part.hour_ms == hour_of(part.to_ms - 1)


@settings(max_examples=examples(25))
@given(VALUES, SPANS, EDGES, EDGES)
def test_cutting_finer_never_moves_a_unit_across_an_edge(
    value: int, span: tuple[int, int], edges: list[int], more: list[int]
) -> None:
    from_ms, length = span
    coarse = cut(value=value, from_ms=from_ms, to_ms=from_ms + length, edges_ms=edges)
    fine = cut(value=value, from_ms=from_ms, to_ms=from_ms + length, edges_ms=edges + more)
    for whole in coarse:
        inside = [part for part in fine if whole.from_ms <= part.from_ms < whole.to_ms]
        assert sum(part.value for part in inside) == whole.value


@settings(max_examples=examples(25))
@given(st.lists(st.tuples(VALUES, SPANS), max_size=8), st.randoms(use_true_random=False))
def test_hours_are_the_same_in_any_order(deltas: list[tuple[int, tuple[int, int]]], random: Random) -> None:
    parts = [
        part
        for value, (from_ms, length) in deltas
        for part in cut(value=value, from_ms=from_ms, to_ms=from_ms + length)
    ]
    shuffled = list(parts)
    random.shuffle(shuffled)
    assert hour_totals(shuffled) == hour_totals(parts)
    assert sum(sum(mix.values()) for mix in hour_totals(parts).values()) == sum(v for v, _ in deltas)

"""Folding columns: a run at once gives what the table of deltas gives reading by reading."""

from __future__ import annotations

from itertools import pairwise
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metering.clock import CLOCK_SKEW_MS_MAX, ClockLimits
from metering.deltas import Quality, RegisterState, Rule
from metering.hours import HOUR_MS
from metering.registers import BEST_RATE_PER_S, BURST_MAX, BatchTerms, MeterFold, Run, TallyKey, version_of
from metering.timeline import FOREVER_MS, Claim, Owner, Timeline
from metering.wire import RegisterColumn
from tests.examples import examples
from tests.metering.fleet import NOON_MS, column, meter

ALICE = Owner(UUID(int=1), UUID(int=11))
BOB = Owner(UUID(int=2), UUID(int=12))
NOBODYS = Timeline()
LIMITS = ClockLimits(0, FOREVER_MS)
TERMS = BatchTerms(1, LIMITS)
STEP_MS = 10_000


def fold(
    *columns: RegisterColumn, timeline: Timeline = NOBODYS, terms: BatchTerms = TERMS, watched: int | None = None
) -> MeterFold:
    made = MeterFold("output", timeline, None, watched)
    for one in columns:
        made.add(run(one, terms))
    return made


def run(one: RegisterColumn, terms: BatchTerms = TERMS) -> Run:
    """A column as a run of one batch."""
    return Run(
        one.epoch,
        one.epoch_started_ms,
        one.epoch_proof,
        one.first_seq,
        one.values,
        one.read_at_ms,
        [terms],
        trusted=terms.limits.trusts_all(one.read_at_ms),
    )


def one_by_one(*columns: RegisterColumn, timeline: Timeline = NOBODYS, terms: BatchTerms = TERMS) -> MeterFold:
    """The same readings, each in a column of its own whose neighbours a run cannot join."""
    made = _Plodding("output", timeline)
    for one in columns:
        made.add(run(one, terms))
    return made


class _Plodding(MeterFold):
    """Folds every reading by the table of deltas."""

    def _rises_at(self, run: Run, index: int) -> bool:
        return False


def figures(made: MeterFold) -> dict[TallyKey, tuple[int, int]]:
    return {key: (tally.value, tally.records) for key, tally in made.tallies.items()}


def by_quality(made: MeterFold) -> dict[Quality, int]:
    sums: dict[Quality, int] = {}
    for tally in made.tallies.values():
        sums[tally.quality] = sums.get(tally.quality, 0) + tally.value
    return sums


def test_first_contact_with_a_running_register_counts_nothing_and_says_so() -> None:
    made = fold(column(meter(), [1_000_000], [NOON_MS]))
    assert by_quality(made) == {Quality.GAP: 0}
    assert made.state == RegisterState("epoch-1", 1, 1_000_000, NOON_MS, base=1_000_000)


def test_an_epoch_that_began_while_watched_counts_from_zero() -> None:
    made = fold(column(meter(), [40], [NOON_MS + 5_000], started_ms=NOON_MS + 1_000, proof="process"), watched=NOON_MS)
    assert by_quality(made) == {Quality.ACTUAL: 40}


def test_an_epoch_that_began_before_anyone_watched_is_a_baseline() -> None:
    made = fold(column(meter(), [40], [NOON_MS + 5_000], started_ms=NOON_MS - 1, proof="process"), watched=NOON_MS)
    assert by_quality(made) == {Quality.GAP: 0}


def test_restart_from_a_million_to_forty_counts_forty() -> None:
    made = fold(
        column(meter(), [999_000, 1_000_000], [NOON_MS, NOON_MS + STEP_MS]),
        column(
            meter(),
            [40],
            [NOON_MS + 2 * STEP_MS],
            first_seq=3,
            epoch="epoch-2",
            started_ms=NOON_MS + 15_000,
            proof="process",
        ),
    )
    assert by_quality(made) == {Quality.GAP: 0, Quality.ACTUAL: 1_000 + 40}
    (tail,) = made.tails
    assert (tail.from_ms, tail.to_ms) == (NOON_MS + STEP_MS, NOON_MS + 15_000)
    assert tail.value_max == 5 * BEST_RATE_PER_S["output"]


def test_a_fall_within_an_epoch_is_held_and_closes_it() -> None:
    times = [NOON_MS + STEP_MS * index for index in range(5)]
    made = fold(column(meter(), [10, 20, 5, 30, 40], times))
    assert by_quality(made) == {Quality.GAP: 0, Quality.ACTUAL: 10, Quality.QUARANTINED: 0}
    held = {tally.rule: tally.records for tally in made.tallies.values() if tally.quality is Quality.QUARANTINED}
    assert held == {Rule.SAME_EPOCH_FALL: 1, Rule.EPOCH_CLOSED: 2}
    assert made.state is not None
    assert made.state.closed


def test_a_restart_that_cannot_be_proved_and_rises_is_held_in_sight() -> None:
    made = fold(
        column(meter(), [100], [NOON_MS]),
        column(meter(), [130], [NOON_MS + STEP_MS], first_seq=2, epoch="epoch-2"),
    )
    assert by_quality(made) == {Quality.GAP: 0, Quality.QUARANTINED: 30}


def test_a_rise_that_no_hardware_can_make_is_held_until_the_register_is_right_again() -> None:
    times = [NOON_MS + STEP_MS * index for index in range(4)]
    made = fold(column(meter(), [0, 10, 2**62, 50], times))
    sums = by_quality(made)
    assert sums[Quality.ACTUAL] == 50
    assert {tally.rule for tally in made.tallies.values()} >= {Rule.HELD_ABOVE_BOUND}


def test_a_missing_reading_costs_resolution_and_no_token() -> None:
    made = fold(column(meter(), [0], [NOON_MS]), column(meter(), [500], [NOON_MS + 3 * STEP_MS], first_seq=4))
    assert by_quality(made)[Quality.ACTUAL] == 500
    assert Rule.SAME_EPOCH_MISSING_READINGS in {tally.rule for tally in made.tallies.values()}


def test_repeated_readings_count_once() -> None:
    times = [NOON_MS + STEP_MS * index for index in range(5)]
    whole = column(meter(), [0, 10, 20, 30, 40], times)
    made = fold(whole, whole, column(meter(), [20, 30], times[2:4], first_seq=3))
    assert by_quality(made) == {Quality.GAP: 0, Quality.ACTUAL: 40}


def test_readings_of_a_clock_that_is_off_are_held_and_their_rise_comes_with_the_next_good_one() -> None:
    off = BatchTerms(2, ClockLimits(0, FOREVER_MS, off=True))
    made = MeterFold("output", NOBODYS)
    made.add(run(column(meter(), [100], [NOON_MS]), TERMS))
    made.add(run(column(meter(), [150, 160], [NOON_MS + STEP_MS, NOON_MS + 2 * STEP_MS], first_seq=2), off))
    assert by_quality(made) == {Quality.GAP: 0, Quality.QUARANTINED: 0}
    made.add(run(column(meter(), [180], [NOON_MS + 3 * STEP_MS], first_seq=4), TERMS))
    assert by_quality(made)[Quality.ACTUAL] == 80


def test_a_reading_from_the_future_cannot_poison_the_register() -> None:
    limits = ClockLimits(0, NOON_MS + HOUR_MS)
    made = MeterFold("output", NOBODYS)
    made.add(run(column(meter(), [100], [NOON_MS]), BatchTerms(1, limits)))
    made.add(run(column(meter(), [110], [NOON_MS + 365 * 24 * HOUR_MS], first_seq=2), BatchTerms(2, limits)))
    made.add(run(column(meter(), [120], [NOON_MS + STEP_MS], first_seq=3), BatchTerms(3, limits)))
    assert by_quality(made) == {Quality.GAP: 0, Quality.QUARANTINED: 0, Quality.ACTUAL: 20}


def test_usage_is_cut_where_its_owner_changes() -> None:
    edge_ms = NOON_MS + HOUR_MS // 2
    timeline = Timeline([Claim(ALICE, 0, edge_ms), Claim(BOB, edge_ms)])
    times = [NOON_MS, NOON_MS + HOUR_MS]
    made = fold(column(meter(), [0, 1_000], times), timeline=timeline)
    owned = {tally.slot.owner: tally.value for tally in made.tallies.values() if tally.value}
    assert owned == {ALICE: 500, BOB: 500}


def test_a_price_that_changes_inside_an_hour_parts_it_at_the_instant() -> None:
    instant_ms = NOON_MS + 20 * 60_000
    assert ALICE.deployment_id
    timeline = Timeline([Claim(ALICE, 0)], {ALICE.deployment_id: [instant_ms]})
    times = [NOON_MS + 60_000 * minute for minute in range(61)]
    made = fold(column(meter(), [7 * minute for minute in range(61)], times), timeline=timeline)
    parts = sorted(
        (tally.slot.from_ms, tally.slot.to_ms, tally.value)
        for tally in made.tallies.values()
        if tally.quality is Quality.ACTUAL
    )
    assert parts == [(NOON_MS, instant_ms, 140), (instant_ms, NOON_MS + HOUR_MS, 280)]


def test_an_hour_is_version_one_until_the_node_is_metered_past_it() -> None:
    assert version_of(NOON_MS, None) == 1
    assert version_of(NOON_MS, NOON_MS + HOUR_MS - 1) == 1
    assert version_of(NOON_MS, NOON_MS + HOUR_MS) == 2
    assert version_of(NOON_MS, NOON_MS + 2 * HOUR_MS - 1) == 2
    assert version_of(NOON_MS, NOON_MS + 2 * HOUR_MS) == 3


def test_late_readings_go_to_a_later_version() -> None:
    made = MeterFold("output", NOBODYS)
    made.add(run(column(meter(), [0, 10], [NOON_MS, NOON_MS + STEP_MS]), BatchTerms(1, LIMITS, NOON_MS)))
    late = BatchTerms(2, LIMITS, NOON_MS + 2 * HOUR_MS)
    made.add(run(column(meter(), [30], [NOON_MS + 2 * STEP_MS], first_seq=3), late))
    versions = {
        tally.version: (tally.value, tally.records, tally.first_seq, tally.last_seq)
        for tally in made.tallies.values()
        if tally.value
    }
    assert versions == {1: (10, 1, 1, 1), 3: (20, 1, 2, 2)}


def printed(value: int) -> int:
    """A counter as an engine prints it that writes six significant digits."""
    return int(float(f"{value:.6g}"))


@settings(max_examples=examples(25))
@given(st.integers(0, 10**9), st.lists(st.integers(0, 10**6), min_size=1, max_size=30))
def test_six_digits_cost_less_than_one_step_of_the_page_and_never_fall(first: int, rises: list[int]) -> None:
    """`3.21457e+06` stands for ten values at a million, and for a thousand at 10^8: what is lost now comes later."""
    values = [first]
    for rise in rises:
        values.append(values[-1] + rise)
    times = [NOON_MS + STEP_MS * index for index in range(len(values))]
    made = fold(column(meter(), [printed(value) for value in values], times))
    assert {tally.rule for tally in made.tallies.values()} == {Rule.FIRST_CONTACT_BASELINE, Rule.SAME_EPOCH_RISE}
    counted = by_quality(made)[Quality.ACTUAL]
    assert counted == printed(values[-1]) - printed(values[0])
    step = 10 ** max(0, len(str(values[-1])) - 6)
    assert abs(counted - sum(rises)) <= step


@st.composite
def histories(draw: st.DrawFn) -> list[RegisterColumn]:
    """Columns of one meter with everything that happens: silence, edges, falls, bursts, restarts, losses."""
    columns: list[RegisterColumn] = []
    seq, value, at_ms, epoch = 1, draw(st.integers(0, 1_000)), NOON_MS, 0
    for _ in range(draw(st.integers(1, 6))):
        seq += draw(st.sampled_from([0, 0, 0, 2]))
        values, times = [], []
        for _ in range(draw(st.integers(1, 12))):
            at_ms += draw(st.sampled_from([0, 1, 300, STEP_MS, 20 * 60_000, 3 * HOUR_MS]))
            value = max(0, value + draw(st.sampled_from([0, 1, 7, 1_000, 123_457, 2 * BURST_MAX, -5])))
            values.append(value)
            times.append(at_ms)
        columns.append(column(meter(), values, times, first_seq=seq, epoch=f"epoch-{epoch}"))
        seq += len(values)
        if draw(st.booleans()):
            epoch, value = epoch + 1, draw(st.integers(0, value))
    return columns


EDGES = Timeline(
    [Claim(ALICE, NOON_MS + STEP_MS, NOON_MS + 30 * 60_000), Claim(BOB, NOON_MS + 90 * 60_000)],
    {UUID(int=1): [NOON_MS + 20 * 60_000], UUID(int=2): [NOON_MS + 5 * HOUR_MS]},
)


@settings(max_examples=examples(25))
@given(histories(), st.sampled_from([NOBODYS, EDGES]))
def test_runs_give_exactly_what_single_readings_give(columns: list[RegisterColumn], timeline: Timeline) -> None:
    quick, slow = fold(*columns, timeline=timeline), one_by_one(*columns, timeline=timeline)
    assert figures(quick) == figures(slow)
    assert quick.state == slow.state
    assert quick.tails == slow.tails
    assert sum(tally.value for tally in quick.tallies.values()) == (quick.state.counted if quick.state else 0)


@settings(max_examples=examples(25))
@given(histories(), st.data())
def test_any_packing_into_columns_and_any_repetition_give_the_same(
    columns: list[RegisterColumn], data: st.DataObject
) -> None:
    packed: list[RegisterColumn] = []
    for one in columns:
        inner = data.draw(st.sets(st.integers(1, len(one.values)))) if len(one.values) > 1 else set()
        bounds = sorted({0, *inner, len(one.values)})
        for start, end in pairwise(bounds):
            packed.append(
                column(
                    one.meter,
                    one.values[start:end],
                    one.read_at_ms[start:end],
                    first_seq=one.first_seq + start,
                    epoch=one.epoch,
                )
            )
    assert figures(fold(*packed, timeline=EDGES)) == figures(fold(*columns, timeline=EDGES))
    repeated = [each for one in columns for each in (one, one)]
    assert by_value(fold(*repeated)) == by_value(fold(*columns))


def by_value(made: MeterFold) -> dict[tuple[int, Quality], int]:
    """Sums by hour and quality, without the zeros of what was merely held."""
    sums: dict[tuple[int, Quality], int] = {}
    for tally in made.tallies.values():
        if tally.value:
            place = (tally.slot.hour_ms, tally.quality)
            sums[place] = sums.get(place, 0) + tally.value
    return sums


@pytest.mark.parametrize("skew_ms", [CLOCK_SKEW_MS_MAX + 1, 10**12])
def test_a_hundred_readings_of_a_wrong_clock_are_all_accounted_for(skew_ms: int) -> None:
    limits = ClockLimits(0, NOON_MS)
    times = [NOON_MS + skew_ms + index for index in range(100)]
    made = fold(column(meter(), list(range(100)), times), terms=BatchTerms(1, limits))
    assert sum(tally.records for tally in made.tallies.values()) == 100
    assert by_quality(made) == {Quality.QUARANTINED: 0}

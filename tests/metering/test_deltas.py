"""The decision table, row by row, and what must hold for any sequence of readings."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metering.deltas import (
    REGISTER_LIMIT,
    DeltaOutcome,
    Flag,
    Quality,
    RegisterBound,
    RegisterReading,
    RegisterState,
    Rule,
    UnseenTail,
    delta,
    fold,
    unseen_tail,
)
from tests.examples import examples

BEFORE = RegisterState(epoch="e1", seq=10, value=1_000, read_at_ms=100_000)


def reading(value: int, *, seq: int = 11, epoch: str = "e1", at_ms: int = 110_000) -> RegisterReading:
    return RegisterReading(epoch=epoch, seq=seq, value=value, read_at_ms=at_ms)


def proved(value: int, started_ms: int, *, seq: int = 11) -> RegisterReading:
    return replace(reading(value, seq=seq, epoch="e2"), epoch_started_ms=started_ms, epoch_proof="process")


def assert_nothing_counted(outcome: DeltaOutcome, rule: Rule, quality: Quality | None) -> None:
    assert outcome.rule is rule
    assert outcome.value is None
    assert outcome.quality is quality
    assert (Flag.ALARM in outcome.flags) is (quality is not None)


def test_the_next_reading_of_an_epoch_counts_its_rise() -> None:
    outcome = delta(BEFORE, reading(1_250))
    assert (outcome.value, outcome.quality, outcome.rule) == (250, Quality.ACTUAL, Rule.SAME_EPOCH_RISE)
    assert (outcome.from_ms, outcome.to_ms) == (100_000, 110_000)
    assert outcome.next_state == RegisterState("e1", 11, 1_250, 110_000)
    assert outcome.flags == frozenset()
    assert outcome.tail is None


def test_a_register_that_stands_still_counts_an_actual_zero() -> None:
    outcome = delta(BEFORE, reading(1_000))
    assert (outcome.value, outcome.quality) == (0, Quality.ACTUAL)


def test_missing_readings_cost_resolution_but_no_tokens() -> None:
    outcome = delta(BEFORE, reading(9_000, seq=1_090, at_ms=10_900_000))
    assert (outcome.value, outcome.quality) == (8_000, Quality.ACTUAL)
    assert outcome.rule is Rule.SAME_EPOCH_MISSING_READINGS
    assert outcome.flags == {Flag.MISSING_READINGS, Flag.SPLIT_ESTIMATED}


def test_a_fall_inside_an_epoch_closes_it_and_counts_nothing() -> None:
    outcome = delta(BEFORE, reading(999))
    assert_nothing_counted(outcome, Rule.SAME_EPOCH_FALL, Quality.QUARANTINED)
    assert outcome.next_state == replace(BEFORE, closed=True)


def test_a_closed_epoch_stays_closed_even_when_it_rises_again() -> None:
    closed = replace(BEFORE, closed=True)
    outcome = delta(closed, reading(5_000))
    assert_nothing_counted(outcome, Rule.EPOCH_CLOSED, Quality.QUARANTINED)
    assert outcome.next_state == closed


def test_a_new_epoch_ends_the_quarantine_of_a_closed_one() -> None:
    outcome = delta(replace(BEFORE, closed=True), reading(40, epoch="e2"))
    assert outcome.value == 40
    assert outcome.next_state == RegisterState("e2", 11, 40, 110_000, base=-1_000)


def test_a_proved_restart_counts_from_zero_over_the_time_since_it() -> None:
    outcome = delta(BEFORE, proved(5_000, started_ms=104_000))
    assert (outcome.value, outcome.quality, outcome.rule) == (5_000, Quality.ACTUAL, Rule.NEW_EPOCH_PROVED)
    assert (outcome.from_ms, outcome.to_ms) == (104_000, 110_000)
    assert outcome.flags == {Flag.RESTARTED, Flag.TAIL_UNSEEN}
    assert outcome.tail == UnseenTail(100_000, 104_000, None)


def test_a_start_at_or_before_the_last_reading_proves_no_reset() -> None:
    outcome = delta(BEFORE, proved(5_000, started_ms=100_000))
    assert (outcome.value, outcome.rule) == (4_000, Rule.NEW_EPOCH_AMBIGUOUS)


def test_a_start_after_its_own_reading_proves_nothing() -> None:
    outcome = delta(BEFORE, proved(5_000, started_ms=110_001))
    assert outcome.rule is Rule.NEW_EPOCH_AMBIGUOUS


def test_a_start_at_the_reading_itself_proves_the_reset() -> None:
    outcome = delta(BEFORE, proved(0, started_ms=110_000))
    assert (outcome.value, outcome.rule, outcome.from_ms) == (0, Rule.NEW_EPOCH_PROVED, 110_000)


def test_a_start_without_a_named_proof_proves_nothing() -> None:
    unproved = replace(proved(5_000, started_ms=104_000), epoch_proof="none")
    assert delta(BEFORE, unproved).rule is Rule.NEW_EPOCH_AMBIGUOUS


def test_an_unproved_new_epoch_above_the_old_value_never_over_bills() -> None:
    outcome = delta(BEFORE, reading(1_700, epoch="e2"))
    assert (outcome.value, outcome.quality) == (700, Quality.QUARANTINED)
    assert outcome.rule is Rule.NEW_EPOCH_AMBIGUOUS
    assert outcome.flags == {Flag.RESTARTED, Flag.AMBIGUOUS_RESET, Flag.TAIL_UNSEEN}
    assert outcome.from_ms == 100_000


def test_an_unproved_new_epoch_at_the_old_value_counts_nothing_new() -> None:
    outcome = delta(BEFORE, reading(1_000, epoch="e2"))
    assert (outcome.value, outcome.rule) == (0, Rule.NEW_EPOCH_AMBIGUOUS)


def test_an_unproved_new_epoch_below_the_old_value_counts_from_zero_and_is_flagged() -> None:
    outcome = delta(BEFORE, reading(40, epoch="e2"))
    assert (outcome.value, outcome.quality, outcome.rule) == (40, Quality.ACTUAL, Rule.NEW_EPOCH_FALL)
    assert Flag.ASSUMED_RESET in outcome.flags


def test_readings_lost_across_a_restart_are_flagged() -> None:
    assert Flag.MISSING_READINGS in delta(BEFORE, proved(40, started_ms=104_000, seq=13)).flags
    assert Flag.MISSING_READINGS not in delta(BEFORE, proved(40, started_ms=104_000)).flags


def test_first_contact_with_a_running_process_is_a_baseline() -> None:
    outcome = delta(None, reading(1_000_000, seq=1))
    assert (outcome.value, outcome.quality) == (0, Quality.GAP)
    assert outcome.rule is Rule.FIRST_CONTACT_BASELINE
    assert outcome.flags == {Flag.NOT_METERED_BEFORE}
    assert (outcome.from_ms, outcome.to_ms) == (110_000, 110_000)
    assert outcome.next_state == RegisterState("e1", 1, 1_000_000, 110_000, base=1_000_000)


@pytest.mark.parametrize(
    ("watched_since_ms", "value", "rule"),
    [
        (None, 0, Rule.FIRST_CONTACT_BASELINE),
        (104_001, 0, Rule.FIRST_CONTACT_BASELINE),
        (104_000, 777, Rule.FIRST_CONTACT_FROM_ZERO),
    ],
)
def test_an_epoch_that_began_under_watch_is_counted_from_zero(
    watched_since_ms: int | None, value: int, rule: Rule
) -> None:
    bound = RegisterBound(watched_since_ms=watched_since_ms)
    outcome = delta(None, proved(777, started_ms=104_000, seq=1), bound)
    assert (outcome.value, outcome.rule) == (value, rule)


def test_the_same_reading_again_is_silent() -> None:
    outcome = delta(BEFORE, reading(1_000, seq=10, at_ms=100_000))
    assert_nothing_counted(outcome, Rule.DUPLICATE, None)
    assert outcome.next_state == BEFORE


@pytest.mark.parametrize("other", [reading(1_001, seq=10), reading(1_000, seq=10, epoch="e2")], ids=["value", "epoch"])
def test_the_same_number_with_other_content_is_a_conflict(other: RegisterReading) -> None:
    outcome = delta(BEFORE, other)
    assert_nothing_counted(outcome, Rule.CONFLICT, Quality.QUARANTINED)
    assert outcome.next_state == BEFORE


def test_an_earlier_number_than_the_last_is_stale() -> None:
    assert_nothing_counted(delta(BEFORE, reading(900, seq=9)), Rule.STALE, None)


@pytest.mark.parametrize(("rise", "rule"), [(1_050, Rule.SAME_EPOCH_RISE), (1_051, Rule.HELD_ABOVE_BOUND)])
def test_a_rise_above_what_the_hardware_can_do_is_held(rise: int, rule: Rule) -> None:
    bound = RegisterBound(rise_per_s_max=100, burst_max=50)
    outcome = delta(BEFORE, reading(1_000 + rise), bound)
    assert outcome.rule is rule
    if rule is Rule.HELD_ABOVE_BOUND:
        assert_nothing_counted(outcome, rule, Quality.QUARANTINED)
        assert outcome.next_state == BEFORE


def test_a_restart_above_the_bound_is_held_without_a_tail() -> None:
    outcome = delta(BEFORE, proved(5_000, started_ms=104_000), RegisterBound(rise_per_s_max=1))
    assert_nothing_counted(outcome, Rule.HELD_ABOVE_BOUND, Quality.QUARANTINED)
    assert outcome.tail is None


def test_after_a_held_spike_the_next_good_reading_carries_the_whole_rise() -> None:
    bound = RegisterBound(rise_per_s_max=100)
    spike, good = reading(10**12), reading(1_900, seq=12, at_ms=120_000)
    folded = fold(BEFORE, [spike, good], bound)
    assert [outcome.rule for _, outcome in folded.outcomes] == [
        Rule.HELD_ABOVE_BOUND,
        Rule.SAME_EPOCH_MISSING_READINGS,
    ]
    assert folded.total == 900


@pytest.mark.parametrize("value", [-1, REGISTER_LIMIT])
def test_a_value_that_is_no_count_is_held(value: int) -> None:
    outcome = delta(None, reading(value))
    assert_nothing_counted(outcome, Rule.HELD_OUT_OF_RANGE, Quality.QUARANTINED)
    assert outcome.next_state is None


@pytest.mark.parametrize(("skew_ms", "held"), [(5_000, False), (5_001, True), (-5_001, True)])
def test_a_clock_off_by_more_than_the_limit_holds_the_reading(skew_ms: int, held: bool) -> None:
    skewed = replace(reading(1_100), clock_skew_ms=skew_ms)
    outcome = delta(BEFORE, skewed, RegisterBound(clock_skew_ms_max=5_000))
    assert (outcome.rule is Rule.HELD_CLOCK) is held


def test_a_clock_that_ran_backwards_holds_the_reading() -> None:
    assert_nothing_counted(delta(BEFORE, reading(1_100, at_ms=99_999)), Rule.HELD_CLOCK, Quality.QUARANTINED)


def test_two_readings_of_one_millisecond_are_in_order() -> None:
    outcome = delta(BEFORE, reading(1_100, at_ms=100_000))
    assert (outcome.value, outcome.rule) == (100, Rule.SAME_EPOCH_RISE)


def test_the_unseen_tail_says_how_much_it_can_have_been() -> None:
    bound = RegisterBound(rise_per_s_max=300, burst_max=7, best_rate_per_s=3)
    assert unseen_tail(BEFORE, 101_500, bound) == UnseenTail(100_000, 101_500, 5)
    assert unseen_tail(BEFORE, 100_000, bound) is None
    assert delta(BEFORE, proved(5, started_ms=101_500), bound).tail == UnseenTail(100_000, 101_500, 5)
    assert unseen_tail(BEFORE, 101_500) == UnseenTail(100_000, 101_500, None)


def test_an_epoch_read_to_its_end_has_no_unseen_tail() -> None:
    outcome = delta(BEFORE, reading(40, epoch="e2", at_ms=100_000))
    assert outcome.tail is None
    assert Flag.TAIL_UNSEEN not in outcome.flags


def test_folding_reports_a_repetition_and_a_contradiction_once_each() -> None:
    first, again, other = reading(1_010), reading(1_010), reading(1_020)
    folded = fold(BEFORE, [first, again, other])
    assert [outcome.rule for _, outcome in folded.outcomes] == [
        Rule.SAME_EPOCH_RISE,
        Rule.DUPLICATE,
        Rule.CONFLICT,
    ]
    assert folded.total == 10


def test_a_repeated_held_reading_is_a_duplicate_too() -> None:
    low = reading(5)
    rules = [outcome.rule for _, outcome in fold(BEFORE, [low, replace(low)]).outcomes]
    assert rules == [Rule.SAME_EPOCH_FALL, Rule.DUPLICATE]


@st.composite
def lives(draw: st.DrawFn) -> tuple[list[RegisterReading], int]:
    """Readings of a meter over several proved lives, and the tokens a perfect observer would have counted."""
    readings: list[RegisterReading] = []
    seq, at_ms, truth = 0, 0, 0
    for life in range(draw(st.integers(1, 4))):
        started_ms, value = at_ms + 1, 0
        for rise in draw(st.lists(st.integers(0, 10**9), min_size=1, max_size=6)):
            seq, at_ms, value = seq + 1, at_ms + 10_000, value + rise
            truth += rise
            readings.append(RegisterReading(f"e{life}", seq, value, at_ms, started_ms, epoch_proof="created"))
    return readings, truth


WATCHED = RegisterBound(watched_since_ms=0)


@settings(max_examples=examples(25))
@given(lives())
def test_every_unit_read_is_counted_once(made: tuple[list[RegisterReading], int]) -> None:
    readings, truth = made
    assert fold(None, readings, WATCHED).total == truth


@settings(max_examples=examples(25))
@given(lives(), st.data())
def test_order_and_repetition_change_nothing(made: tuple[list[RegisterReading], int], data: st.DataObject) -> None:
    readings, truth = made
    shuffled = data.draw(st.permutations(readings + readings))
    folded = fold(None, shuffled, WATCHED)
    assert folded.total == truth
    assert folded.state == fold(None, readings, WATCHED).state
    assert len(folded.outcomes) == 2 * len(readings)


@settings(max_examples=examples(25))
@given(lives(), st.data())
def test_folding_in_two_steps_is_folding_in_one(made: tuple[list[RegisterReading], int], data: st.DataObject) -> None:
    readings, truth = made
    at = data.draw(st.integers(0, len(readings)))
    head = fold(None, readings[:at], WATCHED)
    tail = fold(head.state, readings[at:], WATCHED)
    assert head.total + tail.total == truth


@settings(max_examples=examples(25))
@given(lives(), st.data())
def test_a_lost_reading_loses_no_more_than_the_end_of_its_epoch(
    made: tuple[list[RegisterReading], int], data: st.DataObject
) -> None:
    readings, truth = made
    kept = [each for each in readings if data.draw(st.booleans())]
    last_of_epoch = {each.epoch: each for each in readings}.values()
    total = fold(None, kept, WATCHED).total
    assert total <= truth
    if set(last_of_epoch) <= set(kept):
        assert total == truth


@settings(max_examples=examples(25))
@given(
    st.lists(
        st.builds(
            RegisterReading,
            epoch=st.sampled_from(["e1", "e2", "e3"]),
            seq=st.integers(1, 9),
            value=st.integers(-1, 2_000),
            read_at_ms=st.integers(0, 100_000),
            epoch_started_ms=st.none() | st.integers(0, 100_000),
            epoch_proof=st.sampled_from(["none", "process"]),
        )
    ),
    st.builds(RegisterBound, rise_per_s_max=st.none() | st.integers(0, 100)),
)
def test_any_readings_get_one_outcome_each_and_never_a_negative_value(
    readings: list[RegisterReading], bound: RegisterBound
) -> None:
    folded = fold(None, readings, bound)
    assert len(folded.outcomes) == len(readings)
    assert folded.total == (folded.state.counted if folded.state else 0)
    assert all(outcome.value is None or outcome.value >= 0 for _, outcome in folded.outcomes)

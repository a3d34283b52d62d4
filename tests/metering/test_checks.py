"""Bounds of counts, identities of events, and the residual between two witnesses."""

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metering.checks import (
    COUNT_LIMIT,
    EVENT_TOKENS_MAX,
    Cause,
    EventCounts,
    Explained,
    Fault,
    check_count,
    check_event,
    repeated_prompt,
    residual,
)
from tests.examples import examples


@pytest.mark.parametrize(
    ("count", "fault"),
    [
        (0, None),
        (COUNT_LIMIT - 1, None),
        (COUNT_LIMIT, Fault.TOO_LARGE),
        (-1, Fault.NEGATIVE),
    ],
)
def test_a_count_fits_a_big_integer(count: int, fault: Fault | None) -> None:
    assert check_count(count) is fault


@pytest.mark.parametrize(
    ("counts", "faults"),
    [
        (EventCounts(), ()),
        (EventCounts(input=59, cached_input=59, output=7, reasoning=7), ()),
        (EventCounts(input=3, cache_write=12_304, output=550), ()),
        (EventCounts(input=EVENT_TOKENS_MAX), ()),
        (EventCounts(input=EVENT_TOKENS_MAX + 1), (Fault.ABSURD,)),
        (EventCounts(output=2**53 - 1), (Fault.ABSURD,)),
        (EventCounts(cache_write=COUNT_LIMIT), (Fault.TOO_LARGE,)),
        (EventCounts(input=-1), (Fault.NEGATIVE, Fault.CACHED_EXCEEDS_INPUT)),
        (EventCounts(input=5, cached_input=6), (Fault.CACHED_EXCEEDS_INPUT,)),
        (EventCounts(output=5, reasoning=6), (Fault.REASONING_EXCEEDS_OUTPUT,)),
        (EventCounts(input=-2, output=-2, reasoning=-2), (Fault.NEGATIVE, Fault.CACHED_EXCEEDS_INPUT)),
    ],
)
def test_an_event_names_every_fault_once(counts: EventCounts, faults: tuple[Fault, ...]) -> None:
    assert check_event(counts) == faults


def test_a_residual_is_what_the_engine_saw_more() -> None:
    compared = residual(engine=10_300, gateway=10_000)
    assert compared.difference == compared.unexplained == 300
    assert compared.fraction == Fraction(300, 10_300)
    assert compared.fraction_permille == 30
    assert compared.within(Fraction(3, 100))
    assert not compared.within(Fraction(29, 1_000))


def test_the_engine_may_have_seen_less() -> None:
    compared = residual(engine=9_000, gateway=10_000)
    assert compared.difference == -1_000
    assert compared.fraction_permille == 100


def test_explained_parts_leave_the_rest() -> None:
    parts = [repeated_prompt(59, 2), Explained(Cause.ABORTED, 3_010), Explained(Cause.CACHED_EXCLUDED, -100)]
    compared = residual(engine=10_000, gateway=7_000, explained=parts)
    assert compared.unexplained == 3_000 - 59 - 3_010 + 100
    assert compared.explained == tuple(parts)


def test_a_prompt_with_one_answer_is_counted_once() -> None:
    assert repeated_prompt(59, 1).tokens == 0
    assert repeated_prompt(311, 8).tokens == 311 * 7


def test_two_witnesses_of_nothing_agree() -> None:
    compared = residual(engine=0, gateway=0)
    assert compared.fraction == 0
    assert compared.fraction_permille == 0
    assert compared.within(Fraction(0))


def test_a_witness_that_is_no_count_is_refused() -> None:
    with pytest.raises(AssertionError):
        residual(engine=-1, gateway=0)
    with pytest.raises(AssertionError):
        residual(engine=0, gateway=COUNT_LIMIT)


COUNTS = st.integers(0, COUNT_LIMIT - 1)


@settings(max_examples=examples(25))
@given(COUNTS, COUNTS)
def test_no_difference_reads_as_none_and_none_as_a_difference(engine: int, gateway: int) -> None:
    compared = residual(engine=engine, gateway=gateway)
    assert 0 <= compared.fraction <= 1
    assert (compared.fraction_permille == 0) == (engine == gateway)
    assert compared.within(compared.fraction)
    assert residual(engine=gateway, gateway=engine).difference == -compared.difference


@settings(max_examples=examples(25))
@given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6))
def test_an_event_of_sound_counts_has_no_fault(cached: int, other: int, reasoning: int) -> None:
    counts = EventCounts(cached + other, cached, other, reasoning + other, reasoning)
    assert check_event(counts) == ()

"""What explains the difference of the witnesses: the identities one by one, and that they never explain too much."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from metering.checks import Cause
from metering.residuals import Sampled, Stretch, explain, explain_in_full, in_flight
from tests.examples import examples
from tests.metering.fleet import NOON

HOUR = timedelta(hours=1)
VLLM = frozenset({"vllm"})
SAMPLED = Sampled(requests=1, input=59, repeated_input=59, answers=1)


def parts(quantity: str, engines: frozenset[str], **fields: Any) -> tuple[list[tuple[str, int]], int]:
    [found] = explain(quantity, engines, [Stretch(NOON, **fields)])
    return [(part.cause.value, part.tokens) for part in found.explained], found.unexplained


@pytest.mark.parametrize(
    ("engine", "register", "explained"),
    [("vllm", 118, [("repeated_prompt", 59)]), ("sglang", 177, [("repeated_prompt", 118)]), ("tensorrt_llm", 59, [])],
)
def test_each_engine_repeats_a_prompt_in_its_own_way(
    engine: str, register: int, explained: list[tuple[str, int]]
) -> None:
    assert parts("input", frozenset({engine}), engine=register, gateway=59, sampled=SAMPLED) == (explained, 0)


def test_a_known_identity_that_does_not_hold_leaves_what_is_missing() -> None:
    assert parts("input", VLLM, engine=100, gateway=59, sampled=SAMPLED) == ([("repeated_prompt", 59)], -18)


def test_where_the_engine_is_not_known_copies_explain_no_more_than_is_there() -> None:
    for engines in (frozenset[str](), frozenset({"vllm", "sglang"}), frozenset({"sample"})):
        assert parts("input", engines, engine=100, gateway=59, sampled=SAMPLED) == ([("repeated_prompt", 41)], 0)
        assert parts("input", engines, engine=50, gateway=59, sampled=SAMPLED) == ([], -9)


def test_parallel_answers_and_aborted_requests_are_requests_to_an_engine_or_not() -> None:
    sampled = Sampled(requests=2, input=100, repeated_input=200, answers=6, aborted=5)
    explained = [("repeated_prompt", 6), ("aborted", -5)]
    assert parts("requests", VLLM, engine=11, gateway=10, sampled=sampled) == (explained, 0)
    assert parts("output", VLLM, engine=10, gateway=10, sampled=sampled) == ([], 0)


@pytest.mark.parametrize(("quantity", "cause"), [("input", "aborted_prefill"), ("output", "aborted")])
def test_what_the_engine_never_finished_was_aborted(quantity: str, cause: str) -> None:
    assert parts(quantity, VLLM, engine=3_010, gateway=0, finished=0) == ([(cause, 3_010)], 0)
    assert parts(quantity, VLLM, engine=3_010, gateway=10, finished=2_000) == ([(cause, 1_010)], 1_990)
    assert parts(quantity, VLLM, engine=3_010, gateway=0) == ([], 3_010)


def test_what_is_finished_an_hour_later_was_not_aborted() -> None:
    stretches = [
        Stretch(NOON, engine=1_000, gateway=700, finished=700),
        Stretch(NOON + HOUR, engine=1_000, gateway=1_250, finished=1_250),
    ]
    first, second = explain("output", VLLM, stretches)
    assert [(part.cause, part.tokens) for part in first.explained] == [(Cause.ABORTED, 50), (Cause.IN_FLIGHT, 250)]
    assert (first.unexplained, second.unexplained) == (0, 0)


def test_an_engine_that_leaves_cached_tokens_out_counts_less() -> None:
    llamacpp = frozenset({"llamacpp"})
    assert parts("input", llamacpp, engine=200, gateway=1_000, uncounted_cached=800) == ([("cached_excluded", -800)], 0)
    assert parts("input", llamacpp, engine=900, gateway=1_000, uncounted_cached=800) == ([("cached_excluded", -100)], 0)
    assert parts("input", VLLM, engine=200, gateway=1_000, uncounted_cached=800) == ([], -800)


COUNTS = st.integers(0, 10_000)
STRETCHES = st.lists(
    st.tuples(COUNTS, COUNTS, st.none() | COUNTS, COUNTS, COUNTS, st.integers(0, 9)), min_size=1, max_size=8
)
QUANTITIES = st.sampled_from(["input", "output", "requests", "cached_input"])
Given = list[tuple[int, int, int | None, int, int, int]]


def made(given_stretches: Given, *, finished_known: bool) -> list[Stretch]:
    return [
        Stretch(
            NOON + place * HOUR,
            engine,
            gateway,
            finished if finished_known else None,
            cached,
            Sampled(1, repeated, repeated, 1, aborted),
        )
        for place, (engine, gateway, finished, cached, repeated, aborted) in enumerate(given_stretches)
    ]


@settings(max_examples=examples(25))
@given(QUANTITIES, st.sampled_from(["llamacpp", "sample", "vllm"]), st.booleans(), STRETCHES)
def test_parts_and_rest_make_the_difference(
    quantity: str, engine: str, finished_known: bool, given_stretches: Given
) -> None:
    stretches = made(given_stretches, finished_known=finished_known)
    for stretch, one in zip(stretches, explain(quantity, frozenset({engine}), stretches), strict=True):
        assert sum(part.tokens for part in one.explained) + one.unexplained == stretch.engine - stretch.gateway
        assert all(part.tokens for part in one.explained)


@settings(max_examples=examples(25))
@given(QUANTITIES, st.sampled_from(["llamacpp", "sample"]), STRETCHES)
def test_parts_that_nothing_proves_never_turn_the_sign_of_the_rest(
    quantity: str, engine: str, given_stretches: Given
) -> None:
    stretches = made(given_stretches, finished_known=False)
    for one in explain(quantity, frozenset({engine}), stretches):
        assert one.unexplained * one.difference >= 0
        assert abs(one.unexplained) <= abs(one.difference)


def test_aborts_and_edges_together_leave_nothing() -> None:
    stretches = [
        Stretch(NOON, engine=10_000, gateway=13_500, finished=6_500),
        Stretch(NOON + HOUR, engine=24_500, gateway=14_000, finished=21_000),
    ]
    first, second = explain("output", VLLM, stretches)
    assert [part.tokens for part in first.explained] == [3_500, -7_000]
    assert [part.tokens for part in second.explained] == [3_500, 7_000]
    assert (first.unexplained, second.unexplained) == (0, 0)


def test_a_gateway_that_reports_aborted_requests_leaves_nothing_to_explain() -> None:
    assert parts("output", VLLM, engine=1_000, gateway=1_000, finished=700) == ([], 0)


@settings(max_examples=examples(25))
@given(st.lists(st.integers(-1_000, 1_000), max_size=30))
def test_what_neighbours_cancel_sums_to_zero_and_never_exceeds_the_difference(differences: list[int]) -> None:
    explained = in_flight([(NOON + index * HOUR, one) for index, one in enumerate(differences)])
    assert sum(explained) == 0
    for difference, part in zip(differences, explained, strict=True):
        assert abs(part) <= abs(difference)
        assert part * difference >= 0


@settings(max_examples=examples(25))
@given(
    st.sampled_from(("input", "cached_input", "output", "reasoning", "requests")),
    st.sampled_from((frozenset[str](), VLLM, frozenset({"llamacpp"}), frozenset({"vllm", "sglang"}))),
    st.lists(
        st.builds(
            Stretch,
            st.just(NOON),
            st.integers(0, 9),
            st.integers(0, 9),
            st.none() | st.integers(0, 9),
            st.integers(0, 1),
            st.sampled_from((Sampled(), SAMPLED, Sampled(aborted=2))),
        ),
        max_size=2,
    )
    | st.lists(st.builds(Stretch, st.just(NOON), st.integers(0, 2), st.integers(0, 2)), max_size=4),
)
def test_to_look_first_whether_anything_explains_changes_nothing(
    quantity: str, engines: frozenset[str], stretches: list[Stretch]
) -> None:
    in_turn = [replace(stretch, at=NOON + place * HOUR) for place, stretch in enumerate(stretches)]
    assert explain(quantity, engines, in_turn) == explain_in_full(quantity, engines, in_turn)


def test_a_stretch_is_bare_only_without_anything_that_explains() -> None:
    bare = Stretch(NOON, 5, 9)
    assert bare.is_bare
    for known in ({"finished": 0}, {"uncounted_cached": 1}, {"sampled": Sampled(aborted=1)}):
        assert not replace(bare, **known).is_bare

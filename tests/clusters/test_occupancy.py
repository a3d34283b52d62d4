"""Holds, overlaps and placement: nothing is held twice, and time adds up to the second."""

from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clusters.occupancy import (
    Card,
    Hold,
    Job,
    Placed,
    clip,
    double_holds,
    free_slices,
    held_gpu_ms,
    held_seconds,
    instant_of_second,
    memory_share_permille,
    occupancy,
    overlaps,
    place_jobs,
    standing_holds,
    unix_second,
)

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def hold(from_s: float, to_s: float | None, slice_ref: str = "card-0", share: int = 1_000) -> Hold:
    return Hold(slice_ref, share, at(from_s), None if to_s is None else at(to_s))


def test_an_instant_counts_as_the_second_it_lies_in() -> None:
    assert unix_second(at(0.999)) == unix_second(NOON)
    assert instant_of_second(unix_second(at(59.5))) == at(59)


@pytest.mark.parametrize(
    ("from_s", "to_s", "seconds"),
    [(-10, 20, 20), (10, None, 90), (90, 500, 10), (100, 200, 0), (-50, 0, 0), (5.9, 6.1, 1), (5.1, 5.9, 0)],
)
def test_a_hold_is_cut_to_the_window(from_s: float, to_s: float | None, seconds: int) -> None:
    assert held_seconds([hold(from_s, to_s)], at(0), at(100)) == seconds


def test_a_hold_without_a_whole_second_in_the_window_is_not_there() -> None:
    assert clip(hold(5.1, 5.9), at(0), at(100)) is None
    assert held_gpu_ms([hold(5.1, 5.9)], at(0), at(100)) == 0


def test_a_share_times_seconds_is_gpu_milliseconds() -> None:
    holds = [hold(0, 60), hold(0, None, "card-1/1", share=119)]
    assert held_gpu_ms(holds, at(0), at(100)) == 60 * 1_000 + 100 * 119


def test_occupancy_is_held_of_capacity() -> None:
    measured = occupancy([hold(0, 50), hold(0, 100, "card-1", share=500)], 4, at(0), at(100))
    assert measured.held_gpu_ms == 100_000
    assert measured.capacity_gpu_ms == 400_000
    assert measured.fraction == Fraction(1, 4)
    assert occupancy([], 0, at(0), at(100)).fraction == 0


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        (hold(0, 10), hold(10, 20), False),
        (hold(0, 10), hold(9, 20), True),
        (hold(0, None), hold(100, 200), True),
        (hold(0, 10), hold(10, None), False),
        (hold(0, None), hold(5, None), True),
        (hold(0, 10), hold(5, 20, "card-1"), False),
    ],
)
def test_holds_of_one_slice_overlap_when_they_share_an_instant(left: Hold, right: Hold, expected: bool) -> None:
    assert overlaps(left, right) is expected
    assert overlaps(right, left) is expected


def test_double_holds_are_found_whatever_the_order() -> None:
    first, second, apart = hold(0, 10), hold(5, 15), hold(15, 20)
    assert double_holds([apart, second, first]) == ((first, second),)
    assert double_holds([apart, first]) == ()


def test_a_slice_is_free_again_at_the_instant_its_hold_ends() -> None:
    holds = [hold(0, 10), hold(0, None, "card-1")]
    assert free_slices(["card-0", "card-1", "card-2"], holds, at(9)) == ("card-2",)
    assert free_slices(["card-0", "card-1", "card-2"], holds, at(10)) == ("card-0", "card-2")
    assert free_slices(["card-0"], holds, at(-1)) == ("card-0",)
    assert free_slices(["card-0"], holds, at(0)) == ()


@pytest.mark.parametrize(
    ("slice_mib", "card_mib", "share"), [(9_728, 81_920, 119), (81_920, 81_920, 1_000), (1, 81_920, 1), (1, 2, 500)]
)
def test_a_share_by_memory_is_rounded_up_to_a_thousandth(slice_mib: int, card_mib: int, share: int) -> None:
    assert memory_share_permille(slice_mib, card_mib) == share


def test_a_partition_larger_than_its_card_is_refused() -> None:
    with pytest.raises(AssertionError):
        memory_share_permille(2, 1)


TWO_NODES = [Card("n1/0", "n1"), Card("n1/1", "n1"), Card("n2/0", "n2")]


def refs(placed: tuple[Placed, ...]) -> list[tuple[str, str]]:
    return [(each.job_ref, each.slice_ref) for each in placed]


def test_a_job_of_several_cards_stays_on_one_node() -> None:
    placement = place_jobs([Job("small", 1, 1_000, 0, 9), Job("wide", 2, 1_000, 0, 9)], TWO_NODES)
    assert refs(placement.placed) == [("small", "n2/0"), ("wide", "n1/0"), ("wide", "n1/1")]


def test_a_job_without_room_is_named_and_holds_nothing() -> None:
    wide, late, part = Job("wide", 3, 1_000, 0, 9), Job("late", 3, 1_000, 1, 9), Job("part", 1, 600, 2, 9)
    placement = place_jobs([wide, late, part], [Card(f"n1/{index}", "n1") for index in range(3)])
    assert placement.without_room == (late, part)
    assert len(placement.placed) == 3


def test_parts_fill_one_card_before_the_next_is_opened() -> None:
    jobs = [Job("a", 1, 460, 0, 100), Job("b", 1, 540, 1, 100), Job("c", 1, 10, 2, 100)]
    placement = place_jobs(jobs, TWO_NODES)
    assert refs(placement.placed) == [("a", "n2/0/1"), ("b", "n2/0/2"), ("c", "n1/0/1")]


def test_a_slice_is_used_again_by_the_next_job_of_its_size() -> None:
    jobs = [Job("a", 1, 460, 0, 10), Job("b", 1, 100, 0, 99), Job("c", 1, 460, 10, 20), Job("d", 1, 300, 20, 30)]
    placement = place_jobs(jobs, TWO_NODES)
    assert refs(placement.placed) == [("a", "n2/0/1"), ("b", "n2/0/2"), ("c", "n2/0/1"), ("d", "n2/0/3")]


def test_a_partitioned_card_is_whole_again_when_its_last_part_ends() -> None:
    jobs = [Job("a", 1, 460, 0, 10), Job("b", 1, 1_000, 10, 20)]
    assert refs(place_jobs(jobs, [TWO_NODES[2]]).placed) == [("a", "n2/0/1"), ("b", "n2/0")]


def test_a_whole_card_is_not_given_away_in_parts() -> None:
    jobs = [Job("a", 1, 1_000, 0, 10), Job("b", 1, 1, 5, 20)]
    placement = place_jobs(jobs, [TWO_NODES[2]])
    assert [job.job_ref for job in placement.without_room] == ["b"]


JOBS = st.lists(
    st.tuples(
        st.one_of(st.tuples(st.integers(1, 4), st.just(1_000)), st.tuples(st.just(1), st.integers(1, 999))),
        st.integers(0, 50),
        st.integers(1, 30),
    ),
    max_size=40,
)


@given(JOBS, st.lists(st.integers(1, 4), min_size=1, max_size=4))
def test_nothing_is_ever_held_twice(made: list[tuple[tuple[int, int], int, int]], nodes: list[int]) -> None:
    jobs = [
        Job(f"j{number:02}", cards, share, start, start + length)
        for number, ((cards, share), start, length) in enumerate(made)
    ]
    cards = [Card(f"n{node}/{index}", f"n{node}") for node, count in enumerate(nodes) for index in range(count)]
    placement = place_jobs(jobs, cards)
    assert placement == place_jobs(list(reversed(jobs)), cards)
    left_out = sum(job.gpu_ms for job in placement.without_room)
    held = sum(each.share_permille * (each.to_s - each.from_s) for each in placement.placed)
    assert held + left_out == sum(job.gpu_ms for job in jobs)
    for second in range(81):
        now = [each for each in placement.placed if each.from_s <= second < each.to_s]
        assert len({each.slice_ref for each in now}) == len(now)
        for card in {each.card_ref for each in now}:
            parts = [each for each in now if each.card_ref == card]
            assert sum(each.share_permille for each in parts) <= 1_000
            assert len(parts) == 1 or all(each.slice_ref != card for each in parts)


@given(st.lists(st.integers(0, 5_000_000), min_size=2).map(sorted), st.integers(1, 1_000))
def test_adjoining_stretches_add_up_to_the_whole(offsets_us: list[int], share: int) -> None:
    instants = [NOON + timedelta(microseconds=offset) for offset in offsets_us]
    held = [hold(-1, None, share=share)]
    parts = sum(held_gpu_ms(held, start, end) for start, end in pairwise(instants))
    assert parts == held_gpu_ms(held, instants[0], instants[-1])


CARDS = [hold(0, 50, "a"), hold(0, 100, "b"), hold(50, 100, "a2"), hold(100, 200, "c")]


@pytest.mark.parametrize(
    ("at_s", "held"),
    [(-1, "a b"), (0, "a b"), (49.9, "a b"), (50, "b a2"), (100, "c"), (199, "c"), (200, ""), (250, ""), (300, "c")],
)
def test_a_lease_stands_for_what_it_holds_at_an_instant_what_comes_first_or_what_was_last(
    at_s: float, held: str
) -> None:
    """A card that is exchanged is never counted twice, at the instant of it neither."""
    assert [one.slice_ref for one in standing_holds(CARDS, at(0), at(300), at(at_s))] == held.split()


def test_after_a_lease_ended_all_that_it_held_to_its_end_counts_however_long_it_was_held() -> None:
    exchanged = [hold(0, 50, "a"), hold(0, 300, "b"), hold(50, None, "a2")]
    assert [one.slice_ref for one in standing_holds(exchanged, at(0), at(300), at(300))] == ["b", "a2"]
    assert [one.slice_ref for one in standing_holds(exchanged, at(0), None, at(300))] == ["a2"]
    assert standing_holds([], at(0), at(300), at(300)) == standing_holds([], at(0), None, at(-1)) == []

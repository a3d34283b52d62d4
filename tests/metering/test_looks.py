"""When a node looked: what its batches cover, and the holes between."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from metering.hours import HOUR_MS
from metering.looks import HOLE_MS_MIN, PAUSE_MS_MAX, Hole, Looks, instants_of
from tests.examples import examples

S = 1_000
HOUR_0 = 1_773_144_000_000 - 1_773_144_000_000 % HOUR_MS


def covered(looks: Looks) -> dict[int, int]:
    return {(hour_ms - HOUR_0) // HOUR_MS: one.observed_ms for hour_ms, one in looks.hours.items()}


def test_looks_close_together_cover_their_hours_to_the_millisecond() -> None:
    looks = Looks(None)
    looks.add(range(HOUR_0 + 1_800 * S, HOUR_0 + HOUR_MS + 600 * S + 1, 10 * S))
    assert covered(looks) == {0: 1_800 * S, 1: 600 * S}
    assert looks.holes == []
    assert sum(one.looks for one in looks.hours.values()) == 241


def test_a_pause_is_a_hole_and_covers_nothing() -> None:
    looks = Looks(None)
    looks.add([HOUR_0, HOUR_0 + 10 * S])
    looks.add([HOUR_0 + 10 * S + HOLE_MS_MIN, HOUR_0 + 20 * S + 2 * HOLE_MS_MIN])
    assert looks.holes == [Hole(HOUR_0 + 10 * S + HOLE_MS_MIN, HOUR_0 + 20 * S + 2 * HOLE_MS_MIN)]
    assert covered(looks) == {0: 10 * S + HOLE_MS_MIN}


def test_a_node_that_looks_seldom_has_no_holes_for_that() -> None:
    looks = Looks(None)
    looks.add(range(HOUR_0, HOUR_0 + HOUR_MS, 300 * S))
    assert (looks.holes, looks.usual_ms) == ([], 300 * S)
    looks.add([looks.to_ms + 900 * S + 1] if looks.to_ms else [])
    assert len(looks.holes) == 1


def test_a_node_given_a_longer_pause_than_an_agent_can_have_keeps_it_until_it_looks_more_often() -> None:
    looks = Looks(None, HOUR_MS)
    looks.add(range(HOUR_0, HOUR_0 + 24 * HOUR_MS + 1, HOUR_MS))
    assert (looks.holes, looks.usual_ms) == ([], HOUR_MS)
    assert covered(looks) == dict.fromkeys(range(24), HOUR_MS) | {24: 0}
    looks.add([HOUR_0 + 24 * HOUR_MS + 10 * S])
    assert looks.usual_ms == 10 * S
    looks.add([HOUR_0 + 25 * HOUR_MS])
    assert looks.holes == [Hole(HOUR_0 + 24 * HOUR_MS + 10 * S, HOUR_0 + 25 * HOUR_MS)]


def test_what_came_out_of_order_or_again_adds_nothing() -> None:
    looks = Looks(HOUR_0 + 60 * S, 10 * S)
    looks.add([HOUR_0, HOUR_0 + 60 * S])
    assert (looks.hours, looks.holes, looks.to_ms) == ({}, [], HOUR_0 + 60 * S)


def test_of_a_batch_the_longest_column_and_the_ends_of_the_others_are_instants() -> None:
    assert instants_of([[3, 5], [1, 2, 4], [9]], 7) == [1, 2, 3, 4, 5, 7, 9]
    assert instants_of([], 7) == [7]


@settings(max_examples=examples(25))
@given(st.lists(st.integers(1, 2 * PAUSE_MS_MAX), max_size=40), st.data())
def test_covered_time_and_holes_make_the_whole_however_they_are_cut_up(pauses: list[int], data: st.DataObject) -> None:
    instants = [HOUR_0]
    for pause in pauses:
        instants.append(instants[-1] + pause)
    whole, parts = Looks(None), Looks(None)
    whole.add(instants)
    cut = data.draw(st.integers(0, len(instants)))
    parts.add(instants[:cut])
    parts.add(instants[cut:])
    assert parts == whole
    holes = sum(hole.to_ms - hole.from_ms for hole in whole.holes)
    assert holes + sum(one.observed_ms for one in whole.hours.values()) == instants[-1] - HOUR_0

"""How a remembered series goes on: readings in order, proved beginnings, and falls that must last."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metering.agent.epochs import FALL_READS
from metering.compat.series_states import (
    REMEMBERED,
    UNPROVED,
    Life,
    SeriesState,
    Start,
    TargetState,
    held_fall,
    is_later,
    next_state,
    opened,
    proof_of,
)
from tests.examples import examples

NAME = "vllm:prompt_tokens_total"
BEFORE = [(900, 40), (800, 30)]


def state(**changes: object) -> SeriesState:
    known = SeriesState(NAME, 5, 100, 1_000, 500, "epoch-1", 1, None, "none", None, list(BEFORE))
    return msgspec.structs.replace(known, **changes)


def test_a_later_reading_goes_on_in_the_same_epoch_and_remembers_the_one_before() -> None:
    after = next_state(NAME, state(fallen=3), 1_100, 130, None)
    assert (after.seq, after.value, after.read_at_ms) == (6, 130, 1_100)
    assert (after.epoch, after.generation, after.fallen) == ("epoch-1", 1, 0)
    assert after.before == [(1_000, 100), *BEFORE]


def test_a_lower_value_opens_an_epoch_that_nothing_proves() -> None:
    after = next_state(NAME, state(), 1_100, 99, None)
    assert (after.seq, after.value, after.generation) == (6, 99, 2)
    assert (after.started_ms, after.proof) == (None, "none")
    assert after.epoch != "epoch-1"


def test_the_same_value_is_no_fall() -> None:
    after = next_state(NAME, state(), 1_100, 100, None)
    assert (after.epoch, after.generation) == ("epoch-1", 1)


@pytest.mark.parametrize(("source", "proof"), [("process", "process"), ("created", "created"), ("sample", "created")])
def test_a_life_that_began_after_the_last_reading_proves_a_new_epoch(source: str, proof: str) -> None:
    life = Life(source, 1_050)
    after = next_state(NAME, state(), 1_100, 500, life)
    assert (after.generation, after.started_ms, after.proof, after.life) == (2, 1_050, proof, life)
    assert proof_of(life) == proof


def test_a_mark_of_a_life_that_the_last_reading_belonged_to_goes_on() -> None:
    life = Life("process", 1_000)
    after = next_state(NAME, state(), 1_100, 130, life)
    assert (after.epoch, after.generation, after.life) == ("epoch-1", 1, life)


def test_a_reading_without_a_mark_keeps_the_known_life() -> None:
    known = Life("created", 600)
    assert next_state(NAME, state(life=known), 1_100, 130, None).life == known
    assert next_state(NAME, state(life=known), 1_100, 10, None).life == known


def test_a_fall_is_believed_only_when_it_has_lasted() -> None:
    known: SeriesState | None = state()
    for number in range(1, FALL_READS):
        assert known is not None
        known = held_fall(known, 1_000 + number, 10, None)
        assert known is not None
        assert (known.fallen, known.fallen_ms) == (number, 1_000 + number)
        assert (known.seq, known.value, known.read_at_ms, known.epoch) == (5, 100, 1_000, "epoch-1")
    assert known is not None
    assert held_fall(known, 2_000, 10, None) is None


def test_no_fall_is_held_where_nothing_fell_or_a_life_is_told() -> None:
    assert held_fall(state(), 1_100, 100, None) is None
    assert held_fall(state(), 1_100, 101, None) is None
    assert held_fall(state(), 1_100, 10, Life("process", 1_050)) is None


@pytest.mark.parametrize(
    ("known", "told", "later"),
    [
        (None, Life("process", 1_000), False),
        (None, Life("process", 1_001), True),
        # Another teller may know the same life better: it is another one only after the last reading.
        (Life("created", 600), Life("process", 700), False),
        (Life("created", 600), Life("process", 1_001), True),
        # The same teller names another instant: another life.
        (Life("process", 600), Life("process", 601), True),
        (Life("process", 600), Life("process", 600), False),
    ],
)
def test_whether_a_mark_tells_of_another_life(known: Life | None, told: Life, later: bool) -> None:
    assert is_later(told, state(life=known)) is later


def test_the_name_of_an_epoch_follows_from_the_series_and_its_beginning() -> None:
    start = Start(1_050, "process")
    one = opened(NAME, state(), 1_100, 3, start)
    # What is read is no part of it: whoever repeats the call names the same epoch.
    assert opened(NAME, state(), 1_200, 9, start).epoch == one.epoch
    others = {
        opened("other", state(), 1_100, 3, start).epoch,
        opened(NAME, state(generation=2), 1_100, 3, start).epoch,
        opened(NAME, state(first_ms=501), 1_100, 3, start).epoch,
        opened(NAME, state(), 1_100, 3, Start(1_051, "process")).epoch,
        opened(NAME, state(), 1_100, 3, UNPROVED).epoch,
    }
    assert len(others | {one.epoch}) == 6
    assert len(one.epoch) == 32


def test_a_start_without_an_instant_proves_nothing() -> None:
    assert opened(NAME, state(), 1_100, 3, Start(None, "process")).proof == "none"


def test_the_first_reading_of_a_series_remembers_none_before() -> None:
    after = opened(NAME, state(seq=0, before=[]), 1_100, 3, UNPROVED)
    assert (after.seq, after.before) == (1, [])


@settings(max_examples=examples(25))
@given(st.lists(st.integers(0, 200), min_size=1, max_size=60))
def test_every_reading_has_the_next_number_and_few_are_remembered(values: list[int]) -> None:
    known = state(before=[])
    for place, value in enumerate(values, 1):
        fell = value < known.value
        after = next_state(NAME, known, known.read_at_ms + 1, value, None)
        assert after.generation == known.generation + fell
        assert (after.epoch != known.epoch) is fell
        assert after.before[0] == (known.read_at_ms, known.value)
        assert len(after.before) == min(place, REMEMBERED)
        assert after.seq == 5 + place
        known = after


def test_what_is_remembered_of_a_target_survives_being_stored() -> None:
    target = TargetState(
        seen={NAME: 1_000},
        created={NAME: 600},
        process_ms=550,
        series={"meter": state(life=Life("process", 550), fallen=2, fallen_ms=990)},
        chosen={"meter": ("series-1", 1_000)},
        engines={"sample-model": ["0"]},
        replica=("10.0.0.5:8000", 1_000),
    )
    assert msgspec.json.decode(msgspec.json.encode(target), type=TargetState) == target

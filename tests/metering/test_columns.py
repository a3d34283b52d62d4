"""Reading columns from stored bytes, and joining batches: nothing may differ from reading each batch by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from metering.clock import ClockLimits
from metering.columns import BatchRuns, read_batch
from metering.hours import HOUR_MS
from metering.registers import BURST_MAX, BatchTerms, MeterFold
from metering.timeline import FOREVER_MS, Claim, Owner, Timeline
from metering.wire import VALUE_MAX, MeterKey, RegisterColumn, WireVersion, encode_batch, inflate
from tests.examples import examples
from tests.metering import batches
from tests.metering.fleet import NOON_MS, column, meter

if TYPE_CHECKING:
    from collections.abc import Sequence

LIMITS = ClockLimits(0, FOREVER_MS)
KEYS = [meter("output"), meter("input"), meter("requests")]
STEP_MS = 10_000
HALF_PAST = Timeline([Claim(Owner(), 0, NOON_MS + HOUR_MS // 2), Claim(Owner(), NOON_MS + HOUR_MS // 2)])

_keys = msgspec.json.Decoder(MeterKey)


def stored(columns: Sequence[RegisterColumn], version: WireVersion = 1) -> bytes:
    return encode_batch(batches.batch(registers=list(columns), version=version))


def folded(sent: Sequence[tuple[bytes, BatchTerms]], *, joined: bool) -> list[object]:
    """Everything that folding these batches gives, joined or each by itself."""
    folds = {quantity: MeterFold(quantity, HALF_PAST) for quantity in ("output", "input", "requests")}
    runs = BatchRuns()
    for body, terms in sent:
        found = list(runs.add(read_batch(body, "zstd"), terms))
        if not joined:
            found += runs.rest()
        for raw, run in found:
            folds[_keys.decode(raw).quantity].add(run)
    for raw, run in runs.rest():
        folds[_keys.decode(raw).quantity].add(run)
    return [(fold.state, fold.tails, fold.tallies) for fold in folds.values()]


@settings(max_examples=examples(25))
@given(
    st.sampled_from([1, 2]),
    st.lists(st.lists(st.integers(0, VALUE_MAX), min_size=1, max_size=5).map(sorted), min_size=1, max_size=4),
)
def test_numbers_are_read_exactly(version: WireVersion, values: list[list[int]]) -> None:
    columns = [
        column(meter(model=f"m-{number}"), each, [NOON_MS + index for index in range(len(each))])
        for number, each in enumerate(values)
    ]
    batch = read_batch(stored(columns, version), "zstd")
    if version == 2:
        # What was read at the same instants is together.
        counts = [len(each) for each in values]
        columns.sort(key=lambda one: counts.index(len(one.values)))
    assert batch.values.tolist() == [value for one in columns for value in one.values]
    assert batch.read_at_ms == [one.read_at_ms for one in columns]
    assert [_keys.decode(raw) for raw in batch.meters] == [one.meter for one in columns]


@pytest.mark.parametrize("version", [1, 2])
def test_numbers_with_blanks_between_them_are_read_too(version: WireVersion) -> None:
    text = inflate(encode_batch(batches.batch(version=version)), "zstd")
    batch = read_batch(zstandard.ZstdCompressor().compress(msgspec.json.format(text, indent=2)), "zstd")
    assert batch.values.tolist() == [10, 20, 30]


def test_a_batch_without_readings_has_no_runs() -> None:
    assert list(BatchRuns().add(read_batch(stored([]), "zstd"), BatchTerms(1, LIMITS))) == []


def test_batches_that_go_on_are_one_run_and_a_restart_begins_another() -> None:
    runs = BatchRuns()
    for number in range(3):
        epoch = "epoch-2" if number == 2 else "epoch-1"
        times = [NOON_MS + (2 * number + index) * STEP_MS for index in range(2)]
        one = column(meter(), [10, 20], times, first_seq=1 + 2 * number, epoch=epoch)
        found = list(runs.add(read_batch(stored([one]), "zstd"), BatchTerms(number + 1, LIMITS)))
        assert [len(run.values) for _, run in found] == ([4] if number == 2 else [])
    ((_, last),) = runs.rest()
    assert (last.epoch, last.first_seq, [terms.seq for terms in last.terms]) == ("epoch-2", 5, [3])


@st.composite
def chains(draw: st.DrawFn) -> list[tuple[list[RegisterColumn], BatchTerms]]:
    """Batches of three meters, mostly even: losses, repetitions, falls, restarts, wrong clocks, late watermarks."""
    sent: list[tuple[list[RegisterColumn], BatchTerms]] = []
    seqs, values, epochs = [1, 1, 1], [0, 0, 0], [0, 0, 0]
    at_ms, watermark_ms = NOON_MS, NOON_MS
    for number in range(1, draw(st.integers(2, 7))):
        count = draw(st.sampled_from([1, 2, 30]))
        step_ms = draw(st.sampled_from([STEP_MS, STEP_MS + 7, 25 * 60_000]))
        times = [at_ms + step_ms * index for index in range(1, count + 1)]
        at_ms = times[-1]
        columns = []
        for index, key in enumerate(KEYS):
            trouble = draw(st.sampled_from(["", "", "", "", "lost", "again", "restart", "fall", "burst", "apart"]))
            seqs[index] += {"lost": 2, "again": -1}.get(trouble, 0)
            seqs[index] = max(1, seqs[index])
            epochs[index] += trouble == "restart"
            values[index] = draw(st.integers(0, 50)) if trouble in {"restart", "fall"} else values[index]
            values[index] += 3 * BURST_MAX if trouble == "burst" else 0
            read_at_ms = [each + 1 for each in times] if trouble == "apart" else times
            rises = [values[index] + (7 + index) * tick for tick in range(1, count + 1)]
            columns.append(column(key, rises, read_at_ms, first_seq=seqs[index], epoch=f"epoch-{epochs[index]}"))
            seqs[index], values[index] = seqs[index] + count, rises[-1]
        off = draw(st.sampled_from([False, False, False, True]))
        sent.append((columns, BatchTerms(number, ClockLimits(0, FOREVER_MS, off=off), watermark_ms)))
        watermark_ms = max(watermark_ms, at_ms + draw(st.sampled_from([0, 0, 2 * HOUR_MS])))
    return sent


def written(
    sent: Sequence[tuple[list[RegisterColumn], BatchTerms]], versions: Sequence[WireVersion]
) -> list[tuple[bytes, BatchTerms]]:
    return [(stored(columns, versions[at % len(versions)]), terms) for at, (columns, terms) in enumerate(sent)]


@settings(max_examples=examples(25))
@given(chains())
def test_joined_batches_of_any_version_give_what_each_gives_by_itself(
    sent: list[tuple[list[RegisterColumn], BatchTerms]],
) -> None:
    expected = folded(written(sent, [1]), joined=False)
    assert folded(written(sent, [1]), joined=True) == expected
    assert folded(written(sent, [2]), joined=True) == expected
    assert folded(written(sent, [1, 2]), joined=True) == expected


@settings(max_examples=examples(25))
@given(chains())
def test_a_fall_within_an_epoch_is_the_same_in_every_version(
    sent: list[tuple[list[RegisterColumn], BatchTerms]],
) -> None:
    dented = [
        ([msgspec.structs.replace(one, values=[*one.values[:-1], one.values[0] // 2]) for one in columns], terms)
        for columns, terms in sent
    ]
    assert folded(written(dented, [2]), joined=True) == folded(written(dented, [1]), joined=False)

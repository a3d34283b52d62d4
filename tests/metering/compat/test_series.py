"""From samples to readings: epochs, repetitions, contradictions; and whatever the order, the right total."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metering.agent.engines import EngineMapping, load_mappings
from metering.agent.epochs import FALL_READS
from metering.agent.exposition import Sample as PageSample
from metering.agent.exposition import parse_page
from metering.agent.observe import Source, observe
from metering.compat.engine_series import SeriesIndex
from metering.compat.samples import Sample, Series, Tally
from metering.compat.series import LOOK_BACK_MS, SERIES_PER_TARGET_MAX, SETTLED_MS, Bounds, TargetFold
from metering.compat.series_states import TargetState
from metering.deltas import RegisterReading, fold
from tests.examples import examples
from tests.fakes.engine_pages import FOLDER, recorded
from tests.metering.compat.written import GENERATED, PROMPT, series

if TYPE_CHECKING:
    from metering.wire import RegisterColumn

INDEX = SeriesIndex(load_mappings().values())
T0 = 1_773_144_000_000
BOUNDS = Bounds(T0 - 60_000, T0 + 86_400_000)
(STALE,) = struct.unpack("<d", struct.pack("<Q", 0x7FF0000000000002))
STEP = 15_000


class Target:
    """A target whose calls are folded one after the other."""

    def __init__(self) -> None:
        self.state = TargetState()
        self.tally = Tally()
        self.columns: list[RegisterColumn] = []
        self.reasons: list[str] = []

    def send(self, *found: Series) -> Target:
        one = TargetFold("vllm/10.0.0.5:8000", self.state, INDEX, BOUNDS, self.tally)
        one.add(found)
        self.columns += one.columns
        self.reasons += [outcome.reason for outcome in one.outcomes]
        return self

    def total(self, quantity: str = "input") -> int:
        """What the server's rules count of it."""
        readings: dict[str, list[RegisterReading]] = {}
        for column in self.columns:
            if column.meter.quantity == quantity:
                held = readings.setdefault(column.meter.labels["@series"], [])
                for seq, (value, at_ms) in enumerate(
                    zip(column.values, column.read_at_ms, strict=True), column.first_seq
                ):
                    held.append(
                        RegisterReading(column.epoch, seq, value, at_ms, column.epoch_started_ms, column.epoch_proof)
                    )
        return sum(fold(None, held).total for held in readings.values())


def test_a_rising_register_is_one_column() -> None:
    target = Target().send(series(PROMPT, (100, T0), (150, T0 + STEP), (150, T0 + 2 * STEP)))
    (column,) = target.columns
    assert (column.values, column.first_seq, column.epoch_proof) == ([100, 150, 150], 1, "none")
    assert target.total() == 50
    assert target.tally.accepted == 3


def test_numbers_and_epochs_go_on_over_calls() -> None:
    target = Target().send(series(PROMPT, (100, T0))).send(series(PROMPT, (150, T0 + STEP)))
    first, second = target.columns
    assert (second.first_seq, second.epoch) == (2, first.epoch)


def test_the_same_again_adds_nothing_and_another_value_is_a_contradiction() -> None:
    target = Target().send(series(PROMPT, (100, T0), (150, T0 + STEP)))
    target.send(series(PROMPT, (100, T0), (150, T0 + STEP)))
    assert (target.tally.duplicates, len(target.columns)) == (2, 1)
    target.send(series(PROMPT, (151, T0 + STEP), (101, T0), (120, T0 + 7)))
    assert (target.tally.conflicts, target.tally.late) == (2, 1)
    assert target.reasons == ["conflicting_sample"]
    assert len(target.columns) == 1


def low(count: int, first: int = 2, value: int = 20) -> Series:
    """Samples below 150, each one more than the one before."""
    return series(PROMPT, *((value + at, T0 + (first + at) * STEP) for at in range(count)))


def test_a_fall_that_lasts_is_a_new_epoch_without_proof() -> None:
    target = Target().send(series(PROMPT, (100, T0), (150, T0 + STEP)))
    target.send(low(FALL_READS - 1))
    assert (len(target.columns), target.total(), target.tally.late) == (1, 50, FALL_READS - 1)
    target.send(low(2, first=FALL_READS + 1, value=70))
    assert [column.epoch_proof for column in target.columns] == ["none", "none"]
    assert target.columns[0].epoch != target.columns[1].epoch
    assert target.columns[1].first_seq == 3
    # All that was counted since the reset is in the first value that is believed.
    assert target.total() == 50 + 70 + 1
    assert target.reasons == ["fall_held", "register_fell"]


def test_two_servers_behind_one_address_count_no_register_again() -> None:
    """Without any word of a start a balancer's pages alternate; what is lower is left out, what rises goes on."""
    target = Target().send(series(PROMPT, (1_000, T0)))
    for turn in range(1, 40):
        target.send(series(PROMPT, (200 + turn, T0 + (2 * turn - 1) * STEP), (1_000 + turn, T0 + 2 * turn * STEP)))
    assert target.total() == 39
    assert len({column.epoch for column in target.columns}) == 1


def test_a_held_sample_that_is_sent_again_proves_nothing_more() -> None:
    target = Target().send(series(PROMPT, (100, T0), (150, T0 + STEP)))
    for _ in range(FALL_READS):
        target.send(low(2))
    assert (target.tally.late, target.tally.duplicates) == (2, 2 * FALL_READS - 2)
    assert len(target.columns) == 1


def test_a_fall_is_believed_at_once_where_a_start_is_told() -> None:
    start = "process_start_time_seconds"
    target = Target().send(series(start, (T0 / 1_000 - 9, T0)), series(PROMPT, (150, T0), (20, T0 + STEP)))
    assert (len(target.columns), target.total()) == (2, 20)
    assert target.reasons == ["register_fell"]


def test_a_created_series_proves_the_new_life_also_where_the_value_rose() -> None:
    created = "vllm:prompt_tokens_created"
    target = Target().send(series(created, (T0 / 1_000 - 9, T0)), series(PROMPT, (100, T0)))
    at = T0 + 2 * STEP
    target.send(series(PROMPT, (500, at)), series(created, ((at - 5_000) / 1_000, at)))
    assert target.columns[1].epoch_proof == "created"
    assert target.columns[1].epoch_started_ms == at - 5_000
    assert target.total() == 500


def test_a_later_process_proves_it_too() -> None:
    start = "process_start_time_seconds"
    target = Target().send(series(start, (T0 / 1_000 - 9, T0)), series(PROMPT, (100, T0)))
    at = T0 + STEP
    target.send(series(start, ((at - 3_000) / 1_000, at)), series(PROMPT, (7, at)))
    assert (target.columns[1].epoch_proof, target.total()) == ("process", 7)


def test_a_mark_that_comes_after_its_reading_never_bills_twice() -> None:
    created = "vllm:prompt_tokens_created"
    target = Target().send(series(created, (T0 / 1_000 - 9, T0)), series(PROMPT, (100, T0)))
    at = T0 + STEP
    target.send(series(PROMPT, (130, at))).send(series(created, ((at - 3_000) / 1_000, at)))
    target.send(series(PROMPT, (140, at + STEP)))
    assert target.total() == 40
    assert target.reasons == ["late_restart_mark"]


def test_a_start_on_the_sample_is_trusted_first() -> None:
    target = Target().send(series(PROMPT, (100, T0), start_ms=T0 - 5_000))
    assert (target.columns[0].epoch_started_ms, target.columns[0].epoch_proof) == (T0 - 5_000, "created")
    target.send(series(PROMPT, (200, T0 + STEP), start_ms=T0 + 1_000))
    assert target.total() == 200
    late = Target().send(series(PROMPT, (100, T0), start_ms=T0 + 1))
    assert late.columns[0].epoch_proof == "none"


def test_stale_markers_open_no_epoch() -> None:
    target = Target().send(series(PROMPT, (100, T0)), series(PROMPT, (STALE, T0 + STEP)))
    target.send(series(PROMPT, (160, T0 + 2 * STEP)))
    assert (target.total(), target.tally.stale, target.reasons) == (60, 1, ["series_stale"])


def test_what_is_no_count_is_refused_and_the_rest_kept() -> None:
    late, early = BOUNDS.latest_ms + 1, BOUNDS.earliest_ms - 1
    target = Target().send(series(PROMPT, (1.5, T0), (float("nan"), T0), (-1, T0), (1, late), (1, early), (9, T0)))
    assert (target.tally.invalid, target.tally.accepted, len(target.tally.faults)) == (5, 1, 5)


def test_of_alternatives_the_better_one_is_read_while_it_is_sent() -> None:
    old, new = "vllm:prefix_cache_hits_total", "vllm:prompt_tokens_cached_total"
    target = Target().send(series(old, (10, T0)), series(new, (10, T0)))
    target.send(series(old, (30, T0 + STEP)), series(new, (30, T0 + STEP)))
    assert target.total("cached_input") == 20
    at = T0 + LOOK_BACK_MS + 2 * STEP
    target.send(series(old, (40, at))).send(series(old, (50, at + STEP)))
    # It was not read before, so it begins with a baseline: never both.
    assert target.total("cached_input") == 20 + 10


def test_a_series_that_begins_beside_others_of_its_name_counts_from_zero() -> None:
    name = "vllm:request_success_total"
    target = Target().send(series(name, (5, T0), finished_reason="stop"))
    at = T0 + SETTLED_MS
    target.send(series(name, (6, at), finished_reason="stop"))
    target.send(
        series(name, (7, at + STEP), finished_reason="stop"), series(name, (3, at + STEP), finished_reason="length")
    )
    assert target.columns[-1].epoch_proof == "created"
    early = Target().send(
        series(name, (5, T0), finished_reason="stop"), series(name, (5, T0 + STEP), finished_reason="x")
    )
    assert early.columns[-1].epoch_proof == "none"


def test_a_series_that_was_not_sent_before_is_a_baseline_even_after_a_long_time() -> None:
    target = Target().send(series(PROMPT, (100, T0))).send(series(GENERATED, (10**9, T0 + 2 * SETTLED_MS)))
    assert target.columns[-1].epoch_proof == "none"
    assert target.total("output") == 0


def test_a_target_that_invents_labels_is_bounded() -> None:
    found = [series(PROMPT, (1, T0), made_up=str(number)) for number in range(SERIES_PER_TARGET_MAX + 3)]
    target = Target().send(*found)
    assert (target.tally.accepted, target.tally.invalid) == (SERIES_PER_TARGET_MAX, 3)


def test_two_servers_that_read_one_page_are_one_register() -> None:
    target = Target().send(series(PROMPT, (100, T0), prometheus_replica="a"))
    target.send(series(PROMPT, (110, T0 + 5_000), prometheus_replica="b"))
    target.send(series(PROMPT, (130, T0 + STEP), prometheus_replica="a"))
    assert target.total() == 30
    assert len(target.state.series) == 1


def test_a_server_that_read_earlier_and_stamped_later_is_no_fall() -> None:
    """The first scrape began first and was answered late: the other one's value is older than its instant says."""
    target = Target().send(series(PROMPT, (1_000, T0), (1_110, T0 + 10_000), prometheus_replica="a"))
    target.send(series(PROMPT, (1_106, T0 + 10_500), prometheus_replica="b"))
    target.send(series(PROMPT, (1_150, T0 + 25_000), prometheus_replica="a"))
    assert target.total() == 150
    assert (target.reasons, target.tally.ignored) == ([], 1)
    after = T0 + 25_000 + LOOK_BACK_MS + 1
    target.send(series(PROMPT, (1_200, after), prometheus_replica="b"))
    target.send(series(PROMPT, (1_190, after - 5), prometheus_replica="a"))
    assert target.total() == 200


@settings(max_examples=examples(25))
@given(
    st.lists(st.integers(0, 1_000), min_size=2, max_size=20),
    st.lists(st.tuples(st.integers(0, 19), st.integers(1, 20)), max_size=12),
)
def test_calls_cut_repeated_and_late_give_the_same_total(rises: list[int], resends: list[tuple[int, int]]) -> None:
    samples, value = [], 50
    for index, rise in enumerate(rises):
        value += rise
        samples.append((float(value), T0 + index * STEP))
    target = Target()
    for start, end in [*resends, (0, len(samples))]:
        found = samples[start:end]
        if found:
            target.send(series(PROMPT, *found))
    first = min((start for start, end in [*resends, (0, 20)] if samples[start:end][:1]), default=0)
    begun = next(start for start, end in [*resends, (0, len(samples))] if samples[start:end])
    assert first <= begun
    assert target.total() == int(samples[-1][0] - samples[begun][0])
    assert target.tally.conflicts == 0


PAGES = sorted(path.stem for path in FOLDER.glob("*.txt"))


def mappings_of(page: str) -> list[EngineMapping]:
    """The engine of a recorded page: the mapping of the longest name that the page's begins with."""
    found = [mapping for name, mapping in load_mappings().items() if page.startswith(name)]
    return sorted(found, key=lambda mapping: len(mapping.engine))[-1:]


@pytest.mark.parametrize("name", PAGES)
def test_a_page_in_pieces_is_what_the_agent_reads_of_it_whole(name: str) -> None:
    (mapping,) = mappings_of(name)
    parsed = parse_page(recorded(name).encode(), mapping.register_names | mapping.hint_names)
    told: dict[str, int] = {}
    for meter in observe(parsed, Source("t", mapping)).meters:
        told[meter.key.quantity] = told.get(meter.key.quantity, 0) + sum(part.value for part in meter.parts.values())
    pieces = [
        Series(sample_name, {**dict(one.labels), "job": "j", "forecourt_engine": mapping.engine}, sample_of(one))
        for sample_name, samples in parsed.samples.items()
        for one in samples
        if one.number is not None and sample_name in mapping.register_names
    ]
    target = Target()
    # The first call shows which series there are; the second is read.
    target.send(*pieces)
    target.columns.clear()
    target.state.series.clear()
    for piece in pieces:
        target.send(piece)
    read: dict[str, int] = {}
    for column in target.columns:
        read[column.meter.quantity] = read.get(column.meter.quantity, 0) + column.values[-1]
    assert read == told


def test_of_series_that_repeat_one_another_one_is_read_as_long_as_it_is_sent() -> None:
    labels = {"model_name": "m", "engine_type": "unified", "mode": "decode", "forecourt_engine": "sglang_scheduler"}

    def rank(number: str, value: float, at_ms: int) -> Series:
        return Series("sglang:realtime_tokens_total", {**labels, "tp_rank": number}, (Sample(value, at_ms),))

    target = Target().send(rank("2", 10, T0), rank("3", 9, T0)).send(rank("3", 19, T0 + STEP), rank("2", 20, T0 + STEP))
    assert target.total("output") == 10
    at = T0 + STEP + LOOK_BACK_MS + 1
    target.send(rank("3", 25, at)).send(rank("3", 27, at + STEP))
    # What rose while nobody was read is not counted; nothing is counted twice.
    assert target.total("output") == 12


def sample_of(one: PageSample) -> tuple[Sample, ...]:
    return (Sample(float(one.number or 0), T0),)


def test_without_a_name_nothing_is_read_twice() -> None:
    labels = {"model_name": "m", "engine_type": "unified", "tp_rank": "0", "mode": "decode"}
    target = Target().send(Series("sglang:realtime_tokens_total", labels, (Sample(5, T0),)))
    assert target.tally.ignored == 1
    labels = {"model_name": "m", "source": "local_cache_hit", "engine": "0"}
    one = Series("vllm:prompt_tokens_by_source_total", labels, (Sample(5, T0), Sample(9, T0 + STEP)))
    target = Target().send(one)
    assert {column.meter.quantity for column in target.columns} == {"input", "cached_input"}
    assert (target.tally.accepted, target.total("input"), target.total("cached_input")) == (2, 4, 4)

"""What becomes of each reading of a batch: every one has one outcome, whatever was shipped before."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metering.batch_readings import ReadingCounts, count_readings
from metering.clock import ClockLimits
from metering.models import Batch
from metering.received import Readings, readings_of
from metering.shipped import meter_digest
from metering.wire import decode_batch
from tests.examples import examples
from tests.metering.fleet import NOON_MS, column, make_agent, meter

if TYPE_CHECKING:
    from tests.factories import Cast

NODE = UUID(int=7)
ANY = ClockLimits(earliest_ms=0, latest_ms=10**15)


def readings(meter_number: int, first_seq: int, at_ms: list[int]) -> Readings:
    return Readings(meter_number, "epoch-1", first_seq, len(at_ms), list(range(len(at_ms))), at_ms)


def outcomes(counts: ReadingCounts) -> tuple[int, int, int, int]:
    return counts.accepted, counts.duplicates, counts.conflicts, counts.quarantined


def counted(*columns: Readings, limits: ClockLimits = ANY, shipped: dict[int, int] | None = None) -> ReadingCounts:
    known = {} if shipped is None else shipped
    return count_readings(node_id=NODE, seq=2, readings=columns, shipped=known, limits=limits)


def test_new_numbers_of_instants_that_can_be_true_are_accepted() -> None:
    shipped = {1: 4}
    found = counted(readings(1, 5, [10, 20, 30]), readings(2, 1, [10]), shipped=shipped)
    assert (found.received, outcomes(found)) == (4, (4, 0, 0, 0))
    assert shipped == {1: 7, 2: 1}


def test_each_instant_that_cannot_be_true_quarantines_its_reading_alone() -> None:
    limits = ClockLimits(earliest_ms=15, latest_ms=25)
    assert outcomes(counted(readings(1, 1, [10, 20, 30]), limits=limits)) == (1, 0, 0, 2)
    assert outcomes(counted(readings(1, 1, [15, 25]), limits=limits)) == (2, 0, 0, 0)


def test_a_clock_that_is_off_quarantines_them_all_and_their_numbers_are_taken() -> None:
    shipped: dict[int, int] = {}
    found = counted(readings(1, 1, [10, 20]), limits=ClockLimits(0, 100, off=True), shipped=shipped)
    assert outcomes(found) == (0, 0, 0, 2)
    assert shipped == {1: 2}


def test_columns_that_share_their_instants_are_each_judged() -> None:
    at_ms = [10, 20]
    limits = ClockLimits(earliest_ms=15, latest_ms=25)
    assert outcomes(counted(readings(1, 1, at_ms), readings(2, 1, at_ms), limits=limits)) == (2, 0, 0, 2)


@settings(max_examples=examples(25))
@given(
    st.lists(st.tuples(st.integers(1, 3), st.lists(st.integers(0, 40), min_size=1, max_size=5)), max_size=6),
    st.integers(0, 40),
    st.integers(0, 40),
)
def test_the_outcomes_of_new_numbers_add_up(said: list[tuple[int, list[int]]], earliest: int, latest: int) -> None:
    limits = ClockLimits(earliest_ms=earliest, latest_ms=latest)
    shipped: dict[int, int] = {}
    columns, ends = [], {1: 0, 2: 0, 3: 0}
    for number, instants in said:
        columns.append(readings(number, ends[number] + 1, sorted(instants)))
        ends[number] += len(instants)
    found = counted(*columns, limits=limits, shipped=shipped)
    instants = [at_ms for _, each in said for at_ms in each]
    trusted = sum(earliest <= at_ms <= latest for at_ms in instants)
    assert (found.received, found.accepted, found.quarantined) == (len(instants), trusted, len(instants) - trusted)
    assert shipped == {number: end for number, end in ends.items() if end}


@pytest.mark.parametrize(
    ("values", "epoch", "expected"),
    [
        # The first two numbers were stored before, the third is new.
        ([10, 20, 30], "epoch-1", (1, 2, 0, 0)),
        ([10, 21, 30], "epoch-1", (1, 1, 1, 0)),
        ([10, 20, 30], "epoch-2", (1, 0, 2, 0)),
    ],
)
def test_a_number_again_is_compared_with_what_is_stored(
    cast: Cast, values: list[int], epoch: str, expected: tuple[int, int, int, int]
) -> None:
    agent = make_agent(cast.provider)
    agent.ship(column(meter(), [10, 20], [NOON_MS, NOON_MS + 1]))
    stored = Batch.objects.get(node=agent.node)
    (known,) = readings_of(decode_batch(bytes(stored.body), stored.content_encoding))
    again = Readings(known.meter, epoch, 1, 3, values, [NOON_MS, NOON_MS + 1, NOON_MS + 2])
    shipped = {meter_digest(meter()): 2}
    found = count_readings(node_id=agent.node.id, seq=2, readings=[again], shipped=shipped, limits=ANY)
    assert outcomes(found) == expected
    assert shipped == {known.meter: 3}


def test_a_number_that_is_older_than_all_that_is_stored_counts_no_second_time(cast: Cast) -> None:
    agent = make_agent(cast.provider)
    found = count_readings(
        node_id=agent.node.id, seq=2, readings=[readings(1, 1, [1, 2, 3])], shipped={1: 2}, limits=ANY
    )
    assert outcomes(found) == (1, 2, 0, 0)

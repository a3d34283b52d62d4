"""Folding a meter's columns of readings into usage by slot, quality and rule. Pure.

A column is mostly a run of readings that simply rise. A run is folded at once: what rose between two edges is one
subtraction, and only the interval that straddles an edge is cut. Everything else goes reading by reading through
`metering.deltas`. Both ways give the same sums; a test holds them together.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import sub
from typing import Final, Protocol

from metering.clock import ClockLimits
from metering.deltas import (
    DeltaOutcome,
    Quality,
    RegisterBound,
    RegisterReading,
    RegisterState,
    Rule,
    UnseenTail,
    delta,
)
from metering.hours import HOUR_MS, cut_outcome
from metering.timeline import Slot, Timeline

EDGE_SNAP_MS: Final = 500
"""A reading meant for the full hour is taken some milliseconds past it."""

RISE_PER_S_MAX: Final = {
    "input": 100_000_000,
    "cached_input": 100_000_000,
    "cache_write": 100_000_000,
    "output": 10_000_000,
    "reasoning": 10_000_000,
    "requests": 1_000_000,
    "finished_input": 100_000_000,
    "finished_output": 10_000_000,
    "energy_mj": 20_000_000,
}
"""More than one endpoint or card can do by orders of magnitude: it holds overflows and noise, not cheats.

Source: one 8-GPU node makes at most some 10^5 tokens a second, one card draws at most some 10^6 mW.
"""

BURST_MAX: Final = 1_000_000_000
"""What a register may gain at once: some engines count a request's tokens only when it ends."""

_HELD_BY_CLOCK: Final = {True: 0, False: 1}
"""What `delta` is told of a reading that is trusted or not: its limit is 0."""


class Column(Protocol):
    """Readings of one meter in one epoch, as the wire packs them."""

    @property
    def epoch(self) -> str: ...  # noqa: D102  the wire's own words
    @property
    def epoch_started_ms(self) -> int | None: ...  # noqa: D102
    @property
    def epoch_proof(self) -> str: ...  # noqa: D102
    @property
    def first_seq(self) -> int: ...  # noqa: D102
    @property
    def values(self) -> Sequence[int]: ...  # noqa: D102
    @property
    def read_at_ms(self) -> list[int]: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class BatchTerms:
    """What the readings of one batch are folded under.

    `watermark_ms` is how far the node was metered before this batch: an hour that ended by then is closed,
    and what is added to it goes into a later version.
    """

    seq: int
    limits: ClockLimits
    watermark_ms: int | None = None


@dataclass(slots=True)
class Tally:
    """What was added to one usage hour; `records` are readings, `first_seq` to `last_seq` their batches."""

    slot: Slot
    quality: Quality
    rule: Rule
    version: int
    first_seq: int
    last_seq: int = 0
    value: int = 0
    records: int = 0


TallyKey = tuple[int, Quality, Rule, int]
"""Start of the slot, quality, rule, version: one usage hour of a meter."""


def version_of(hour_ms: int, watermark_ms: int | None) -> int:
    """Return the version of an hour that is written while its node is metered up to `watermark_ms`.

    1 while the hour is open; then 1 more for every hour begun since it closed. So a version, too, grows
    during one hour only and then stands, and the number follows from the readings alone.
    """
    closed_ms = hour_ms + HOUR_MS
    if watermark_ms is None or watermark_ms < closed_ms:
        return 1
    return 2 + (watermark_ms - closed_ms) // HOUR_MS


@dataclass(slots=True)
class MeterFold:
    """One meter being folded: its state moves from column to column while tallies grow."""

    quantity: str
    timeline: Timeline
    state: RegisterState | None = None
    watched_since_ms: int | None = None
    tallies: dict[TallyKey, Tally] = field(default_factory=dict)
    tails: list[UnseenTail] = field(default_factory=list)

    def add(self, column: Column, terms: BatchTerms) -> None:
        """Fold one column, the next of its meter in the node's order."""
        values, times = column.values, column.read_at_ms
        rises = list(map(sub, values[1:], values))
        irregular: list[int] = []
        if rises and (min(rises) < 0 or max(rises) > BURST_MAX):
            irregular = [index for index, rise in enumerate(rises) if not 0 <= rise <= BURST_MAX]
        trusted = terms.limits.trusts_all(times)
        index = 0
        while index < len(values):
            end = index
            if trusted and self._rises_at(column, index):
                after = bisect_left(irregular, index)
                end = irregular[after] + 1 if after < len(irregular) else len(values)
                self._add_run(column, index, end, terms)
            else:
                end = index + 1
                self._add_one(column, index, terms)
            index = end

    def _rises_at(self, column: Column, index: int) -> bool:
        """Whether the reading is the plain next one: same epoch, next number, no fall, no burst, later."""
        state = self.state
        return (
            state is not None
            and not state.closed
            and state.epoch == column.epoch
            and state.seq + 1 == column.first_seq + index
            and state.read_at_ms <= column.read_at_ms[index]
            and 0 <= column.values[index] - state.value <= BURST_MAX
        )

    def _add_run(self, column: Column, start: int, end: int, terms: BatchTerms) -> None:
        """Fold readings `[start, end)`, each of which rises from the one before."""
        assert self.state is not None
        values, times = column.values, column.read_at_ms
        value, at_ms, index = self.state.value, self.state.read_at_ms, start
        for edge_ms in self.timeline.edges_between(at_ms - 1, times[end - 1]):
            if edge_ms < at_ms:
                continue  # an interval over several edges was cut at all of them at once
            before = bisect_right(times, edge_ms, index, end)
            if before > index:
                self._tally_run(values[before - 1] - value, before - index, edge_ms - 1, terms)
                value, at_ms, index = values[before - 1], times[before - 1], before
            if index < end and at_ms < edge_ms:
                self._cut_rise(value, at_ms, values[index], times[index], terms)
                value, at_ms, index = values[index], times[index], index + 1
        if index < end:
            self._tally_run(values[end - 1] - value, end - index, times[end - 1] - 1, terms)
        self.state = RegisterState(column.epoch, column.first_seq + end - 1, values[end - 1], times[end - 1])

    def _cut_rise(self, value: int, at_ms: int, next_value: int, next_ms: int, terms: BatchTerms) -> None:
        outcome = DeltaOutcome(next_value - value, Quality.ACTUAL, Rule.SAME_EPOCH_RISE, self.state, at_ms, next_ms)
        self._tally_outcome(outcome, terms)

    def _tally_run(self, value: int, records: int, at_ms: int, terms: BatchTerms) -> None:
        self._tally(at_ms, (Quality.ACTUAL, Rule.SAME_EPOCH_RISE), value, records, terms)

    def _add_one(self, column: Column, index: int, terms: BatchTerms) -> None:
        """Decide one reading by the table of deltas."""
        at_ms = column.read_at_ms[index]
        reading = RegisterReading(
            epoch=column.epoch,
            seq=column.first_seq + index,
            value=column.values[index],
            read_at_ms=at_ms,
            epoch_started_ms=column.epoch_started_ms,
            epoch_proof=column.epoch_proof,
            clock_skew_ms=_HELD_BY_CLOCK[terms.limits.trusts(at_ms)],
        )
        outcome = delta(self.state, reading, self._bound())
        self.state = outcome.next_state
        if outcome.tail is not None:
            self.tails.append(outcome.tail)
        if outcome.rule is Rule.FIRST_CONTACT_BASELINE:
            # Nothing is counted; the row says from when on this meter is known.
            self._tally(at_ms - 1, (Quality.GAP, outcome.rule), 0, 1, terms)
        elif outcome.value is not None:
            self._tally_outcome(outcome, terms)
        elif outcome.quality is not None:
            # A held reading of a clock that is off is put to the latest hour that can be true.
            self._tally(terms.limits.nearest(at_ms), (outcome.quality, outcome.rule), 0, 1, terms)

    def _bound(self) -> RegisterBound:
        return RegisterBound(
            rise_per_s_max=RISE_PER_S_MAX[self.quantity],
            burst_max=BURST_MAX,
            clock_skew_ms_max=0,
            watched_since_ms=self.watched_since_ms,
        )

    def _tally_outcome(self, outcome: DeltaOutcome, terms: BatchTerms) -> None:
        edges = self.timeline.edges_between(outcome.from_ms, outcome.to_ms)
        parts = cut_outcome(outcome, edges, snap_ms=EDGE_SNAP_MS)
        for number, part in enumerate(parts, 1):
            at_ms = (part.from_ms + part.to_ms) // 2
            # The reading stands behind its last part only, so that records count each reading once.
            records = 1 if number == len(parts) else 0
            self._tally(at_ms, (part.quality, outcome.rule), part.value, records, terms)

    def _tally(self, at_ms: int, why: tuple[Quality, Rule], value: int, records: int, terms: BatchTerms) -> None:
        slot = self.timeline.slot_at(at_ms)
        version = version_of(slot.hour_ms, terms.watermark_ms)
        key = (slot.from_ms, *why, version)
        tally = self.tallies.get(key)
        if tally is None:
            tally = self.tallies[key] = Tally(slot, *why, version, terms.seq)
        tally.value += value
        tally.records += records
        tally.last_seq = terms.seq

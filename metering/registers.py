"""Folding a meter's runs of readings into usage by slot, quality and rule. Pure.

A run is mostly readings that simply rise. Those are folded at once: what rose between two edges is one subtraction,
and only the interval that straddles an edge is cut. Everything else goes reading by reading through `metering.deltas`.
Both ways give the same sums, and so do runs that join the batches of hours and runs of one batch each; tests hold
them together.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from operator import sub
from typing import Final

import numpy as np
from numpy.typing import NDArray

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

BEST_RATE_PER_S: Final = {
    "input": 4_000_000,
    "cached_input": 4_000_000,
    "cache_write": 4_000_000,
    "output": 200_000,
    "reasoning": 200_000,
    "requests": 200_000,
    "energy_mj": 1_000_000,
}
"""The best that one endpoint of 8 cards, or one card, is known to do: what an unread end can have been at most.

Source: the ML.ENERGY benchmark's fastest run makes 22,263 output tokens a second on one B200 (gpt-oss-20b), times 8
cards, rounded up; a prompt token costs a fifth to a twentieth of an output token; a B200 draws at most 976 W.
"""

_HELD_BY_CLOCK: Final = {True: 0, False: 1}
"""What `delta` is told of a reading that is trusted or not: its limit is 0."""

Values = Sequence[int] | NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class BatchTerms:
    """What the readings of one batch are folded under.

    `watermark_ms` is how far the node was metered before this batch: an hour that ended by then is closed,
    and what is added to it goes into a later version.
    """

    seq: int
    limits: ClockLimits
    watermark_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """Readings of one meter in one epoch, of one batch or of several that follow each other.

    Value `i` has number `first_seq + i` and was read at `read_at_ms[i]`; instants do not fall. The readings from
    `starts[b]` on came with batch `terms[b]`. `trusted` says that every instant can be true; a run of several batches
    is.
    """

    epoch: str
    epoch_started_ms: int | None
    epoch_proof: str
    first_seq: int
    values: Values
    read_at_ms: Sequence[int]
    terms: Sequence[BatchTerms]
    starts: Sequence[int] = (0,)
    trusted: bool = True

    def terms_of(self, index: int) -> BatchTerms:
        """Return the terms of the batch that a reading came with."""
        return self.terms[self.batch_of(index)]

    def batch_of(self, index: int) -> int:
        """Return which of the run's batches a reading came with."""
        return bisect_right(self.starts, index) - 1

    def irregular(self) -> list[int]:
        """Return the readings after which the register fell or rose by more than a burst, in order."""
        if isinstance(self.values, np.ndarray):
            rises = self.values[1:] - self.values[:-1]
            if not rises.size or (rises.min() >= 0 and rises.max() <= BURST_MAX):
                return []
            found: list[int] = np.flatnonzero((rises < 0) | (rises > BURST_MAX)).tolist()
            return found
        steps = list(map(sub, self.values[1:], self.values))
        if not steps or (min(steps) >= 0 and max(steps) <= BURST_MAX):
            return []
        return [index for index, rise in enumerate(steps) if not 0 <= rise <= BURST_MAX]


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


def _parts(from_ms: int, edge_ms: int, to_ms: int) -> bool:
    """Whether an edge inside an interval lies far enough from its ends to cut it, as `metering.hours.cut` says."""
    return from_ms + EDGE_SNAP_MS < edge_ms < to_ms - EDGE_SNAP_MS


@dataclass(slots=True)
class MeterFold:
    """One meter being folded: its state moves from column to column while tallies grow."""

    quantity: str
    timeline: Timeline
    state: RegisterState | None = None
    watched_since_ms: int | None = None
    tallies: dict[TallyKey, Tally] = field(default_factory=dict)
    tails: list[UnseenTail] = field(default_factory=list)

    def add(self, run: Run) -> None:
        """Fold one run, the next of its meter in the node's order."""
        irregular = run.irregular()
        count = len(run.values)
        index = 0
        while index < count:
            end = index + 1
            if run.trusted and self._rises_at(run, index):
                after = bisect_left(irregular, index)
                end = irregular[after] + 1 if after < len(irregular) else count
                self._add_rises(run, index, end)
            else:
                self._add_one(run, index)
            index = end

    def _rises_at(self, run: Run, index: int) -> bool:
        """Whether the reading is the plain next one: same epoch, next number, no fall, no burst, later."""
        state = self.state
        return (
            state is not None
            and not state.closed
            and state.epoch == run.epoch
            and state.seq + 1 == run.first_seq + index
            and state.read_at_ms <= run.read_at_ms[index]
            and 0 <= int(run.values[index]) - state.value <= BURST_MAX
        )

    def _add_rises(self, run: Run, start: int, end: int) -> None:
        """Fold readings `[start, end)`, each of which rises from the one before."""
        assert self.state is not None
        values, times = run.values, run.read_at_ms
        value, at_ms, index = self.state.value, self.state.read_at_ms, start
        last_value, last_ms = int(values[end - 1]), times[end - 1]
        edges = self.timeline.edges_between(at_ms - 1, last_ms)
        for edge_ms, next_edge_ms in pairwise([*edges, last_ms]):
            if edge_ms < at_ms:
                continue  # an interval over several edges was cut at all of them at once
            before = bisect_right(times, edge_ms, index, end)
            if before > index:
                risen = int(values[before - 1])
                self._tally_rises(run, (index, before), risen - value, edge_ms - 1)
                value, at_ms, index = risen, times[before - 1], before
            if index < end and at_ms < edge_ms:
                risen = int(values[index])
                if next_edge_ms >= times[index] and not _parts(at_ms, edge_ms, times[index]):
                    self._tally_rises(run, (index, index + 1), risen - value, (at_ms + times[index]) // 2)
                else:
                    self._cut_rise(run, index, (value, at_ms), risen)
                value, at_ms, index = risen, times[index], index + 1
        if index < end:
            self._tally_rises(run, (index, end), last_value - value, last_ms - 1)
        self.state = RegisterState(run.epoch, run.first_seq + end - 1, last_value, last_ms, base=self.state.base)

    def _cut_rise(self, run: Run, index: int, before: tuple[int, int], value: int) -> None:
        """Cut what rose from (value, instant) to a reading beyond an edge."""
        outcome = DeltaOutcome(
            value - before[0],
            Quality.ACTUAL,
            Rule.SAME_EPOCH_RISE,
            self.state,
            before[1],
            run.read_at_ms[index],
        )
        self._tally_outcome(outcome, run.terms_of(index))

    def _tally_rises(self, run: Run, span: tuple[int, int], value: int, at_ms: int) -> None:
        """Count readings `[start, end)` of one slot, apart where their batches write it in different versions."""
        start, end = span
        slot = self.timeline.slot_at(at_ms)
        first, last = run.batch_of(start), run.batch_of(end - 1)
        version = version_of(slot.hour_ms, run.terms[last].watermark_ms)
        why = (Quality.ACTUAL, Rule.SAME_EPOCH_RISE)
        if version == version_of(slot.hour_ms, run.terms[first].watermark_ms):
            self._count(slot, (*why, version), value, end - start, (run.terms[first].seq, run.terms[last].seq))
            return
        before = int(run.values[end - 1]) - value
        for batch, (begin, stop) in enumerate(pairwise([start, *run.starts[first + 1 : last + 1], end]), first):
            terms, after = run.terms[batch], int(run.values[stop - 1])
            version = version_of(slot.hour_ms, terms.watermark_ms)
            self._count(slot, (*why, version), after - before, stop - begin, (terms.seq, terms.seq))
            before = after

    def _add_one(self, run: Run, index: int) -> None:
        """Decide one reading by the table of deltas."""
        at_ms, terms = run.read_at_ms[index], run.terms_of(index)
        reading = RegisterReading(
            epoch=run.epoch,
            seq=run.first_seq + index,
            value=int(run.values[index]),
            read_at_ms=at_ms,
            epoch_started_ms=run.epoch_started_ms,
            epoch_proof=run.epoch_proof,
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
            best_rate_per_s=BEST_RATE_PER_S[self.quantity],
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
        self._count(slot, (*why, version), value, records, (terms.seq, terms.seq))

    def _count(
        self, slot: Slot, row: tuple[Quality, Rule, int], value: int, records: int, seqs: tuple[int, int]
    ) -> None:
        """Add to the slot's row of a quality, rule and version what came with batches first to last."""
        key = (slot.from_ms, *row)
        tally = self.tallies.get(key)
        if tally is None:
            tally = self.tallies[key] = Tally(slot, *row, seqs[0])
        tally.value += value
        tally.records += records
        tally.last_seq = seqs[1]

"""From samples of one target to readings of registers: epochs, numbers, repetitions, contradictions. Pure.

What the agent does on a node for a page, is done here for a target of somebody's collector, on what is remembered of
its series. A later start that is told, or a fall, opens an epoch; a stale marker does not, because a page that was
not read leaves one too; where no start is told at all, a fall must last. What cannot be proved to have begun from
zero is left to the server's rules, which never bill it twice.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import msgspec

from metering.agent.engines import created_name
from metering.compat.engine_series import (
    PROCESS_START,
    Reading,
    SeriesIndex,
    created_key,
    exact_value,
    meter_key,
    rules_in_force,
)
from metering.compat.samples import Tally, is_stale, whole
from metering.compat.series_states import (
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
from metering.wire import MeterKey, Outcome, RegisterColumn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from metering.compat.samples import Sample, Series

SERIES_PER_TARGET_MAX: Final = 512
LOOK_BACK_MS: Final = 300_000
"""For how long a series is taken to be on its page after it was last sent."""
SETTLED_MS: Final = 600_000
"""A target watched for this long was seen whole: a further series of a known name began since."""
AHEAD_MS_MAX: Final = 300_000
BEHIND_MS_MAX: Final = 300_000


@dataclass(frozen=True, slots=True)
class Register:
    """A series that is a register: its id within the target, its key, and how it is read."""

    name: str
    key: MeterKey
    reading: Reading
    series: Series
    tally: Tally


@dataclass(frozen=True, slots=True)
class Bounds:
    """Within what instants, Unix ms, samples can be taken."""

    earliest_ms: int
    latest_ms: int


@dataclass(slots=True)
class TargetFold:
    """One target's samples being folded into its state."""

    target: str
    state: TargetState
    index: SeriesIndex
    bounds: Bounds
    tally: Tally
    columns: list[RegisterColumn] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    newest_ms: int = 0
    found_more: bool = False

    def add(self, found: Sequence[Series]) -> None:
        """Fold the series of one call: marks first, so that a register knows its start; then registers."""
        elected = [one for one in found if self._is_elected(one)]
        self.tally.ignored += sum(len(one.samples) for one in found) - sum(len(one.samples) for one in elected)
        for one in elected:
            self._mark(one)
        for one in elected:
            if self.index.is_register(one.name):
                self._take(one)
            else:
                self.tally.ignored += len(one.samples)

    def _is_elected(self, one: Series) -> bool:
        """Of servers that read the same page the first one, as long as it sends.

        A scrape is stamped when it begins. Where two servers take turns, the one that began later may have read
        earlier, and a register that simply rose would seem to have fallen: its whole value would count once more.
        """
        at_ms = self._newest_ms(one)
        elected, sent_ms = self.state.replica
        if one.replica != elected and sent_ms and at_ms <= sent_ms + LOOK_BACK_MS:
            return False
        if at_ms:
            self.state.replica = (one.replica, max(at_ms, sent_ms))
        return True

    def _newest_ms(self, one: Series) -> int:
        return max((sample.at_ms for sample in one.samples if self._within(sample)), default=0)

    def _mark(self, one: Series) -> None:
        told = [sample for sample in one.samples if self._within(sample) and not is_stale(sample.value)]
        last = max(told, key=lambda sample: sample.at_ms, default=None)
        if last is None:
            return
        if self.index.is_register(one.name):
            self.state.seen[one.name] = max(last.at_ms, self.state.seen.get(one.name, 0))
        elif not 0 < last.value < self.bounds.latest_ms / 1_000:
            return
        elif one.name == PROCESS_START:
            self.state.process_ms = int(last.value * 1_000)
        else:
            key = created_key(one.name, one.labels)
            if key in self.state.created or len(self.state.created) < SERIES_PER_TARGET_MAX:
                self.state.created[key] = int(last.value * 1_000)

    def _within(self, sample: Sample) -> bool:
        return self.bounds.earliest_ms <= sample.at_ms <= self.bounds.latest_ms

    def _take(self, one: Series) -> None:
        readings = [reading for reading in self.index.read(one.name, one.labels) if self._in_force(reading, one)]
        if not readings:
            self.tally.ignored += len(one.samples)
            return
        # Samples are counted once, however many quantities are read from them.
        self._take_as(readings[0], one, self.tally)
        for reading in readings[1:]:
            self._take_as(reading, one, Tally())

    def _take_as(self, reading: Reading, one: Series, tally: Tally) -> None:
        key = meter_key(reading, one.name, one.labels, self.target)
        name = _series_id(key)
        if reading.rule.repeats and not self._is_chosen(reading, one, name):
            tally.ignored += len(one.samples)
            return
        if name not in self.state.series and len(self.state.series) >= SERIES_PER_TARGET_MAX:
            tally.refuse(f"{self.target}: more than {SERIES_PER_TARGET_MAX} registers", len(one.samples))
            return
        models = self.state.engines.setdefault(reading.mapping.engine, [])
        if key.model not in models and len(models) < SERIES_PER_TARGET_MAX:
            models.append(key.model)
            self.found_more = True
        register = Register(name, key, reading, one, tally)
        for sample in sorted(one.samples, key=lambda each: each.at_ms):
            self._sample(register, sample)

    def _is_chosen(self, reading: Reading, one: Series, name: str) -> bool:
        """Of series that repeat one another the first one, as long as it is sent; another then is another register."""
        labels = {label: value for label, value in one.labels.items() if label not in reading.rule.repeats}
        group = _series_id(meter_key(reading, one.name, labels, self.target))
        at_ms = self._newest_ms(one)
        chosen, sent_ms = self.state.chosen.get(group, (name, 0))
        if chosen != name and sent_ms >= at_ms - LOOK_BACK_MS:
            return False
        self.state.chosen[group] = (name, max(at_ms, sent_ms))
        return True

    def _in_force(self, reading: Reading, one: Series) -> bool:
        """Of the alternatives for a quantity, the first whose every series the target sent lately."""
        at_ms = self._newest_ms(one)
        since_ms = at_ms - LOOK_BACK_MS
        seen = self.state.seen
        found = rules_in_force(reading.mapping, reading.rule.quantity, lambda name: seen.get(name, 0) >= since_ms)
        return any(rule is reading.rule for rule in found)

    def _sample(self, register: Register, sample: Sample) -> None:
        where = f"{register.series.name} of {self.target} at {sample.at_ms}"
        if is_stale(sample.value):
            register.tally.stale += 1
            self._tell(sample.at_ms, "series_stale", _said(register.key))
            return
        value = whole(sample.value)
        if value is None:
            register.tally.refuse(f"{where}: {sample.value!r} is no whole count that a float holds exactly")
        elif not self._within(sample):
            register.tally.refuse(f"{where}: the instant is before the collector began, or in the future")
        else:
            known = self.state.series.get(register.name)
            if known is not None and known.read_at_ms < sample.at_ms <= known.fallen_ms:
                # Seen, and not believed: sent again it proves nothing more.
                register.tally.duplicates += 1
            elif known is not None and sample.at_ms <= known.read_at_ms:
                self._repeated(register, known, exact_value(register.reading.mapping, value), sample.at_ms)
            else:
                self._read(register, sample, exact_value(register.reading.mapping, value), known)

    def _repeated(self, register: Register, known: SeriesState, value: int, at_ms: int) -> None:
        """An instant that is not new: the same value again, an older one that adds nothing, or a contradiction."""
        if at_ms == known.read_at_ms:
            kept: int | None = known.value
        else:
            kept = next((was for when, was in known.before if when == at_ms), None)
        if kept == value:
            register.tally.duplicates += 1
        elif kept is None:
            register.tally.late += 1
        else:
            where = f"{register.series.name} of {self.target} at {at_ms}"
            register.tally.contradict(f"{where}: {value}, but {kept} is kept for this instant")
            self._tell(at_ms, "conflicting_sample", f"{where}: {value}, kept {kept}")

    def _read(self, register: Register, sample: Sample, value: int, known: SeriesState | None) -> None:
        life = self._life(register, sample)
        if known is None:
            state = self._first(register, sample.at_ms, value, life)
        elif value < known.value and register.reading.mapping.falls == "held":
            register.tally.late += 1
            self._tell(sample.at_ms, "register_fell", _said(register.key))
            return
        elif (waiting := held_fall(known, sample.at_ms, value, life)) is not None:
            self.state.series[register.name] = waiting
            register.tally.late += 1
            self._tell(sample.at_ms, "fall_held", _said(register.key))
            return
        else:
            state = next_state(register.name, known, sample.at_ms, value, life)
            self._tell_step(register.key, known, state, life)
        self.state.series[register.name] = state
        register.tally.accepted += 1
        self.newest_ms = max(self.newest_ms, sample.at_ms)
        self._append(register.key, state)

    def _life(self, register: Register, sample: Sample) -> Life | None:
        """What says since when the register counts, the most trusted first; a start after the sample is none."""
        hints, one = register.reading.mapping.epoch_hints, register.series
        told: list[tuple[str, int | None]] = [("sample", sample.start_ms)]
        if "created" in hints:
            told.append(("created", self.state.created.get(created_key(created_name(one.name), one.labels))))
        if "process_start" in hints:
            told.append(("process", self.state.process_ms))
        for source, at_ms in told:
            if at_ms is not None and 0 < at_ms <= sample.at_ms:
                return Life(source, at_ms)
        return None

    def _first(self, register: Register, at_ms: int, value: int, life: Life | None) -> SeriesState:
        start = Start(life.at_ms, proof_of(life)) if life else UNPROVED
        absent_ms = self._absent_ms(register.series.name, at_ms)
        if absent_ms is not None and absent_ms > (start.at_ms or 0):
            start = Start(absent_ms, "created")
        nothing = SeriesState(register.series.name, 0, 0, 0, at_ms, "", -1, None, "none", life, [])
        return opened(register.name, nothing, at_ms, value, start)

    def _absent_ms(self, series: str, at_ms: int) -> int | None:
        """When the target's page was last read without this series, but with others of its name, long enough known."""
        known = [one for one in self.state.series.values() if one.name == series and one.first_ms <= at_ms - SETTLED_MS]
        read = [when for one in known for when in (one.read_at_ms, *(when for when, _ in one.before)) if when < at_ms]
        return max(read, default=None)

    def _tell_step(self, key: MeterKey, known: SeriesState, state: SeriesState, life: Life | None) -> None:
        """Tell of an epoch that began without proof, and of a restart that was told after the fact."""
        if state.epoch != known.epoch and state.proof == "none":
            self._tell(state.read_at_ms, "register_fell", _said(key))
        elif state.epoch == known.epoch and life is not None and is_later(life, known):
            self._tell(state.read_at_ms, "late_restart_mark", _said(key))

    def _append(self, key: MeterKey, state: SeriesState) -> None:
        column = self.columns[-1] if self.columns else None
        if column is not None and column.meter == key and column.epoch == state.epoch:
            column.values.append(state.value)
            column.read_at_ms.append(state.read_at_ms)
            return
        self.columns.append(
            RegisterColumn(
                meter=key,
                epoch=state.epoch,
                epoch_started_ms=state.started_ms,
                epoch_proof=state.proof,
                first_seq=state.seq,
                values=[state.value],
                read_at_ms=[state.read_at_ms],
            )
        )

    def _tell(self, at_ms: int, reason: str, detail: str) -> None:
        """Put something that a person should know into the batch, once a call for each reason."""
        for index, one in enumerate(self.outcomes):
            if one.reason == reason:
                self.outcomes[index] = msgspec.structs.replace(one, at_ms=max(at_ms, one.at_ms), count=one.count + 1)
                return
        self.outcomes.append(Outcome("endpoint", self.target, at_ms, reason, detail[:200], 1))


def _said(key: MeterKey) -> str:
    return f"{key.quantity} {key.model}".strip()


def _series_id(key: MeterKey) -> str:
    return hashlib.blake2b(msgspec.json.encode(key, order="sorted"), digest_size=12).hexdigest()

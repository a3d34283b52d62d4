"""From register readings to deltas: the decision table of metering, as one pure function.

A register only rises within one epoch (one unbroken life of the counter). The node ships register values,
never differences, so a lost reading costs resolution and never a token; the difference is taken once, here,
and it is the same on every worker and on every re-run. All values are integers in the register's own unit
(tokens, requests, millijoules), all instants Unix milliseconds in UTC, all intervals half-open `[from_ms,
to_ms)`.

Every reading gets exactly one outcome, and every outcome names the rule that decided it:

| rule | when | value | quality |
|---|---|---|---|
| `first_contact_baseline` | first reading of a meter of a running process | 0 | `G` before it |
| `first_contact_from_zero` | first reading of an epoch that began while watched | v | `A` |
| `same_epoch_rise` | same epoch, next reading, v >= previous | v - previous | `A` |
| `same_epoch_missing_readings` | same epoch, some missing, v >= previous | v - previous | `A`, split `E` |
| `same_epoch_fall` | same epoch, v < previous: epoch closed | none | `Q` |
| `epoch_closed` | a further reading of a closed epoch | none | `Q` |
| `new_epoch_proved` | new epoch, start proved later than the last reading | v | `A` |
| `new_epoch_ambiguous` | new epoch, start not proved, v >= previous | v - previous | `Q` |
| `new_epoch_fall` | new epoch, start not proved, v < previous | v | `A`, flagged |
| `duplicate` | a reading already folded | none | none |
| `conflict` | the same sequence number with another epoch or value | none | `Q` |
| `stale` | an earlier sequence number than the last one folded | none | none |
| `held_above_bound` | the rise is more than the hardware can do | none | `Q` |
| `held_out_of_range` | the value is no count below 2**63 | none | `Q` |
| `held_clock` | the clock is off by more than the limit, or ran backwards | none | `Q` |

A held reading leaves the state as it was, so the next good reading still carries the whole rise. Of
`new_epoch_ambiguous` the rise itself is held: it is stored with quality `Q`, shown and not billed, and the register
goes on from the new value.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

REGISTER_LIMIT = 2**63
"""A register value is a count in `[0, REGISTER_LIMIT)`."""

MS_PER_S = 1_000


class Quality(StrEnum):
    """How a quantity of usage is known."""

    ACTUAL = "A"
    ESTIMATED = "E"
    SUBSTITUTED = "S"
    QUARANTINED = "Q"
    GAP = "G"


class Rule(StrEnum):
    """Which row of the decision table decided; stored beside the usage, so the names never change."""

    FIRST_CONTACT_BASELINE = "first_contact_baseline"
    FIRST_CONTACT_FROM_ZERO = "first_contact_from_zero"
    SAME_EPOCH_RISE = "same_epoch_rise"
    SAME_EPOCH_MISSING_READINGS = "same_epoch_missing_readings"
    SAME_EPOCH_FALL = "same_epoch_fall"
    EPOCH_CLOSED = "epoch_closed"
    NEW_EPOCH_PROVED = "new_epoch_proved"
    NEW_EPOCH_AMBIGUOUS = "new_epoch_ambiguous"
    NEW_EPOCH_FALL = "new_epoch_fall"
    DUPLICATE = "duplicate"
    CONFLICT = "conflict"
    STALE = "stale"
    HELD_ABOVE_BOUND = "held_above_bound"
    HELD_OUT_OF_RANGE = "held_out_of_range"
    HELD_CLOCK = "held_clock"


class Flag(StrEnum):
    """What a person should know about an outcome beyond its rule."""

    RESTARTED = "restarted"
    AMBIGUOUS_RESET = "ambiguous_reset"
    ASSUMED_RESET = "assumed_reset"
    MISSING_READINGS = "missing_readings"
    SPLIT_ESTIMATED = "split_estimated"
    TAIL_UNSEEN = "tail_unseen"
    NOT_METERED_BEFORE = "not_metered_before"
    ALARM = "alarm"


@dataclass(frozen=True, slots=True)
class RegisterReading:
    """One reading of one meter as the node shipped it.

    `seq` is gapless per meter across epochs, from 1. `epoch_started_ms` is the instant the epoch began where
    a marker of kind `epoch_proof` proves it, else None. `clock_skew_ms` is the node's clock minus the
    server's as measured when the reading's batch arrived, 0 where unknown.
    """

    epoch: str
    seq: int
    value: int
    read_at_ms: int
    epoch_started_ms: int | None = None
    epoch_proof: str = "none"
    clock_skew_ms: int = 0


@dataclass(frozen=True, slots=True)
class RegisterState:
    """The last good reading of a meter: what the next one is compared with.

    `closed` says that the epoch fell and that its further readings count for nothing until a new epoch opens. All that
    was ever counted of the meter, whatever its quality, is `value - base`: within an epoch the register carries the sum
    itself, and where a new one begins `base` moves with it.
    """

    epoch: str
    seq: int
    value: int
    read_at_ms: int
    closed: bool = False
    base: int = 0

    @property
    def counted(self) -> int:
        """All that was ever counted of the meter."""
        return self.value - self.base


@dataclass(frozen=True, slots=True)
class RegisterBound:
    """What is physically possible for a meter, and since when its subject has been watched.

    A rise over t seconds may be at most `rise_per_s_max * t + burst_max`; the burst is there because some
    engines count a whole request when it ends. None means no bound is known. `watched_since_ms` is the
    instant from which the node looked at the meter's endpoint or accelerator; an epoch that provably began
    later is counted from zero. `best_rate_per_s` is the best that is known of such a subject: it bounds what the
    unread end of an epoch can have been, and holds nothing.
    """

    rise_per_s_max: int | None = None
    burst_max: int = 0
    best_rate_per_s: int | None = None
    clock_skew_ms_max: int | None = None
    watched_since_ms: int | None = None

    def rise_max(self, elapsed_ms: int) -> int | None:
        """Return the largest possible rise over `elapsed_ms`, rounded up, or None if unbounded."""
        assert elapsed_ms >= 0
        if self.rise_per_s_max is None:
            return None
        return -(-self.rise_per_s_max * elapsed_ms // MS_PER_S) + self.burst_max

    def tail_max(self, elapsed_ms: int) -> int | None:
        """Return what an unread end of `elapsed_ms` can have been at most, rounded up, or None if unknown."""
        assert elapsed_ms >= 0
        return None if self.best_rate_per_s is None else -(-self.best_rate_per_s * elapsed_ms // MS_PER_S)


NO_BOUND = RegisterBound()


@dataclass(frozen=True, slots=True)
class UnseenTail:
    """The end of an epoch that nobody read: counted as 0, at most `value_max` if that is known."""

    from_ms: int
    to_ms: int
    value_max: int | None


@dataclass(frozen=True, slots=True)
class DeltaOutcome:
    """What one reading means.

    `value` is what accrued over `[from_ms, to_ms)`; None means that nothing may be counted (which is not
    zero), and then `quality` says why, or is None where the reading repeats what is known. `next_state` is
    what the next reading is to be compared with.
    """

    value: int | None
    quality: Quality | None
    rule: Rule
    next_state: RegisterState | None
    from_ms: int
    to_ms: int
    flags: frozenset[Flag] = frozenset()
    tail: UnseenTail | None = None


@dataclass(frozen=True, slots=True)
class Folded:
    """The outcomes of a sequence of readings in register order, and the state after the last."""

    outcomes: tuple[tuple[RegisterReading, DeltaOutcome], ...]
    state: RegisterState | None

    @property
    def total(self) -> int:
        """The sum of every counted value."""
        return sum(outcome.value or 0 for _, outcome in self.outcomes)


def delta(previous: RegisterState | None, reading: RegisterReading, bound: RegisterBound = NO_BOUND) -> DeltaOutcome:
    """Decide what `reading` adds to its meter after `previous` (None before the first), within `bound`."""
    assert reading.seq >= 1
    assert reading.epoch
    outcome = _decide(previous, reading, bound)
    assert outcome.value is None or 0 <= outcome.value <= reading.value
    assert outcome.from_ms <= outcome.to_ms
    assert outcome.value is None or outcome.quality is not None
    return outcome


def fold(
    previous: RegisterState | None, readings: Iterable[RegisterReading], bound: RegisterBound = NO_BOUND
) -> Folded:
    """Fold `readings` of one meter, given in any order and any number of times, after `previous`.

    Readings are taken by sequence number; of two that contradict each other under one number the one given
    first stands and the other is a conflict.
    """
    state = previous
    seen: dict[int, RegisterReading] = {}
    outcomes: list[tuple[RegisterReading, DeltaOutcome]] = []
    for reading in sorted(readings, key=lambda each: each.seq):
        first = seen.setdefault(reading.seq, reading)
        outcome = delta(state, reading, bound) if first is reading else _repeated(state, first, reading)
        state = outcome.next_state
        outcomes.append((reading, outcome))
    return Folded(tuple(outcomes), state)


def unseen_tail(previous: RegisterState, ended_at_ms: int, bound: RegisterBound = NO_BOUND) -> UnseenTail | None:
    """Return the unread end of an epoch that ended at `ended_at_ms`, or None if it was read to its end."""
    if ended_at_ms <= previous.read_at_ms:
        return None
    return UnseenTail(previous.read_at_ms, ended_at_ms, bound.tail_max(ended_at_ms - previous.read_at_ms))


def _decide(previous: RegisterState | None, reading: RegisterReading, bound: RegisterBound) -> DeltaOutcome:
    if not 0 <= reading.value < REGISTER_LIMIT:
        return _nothing(previous, reading, Rule.HELD_OUT_OF_RANGE)
    if bound.clock_skew_ms_max is not None and abs(reading.clock_skew_ms) > bound.clock_skew_ms_max:
        return _nothing(previous, reading, Rule.HELD_CLOCK)
    if previous is None:
        return _first_contact(reading, bound)
    if reading.seq <= previous.seq:
        return _seen_before(previous, reading)
    if reading.read_at_ms < previous.read_at_ms:
        return _nothing(previous, reading, Rule.HELD_CLOCK)
    if reading.epoch == previous.epoch:
        return _same_epoch(previous, reading, bound)
    return _new_epoch(previous, reading, bound)


def _first_contact(reading: RegisterReading, bound: RegisterBound) -> DeltaOutcome:
    started_ms = _proved_start_ms(reading)
    watched = bound.watched_since_ms
    if started_ms is not None and watched is not None and started_ms >= watched:
        return _counted(
            previous=None,
            reading=reading,
            bound=bound,
            rule=Rule.FIRST_CONTACT_FROM_ZERO,
            value=reading.value,
            from_ms=started_ms,
        )
    return DeltaOutcome(
        value=0,
        quality=Quality.GAP,
        rule=Rule.FIRST_CONTACT_BASELINE,
        next_state=_state_after(None, reading, 0),
        from_ms=reading.read_at_ms,
        to_ms=reading.read_at_ms,
        flags=frozenset({Flag.NOT_METERED_BEFORE}),
    )


def _seen_before(previous: RegisterState, reading: RegisterReading) -> DeltaOutcome:
    if reading.seq < previous.seq:
        return _nothing(previous, reading, Rule.STALE)
    if (reading.epoch, reading.value) == (previous.epoch, previous.value):
        return _nothing(previous, reading, Rule.DUPLICATE)
    return _nothing(previous, reading, Rule.CONFLICT)


def _repeated(state: RegisterState | None, first: RegisterReading, reading: RegisterReading) -> DeltaOutcome:
    same = (reading.epoch, reading.value) == (first.epoch, first.value)
    return _nothing(state, reading, Rule.DUPLICATE if same else Rule.CONFLICT)


def _same_epoch(previous: RegisterState, reading: RegisterReading, bound: RegisterBound) -> DeltaOutcome:
    if previous.closed:
        return _nothing(previous, reading, Rule.EPOCH_CLOSED)
    if reading.value < previous.value:
        outcome = _nothing(previous, reading, Rule.SAME_EPOCH_FALL)
        return replace(outcome, next_state=replace(previous, closed=True))
    missing = reading.seq > previous.seq + 1
    return _counted(
        previous=previous,
        reading=reading,
        bound=bound,
        rule=Rule.SAME_EPOCH_MISSING_READINGS if missing else Rule.SAME_EPOCH_RISE,
        value=reading.value - previous.value,
        from_ms=previous.read_at_ms,
        flags=frozenset({Flag.MISSING_READINGS, Flag.SPLIT_ESTIMATED} if missing else ()),
    )


def _new_epoch(previous: RegisterState, reading: RegisterReading, bound: RegisterBound) -> DeltaOutcome:
    started_ms = _proved_start_ms(reading)
    value, from_ms = reading.value, previous.read_at_ms
    quality = Quality.ACTUAL
    if started_ms is not None and started_ms > previous.read_at_ms:
        rule, flags, from_ms = Rule.NEW_EPOCH_PROVED, {Flag.RESTARTED}, started_ms
    elif reading.value >= previous.value:
        # A counter kept in a multiprocess folder survives a restart, so the difference may be all there was. But an
        # address may also lead to another process now, whose register was never this one: nobody can tell, so the
        # difference is stored and held.
        rule, flags = Rule.NEW_EPOCH_AMBIGUOUS, {Flag.RESTARTED, Flag.AMBIGUOUS_RESET}
        value, quality = reading.value - previous.value, Quality.QUARANTINED
    else:
        rule, flags = Rule.NEW_EPOCH_FALL, {Flag.RESTARTED, Flag.ASSUMED_RESET}
    if reading.seq > previous.seq + 1:
        flags.add(Flag.MISSING_READINGS)
    # Where the start of the new epoch is proved the old one ended before it, else before this reading.
    ended_ms = from_ms if rule is Rule.NEW_EPOCH_PROVED else reading.read_at_ms
    tail = unseen_tail(previous, ended_ms, bound)
    if tail is not None:
        flags.add(Flag.TAIL_UNSEEN)
    outcome = _counted(
        previous=previous,
        reading=reading,
        bound=bound,
        rule=rule,
        value=value,
        from_ms=from_ms,
        flags=frozenset(flags),
    )
    return outcome if outcome.value is None else replace(outcome, quality=quality, tail=tail)


def _proved_start_ms(reading: RegisterReading) -> int | None:
    """Return the proved start of the reading's epoch; a start after the reading itself proves nothing."""
    if reading.epoch_proof == "none" or reading.epoch_started_ms is None:
        return None
    return reading.epoch_started_ms if reading.epoch_started_ms <= reading.read_at_ms else None


def _counted(
    *,
    previous: RegisterState | None,
    reading: RegisterReading,
    bound: RegisterBound,
    rule: Rule,
    value: int,
    from_ms: int,
    flags: frozenset[Flag] = frozenset(),
) -> DeltaOutcome:
    assert from_ms <= reading.read_at_ms
    rise_max = bound.rise_max(reading.read_at_ms - from_ms)
    if rise_max is not None and value > rise_max:
        return _nothing(previous, reading, Rule.HELD_ABOVE_BOUND)
    after = _state_after(previous, reading, value)
    return DeltaOutcome(value, Quality.ACTUAL, rule, after, from_ms, reading.read_at_ms, flags)


_SILENT_RULES = frozenset({Rule.DUPLICATE, Rule.STALE})


def _nothing(previous: RegisterState | None, reading: RegisterReading, rule: Rule) -> DeltaOutcome:
    """Count nothing and keep the state; whatever is not a mere repetition is quarantined with an alarm."""
    silent = rule in _SILENT_RULES
    return DeltaOutcome(
        value=None,
        quality=None if silent else Quality.QUARANTINED,
        rule=rule,
        next_state=previous,
        from_ms=reading.read_at_ms,
        to_ms=reading.read_at_ms,
        flags=frozenset() if silent else frozenset({Flag.ALARM}),
    )


def _state_after(previous: RegisterState | None, reading: RegisterReading, counted: int) -> RegisterState:
    counted += previous.counted if previous is not None else 0
    return RegisterState(reading.epoch, reading.seq, reading.value, reading.read_at_ms, base=reading.value - counted)

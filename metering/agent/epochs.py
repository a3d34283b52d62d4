"""Epochs: which unbroken life of a register a value belongs to. Pure.

No single restart marker exists, so the agent makes its own: a hash of everything that would differ after a
restart, and a generation that rises when a value falls or a series comes back although every marker stands. A
register that is the sum of several series is only comparable with its earlier self while each of them is.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final, Literal

import msgspec

from metering.agent.observe import PART_SEPARATOR, Part
from metering.wire import EpochProof

_EPOCH_CHARS: Final = 32

OTHER_PROCESS_READS_MAX: Final = 30
"""After so many reads in a row of another process's page the first one is taken to be gone."""
FALL_READS: Final = 30
"""Where nothing tells which process a page is of, it must be lower for so many reads in a row to be a reset."""
_START_TOLERANCE_MS: Final = 1_000

StepReason = Literal[
    "register_fell", "series_returned", "partial_reset", "fall_held", "other_process", "series_renamed"
]


class PartState(msgspec.Struct, frozen=True):
    """The last trusted value of one series of a register."""

    value: int
    created_ms: int | None = None


class MeterState(msgspec.Struct, frozen=True):
    """What is known of a meter between two reads; kept in the spool.

    `missing` says that a page was read since and did not show the meter; `held` counts the reads in a row that
    showed another process's page, `fallen` those in a row that were lower and are not believed yet; `step` is how
    exactly the page shows the value. `carried` stands in the register's value beside its series: what dropped series
    had counted in this epoch, or what others read before under another name counted more or less.
    """

    subject_id: str
    epoch: str
    generation: int
    boot_id: str
    process: str
    hint: str
    started_ms: int | None
    proof: EpochProof
    parts: dict[str, PartState]
    read_at_ms: int
    missing: bool = False
    held: int = 0
    fallen: int = 0
    step: int = 1
    carried: int = 0


@dataclass(frozen=True, slots=True)
class Markers:
    """What would differ after a restart. An empty `process` is unknown, an empty `hint` is a page without
    one."""

    boot_id: str
    process: str
    hint: str


@dataclass(frozen=True, slots=True)
class Sighting:
    """One meter read at one instant.

    `started_ms` with `proof` is the start of the life that the markers show, where they prove one.
    `absent_at_ms` is the latest instant at which the same page was read without this meter's series, if
    nothing of the meter was ever seen before or if it is missing. `page_started_ms` is the page's own word for when
    its process began. `hold_falls` and `returns_at_zero` are the mapping's `falls` and `vanished_begin_at_zero`.
    """

    subject_id: str
    parts: dict[str, Part]
    read_at_ms: int
    markers: Markers
    started_ms: int | None = None
    proof: EpochProof = "none"
    absent_at_ms: int | None = None
    page_started_ms: int | None = None
    hold_falls: bool = False
    returns_at_zero: bool = False

    @property
    def step(self) -> int:
        """How exactly the page shows the sum of the parts."""
        return 1 + sum(part.step - 1 for part in self.parts.values())


@dataclass(frozen=True, slots=True)
class Step:
    """The meter after a sighting: the register's value, or None when it cannot be told, and why it is
    unusual."""

    state: MeterState
    value: int | None
    reason: StepReason | None = None


def advance(state: MeterState | None, sighting: Sighting) -> Step:
    """Decide epoch and value of a sighting after `state` (None at first contact).

    - a changed marker opens an epoch, proved where the markers prove a start
    - but a page of a process that began before the last read is not of a restarted engine: several answer here, the
      first one is gone on with and the others' values are held
    - every known series fell, vanished or was created anew: an epoch, proved where creation is; or held, where the
      mapping says that a fall is no reset, or nothing tells whose page it is: it may be another server's
    - the whole meter vanished from a page and is back: an epoch, not proved unless the engine begins anew at zero
    - some series fell or vanished while others stand: no value, since the sum could count others twice
    - the same tokens are read under other names from now on: the register goes on from where it was
    """
    if state is None:
        return _first(sighting)
    sighting = _settled(state, sighting)
    if _markers_changed(state, sighting.markers):
        if is_other_process(state, sighting.markers, sighting.page_started_ms):
            return Step(msgspec.structs.replace(state, held=state.held + 1), None, "other_process")
        return Step(_open(sighting, state.generation + 1), _total(sighting.parts))
    return _returned(state, sighting) if state.missing else _go_on(state, sighting)


def _go_on(state: MeterState, sighting: Sighting) -> Step:
    """No marker changed and the meter was there before: its series tell."""
    if _series_of(state.parts).isdisjoint(_series_of(sighting.parts)):
        return _renamed(state, sighting)
    if sighting.returns_at_zero:
        state = _carry(state, sighting)
    broken, standing = _compare(state, sighting)
    if not broken:
        parts = {name: PartState(part.value, part.created_ms) for name, part in sighting.parts.items()}
        return Step(_same(state, sighting, parts), _total(sighting.parts) + state.carried)
    if not standing:
        return _fallen(state, sighting)
    # Broken series keep their last trusted values: once all are back above them the sum is comparable again.
    parts = {
        name: PartState(part.value, part.created_ms) for name, part in sighting.parts.items() if name not in broken
    }
    parts |= {name: state.parts[name] for name in broken}
    return Step(_same(state, sighting, parts), None, "partial_reset")


def _fallen(state: MeterState, sighting: Sighting) -> Step:
    """Every known series is lower than it was, gone, or created anew."""
    proved = _proved_by_creation(state, sighting)
    if proved.proof == "created":
        return Step(_open(proved, state.generation + 1), _total(sighting.parts))
    if sighting.hold_falls:
        return Step(_same(state, sighting, state.parts), None, "fall_held")
    if not (sighting.markers.hint or sighting.markers.process) and state.fallen + 1 < FALL_READS:
        # Behind a balancer each change of server would count a whole register; a reset believed later loses nothing.
        waiting = _same(state, sighting, state.parts)
        return Step(msgspec.structs.replace(waiting, fallen=state.fallen + 1), None, "fall_held")
    return Step(_open(proved, state.generation + 1), _total(sighting.parts), "register_fell")


def _settled(state: MeterState, sighting: Sighting) -> Sighting:
    """The sighting without falls that are smaller than what the page can show: rounding is no reset."""
    settled = {
        name: replace(part, value=state.parts[name].value)
        for name, part in sighting.parts.items()
        if name in state.parts and 0 < state.parts[name].value - part.value < part.step
    }
    return replace(sighting, parts={**sighting.parts, **settled}) if settled else sighting


def _series_of(parts: Iterable[str]) -> set[str]:
    """The names of series in the names of parts."""
    return {name.partition(PART_SEPARATOR)[0] for name in parts}


def _renamed(state: MeterState, sighting: Sighting) -> Step:
    """Another way to read the quantity applies now, in the same process: not a token more, and none less from here on.

    A newer agent or another setting prefers another series of the same tokens. What was counted between the two reads
    is not known under both names and is left out.
    """
    value = state.carried + sum(part.value for part in state.parts.values())
    parts = {name: PartState(part.value, part.created_ms) for name, part in sighting.parts.items()}
    moved = msgspec.structs.replace(state, carried=value - _total(sighting.parts))
    return Step(_same(moved, sighting, parts), value, "series_renamed")


def _carry(state: MeterState, sighting: Sighting) -> MeterState:
    """The state without the series that the engine dropped since, or dropped and began anew: their count stays."""
    dropped = {
        name
        for name, known in state.parts.items()
        if (part := sighting.parts.get(name)) is None
        or (_created_anew(known, part) and (part.created_ms or 0) > state.read_at_ms)
    }
    carried = state.carried + sum(state.parts[name].value for name in dropped)
    parts = {name: known for name, known in state.parts.items() if name not in dropped}
    return msgspec.structs.replace(state, parts=parts, carried=carried)


def _returned(state: MeterState, sighting: Sighting) -> Step:
    """A meter that a page did not show is there again."""
    absent_ms = sighting.absent_at_ms
    if sighting.returns_at_zero and absent_ms is not None:
        began = replace(sighting, started_ms=absent_ms, proof="created")
        return Step(_open(began, state.generation + 1), _total(sighting.parts), "series_returned")
    return Step(_open(_unproved(sighting), state.generation + 1), _total(sighting.parts), "series_returned")


def is_other_process(state: MeterState, markers: Markers, page_started_ms: int | None) -> bool:
    """Whether a page is of a process that ran beside the one that is metered, rather than after it.

    Several workers behind one address each answer with registers of their own, and with their own start.
    """
    if not _markers_changed(state, markers) or state.boot_id != markers.boot_id:
        return False
    if state.process and markers.process and state.process != markers.process:
        return False
    return (
        page_started_ms is not None
        and page_started_ms + _START_TOLERANCE_MS < state.read_at_ms
        and state.held < OTHER_PROCESS_READS_MAX
    )


def vanish(state: MeterState) -> MeterState:
    """The meter after a page that was read well and did not show it."""
    return state if state.missing else msgspec.structs.replace(state, missing=True)


def epoch_id(subject_id: str, markers: Markers, generation: int) -> str:
    """The epoch's name: equal exactly while nothing that marks a restart has changed."""
    identity = json.dumps([subject_id, markers.boot_id, markers.process, markers.hint, generation])
    return hashlib.sha256(identity.encode()).hexdigest()[:_EPOCH_CHARS]


def _total(parts: dict[str, Part]) -> int:
    return sum(part.value for part in parts.values())


def _first(sighting: Sighting) -> Step:
    """First contact. A page read earlier without the series proves that the register was zero then."""
    absent_ms = sighting.absent_at_ms
    if absent_ms is not None and absent_ms > (sighting.started_ms or 0):
        state = _open(sighting, 0)
        return Step(msgspec.structs.replace(state, started_ms=absent_ms, proof="created"), _total(sighting.parts))
    return Step(_open(sighting, 0), _total(sighting.parts))


def _markers_changed(state: MeterState, markers: Markers) -> bool:
    if state.boot_id != markers.boot_id or state.hint != markers.hint:
        return True
    # A process that cannot be seen is unknown, not another one.
    return bool(state.process and markers.process and state.process != markers.process)


def _compare(state: MeterState, sighting: Sighting) -> tuple[set[str], set[str]]:
    """Names of known series that fell, vanished or were created anew; and of those that stand."""
    broken, standing = set(), set()
    for name, known in state.parts.items():
        part = sighting.parts.get(name)
        if part is None or part.value < known.value or _created_anew(known, part):
            broken.add(name)
        else:
            standing.add(name)
    return broken, standing


def _created_anew(known: PartState, part: Part) -> bool:
    return known.created_ms is not None and part.created_ms is not None and part.created_ms > known.created_ms


def _proved_by_creation(state: MeterState, sighting: Sighting) -> Sighting:
    """Every series on the page created after the last read proves the new life; anything less proves
    nothing."""
    created = [part.created_ms for part in sighting.parts.values()]
    known = [instant for instant in created if instant is not None]
    if not known or len(known) < len(created) or min(known) <= state.read_at_ms:
        return _unproved(sighting)
    return replace(sighting, started_ms=min(known), proof="created")


def _unproved(sighting: Sighting) -> Sighting:
    return replace(sighting, started_ms=None, proof="none")


def _open(sighting: Sighting, generation: int) -> MeterState:
    return MeterState(
        subject_id=sighting.subject_id,
        epoch=epoch_id(sighting.subject_id, sighting.markers, generation),
        generation=generation,
        boot_id=sighting.markers.boot_id,
        process=sighting.markers.process,
        hint=sighting.markers.hint,
        started_ms=sighting.started_ms if sighting.proof != "none" else None,
        proof=sighting.proof if sighting.started_ms is not None else "none",
        parts={name: PartState(part.value, part.created_ms) for name, part in sighting.parts.items()},
        read_at_ms=sighting.read_at_ms,
        step=sighting.step,
    )


def _same(state: MeterState, sighting: Sighting, parts: dict[str, PartState]) -> MeterState:
    return msgspec.structs.replace(
        state,
        parts=parts,
        read_at_ms=sighting.read_at_ms,
        process=state.process or sighting.markers.process,
        missing=False,
        held=0,
        fallen=0,
        step=sighting.step,
    )

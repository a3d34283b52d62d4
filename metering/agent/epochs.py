"""Epochs: which unbroken life of a register a value belongs to. Pure.

No single restart marker exists, so the agent makes its own: a hash of everything that would differ after a
restart, and a generation that rises when a value falls or a series comes back although every marker stands. A
register that is the sum of several series is only comparable with its earlier self while each of them is.
"""

import hashlib
import json
from dataclasses import dataclass
from typing import Final, Literal

import msgspec

from metering.agent.observe import Part
from metering.wire import EpochProof

_EPOCH_CHARS: Final = 32

StepReason = Literal["register_fell", "series_returned", "partial_reset"]


class PartState(msgspec.Struct, frozen=True):
    """The last trusted value of one series of a register."""

    value: int
    created_ms: int | None = None


class MeterState(msgspec.Struct, frozen=True):
    """What is known of a meter between two reads; kept in the spool.

    `missing` says that a page was read since and did not show the meter.
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
    nothing of the meter was ever seen before.
    """

    subject_id: str
    parts: dict[str, Part]
    read_at_ms: int
    markers: Markers
    started_ms: int | None = None
    proof: EpochProof = "none"
    absent_at_ms: int | None = None


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
    - every known series fell, vanished or was created anew: an epoch, proved where creation is
    - the whole meter vanished from a page and is back: an epoch, not proved
    - some series fell or vanished while others stand: no value, since the sum could count others twice
    """
    if state is None:
        return _first(sighting)
    if _markers_changed(state, sighting.markers):
        return Step(_open(sighting, state.generation + 1), _total(sighting.parts))
    if state.missing:
        return Step(_open(_unproved(sighting), state.generation + 1), _total(sighting.parts), "series_returned")
    broken, standing = _compare(state, sighting)
    if not broken:
        parts = {name: PartState(part.value, part.created_ms) for name, part in sighting.parts.items()}
        return Step(_same(state, sighting, parts), _total(sighting.parts))
    if not standing:
        proved = _proved_by_creation(state, sighting)
        opened = _open(proved, state.generation + 1)
        return Step(opened, _total(sighting.parts), None if proved.proof == "created" else "register_fell")
    # Broken series keep their last trusted values: once all are back above them the sum is comparable again.
    parts = {
        name: PartState(part.value, part.created_ms) for name, part in sighting.parts.items() if name not in broken
    }
    parts |= {name: state.parts[name] for name in broken}
    return Step(_same(state, sighting, parts), None, "partial_reset")


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
    return Sighting(sighting.subject_id, sighting.parts, sighting.read_at_ms, sighting.markers, min(known), "created")


def _unproved(sighting: Sighting) -> Sighting:
    return Sighting(sighting.subject_id, sighting.parts, sighting.read_at_ms, sighting.markers)


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
    )


def _same(state: MeterState, sighting: Sighting, parts: dict[str, PartState]) -> MeterState:
    return msgspec.structs.replace(
        state,
        parts=parts,
        read_at_ms=sighting.read_at_ms,
        process=state.process or sighting.markers.process,
        missing=False,
    )

"""What is remembered of a target's series, and how a register goes on or begins anew. Pure."""

from __future__ import annotations

import hashlib
from typing import Final, NamedTuple

import msgspec

from metering.agent.epochs import FALL_READS
from metering.wire import EpochProof

REMEMBERED: Final = 32
"""Readings of a series that a repeated one is compared with."""


class Life(msgspec.Struct, frozen=True, array_like=True):
    """Since when a register counts from zero, Unix ms, and who says so: its samples, a created series, its process."""

    source: str
    at_ms: int


class SeriesState(msgspec.Struct, array_like=True):
    """What is remembered of one series: its last reading, its epoch, and some readings before.

    `fallen` counts the samples in a row that were lower and are not believed yet; `fallen_ms` is when the last was.
    """

    name: str
    seq: int
    value: int
    read_at_ms: int
    first_ms: int
    epoch: str
    generation: int
    started_ms: int | None
    proof: EpochProof
    life: Life | None
    before: list[tuple[int, int]]
    fallen: int = 0
    fallen_ms: int = 0


class TargetState(msgspec.Struct):
    """What is remembered of one target: when names were last sent, marks of beginnings, and each register's series.

    `chosen` is, of series that say the same thing again, the one that is read, and when it was last sent; `replica` the
    same of servers that read the same page.
    """

    seen: dict[str, int] = {}
    created: dict[str, int] = {}
    process_ms: int | None = None
    series: dict[str, SeriesState] = {}
    chosen: dict[str, tuple[str, int]] = {}
    engines: dict[str, list[str]] = {}
    replica: tuple[str, int] = ("", 0)


class Start(NamedTuple):
    """The proved start of an epoch, Unix ms, or None, and what proves it."""

    at_ms: int | None
    proof: EpochProof


UNPROVED: Final = Start(None, "none")


def held_fall(known: SeriesState, at_ms: int, value: int, life: Life | None) -> SeriesState | None:
    """Return the state after a sample that is lower and not believed to be a reset yet; None: it is no such sample.

    Where nothing tells when the register's life began, a lower value may be another server's behind the same address,
    and each change of server would count a whole register. As on a node, it must last for `FALL_READS` samples; a reset
    that is believed later loses nothing.
    """
    if value >= known.value or life is not None or known.fallen + 1 >= FALL_READS:
        return None
    return msgspec.structs.replace(known, fallen=known.fallen + 1, fallen_ms=at_ms)


def next_state(name: str, known: SeriesState, at_ms: int, value: int, life: Life | None) -> SeriesState:
    """The state after a reading of a later instant."""
    if life is not None and life.at_ms > known.read_at_ms:
        return opened(name, _with_life(known, life), at_ms, value, Start(life.at_ms, proof_of(life)))
    if value < known.value:
        return opened(name, _with_life(known, life), at_ms, value, UNPROVED)
    # Where the mark of a new life came after a reading that belonged to it, the register goes on from there.
    return msgspec.structs.replace(
        _with_life(known, life), seq=known.seq + 1, value=value, read_at_ms=at_ms, before=_remember(known), fallen=0
    )


def proof_of(life: Life) -> EpochProof:
    """What proves a start that somebody told."""
    return "process" if life.source == "process" else "created"


def is_later(life: Life, known: SeriesState) -> bool:
    """Whether it tells of another life than the known one; another teller may only know the same life better."""
    if known.life is None or known.life.source != life.source:
        return life.at_ms > known.read_at_ms
    return life.at_ms > known.life.at_ms


def _with_life(known: SeriesState, life: Life | None) -> SeriesState:
    return msgspec.structs.replace(known, life=life or known.life)


def opened(name: str, known: SeriesState, at_ms: int, value: int, start: Start) -> SeriesState:
    """Return the state in a new epoch, whose name follows from the series and how often it began anew."""
    generation = known.generation + 1
    identity = f"{name}\0{generation}\0{known.first_ms}\0{start.at_ms}"
    return msgspec.structs.replace(
        known,
        seq=known.seq + 1,
        value=value,
        read_at_ms=at_ms,
        epoch=hashlib.sha256(identity.encode()).hexdigest()[:32],
        generation=generation,
        started_ms=start.at_ms,
        proof=start.proof if start.at_ms is not None else "none",
        before=_remember(known) if known.seq else [],
        fallen=0,
    )


def _remember(known: SeriesState) -> list[tuple[int, int]]:
    return [(known.read_at_ms, known.value), *known.before[: REMEMBERED - 1]]

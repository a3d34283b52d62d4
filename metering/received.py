"""A batch as ingest reads it: the same checks as `metering.wire.decode_batch`, without making what nothing needs. Pure.

A node writes its meters the same way in every batch, so a meter's bytes are decoded and checked once and known again by
themselves; instants that many columns share are decoded once a batch. Where anything is not as it should be this
reader says nothing at all, and the thorough one is asked, which names the place.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise
from typing import Annotated, Final, Literal, NamedTuple

import msgspec

from metering.shipped import meter_digest
from metering.wire import (
    VALUE_MAX,
    AcceleratorSeen,
    Batch,
    BatchMalformed,
    BatchTooLarge,
    Counting,
    EndpointSeen,
    EpochProof,
    GaugeColumn,
    Hash,
    InstantMs,
    MeterKey,
    Name,
    Outcome,
    Text,
    Value,
)
from metering.wire_checks import check_counts, check_gauges, check_meter

METERS_KNOWN_MAX: Final = 32_768
"""Of every node that ships to this process; some hundred bytes each."""


class Readings(NamedTuple):
    """The readings of one column; `meter` is its `meter_digest`, value `i` has number `first_seq + i`."""

    meter: int
    epoch: str
    first_seq: int
    values: list[int]
    read_at_ms: list[int]


class Head(NamedTuple):
    """What ingest asks of a batch beside its readings; `tells_more`: it has outcomes, accelerators or endpoints."""

    node: str
    seq: int
    prev_hash: str
    agent_version: str
    metered_to_ms: int
    tells_more: bool


class _Column(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    meter: msgspec.Raw
    epoch: Name
    epoch_started_ms: InstantMs | None
    epoch_proof: EpochProof
    first_seq: Counting
    values: Annotated[list[Value], msgspec.Meta(min_length=1)]
    read_at_ms: msgspec.Raw


class _Received(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The fields of `metering.wire.Batch`; a test holds them together."""

    version: Literal[1]
    node: Name
    seq: Counting
    prev_hash: Hash
    agent_version: Name
    boot_id: Text
    created_at_ms: InstantMs
    monotonic_ms: Value
    metered_to_ms: InstantMs
    registers: list[_Column]
    gauges: list[GaugeColumn]
    outcomes: list[Outcome]
    accelerators: list[AcceleratorSeen]
    endpoints: list[EndpointSeen]


_decoder = msgspec.json.Decoder(_Received)
_meter_decoder = msgspec.json.Decoder(MeterKey)
_times_decoder = msgspec.json.Decoder(Annotated[list[InstantMs], msgspec.Meta(min_length=1)])


def read_received(text: bytes) -> tuple[Head, list[Readings]] | None:
    """Read an inflated batch of a node that is known to be its own; None: `decode_batch` must say what is wrong.

    Not checked here, because the chain says it: that `node` is a node's id, and what precedes number 1.
    """
    if b"\\u0000" in text:
        return None
    try:
        received = _decoder.decode(text)
        readings = _readings(received.registers)
        check_counts(
            readings=sum(len(column.values) for column in received.registers)
            + sum(len(column.values) for column in received.gauges),
            columns=len(received.registers) + len(received.gauges),
            outcomes=len(received.outcomes),
            accelerators=len(received.accelerators),
            endpoints=len(received.endpoints),
        )
        check_gauges(received.gauges)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, BatchMalformed, BatchTooLarge):
        return None
    return None if readings is None else (_head(received), readings)


def head_of(batch: Batch) -> Head:
    """Return the head of a batch that was read thoroughly."""
    return _head(batch)


def _head(batch: Batch | _Received) -> Head:
    more = bool(batch.outcomes or batch.accelerators or batch.endpoints)
    return Head(batch.node, batch.seq, batch.prev_hash, batch.agent_version, batch.metered_to_ms, more)


def readings_of(batch: Batch) -> list[Readings]:
    """Return the readings of a batch that was read thoroughly."""
    return [
        Readings(meter_digest(column.meter), column.epoch, column.first_seq, column.values, column.read_at_ms)
        for column in batch.registers
    ]


def _readings(columns: list[_Column]) -> list[Readings] | None:
    """Check the columns and return their readings; None where something is wrong."""
    times: dict[bytes, list[int]] = {}
    next_seqs: dict[int, int] = {}
    readings = []
    for column in columns:
        raw = bytes(column.read_at_ms)
        read_at_ms = times.get(raw)
        if read_at_ms is None:
            read_at_ms = times[raw] = _times(raw)
        meter = _known_meter(bytes(column.meter))
        first_seq = column.first_seq
        end = first_seq + len(column.values)
        wrong = (
            len(column.values) != len(read_at_ms)
            or next_seqs.get(meter, first_seq) != first_seq
            or end > VALUE_MAX
            or (column.epoch_started_ms is not None and column.epoch_proof == "none")
        )
        if wrong:
            return None
        next_seqs[meter] = end
        readings.append(Readings(meter, column.epoch, first_seq, column.values, read_at_ms))
    return readings


def _times(raw: bytes) -> list[int]:
    read_at_ms: list[int] = _times_decoder.decode(raw)
    if any(after < before for before, after in pairwise(read_at_ms)):
        raise BatchMalformed("$", "instants that fall", "instants that do not fall")
    return read_at_ms


@lru_cache(maxsize=METERS_KNOWN_MAX)
def _known_meter(raw: bytes) -> int:
    """Check a meter and return its digest. What is wrong is raised, and so never remembered."""
    meter = _meter_decoder.decode(raw)
    check_meter(meter, "$")
    return meter_digest(meter)

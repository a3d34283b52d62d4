"""A batch as ingest reads it: the same checks as `metering.wire.decode_batch`, without making what nothing needs. Pure.

A node writes its meters the same way in every batch, so the bytes of a meter, or of a block's whole table of them,
are decoded and checked once and known again by themselves; instants that many columns share are decoded once a batch.
Where anything is not as it should be this reader says nothing at all, and the thorough one is asked, which names the
place.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import accumulate, pairwise
from typing import Annotated, Final, Literal, NamedTuple, overload

import msgspec

from metering.meter_tables import KnownTables
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
    wire_version,
)
from metering.wire_blocks import GaugeBlock, Index, Life, MeterTable, gauge_columns, instants, meter_keys
from metering.wire_checks import check_counts, check_gauges, check_meter

METERS_KNOWN_MAX: Final = 32_768
"""Of every node that ships to this process; some hundred bytes each."""


class Readings(msgspec.Struct, gc=False):
    """The `size` readings of one column; `meter` is its `meter_digest`, value `i` has number `first_seq + i`.

    `told` are the values, or, where `index` is one, the rises of a block of which they are a column: what makes a
    hundred of these for each batch must cost little.
    """

    meter: int
    epoch: str
    first_seq: int
    size: int
    told: list[int] | list[list[int]]
    read_at_ms: list[int]
    index: int = -1

    @property
    def values(self) -> Sequence[int]:
        """The values, added up only if somebody asks for them: nearly nobody does."""
        return Rising(self.told, self.index) if self.index >= 0 else self.told  # type: ignore[arg-type,return-value]  # which of both the index says


class Rising(Sequence[int]):
    """The values of one meter of a block, added up as they are asked for."""

    __slots__ = ("_index", "_rows")

    def __init__(self, rows: list[list[int]], index: int) -> None:
        self._rows = rows
        self._index = index

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[int]:
        return accumulate(row[self._index] for row in self._rows)

    @overload
    def __getitem__(self, index: int) -> int: ...
    @overload
    def __getitem__(self, index: slice) -> list[int]: ...
    def __getitem__(self, index: int | slice) -> int | list[int]:
        return list(self)[index]


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


class _Block(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    read_at_ms: Annotated[list[InstantMs], msgspec.Meta(min_length=1)]
    meters: msgspec.Raw
    lives: list[Life]
    life: list[Index]
    first_seq: list[Counting]
    rises: list[list[Value]]


class _ReceivedBlocks(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The fields of `metering.wire_blocks.BlockBatch`; a test holds them together."""

    version: Literal[2]
    node: Name
    seq: Counting
    prev_hash: Hash
    agent_version: Name
    boot_id: Text
    created_at_ms: InstantMs
    monotonic_ms: Value
    metered_to_ms: InstantMs
    registers: list[_Block] = []
    gauges: list[GaugeBlock] = []
    outcomes: list[Outcome] = []
    accelerators: list[AcceleratorSeen] = []
    endpoints: list[EndpointSeen] = []


_decoder = msgspec.json.Decoder(_Received)
_block_decoder = msgspec.json.Decoder(_ReceivedBlocks)
_table_decoder = msgspec.json.Decoder(MeterTable)
_meter_decoder = msgspec.json.Decoder(MeterKey)
_times_decoder = msgspec.json.Decoder(Annotated[list[InstantMs], msgspec.Meta(min_length=1)])


def read_received(text: bytes) -> tuple[Head, list[Readings]] | None:
    """Read an inflated batch of a node that is known to be its own; None: `decode_batch` must say what is wrong.

    Not checked here, because the chain says it: that `node` is a node's id, and what precedes number 1.
    """
    if b"\\u0000" in text:
        return None
    try:
        received, readings, gauges = _read_columns(text) if wire_version(text) == 1 else _read_blocks(text)
        check_counts(
            readings=sum([column.size for column in readings]) + sum([len(column.values) for column in gauges]),
            columns=len(readings) + len(gauges),
            outcomes=len(received.outcomes),
            accelerators=len(received.accelerators),
            endpoints=len(received.endpoints),
        )
        _check_numbers(readings)
        check_gauges(gauges)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, BatchMalformed, BatchTooLarge):
        return None
    return _head(received), readings


def _read_columns(text: bytes) -> tuple[_Received, list[Readings], list[GaugeColumn]]:
    received = _decoder.decode(text)
    return received, _readings(received.registers), received.gauges


def _read_blocks(text: bytes) -> tuple[_ReceivedBlocks, list[Readings], list[GaugeColumn]]:
    received = _block_decoder.decode(text)
    readings = [each for block in received.registers for each in _readings_in(block)]
    return received, readings, gauge_columns(received.gauges)


def head_of(batch: Batch) -> Head:
    """Return the head of a batch that was read thoroughly."""
    return _head(batch)


def _head(batch: Batch | _Received | _ReceivedBlocks) -> Head:
    more = bool(batch.outcomes or batch.accelerators or batch.endpoints)
    return Head(batch.node, batch.seq, batch.prev_hash, batch.agent_version, batch.metered_to_ms, more)


def readings_of(batch: Batch) -> list[Readings]:
    """Return the readings of a batch that was read thoroughly."""
    return [
        Readings(
            meter_digest(column.meter),
            column.epoch,
            column.first_seq,
            len(column.values),
            column.values,
            column.read_at_ms,
        )
        for column in batch.registers
    ]


def _check_numbers(readings: list[Readings]) -> None:
    """Check that each meter's numbers go on without a gap, and within bounds."""
    next_seqs: dict[int, int] = {}
    for column in readings:
        meter, first_seq = column.meter, column.first_seq
        end = first_seq + column.size
        if next_seqs.get(meter, first_seq) != first_seq or end > VALUE_MAX:
            raise BatchMalformed("$", "numbers that do not go on", "gapless numbers")
        next_seqs[meter] = end


def _readings(columns: list[_Column]) -> list[Readings]:
    """Check the columns of a batch in version 1 and return their readings."""
    times: dict[bytes, list[int]] = {}
    readings = []
    for column in columns:
        raw = bytes(column.read_at_ms)
        read_at_ms = times.get(raw)
        if read_at_ms is None:
            read_at_ms = times[raw] = _times(raw)
        if len(column.values) != len(read_at_ms):
            raise BatchMalformed("$", "values and instants", "as many of both")
        _check_proof(column.epoch_started_ms, column.epoch_proof)
        meter = _known_meter(bytes(column.meter))
        count = len(read_at_ms)
        readings.append(Readings(meter, column.epoch, column.first_seq, count, column.values, read_at_ms))
    return readings


def _readings_in(block: _Block) -> list[Readings]:
    """Check a block of a batch in version 2 and return its readings."""
    read_at_ms = instants(block.read_at_ms, "$")
    meters = _known_tables.get(bytes(block.meters))
    count, rows = len(meters), block.rises
    lengths = {len(block.life), len(block.first_seq), *map(len, rows)}
    if lengths != {count} or len(rows) != len(read_at_ms) or max(block.life) >= len(block.lives):
        raise BatchMalformed("$", "a block's lists", "lists that fit each other")
    # No rise is negative: where all together are within the bound, each meter's are.
    if sum(map(sum, rows)) > VALUE_MAX and max(map(sum, zip(*rows, strict=True))) > VALUE_MAX:
        raise BatchMalformed("$", "values", f"values of at most {VALUE_MAX}")
    for life in block.lives:
        _check_proof(life.started_ms, life.proof)
    epochs, size = [life.epoch for life in block.lives], len(rows)
    return [
        Readings(meter, epochs[life], first_seq, size, rows, read_at_ms, index)
        for index, (meter, life, first_seq) in enumerate(zip(meters, block.life, block.first_seq, strict=True))
    ]


def _check_proof(started_ms: int | None, proof: EpochProof) -> None:
    if started_ms is not None and proof == "none":
        raise BatchMalformed("$", "a start without proof", "null")


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


def _known_in(table: bytes) -> list[int]:
    """Check a table of meters and return their digests."""
    keys = meter_keys(_table_decoder.decode(table), "$")
    for key in keys:
        check_meter(key, "$")
    return [meter_digest(key) for key in keys]


_known_tables: Final = KnownTables(_known_in)

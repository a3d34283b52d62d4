"""Reading stored batches as columns, and joining the columns of batches that follow each other into runs. Pure.

A node reads all its meters at the same ticks and writes a meter the same way every time. So instants and meters are
taken as their bytes and each text is read once; the values of a whole batch are read in one pass into a block (meters
× ticks), from values (wire version 1) or from rises (version 2); and blocks that go on with each other are joined
before anything is folded. A batch of another form gives a run for each of its columns.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate, chain
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from metering.meter_tables import KnownTables
from metering.registers import BatchTerms, Run
from metering.wire import GaugeColumn, inflate, wire_version
from metering.wire_blocks import GaugeBlock, Life, MeterTable, gauge_columns, meter_keys

_DIGITS: Final = b"0123456789,"
_BRACKETS: Final = b"[]"
ARRAY_READINGS_MIN: Final = 64
"""Shorter runs are folded as lists: an array costs more than it saves."""


class StoredColumn(msgspec.Struct, frozen=True, gc=False):
    """What a register column of a stored batch says beside its meter and its readings; checked when it came in."""

    epoch: str
    epoch_started_ms: int | None
    epoch_proof: str
    first_seq: int


class _Column(StoredColumn, frozen=True, gc=False):
    meter: msgspec.Raw
    values: msgspec.Raw
    read_at_ms: msgspec.Raw


class _Stored(msgspec.Struct, frozen=True):
    boot_id: str
    created_at_ms: int
    monotonic_ms: int
    metered_to_ms: int
    registers: list[_Column]
    gauges: list[GaugeColumn]


class _StoredBlock(msgspec.Struct, frozen=True, gc=False):
    read_at_ms: list[int]
    meters: msgspec.Raw
    lives: list[Life]
    life: list[int]
    first_seq: list[int]
    rises: msgspec.Raw


class _StoredBlocks(msgspec.Struct, frozen=True):
    boot_id: str
    created_at_ms: int
    monotonic_ms: int
    metered_to_ms: int
    registers: list[_StoredBlock] = []
    gauges: list[GaugeBlock] = []


_decoder = msgspec.json.Decoder(_Stored)
_block_decoder = msgspec.json.Decoder(_StoredBlocks)
_table_decoder = msgspec.json.Decoder(MeterTable)
_numbers = msgspec.json.Decoder(list[int])
_rows = msgspec.json.Decoder(list[list[int]])
_known_tables: Final = KnownTables(
    lambda table: [msgspec.json.encode(key) for key in meter_keys(_table_decoder.decode(table), "$")]
)


@dataclass(frozen=True, slots=True)
class StoredBatch:
    """What rollup needs of a stored batch; lists are by column.

    `meters` are the texts that name the columns' meters, `values` is what all columns hold, one after the other.
    `ticks` are the lists of instants that occur, of gauges too. `even` says that all columns were read at the same
    instants and no meter has two. The stamps are those of the batch.
    """

    boot_id: str
    created_at_ms: int
    monotonic_ms: int
    metered_to_ms: int
    columns: Sequence[StoredColumn]
    meters: list[bytes]
    read_at_ms: list[list[int]]
    values: NDArray[np.int64]
    gauges: list[GaugeColumn]
    ticks: list[list[int]]
    even: bool

    def moved(self, by_ms: int) -> "StoredBatch":
        """Return the batch with every instant that its node's clock gave moved by `by_ms`."""
        moved = {id(times): [at_ms + by_ms for at_ms in times] for times in self.ticks}
        return replace(
            self,
            metered_to_ms=self.metered_to_ms + by_ms,
            columns=[
                column
                if column.epoch_started_ms is None
                else msgspec.structs.replace(column, epoch_started_ms=column.epoch_started_ms + by_ms)
                for column in self.columns
            ],
            read_at_ms=[moved[id(times)] for times in self.read_at_ms],
            gauges=[msgspec.structs.replace(gauge, read_at_ms=moved[id(gauge.read_at_ms)]) for gauge in self.gauges],
            ticks=list(moved.values()),
        )


def read_batch(body: bytes, content_encoding: str) -> StoredBatch:
    """Return a stored batch with its numbers read."""
    text = inflate(body, content_encoding)
    return _read_columns(text) if wire_version(text) == 1 else _read_blocks(text)


def _read_columns(text: bytes) -> StoredBatch:
    stored = _decoder.decode(text)
    columns = stored.registers
    known: dict[bytes, list[int]] = {}
    times = [_instants(bytes(column.read_at_ms), known) for column in columns]
    meters = [bytes(column.meter) for column in columns]
    values = _values([bytes(column.values) for column in columns])
    assert len(values) == sum(map(len, times))
    return StoredBatch(
        boot_id=stored.boot_id,
        created_at_ms=stored.created_at_ms,
        monotonic_ms=stored.monotonic_ms,
        metered_to_ms=stored.metered_to_ms,
        columns=columns,
        meters=meters,
        read_at_ms=times,
        values=values,
        gauges=stored.gauges,
        ticks=[*known.values(), *(gauge.read_at_ms for gauge in stored.gauges)],
        even=len(known) == 1 and len(set(meters)) == len(meters),
    )


def _read_blocks(text: bytes) -> StoredBatch:
    stored = _block_decoder.decode(text)
    columns: list[StoredColumn] = []
    meters: list[bytes] = []
    times: list[list[int]] = []
    ticks: list[list[int]] = []
    values = [np.zeros(0, dtype=np.int64)]
    for block in stored.registers:
        found = _known_tables.get(bytes(block.meters))
        lives = [(life.epoch, life.started_ms, life.proof) for life in block.lives]
        columns += [
            StoredColumn(*lives[number], first_seq)
            for number, first_seq in zip(block.life, block.first_seq, strict=True)
        ]
        meters += found
        at_ms = list(accumulate(block.read_at_ms))
        ticks.append(at_ms)
        times += [at_ms] * len(found)
        values.append(_block_values(bytes(block.rises), len(found)))
    gauges = gauge_columns(stored.gauges)
    by_identity = {id(gauge.read_at_ms): gauge.read_at_ms for gauge in gauges}
    return StoredBatch(
        boot_id=stored.boot_id,
        created_at_ms=stored.created_at_ms,
        monotonic_ms=stored.monotonic_ms,
        metered_to_ms=stored.metered_to_ms,
        columns=columns,
        meters=meters,
        read_at_ms=times,
        values=np.concatenate(values),
        gauges=gauges,
        ticks=[*ticks, *by_identity.values()],
        even=len(ticks) == 1 and len(set(meters)) == len(meters),
    )


def _block_values(text: bytes, meters: int) -> NDArray[np.int64]:
    """Read rows of rises, one for each instant, and return the values meter by meter."""
    flat = text.translate(None, _BRACKETS)
    if flat.translate(None, _DIGITS):
        rises = np.array(_rows.decode(text), dtype=np.int64)
    else:
        rises = np.fromstring(flat, dtype=np.int64, sep=",").reshape(-1, meters)
    return rises.cumsum(axis=0).T.ravel()


def _instants(text: bytes, known: dict[bytes, list[int]]) -> list[int]:
    found = known.get(text)
    if found is None:
        found = known[text] = _numbers.decode(text)
    return found


def _values(texts: Sequence[bytes]) -> NDArray[np.int64]:
    """Read lists of numbers one after the other into one array."""
    text = b",".join([each[1:-1] for each in texts])
    if not text or text.translate(None, _DIGITS):
        # Blanks, or a number written in another way: the reader of JSON knows them all.
        return np.array([value for each in texts for value in _numbers.decode(each)], dtype=np.int64)
    return np.fromstring(text, dtype=np.int64, sep=",")


@dataclass(slots=True)
class _Block:
    """Even batches that follow each other: the same meters in the same epochs, numbers and instants going on."""

    columns: Sequence[StoredColumn]
    meters: list[bytes]
    heads: list[object]
    next_seqs: list[int]
    last_ms: int
    values: list[NDArray[np.int64]]
    read_at_ms: list[list[int]]
    terms: list[BatchTerms]

    def runs(self) -> Iterator[tuple[bytes, Run]]:
        times = self.read_at_ms
        joined_times = list(chain.from_iterable(times)) if len(times) > 1 else times[0]
        starts = [0, *accumulate(map(len, times[:-1]))]
        blocks = [values.reshape(len(self.meters), -1) for values in self.values]
        joined = np.concatenate(blocks, axis=1) if len(blocks) > 1 else blocks[0]
        for meter, column, values in zip(self.meters, self.columns, joined, strict=True):
            yield meter, _run(column, values, joined_times, self.terms, starts)


@dataclass(slots=True)
class BatchRuns:
    """Turns batches of one node, given in their order, into runs of its meters, each meter's in their order."""

    _block: _Block | None = field(default=None)

    def add(self, batch: StoredBatch, terms: BatchTerms) -> Iterable[tuple[bytes, Run]]:
        """Take the next batch; return the runs that are complete, by the texts of their meters."""
        if not batch.columns:
            return ()
        if not batch.even or not terms.limits.trusts_all(batch.read_at_ms[0]):
            return [*self.rest(), *_apart(batch, terms)]
        columns, times = batch.columns, batch.read_at_ms[0]
        heads = _heads(columns)
        seqs = [column.first_seq for column in columns]
        next_seqs = [seq + len(times) for seq in seqs]
        block = self._block
        if (
            block is not None
            and block.next_seqs == seqs
            and block.last_ms <= times[0]
            and block.meters == batch.meters
            and block.heads == heads
        ):
            block.next_seqs, block.last_ms = next_seqs, times[-1]
            block.values.append(batch.values)
            block.read_at_ms.append(times)
            block.terms.append(terms)
            return ()
        before = list(self.rest())
        self._block = _Block(columns, batch.meters, heads, next_seqs, times[-1], [batch.values], [times], [terms])
        return before

    def rest(self) -> Iterator[tuple[bytes, Run]]:
        """Return the runs that are still open."""
        block, self._block = self._block, None
        return iter(()) if block is None else block.runs()


def _heads(columns: Sequence[StoredColumn]) -> list[object]:
    """Return what must be the same for columns to be one run: the epoch, its start and the proof of it."""
    heads: list[object] = [column.epoch for column in columns]
    heads += [column.epoch_started_ms for column in columns]
    heads += [column.epoch_proof for column in columns]
    return heads


def _apart(batch: StoredBatch, terms: BatchTerms) -> Iterator[tuple[bytes, Run]]:
    start = 0
    for meter, column, times in zip(batch.meters, batch.columns, batch.read_at_ms, strict=True):
        end = start + len(times)
        yield meter, _run(column, batch.values[start:end], times, [terms], [0])
        start = end


def _run(
    column: StoredColumn,
    values: NDArray[np.int64],
    read_at_ms: list[int],
    terms: list[BatchTerms],
    starts: list[int],
) -> Run:
    return Run(
        epoch=column.epoch,
        epoch_started_ms=column.epoch_started_ms,
        epoch_proof=column.epoch_proof,
        first_seq=column.first_seq,
        values=values if len(values) >= ARRAY_READINGS_MIN else values.tolist(),
        read_at_ms=read_at_ms,
        terms=terms,
        starts=starts,
        # A joined run is: only trusted batches are joined.
        trusted=terms[0].limits.trusts_all(read_at_ms) if len(terms) == 1 else True,
    )

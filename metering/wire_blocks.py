"""Wire version 2: a batch as blocks of meters × instants, with rises instead of values. Pure.

A node reads all its meters at the same ticks, so what was read at the same instants is one block: its instants once, a
table of its meters column by column, and one row of numbers for each instant. The first row holds each meter's value,
every later row what the value rose by since the row before; no rise is negative, because a register that falls begins
another column. Instants are written in the same way. Steady registers so become rows that repeat each other, and the
numbers of noisy ones are short.

What a batch says is the same in every version: `pack` and `unpack` lead to and from `metering.wire_shapes.Batch`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from operator import sub
from typing import Annotated, Literal

import msgspec

from metering.wire_checks import meter_identity
from metering.wire_shapes import (
    BATCH_COLUMNS_MAX,
    INSTANT_MS_MAX,
    LABELS_MAX,
    VALUE_MAX,
    AcceleratorSeen,
    Batch,
    BatchMalformed,
    Counting,
    EndpointSeen,
    EpochProof,
    GaugeColumn,
    GaugeQuantity,
    Hash,
    InstantMs,
    MeterKey,
    MeterSubject,
    Name,
    Outcome,
    RegisterColumn,
    RegisterQuantity,
    Text,
    Value,
)

Index = Annotated[int, msgspec.Meta(ge=0, lt=BATCH_COLUMNS_MAX)]
Labels = Annotated[dict[Name, Text], msgspec.Meta(max_length=LABELS_MAX)]


class Place(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where meters are: the fields of `MeterKey` that an endpoint's or a card's meters share."""

    subject: MeterSubject
    subject_id: Name
    engine: Text


class MeterTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A block's meters, column by column; `place` is a number in `places`. No `labels` means that none has any."""

    places: Annotated[list[Place], msgspec.Meta(min_length=1)]
    place: Annotated[list[Index], msgspec.Meta(min_length=1)]
    model: list[Text]
    quantity: list[RegisterQuantity]
    labels: list[Labels] = []


class Life(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """An epoch, its proved start and the proof, as in `RegisterColumn`."""

    epoch: Name
    started_ms: InstantMs | None = None
    proof: EpochProof = "none"


class RegisterBlock(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Registers that were read at the same instants.

    `read_at_ms` is the first instant and what each later one comes after the one before. `life` is a number in
    `lives` for each meter, `first_seq` the number of its first reading. `rises` has a row for each instant, and in it a
    number for each meter.
    """

    read_at_ms: Annotated[list[InstantMs], msgspec.Meta(min_length=1)]
    meters: MeterTable
    lives: list[Life]
    life: list[Index]
    first_seq: list[Counting]
    rises: list[list[Value]]


class GaugeBlock(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Gauges that were sampled at the same instants: a list of values for each of them."""

    read_at_ms: Annotated[list[InstantMs], msgspec.Meta(min_length=1)]
    accelerator: Annotated[list[Name], msgspec.Meta(min_length=1)]
    quantity: list[GaugeQuantity]
    values: list[list[Value | None]]


class BlockBatch(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """`Batch` in version 2. An empty list may be left out."""

    version: Literal[2]
    node: Name
    seq: Counting
    prev_hash: Hash
    agent_version: Name
    boot_id: Text
    created_at_ms: InstantMs
    monotonic_ms: Value
    metered_to_ms: InstantMs
    registers: list[RegisterBlock] = []
    gauges: list[GaugeBlock] = []
    outcomes: list[Outcome] = []
    accelerators: list[AcceleratorSeen] = []
    endpoints: list[EndpointSeen] = []


@dataclass(slots=True)
class _Gathered:
    """Columns that will be one block."""

    read_at_ms: list[int]
    columns: list[RegisterColumn] = field(default_factory=list)


def pack(batch: Batch) -> BlockBatch:
    """Return the batch in version 2."""
    return BlockBatch(
        version=2,
        node=batch.node,
        seq=batch.seq,
        prev_hash=batch.prev_hash,
        agent_version=batch.agent_version,
        boot_id=batch.boot_id,
        created_at_ms=batch.created_at_ms,
        monotonic_ms=batch.monotonic_ms,
        metered_to_ms=batch.metered_to_ms,
        registers=[_register_block(one) for one in _gather(batch.registers)],
        gauges=_gauge_blocks(batch.gauges),
        outcomes=batch.outcomes,
        accelerators=batch.accelerators,
        endpoints=batch.endpoints,
    )


def unpack(batch: BlockBatch) -> Batch:
    """Return what the batch says, a column for each meter of each block. Raises BatchMalformed."""
    return Batch(
        version=2,
        node=batch.node,
        seq=batch.seq,
        prev_hash=batch.prev_hash,
        agent_version=batch.agent_version,
        boot_id=batch.boot_id,
        created_at_ms=batch.created_at_ms,
        monotonic_ms=batch.monotonic_ms,
        metered_to_ms=batch.metered_to_ms,
        registers=[
            column
            for number, block in enumerate(batch.registers)
            for column in _columns(block, f"$.registers[{number}]")
        ],
        gauges=gauge_columns(batch.gauges),
        outcomes=batch.outcomes,
        accelerators=batch.accelerators,
        endpoints=batch.endpoints,
    )


def meter_keys(table: MeterTable, where: str) -> list[MeterKey]:
    """Return the meters of a table, given where it stands. Raises BatchMalformed."""
    count = len(table.place)
    check_lengths(where, count, model=table.model, quantity=table.quantity, labels=table.labels or table.place)
    labels = table.labels or [{}] * count
    keys = []
    for index, number in enumerate(table.place):
        if number >= len(table.places):
            raise BatchMalformed(f"{where}.place[{index}]", str(number), f"a number below {len(table.places)}")
        place = table.places[number]
        keys.append(
            MeterKey(
                place.subject, place.subject_id, place.engine, table.model[index], table.quantity[index], labels[index]
            )
        )
    return keys


def instants(rises: Sequence[int], where: str) -> list[int]:
    """Return the instants of a block, Unix ms. Raises BatchMalformed."""
    at_ms = list(accumulate(rises))
    if at_ms[-1] > INSTANT_MS_MAX:
        raise BatchMalformed(f"{where}.read_at_ms", str(at_ms[-1]), f"instants of at most {INSTANT_MS_MAX}")
    return at_ms


def gauge_columns(blocks: Sequence[GaugeBlock]) -> list[GaugeColumn]:
    """Return a column for each gauge of each block; those of one block share the instants. Raises BatchMalformed."""
    columns = []
    for number, block in enumerate(blocks):
        where = f"$.gauges[{number}]"
        at_ms = instants(block.read_at_ms, where)
        check_lengths(where, len(block.accelerator), quantity=block.quantity, values=block.values)
        for index, values in enumerate(block.values):
            check_lengths(where, len(at_ms), **{f"values[{index}]": values})
            columns.append(GaugeColumn(block.accelerator[index], block.quantity[index], values, at_ms))
    return columns


def check_lengths(where: str, count: int, **lists: Sequence[object]) -> None:
    """Check that lists have `count` entries each. Raises BatchMalformed."""
    for name, found in lists.items():
        if len(found) != count:
            raise BatchMalformed(f"{where}.{name}", f"{len(found)} entries", f"{count}")


def _columns(block: RegisterBlock, where: str) -> Iterator[RegisterColumn]:
    """Return the columns of a block; they share the instants."""
    at_ms = instants(block.read_at_ms, where)
    keys = meter_keys(block.meters, f"{where}.meters")
    check_lengths(where, len(keys), life=block.life, first_seq=block.first_seq)
    check_lengths(where, len(at_ms), rises=block.rises)
    for row, rises in enumerate(block.rises):
        check_lengths(where, len(keys), **{f"rises[{row}]": rises})
    for index, (key, risen) in enumerate(zip(keys, zip(*block.rises, strict=True), strict=True)):
        number = block.life[index]
        if number >= len(block.lives):
            raise BatchMalformed(f"{where}.life[{index}]", str(number), f"a number below {len(block.lives)}")
        values = list(accumulate(risen))
        if values[-1] > VALUE_MAX:
            what = f"{values[-1]} at number {index} of the last row"
            raise BatchMalformed(f"{where}.rises", what, f"values of at most {VALUE_MAX}")
        life = block.lives[number]
        yield RegisterColumn(key, life.epoch, life.started_ms, life.proof, block.first_seq[index], values, at_ms)


def _gather(columns: Sequence[RegisterColumn]) -> list[_Gathered]:
    """Put columns of the same instants together; one meter's columns stay in their order, each in another block."""
    blocks: list[_Gathered] = []
    by_times: dict[tuple[int, ...], int] = {}
    last: dict[tuple[object, ...], int] = {}
    for whole in columns:
        key = meter_identity(whole.meter)
        for column in _rising(whole):
            times = tuple(column.read_at_ms)
            number = by_times.get(times, -1)
            if number <= last.get(key, -1):
                number = by_times[times] = len(blocks)
                blocks.append(_Gathered(column.read_at_ms))
            blocks[number].columns.append(column)
            last[key] = number
    return blocks


def _rising(column: RegisterColumn) -> Iterator[RegisterColumn]:
    """Cut a column where its value falls."""
    falls = [number for number, (before, after) in enumerate(pairwise(column.values), 1) if after < before]
    if not falls:
        yield column
        return
    for start, end in pairwise([0, *falls, len(column.values)]):
        yield msgspec.structs.replace(
            column,
            first_seq=column.first_seq + start,
            values=column.values[start:end],
            read_at_ms=column.read_at_ms[start:end],
        )


def _register_block(gathered: _Gathered) -> RegisterBlock:
    places: dict[tuple[MeterSubject, str, str], int] = {}
    lives: dict[tuple[str, int | None, EpochProof], int] = {}
    place, life = [], []
    for column in gathered.columns:
        meter = column.meter
        place.append(places.setdefault((meter.subject, meter.subject_id, meter.engine), len(places)))
        life.append(lives.setdefault((column.epoch, column.epoch_started_ms, column.epoch_proof), len(lives)))
    labels = [column.meter.labels for column in gathered.columns]
    return RegisterBlock(
        read_at_ms=_rises(gathered.read_at_ms),
        meters=MeterTable(
            places=[Place(*one) for one in places],
            place=place,
            model=[column.meter.model for column in gathered.columns],
            quantity=[column.meter.quantity for column in gathered.columns],
            labels=labels if any(labels) else [],
        ),
        lives=[Life(*one) for one in lives],
        life=life,
        first_seq=[column.first_seq for column in gathered.columns],
        rises=[list(row) for row in zip(*(_rises(column.values) for column in gathered.columns), strict=True)],
    )


def _gauge_blocks(columns: Sequence[GaugeColumn]) -> list[GaugeBlock]:
    blocks: dict[tuple[int, ...], GaugeBlock] = {}
    for column in columns:
        times = tuple(column.read_at_ms)
        block = blocks.get(times)
        if block is None:
            block = blocks[times] = GaugeBlock(_rises(column.read_at_ms), [], [], [])
        block.accelerator.append(column.accelerator)
        block.quantity.append(column.quantity)
        block.values.append(column.values)
    return list(blocks.values())


def _rises(values: Sequence[int]) -> list[int]:
    """Return the first value, and what each later one is more than the one before."""
    return [*values[:1], *map(sub, values[1:], values)]

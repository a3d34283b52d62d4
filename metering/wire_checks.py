"""What the types of a batch cannot say: counts, lengths, order, and fields that fit each other."""

import contextlib
import operator
import uuid
from itertools import pairwise

import msgspec

from metering.wire_shapes import (
    ACCELERATORS_MAX,
    BATCH_COLUMNS_MAX,
    BATCH_OUTCOMES_MAX,
    BATCH_READINGS_MAX,
    ENDPOINTS_MAX,
    FIRST_PREV_HASH,
    VALUE_MAX,
    Batch,
    BatchMalformed,
    BatchTooLarge,
    GaugeColumn,
    MeterKey,
    RegisterColumn,
)


def reading_count(batch: Batch) -> int:
    """Register readings in the batch: what the server's answer counts as `received`. Gauges are not
    counted."""
    return sum(len(column.values) for column in batch.registers)


def check_batch(batch: Batch) -> None:
    """Check what types alone cannot say. Raises BatchTooLarge or BatchMalformed.

    Counts; the node's UUID; equal lengths of values and instants; instants that do not fall inside a
    column; one meter's columns following each other without a gap in seq; fields that fit the meter's
    subject; each gauge at most once.
    """
    _check_counts(batch)
    canonical = None
    with contextlib.suppress(ValueError):
        canonical = str(uuid.UUID(batch.node))
    if canonical != batch.node:
        raise BatchMalformed("$.node", repr(batch.node[:64]), "a UUID in its canonical form")
    if batch.seq == 1 and batch.prev_hash != FIRST_PREV_HASH:
        raise BatchMalformed("$.prev_hash", "a hash before the first batch", "64 zeros at seq 1")
    _check_registers(batch.registers)
    _check_gauges(batch.gauges)


def _check_counts(batch: Batch) -> None:
    readings = reading_count(batch) + sum(len(column.values) for column in batch.gauges)
    for what, count, limit in (
        ("readings", readings, BATCH_READINGS_MAX),
        ("columns", len(batch.registers) + len(batch.gauges), BATCH_COLUMNS_MAX),
        ("outcomes", len(batch.outcomes), BATCH_OUTCOMES_MAX),
        ("accelerators", len(batch.accelerators), ACCELERATORS_MAX),
        ("endpoints", len(batch.endpoints), ENDPOINTS_MAX),
    ):
        if count > limit:
            raise BatchTooLarge(what, limit)


def _check_registers(columns: list[RegisterColumn]) -> None:
    next_seqs: dict[tuple[object, ...], int] = {}
    for index, column in enumerate(columns):
        where = f"$.registers[{index}]"
        _check_column(column.values, column.read_at_ms, where)
        _check_meter(column.meter, f"{where}.meter")
        if column.epoch_proof == "none" and column.epoch_started_ms is not None:
            raise BatchMalformed(f"{where}.epoch_started_ms", "a start without proof", "null")
        key = meter_identity(column.meter)
        expected = next_seqs.get(key, column.first_seq)
        if column.first_seq != expected:
            raise BatchMalformed(f"{where}.first_seq", str(column.first_seq), f"{expected}, gapless per meter")
        next_seqs[key] = expected + len(column.values)
        if next_seqs[key] > VALUE_MAX:
            raise BatchMalformed(f"{where}.first_seq", str(column.first_seq), "a seq below 2**63")


def _check_gauges(columns: list[GaugeColumn]) -> None:
    seen = set()
    for index, column in enumerate(columns):
        where = f"$.gauges[{index}]"
        _check_column(column.values, column.read_at_ms, where)
        if (column.accelerator, column.quantity) in seen:
            raise BatchMalformed(where, "the same gauge twice", "one column per accelerator and quantity")
        seen.add((column.accelerator, column.quantity))


def _check_column(values: list[int] | list[int | None], read_at_ms: list[int], where: str) -> None:
    if len(values) != len(read_at_ms):
        raise BatchMalformed(f"{where}.read_at_ms", f"{len(read_at_ms)} instants", f"{len(values)}, one per value")
    if not all(map(operator.le, read_at_ms, read_at_ms[1:])):
        place = next(i for i, (before, after) in enumerate(pairwise(read_at_ms), 1) if after < before)
        raise BatchMalformed(f"{where}.read_at_ms[{place}]", str(read_at_ms[place]), "instants that do not fall")


def _check_meter(meter: MeterKey, where: str) -> None:
    if meter.subject == "accelerator":
        if meter.quantity != "energy_mj" or meter.engine or meter.model:
            raise BatchMalformed(where, "an accelerator's meter", "quantity energy_mj, engine and model empty")
    elif meter.quantity == "energy_mj" or not meter.engine:
        raise BatchMalformed(where, "an endpoint's meter", "an engine and a quantity of tokens or requests")


def meter_identity(meter: MeterKey) -> tuple[object, ...]:
    """A hashable form of the key: two keys name one meter exactly when these are equal."""
    return (*msgspec.structs.astuple(meter)[:-1], tuple(sorted(meter.labels.items())))

"""What the types of a batch cannot say: counts, lengths, order, and fields that fit each other."""

import contextlib
import operator
import uuid
from collections.abc import Sequence
from itertools import pairwise

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
    check_counts(
        readings=reading_count(batch) + sum(len(column.values) for column in batch.gauges),
        columns=len(batch.registers) + len(batch.gauges),
        outcomes=len(batch.outcomes),
        accelerators=len(batch.accelerators),
        endpoints=len(batch.endpoints),
    )
    canonical = None
    with contextlib.suppress(ValueError):
        canonical = str(uuid.UUID(batch.node))
    if canonical != batch.node:
        raise BatchMalformed("$.node", repr(batch.node[:64]), "a UUID in its canonical form")
    if batch.seq == 1 and batch.prev_hash != FIRST_PREV_HASH:
        raise BatchMalformed("$.prev_hash", "a hash before the first batch", "64 zeros at seq 1")
    _check_registers(batch.registers)
    check_gauges(batch.gauges)


def check_counts(*, readings: int, columns: int, outcomes: int, accelerators: int, endpoints: int) -> None:
    """Check how many of everything a batch has, gauges among readings and columns. Raises BatchTooLarge."""
    for what, count, limit in (
        ("readings", readings, BATCH_READINGS_MAX),
        ("columns", columns, BATCH_COLUMNS_MAX),
        ("outcomes", outcomes, BATCH_OUTCOMES_MAX),
        ("accelerators", accelerators, ACCELERATORS_MAX),
        ("endpoints", endpoints, ENDPOINTS_MAX),
    ):
        if count > limit:
            raise BatchTooLarge(what, limit)


def _check_registers(columns: list[RegisterColumn]) -> None:
    next_seqs: dict[tuple[object, ...], int] = {}
    for index, column in enumerate(columns):
        where = f"$.registers[{index}]"
        _check_column(column.values, column.read_at_ms, where)
        check_meter(column.meter, f"{where}.meter")
        if column.epoch_proof == "none" and column.epoch_started_ms is not None:
            raise BatchMalformed(f"{where}.epoch_started_ms", "a start without proof", "null")
        key = meter_identity(column.meter)
        expected = next_seqs.get(key, column.first_seq)
        if column.first_seq != expected:
            raise BatchMalformed(f"{where}.first_seq", str(column.first_seq), f"{expected}, gapless per meter")
        next_seqs[key] = expected + len(column.values)
        if next_seqs[key] > VALUE_MAX:
            raise BatchMalformed(f"{where}.first_seq", str(column.first_seq), "a seq below 2**63")


def check_gauges(columns: Sequence[GaugeColumn]) -> None:
    """Check the gauges' columns. Raises BatchMalformed."""
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


def check_meter(meter: MeterKey, where: str) -> None:
    """Check that the fields of a meter fit each other. Raises BatchMalformed."""
    if meter.subject == "accelerator":
        if meter.quantity != "energy_mj" or meter.engine or meter.model:
            raise BatchMalformed(where, "an accelerator's meter", "quantity energy_mj, engine and model empty")
    elif meter.quantity == "energy_mj" or not meter.engine:
        raise BatchMalformed(where, "an endpoint's meter", "an engine and a quantity of tokens or requests")


def meter_identity(meter: MeterKey) -> tuple[object, ...]:
    """A hashable form of the key: two keys name one meter exactly when these are equal."""
    labels = tuple(sorted(meter.labels.items())) if meter.labels else ()
    return (meter.subject, meter.subject_id, meter.engine, meter.model, meter.quantity, labels)

"""Sealing: pending readings become one batch whose bytes never change again.

Reads what is pending in the order it was read, packs columns, encodes, links the batch to the one before by
hash, and moves it into the batch table, in one transaction.
"""

import logging
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec

from metering.agent import AGENT_VERSION
from metering.agent.spool import Spool, get_meta, put_meta
from metering.wire import (
    BATCH_OUTCOMES_MAX,
    FIRST_PREV_HASH,
    AcceleratorSeen,
    Batch,
    BatchTooLarge,
    EndpointSeen,
    GaugeColumn,
    MeterKey,
    Outcome,
    RegisterColumn,
    WireVersion,
    batch_hash,
    encode_batch,
)

logger = logging.getLogger(__name__)

SEAL_ROWS_MAX: Final = (20_000, 2_000, 200, 20)
"""Register rows and gauge rows that are tried in one batch, fewer where labels are long or columns many."""
WIRE_META: Final = "wire_version"
"""Meta: the version of the wire that batches are sealed in; the first until a server says that it takes another."""
INVENTORY_MS: Final = 3_600_000
"""The full lists of accelerators and endpoints go along this often even if nothing changed."""


@dataclass(frozen=True, slots=True)
class SealContext:
    """What a batch says of the agent at the moment of sealing."""

    node: str
    boot_id: str
    now_ms: int
    monotonic_ms: int
    accelerators: Sequence[AcceleratorSeen]
    endpoints: Sequence[EndpointSeen]


@dataclass(slots=True)
class _Column:
    """A register column that grows."""

    key: str
    epoch: str
    started_ms: int | None
    proof: str
    first_seq: int
    values: list[int] = field(default_factory=list)
    read_at_ms: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Pending:
    """The oldest pending rows that fit one batch, the last ids of them, and where the rest begins."""

    registers: list[RegisterColumn]
    gauges: list[GaugeColumn]
    last_reading: int
    last_gauge: int
    oldest_ms: int | None
    rest_from_ms: int | None


def seal(spool: Spool, context: SealContext) -> int | None:
    """Seal the oldest pending readings, or an empty batch that carries outcomes and the watermark.

    Returns the readings that are still pending, so that 0 means all is sealed; None if there was nothing to
    tell at all (no tick since the batch before). Raises SpoolBroken, BatchRefused.
    """
    for rows_max in SEAL_ROWS_MAX[:-1]:
        try:
            return _seal(spool, context, rows_max)
        except BatchTooLarge as refused:
            logger.info("%d rows do not fit one batch (%s); trying fewer", rows_max, refused)
    return _seal(spool, context, SEAL_ROWS_MAX[-1])


def _seal(spool: Spool, context: SealContext, rows_max: int) -> int | None:
    with spool.transaction() as db:
        pending = _take(db, rows_max)
        metered_to_ms = int(get_meta(db, "metered_to_ms") or 0)
        if pending.rest_from_ms is not None:
            metered_to_ms = min(metered_to_ms, pending.rest_from_ms)
        if (metered_to_ms == 0 or str(metered_to_ms) == get_meta(db, "sealed_to_ms")) and not pending.last_reading:
            return None
        _write(db, _batch(db, context, pending, metered_to_ms), context, pending)
        put_meta(db, "sealed_to_ms", str(metered_to_ms))
        db.execute("DELETE FROM readings WHERE id <= ?", (pending.last_reading,))
        db.execute("DELETE FROM gauges WHERE id <= ?", (pending.last_gauge,))
        (left,) = db.execute("SELECT count(*) FROM readings").fetchone()
        return int(left)


def _batch(db: sqlite3.Connection, context: SealContext, pending: _Pending, metered_to_ms: int) -> Batch:
    inventory = _inventory_due(db, context)
    return Batch(
        version=version_in(db),
        node=context.node,
        seq=int(get_meta(db, "last_seq") or 0) + 1,
        prev_hash=get_meta(db, "last_hash") or FIRST_PREV_HASH,
        agent_version=AGENT_VERSION,
        boot_id=context.boot_id,
        created_at_ms=context.now_ms,
        monotonic_ms=context.monotonic_ms,
        metered_to_ms=metered_to_ms,
        registers=pending.registers,
        gauges=pending.gauges,
        outcomes=_take_outcomes(db),
        accelerators=list(context.accelerators) if inventory else [],
        endpoints=list(context.endpoints) if inventory else [],
    )


def version_in(db: sqlite3.Connection) -> WireVersion:
    """The newest version of the wire that the server took or said that it takes."""
    return 2 if get_meta(db, WIRE_META) == "2" else 1


def _write(db: sqlite3.Connection, batch: Batch, context: SealContext, pending: _Pending) -> None:
    body = encode_batch(batch)
    digest = batch_hash(body)
    oldest_ms = pending.oldest_ms if pending.oldest_ms is not None else context.now_ms
    db.execute(
        "INSERT INTO batches (seq, body, hash, prev_hash, readings, oldest_ms) VALUES (?, ?, ?, ?, ?, ?)",
        (
            batch.seq,
            body,
            digest,
            batch.prev_hash,
            sum(len(column.values) for column in batch.registers),
            oldest_ms,
        ),
    )
    put_meta(db, "last_seq", str(batch.seq))
    put_meta(db, "last_hash", digest)


def _take(db: sqlite3.Connection, rows_max: int) -> _Pending:
    """The oldest rows. Rows are in the order read; a clock that was set back ends the batch before the step."""
    rows = db.execute(
        "SELECT readings.id, meters.key, epochs.epoch, epochs.started_ms, epochs.proof, readings.seq,"
        " readings.value, readings.read_at_ms FROM readings JOIN epochs ON epochs.id = readings.epoch"
        " JOIN meters ON meters.id = epochs.meter ORDER BY readings.id LIMIT ?",
        (rows_max + 1,),
    ).fetchall()
    gauge_rows = db.execute(
        "SELECT id, accelerator, quantity, value, read_at_ms FROM gauges ORDER BY id LIMIT ?",
        (rows_max + 1,),
    ).fetchall()
    taken = _until_step(rows[:rows_max])
    gauges_taken = _until_step(gauge_rows[:rows_max])
    rest = [
        row[-1] for row in (*rows[len(taken) : len(taken) + 1], *gauge_rows[len(gauges_taken) : len(gauges_taken) + 1])
    ]
    oldest = [row[-1] for row in (*taken[:1], *gauges_taken[:1])]
    return _Pending(
        registers=_register_columns(taken),
        gauges=_gauge_columns(gauges_taken),
        last_reading=taken[-1][0] if taken else 0,
        last_gauge=gauges_taken[-1][0] if gauges_taken else 0,
        oldest_ms=min(oldest) if oldest else None,
        rest_from_ms=min(rest) if rest else None,
    )


def _until_step(rows: list[tuple[int, ...]]) -> list[tuple[int, ...]]:
    for index in range(1, len(rows)):
        if rows[index][-1] < rows[index - 1][-1]:
            return rows[:index]
    return rows


def _register_columns(rows: Sequence[tuple[int, ...]]) -> list[RegisterColumn]:
    columns: dict[tuple[object, object], _Column] = {}
    for _, key, epoch, started_ms, proof, seq, value, read_at_ms in rows:
        column = columns.get((key, epoch))
        if column is None:
            column = _Column(str(key), str(epoch), started_ms, str(proof), seq)
            columns[key, epoch] = column
        column.values.append(value)
        column.read_at_ms.append(read_at_ms)
    return [
        msgspec.convert(
            {
                "meter": msgspec.json.decode(column.key, type=MeterKey),
                "epoch": column.epoch,
                "epoch_started_ms": column.started_ms,
                "epoch_proof": column.proof,
                "first_seq": column.first_seq,
                "values": column.values,
                "read_at_ms": column.read_at_ms,
            },
            RegisterColumn,
        )
        for column in columns.values()
    ]


def _gauge_columns(rows: Sequence[tuple[int, ...]]) -> list[GaugeColumn]:
    columns: dict[tuple[object, object], GaugeColumn] = {}
    for _, accelerator, quantity, value, read_at_ms in rows:
        column = columns.get((accelerator, quantity))
        if column is None:
            named = {"accelerator": accelerator, "quantity": quantity, "values": [value], "read_at_ms": [read_at_ms]}
            columns[accelerator, quantity] = msgspec.convert(named, GaugeColumn)
            continue
        column.values.append(value)
        column.read_at_ms.append(read_at_ms)
    return list(columns.values())


def _take_outcomes(db: sqlite3.Connection) -> list[Outcome]:
    rows = db.execute(
        "DELETE FROM outcomes WHERE (subject, subject_id, reason) IN"
        " (SELECT subject, subject_id, reason FROM outcomes LIMIT ?)"
        " RETURNING subject, subject_id, at_ms, reason, detail, count",
        (BATCH_OUTCOMES_MAX,),
    ).fetchall()
    return [Outcome(*row) for row in sorted(rows)]


def _inventory_due(db: sqlite3.Connection, context: SealContext) -> bool:
    lists = [msgspec.to_builtins(list(context.accelerators)), msgspec.to_builtins(list(context.endpoints))]
    fingerprint = batch_hash(msgspec.json.encode(lists))
    known, _, told_ms = (get_meta(db, "inventory") or "").partition(" ")
    if known == fingerprint and 0 <= context.now_ms - int(told_ms or 0) < INVENTORY_MS:
        return False
    put_meta(db, "inventory", f"{fingerprint} {context.now_ms}")
    return True

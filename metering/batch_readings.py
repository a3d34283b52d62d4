"""What becomes of each reading of a batch: accepted, duplicate, conflict or quarantined."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from metering.models import Batch
from metering.received import readings_of
from metering.wire import decode_batch

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from metering.clock import ClockLimits
    from metering.received import Readings

SEARCHED_BATCHES_MAX: Final = 1_000
"""How far back a repeated number is looked for; a node ships thousands of batches a day."""


@dataclass(slots=True)
class ReadingCounts:
    """The outcomes of a batch's readings; they add up to `received`."""

    received: int
    duplicates: int = 0
    conflicts: int = 0
    quarantined: int = 0

    @property
    def accepted(self) -> int:
        """Readings with none of the other outcomes."""
        return self.received - self.duplicates - self.conflicts - self.quarantined


def count_readings(
    *, node_id: UUID, seq: int, readings: Sequence[Readings], shipped: dict[int, int], limits: ClockLimits
) -> ReadingCounts:
    """Judge every reading of batch `seq` once, and move `shipped` on to the last numbers of this batch.

    A number that was shipped before is compared with what is stored: the same epoch and value is a
    duplicate, another a conflict. A new number whose instant cannot be true is quarantined.
    """
    counts = ReadingCounts(0)
    repeated: dict[tuple[int, int], tuple[str, int]] = {}
    # Columns that were read at the same instants share the list.
    trusted: dict[int, bool] = {}
    known = shipped.get
    for column in readings:
        meter, first_seq, read_at_ms = column.meter, column.first_seq, column.read_at_ms
        last = known(meter, 0)
        end = first_seq + column.size
        counts.received += column.size
        if first_seq <= last:
            for number, value in zip(range(first_seq, min(last + 1, end)), column.values, strict=False):
                repeated[meter, number] = (column.epoch, value)
        trusts = trusted.get(id(read_at_ms))
        if trusts is None:
            trusts = trusted[id(read_at_ms)] = limits.trusts_all(read_at_ms)
        if not trusts:
            counts.quarantined += _untrusted(column, last, limits)
        if end > last:
            shipped[meter] = end - 1
    if repeated:
        _judge_repeated(node_id, seq, repeated, counts)
    assert counts.accepted >= 0
    return counts


def _untrusted(column: Readings, last: int, limits: ClockLimits) -> int:
    """New numbers whose instants cannot be true."""
    return sum(not limits.trusts(at_ms) for seq, at_ms in enumerate(column.read_at_ms, column.first_seq) if seq > last)


def _judge_repeated(
    node_id: UUID, seq: int, repeated: dict[tuple[int, int], tuple[str, int]], counts: ReadingCounts
) -> None:
    """Find the stored readings of these numbers, newest batches first."""
    earlier = Batch.objects.filter(node_id=node_id, seq__lt=seq).order_by("-seq")
    missing = dict(repeated)
    for encoding, body in earlier.values_list("content_encoding", "body")[:SEARCHED_BATCHES_MAX].iterator(
        chunk_size=16
    ):
        for column in readings_of(decode_batch(bytes(body), encoding)):
            for index, value in enumerate(column.values):
                given = missing.pop((column.meter, column.first_seq + index), None)
                if given == (column.epoch, value):
                    counts.duplicates += 1
                elif given is not None:
                    counts.conflicts += 1
        if not missing:
            return
    # Older than what is searched: the number is known, its value is not, and it will not be counted again.
    counts.duplicates += len(missing)

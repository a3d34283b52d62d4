"""What becomes of each reading of a batch: accepted, duplicate, conflict or quarantined."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from metering.models import Batch
from metering.shipped import meter_digest
from metering.wire import decode_batch, reading_count

if TYPE_CHECKING:
    from uuid import UUID

    from metering.clock import ClockLimits
    from metering.wire import Batch as WireBatch
    from metering.wire import RegisterColumn

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


def count_readings(*, node_id: UUID, batch: WireBatch, shipped: dict[int, int], limits: ClockLimits) -> ReadingCounts:
    """Judge every reading once, and move `shipped` on to the last numbers of this batch.

    A number that was shipped before is compared with what is stored: the same epoch and value is a
    duplicate, another a conflict. A new number whose instant cannot be true is quarantined.
    """
    counts = ReadingCounts(reading_count(batch))
    repeated: dict[tuple[int, int], tuple[str, int]] = {}
    for column in batch.registers:
        digest = meter_digest(column.meter)
        last = shipped.get(digest, 0)
        end = column.first_seq + len(column.values)
        if column.first_seq <= last:
            for index in range(min(last + 1, end) - column.first_seq):
                repeated[digest, column.first_seq + index] = (column.epoch, column.values[index])
        if not limits.trusts_all(column.read_at_ms):
            counts.quarantined += _untrusted(column, last, limits)
        shipped[digest] = max(last, end - 1)
    if repeated:
        _judge_repeated(node_id, batch.seq, repeated, counts)
    assert counts.accepted >= 0
    return counts


def _untrusted(column: RegisterColumn, last: int, limits: ClockLimits) -> int:
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
        for column in decode_batch(bytes(body), encoding).registers:
            digest = meter_digest(column.meter)
            for index, value in enumerate(column.values):
                given = missing.pop((digest, column.first_seq + index), None)
                if given == (column.epoch, value):
                    counts.duplicates += 1
                elif given is not None:
                    counts.conflicts += 1
        if not missing:
            return
    # Older than what is searched: the number is known, its value is not, and it will not be counted again.
    counts.duplicates += len(missing)

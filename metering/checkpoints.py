"""Where rollup stood: written once a day of a node's metering, read to work usage out again from there."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

import msgspec
import zstandard
from django.db.models import Max

from metering.adjustment_models import RollupCheckpoint
from metering.clock import ClockState
from metering.deltas import RegisterState
from metering.hours import unix_ms_of
from metering.models import MeterState, RollupCursor
from metering.node_fold import Place

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clusters.models import Node


class _Packed(msgspec.Struct, frozen=True, array_like=True):
    meter: bytes
    epoch: str
    seq: int
    value: int
    read_at_ms: int
    closed: bool
    base: int


_decoder = msgspec.msgpack.Decoder(list[_Packed])


def claim_cursor(node_id: UUID) -> RollupCursor | None:
    """Return where rollup stands at a node, held until the transaction ends; None if another worker holds it."""
    return (
        RollupCursor.objects.select_for_update(skip_locked=True, of=("self",))
        .select_related("node")
        .filter(node_id=node_id)
        .first()
    )


def is_due(before: Place, after: Place) -> bool:
    """Whether a day of metering ended, so that it is time for a checkpoint."""
    if before.metered_to_at is None or after.metered_to_at is None:
        return False
    return before.metered_to_at.date() != after.metered_to_at.date()


def write_checkpoint(*, node: Node, place: Place, clock: ClockState) -> None:
    """Store where a node stands. Must run in rollup's transaction, after the meters' last values were written."""
    assert place.metered_to_at is not None
    rows = MeterState.objects.filter(meter__node=node).order_by("meter_id")
    packed = [
        _Packed(meter.bytes, epoch, seq, value, unix_ms_of(read_at), closed, base)
        for meter, epoch, seq, value, read_at, closed, base in rows.values_list(
            "meter_id", "epoch", "seq", "value", "read_at", "closed", "base"
        )
    ]
    RollupCheckpoint.objects.bulk_create(
        [
            RollupCheckpoint(
                node=node,
                seq=place.seq,
                metered_to_at=place.metered_to_at,
                states=zstandard.compress(msgspec.msgpack.encode(packed)),
                clock=msgspec.to_builtins(clock),
            )
        ],
        ignore_conflicts=True,
    )


def read_checkpoint(node: Node, before_seq: int) -> tuple[Place, Mapping[UUID, RegisterState], ClockState]:
    """Return the last place of a node before a batch, with the meters' last values; the beginning if there is none."""
    stored = RollupCheckpoint.objects.filter(node=node, seq__lt=before_seq).order_by("-seq").first()
    if stored is None:
        return Place(), {}, ClockState()
    packed = _decoder.decode(zstandard.decompress(bytes(stored.states)))
    states = {
        UUID(bytes=one.meter): RegisterState(one.epoch, one.seq, one.value, one.read_at_ms, one.closed, one.base)
        for one in packed
    }
    return Place(stored.seq, stored.metered_to_at), states, msgspec.convert(stored.clock, ClockState)


def reached_ms(node: Node) -> int | None:
    """Return the latest instant whose usage of the node was counted; None before the first."""
    at = MeterState.objects.filter(meter__node=node).aggregate(at=Max("read_at"))["at"]
    return None if at is None else unix_ms_of(at)

"""What a batch tells beside its readings: the node's inventory, and what it could not read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from clusters.inventory import (
    RecordedCards,
    SeenAccelerator,
    SeenEndpoint,
    SeenHealth,
    SeenPartition,
    record_accelerators,
    record_endpoints,
)
from metering.card_events import CardEvent, kind_of, record_card_events
from metering.gaps import Trouble, record_gaps
from metering.hours import instant_of

if TYPE_CHECKING:
    from datetime import datetime

    from clusters.models import Node
    from metering.clock import ClockLimits
    from metering.wire import AcceleratorSeen, Batch


def record_seen(*, node: Node, batch: Batch, previous_at: datetime | None, limits: ClockLimits) -> None:
    """Store inventory and troubles of a batch. `previous_at` is how far the node was metered before it.

    Must run in the transaction that holds the node's cursor.
    """
    seen_at = instant_of(limits.nearest(batch.created_at_ms))
    _describe_node(node, batch)
    recorded = RecordedCards()
    if batch.accelerators:
        seen = [_accelerator(card) for card in batch.accelerators]
        recorded = record_accelerators(node=node, seen=seen, seen_at=seen_at)
    if batch.endpoints:
        endpoints = [SeenEndpoint(one.url, one.engine, tuple(one.models)) for one in batch.endpoints]
        first_at = instant_of(limits.nearest(_first_ms(batch)))
        first_at = min(first_at, previous_at or first_at)
        record_endpoints(node=node, seen=endpoints, first_at=first_at, seen_at=seen_at)
    troubles = [
        Trouble(
            subject="accelerator",
            subject_id=uuid,
            reason="claimed_by_another_provider",
            detail="Another provider's node lists this card; nothing of it is metered here.",
            from_at=seen_at,
            to_at=seen_at,
            occurrences=1,
        )
        for uuid in recorded.foreign
    ]
    events = [
        CardEvent(uuid, "replaced", 0, f"in the slot of {before}", seen_at)
        for uuid, before in recorded.replaced.items()
    ]
    for outcome in batch.outcomes:
        at = instant_of(limits.nearest(outcome.at_ms))
        if kind := kind_of(outcome.subject, outcome.reason):
            events.append(CardEvent(outcome.subject_id, *kind, outcome.detail, at, outcome.count))
            continue
        troubles.append(
            Trouble(
                subject=outcome.subject,
                subject_id=outcome.subject_id,
                reason=outcome.reason,
                detail=outcome.detail,
                # Seen since the batch before: one trouble may have happened many times in between.
                from_at=min(at, previous_at) if previous_at and outcome.count > 1 else at,
                to_at=at,
                occurrences=outcome.count,
            )
        )
    record_gaps(node=node, troubles=troubles)
    record_card_events(node=node, events=events)


def _describe_node(node: Node, batch: Batch) -> None:
    drivers = [card.driver_version for card in batch.accelerators if card.driver_version]
    described = (batch.agent_version[:32], (drivers[0] if drivers else node.driver_version)[:64])
    if described != (node.agent_version, node.driver_version):
        node.agent_version, node.driver_version = described
        node.save(update_fields=["agent_version", "driver_version"])


def _first_ms(batch: Batch) -> int:
    """The earliest instant that the batch tells of."""
    return min([batch.created_at_ms, *(column.read_at_ms[0] for column in batch.registers)])


def _accelerator(card: AcceleratorSeen) -> SeenAccelerator:
    return SeenAccelerator(
        uuid=card.uuid,
        serial=card.serial,
        model=card.name,
        memory_mib=card.memory_mib,
        pci_bus_id=card.pci_bus_id,
        mig_mode=card.mig_mode,
        partitions=tuple(SeenPartition(one.uuid, one.profile, one.memory_mib) for one in card.mig),
        health=_health(card),
        processes=None
        if card.processes is None
        else tuple(msgspec.structs.asdict(process) for process in card.processes),
    )


def _health(card: AcceleratorSeen) -> SeenHealth | None:
    return None if card.health is None else SeenHealth(**msgspec.structs.asdict(card.health))

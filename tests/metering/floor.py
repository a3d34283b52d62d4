"""A provider's floor as the rollup leaves it: two clusters, four nodes, gauges, energy, meters, gaps, batches."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING

from clusters.models import Accelerator, AcceleratorHealth, Endpoint, Node, Slice, SliceKind
from metering.card_models import AcceleratorEvent, PartitionHour
from metering.models import (
    AcceleratorHour,
    Batch,
    Meter,
    MeterState,
    NodeCursor,
    Quality,
    RollupCursor,
    UsageGap,
    UsageHour,
    Witness,
)
from tests import factories

if TYPE_CHECKING:
    from clusters.models import Cluster
    from tenants.models import Organization
    from tests.factories import Cast

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
A100 = "NVIDIA A100-SXM4-80GB"
_keys = count(1)


@dataclass
class Floor:
    """The nodes of the sample: `busy` and `mixed` report, `silent` did until three hours ago, `listed` has no agent."""

    provider: Organization
    east: Cluster
    west: Cluster
    busy: Node
    mixed: Node
    silent: Node
    listed: Node


def floor_now(cast: Cast) -> Floor:
    """The floor as of now, for a world that is kept."""
    return make_floor(cast.provider, datetime.now(UTC))


def make_floor(provider: Organization, now: datetime) -> Floor:
    """Store the floor. 8 busy cards; 8 of which one is cut in MIG slices and one retired; 4 silent; 4 listed ones."""
    east, west = factories.make_cluster(provider, "sample-east"), factories.make_cluster(provider, "sample-west")
    busy, mixed = make_reporting(east, "east-h100-01", now), make_reporting(east, "east-h100-02", now)
    silent = make_reporting(west, "west-a100-01", now - 3 * HOUR)
    listed = factories.make_node(west, "west-jobs-01")
    for position in range(8):
        make_metered_card(busy, position, now, used_percent=94 - position * (6 if position > 5 else 1))
    _mixed_cards(mixed, now)
    for position in range(4):
        make_metered_card(silent, position, now - 3 * HOUR, used_percent=40, model=A100, power_mw=240_000)
        card = factories.make_accelerator(listed, position, A100)
        if position == 3:
            for share in (500, 250, 250):
                factories.make_slice(card, share)
        else:
            factories.make_slice(card)
    make_engine(busy, now, "sample-235b")
    make_engine(mixed, now, "sample-70b")
    make_chain(busy, now, 14)
    _trouble(mixed, now)
    return Floor(provider, east, west, busy, mixed, silent, listed)


def make_reporting(cluster: Cluster, name: str, metered_to_at: datetime) -> Node:
    """A node with an agent that reported everything before an instant."""
    node = factories.make_node(cluster, name, next(_keys).to_bytes(32, "big"))
    Node.objects.filter(pk=node.pk).update(agent_version="0.1.0", driver_version="580.95.05")
    NodeCursor.objects.filter(node=node).update(
        metered_to_at=metered_to_at, last_received_at=metered_to_at, clock_skew_ms=12
    )
    RollupCursor.objects.filter(node=node).update(rolled_to_at=metered_to_at)
    return node


def make_metered_card(
    node: Node,
    position: int,
    until: datetime,
    *,
    used_percent: int = 80,
    power_mw: int = 612_000,
    hours: int = 24,
    model: str = "NVIDIA H100 80GB HBM3",
) -> Accelerator:
    """A card with a whole slice and an hour of gauges and energy for each of the last hours; its fifth is missing."""
    card = factories.make_accelerator(node, position, model)
    factories.make_slice(card)
    this_hour = until.replace(minute=0, second=0, microsecond=0)
    meter = Meter.objects.create(witness=Witness.ENERGY, node=node, accelerator=card, quantity="energy_mj")
    gauges, energy = [], []
    for back in range(hours):
        if back == 4:
            continue
        at = this_hour - back * HOUR
        used = max(0, min(100, used_percent - (back * 7 + position * 3) % 11))
        watts = power_mw - (back * 9_000 + position * 5_000) % 70_000
        gauges.append(
            AcceleratorHour(
                accelerator=card,
                hour_at=at,
                utilisation_percent_sum=used * 360,
                utilisation_samples=360,
                power_mw_sum=watts * 360,
                power_samples=360,
                memory_used_mib_max=74_000 - position * 900,
                last_utilisation_percent=used,
                last_power_mw=watts,
                last_read_at=until if back == 0 else at + 59 * MINUTE,
            )
        )
        energy.append(
            UsageHour(
                meter=meter,
                witness=Witness.ENERGY,
                quantity="energy_mj",
                hour_at=at,
                from_at=at,
                to_at=at + HOUR,
                quality=Quality.ACTUAL,
                rule="counted",
                value=watts * 3600,
                updated_at=at,
            )
        )
    AcceleratorHour.objects.bulk_create(gauges)
    UsageHour.objects.bulk_create(energy)
    return card


def make_engine(node: Node, now: datetime, model: str) -> Endpoint:
    """An inference server with two meters that were read."""
    endpoint = factories.make_endpoint(node, model)
    for place, quantity in enumerate(("input", "output")):
        meter = Meter.objects.create(
            witness=Witness.ENGINE, node=node, endpoint=endpoint, model=model, quantity=quantity, labels="{}"
        )
        MeterState.objects.create(
            meter=meter, epoch="sample-epoch-1", seq=4_000 + place, value=18_402_118_330 // (place + 1), read_at=now
        )
    return endpoint


def make_chain(node: Node, now: datetime, batches: int) -> None:
    """A chain of so many batches, a minute apart, the last one just now."""
    hashes = ["0" * 64, *(f"{seq:02x}" * 32 for seq in range(1, batches + 1))]
    Batch.objects.bulk_create(
        Batch(
            node=node,
            seq=seq,
            hash=hashes[seq],
            prev_hash=hashes[seq - 1],
            signature="c2FtcGxl",
            content_encoding="zstd",
            body=b"sample",
            readings=120,
            outcome={},
            metered_to_at=now - (batches - seq) * MINUTE,
            received_at=now - (batches - seq) * MINUTE,
            clock_skew_ms=12,
        )
        for seq in range(1, batches + 1)
    )
    NodeCursor.objects.filter(node=node).update(last_seq=batches, last_hash=hashes[-1])
    RollupCursor.objects.filter(node=node).update(rolled_seq=batches, rolled_to_at=now)


def _mixed_cards(node: Node, now: datetime) -> None:
    cards = [make_metered_card(node, position, now, used_percent=58, power_mw=420_000) for position in range(8)]
    Accelerator.objects.filter(pk=cards[4].pk).update(retired_at=now - 20 * HOUR)
    Slice.objects.filter(accelerator=cards[7]).update(retired_at=now - 500 * HOUR)
    for place, (profile, share) in enumerate((("3g.40gb", 500), ("2g.20gb", 286), ("1g.10gb", 143))):
        Slice.objects.create(
            accelerator=cards[7],
            kind=SliceKind.MIG,
            label=f"MIG-{node.id}-{place}",
            profile=profile,
            share_permille=share,
            created_at=factories.EPOCH,
        )
    for one in Slice.objects.filter(accelerator=cards[7], kind=SliceKind.MIG):
        PartitionHour.objects.create(
            slice=one, hour_at=_hour(now), graphics_permille_sum=71_000, graphics_samples=100, sm_permille_sum=40_000,
            sm_samples=100,
        )  # fmt: skip
    _sick(cards[0], now)


def _sick(card: Accelerator, now: datetime) -> None:
    """A card with every kind of word about its health."""
    for kind, code, times in (("xid", 79, 1), ("xid", 13, 4), ("ecc_double_bit", 0, 1)):
        AcceleratorEvent.objects.create(
            accelerator=card, kind=kind, code=code, hour_at=_hour(now), first_at=_hour(now), last_at=_hour(now),
            occurrences=times,
        )  # fmt: skip
    AcceleratorHealth.objects.create(
        accelerator=card,
        seen_at=now,
        ecc_corrected=1_204,
        ecc_uncorrected=1,
        rows_remapped_corrected=0,
        rows_remapped_uncorrected=2,
        row_remap_pending=True,
        processes=[{"pid": 4711, "container_id": "c0ffee" * 8, "memory_mib": 70_000}],
    )
    AcceleratorHour.objects.filter(accelerator=card).update(
        clock_samples=360, throttled_samples=9, power_capped_samples=120, graphics_permille_sum=338_000,
        graphics_samples=360, sm_permille_sum=221_000, sm_samples=360, tensor_permille_sum=90_000, tensor_samples=360,
    )  # fmt: skip


def _hour(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)


def _trouble(node: Node, now: datetime) -> None:
    NodeCursor.objects.filter(node=node).update(clock_skew_ms=4_200)
    endpoint = Endpoint.objects.get(node=node)
    UsageGap.objects.create(
        node=node,
        subject="endpoint",
        subject_id=endpoint.url,
        from_at=now - 6 * HOUR,
        to_at=now - 6 * HOUR + 4 * MINUTE,
        reason="unreachable",
        detail="connection refused",
        occurrences=24,
    )
    UsageHour.objects.create(
        meter=Meter.objects.filter(endpoint=endpoint).earliest("quantity"),
        witness=Witness.ENGINE,
        quantity="input",
        hour_at=now.replace(minute=0, second=0, microsecond=0) - 2 * HOUR,
        from_at=now.replace(minute=0, second=0, microsecond=0) - 2 * HOUR,
        to_at=now.replace(minute=0, second=0, microsecond=0) - HOUR,
        quality=Quality.QUARANTINED,
        rule="rate_limit",
        value=9_000_000_000,
        records=3,
        updated_at=now,
    )

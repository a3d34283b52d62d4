"""A node with a key whose batches tests seal, send and roll up, as an agent would."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.db import connection, transaction

from metering.hours import unix_ms_of
from metering.ingest import Sent, ingest_batch
from metering.models import UsageHour
from metering.rollup import roll_up_node
from metering.wire import (
    FIRST_PREV_HASH,
    WIRE_VERSION,
    AcceleratorSeen,
    Batch,
    EndpointSeen,
    EpochProof,
    GaugeColumn,
    MeterKey,
    Outcome,
    RegisterColumn,
    RegisterQuantity,
    batch_hash,
    encode_batch,
    sign,
)
from tests.factories import EPOCH, make_cluster, make_node

if TYPE_CHECKING:
    from collections.abc import Callable

    from clusters.models import Node
    from tenants.models import Organization

URL = "http://127.0.0.1:8000"
MODEL = "sample-model"
NOON = datetime(2026, 3, 10, 12, tzinfo=EPOCH.tzinfo)
NOON_MS = unix_ms_of(NOON)


def meter(
    quantity: RegisterQuantity = "output", model: str = MODEL, url: str = URL, labels: dict[str, str] | None = None
) -> MeterKey:
    return MeterKey("endpoint", url, "vllm", model, quantity, labels or {})


def energy(uuid: str) -> MeterKey:
    return MeterKey("accelerator", uuid, "", "", "energy_mj")


def column(
    key: MeterKey,
    values: list[int],
    at_ms: list[int],
    *,
    first_seq: int = 1,
    epoch: str = "epoch-1",
    started_ms: int | None = None,
    proof: EpochProof = "none",
) -> RegisterColumn:
    return RegisterColumn(key, epoch, started_ms, proof, first_seq, values, at_ms)


@dataclass
class FakeAgent:
    """Seals batches in a chain and sends them straight to ingest; `sent` are their bytes in order."""

    node: Node
    key: Ed25519PrivateKey
    seq: int = 0
    prev_hash: str = FIRST_PREV_HASH
    sent: list[Sent] = field(default_factory=list)

    def seal(
        self,
        *,
        registers: list[RegisterColumn] | None = None,
        gauges: list[GaugeColumn] | None = None,
        outcomes: list[Outcome] | None = None,
        accelerators: list[AcceleratorSeen] | None = None,
        endpoints: list[EndpointSeen] | None = None,
        metered_to_ms: int | None = None,
        sent_at: str = "",
    ) -> Sent:
        """Make the next batch of the chain."""
        self.seq += 1
        registers = registers or []
        latest = max((one.read_at_ms[-1] for one in registers), default=NOON_MS)
        batch = Batch(
            version=WIRE_VERSION,
            node=str(self.node.id),
            seq=self.seq,
            prev_hash=self.prev_hash,
            agent_version="0.1.0",
            boot_id="boot-1",
            created_at_ms=latest,
            monotonic_ms=1,
            metered_to_ms=metered_to_ms if metered_to_ms is not None else latest,
            registers=registers,
            gauges=gauges or [],
            outcomes=outcomes or [],
            accelerators=accelerators or [],
            endpoints=endpoints or [],
        )
        body = encode_batch(batch)
        self.prev_hash = batch_hash(body)
        made = Sent(str(self.node.id), body, "zstd", sign(self.key, body), sent_at)
        self.sent.append(made)
        return made

    def ship(self, *registers: RegisterColumn, now: datetime | None = None, **parts: object) -> dict[str, int]:
        """Seal the next batch and have it ingested."""
        made = self.seal(registers=list(registers), **parts)  # type: ignore[arg-type]  # passed through by name
        return ingest_batch(sent=made, now=now or NOON + timedelta(hours=12))


def make_agent(provider: Organization, name: str = "") -> FakeAgent:
    """Store a node with a key and return its agent."""
    key = Ed25519PrivateKey.generate()
    node = make_node(
        make_cluster(provider, slug=f"cluster-{name or 'sample'}"), name, key.public_key().public_bytes_raw()
    )
    return FakeAgent(node, key)


def roll_up(node: Node, chunk_batches: int = 64, now: datetime = NOON) -> None:
    """Roll up everything that a node has sent."""
    while True:
        rolled = roll_up_node(node_id=node.id, now=now, chunk_batches=chunk_batches)
        assert rolled is not None
        if not rolled.more:
            return


def hours(**filters: object) -> list[tuple[datetime, str, int]]:
    """Return (hour, quality, value) of the stored usage, in order."""
    rows = UsageHour.objects.filter(**filters).order_by("from_at", "quality", "version")
    return list(rows.values_list("from_at", "quality", "value"))


def total(**filters: object) -> int:
    """Return the sum of the stored usage."""
    return sum(value for _, _, value in hours(**filters))


def kill_before_commit(work: Callable[[], object]) -> None:
    """Do the work and lose the database connection before it is committed. Raises DatabaseError."""
    try:
        with transaction.atomic():
            work()
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
    finally:
        connection.close()

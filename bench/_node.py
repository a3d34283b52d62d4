"""A GPU server's batches as its agent would seal them: 8 cards and 4 engines, 120 meters, noisy counters."""

import hashlib
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from metering.wire import (
    FIRST_PREV_HASH,
    WIRE_VERSION,
    Batch,
    EndpointSeen,
    MeterKey,
    RegisterColumn,
    RegisterQuantity,
    batch_hash,
    encode_batch,
    sign,
)

INTERVAL_MS = 10_000
QUANTITIES: tuple[RegisterQuantity, ...] = ("input", "cached_input", "output", "requests")
MODELS_PER_ENGINE = 7
ENGINES = 4
CARDS = 8
METERS = CARDS + ENGINES * MODELS_PER_ENGINE * len(QUANTITIES)


Rises = Literal["noisy", "even", "idle"]


@dataclass(frozen=True, slots=True)
class Sealed:
    """One batch on the wire, and its readings as (meter's number, instant in ms, value)."""

    body: bytes
    signature: str
    readings: list[tuple[int, int, int]]


@dataclass
class BenchNode:
    """Seals batches in a chain, read some milliseconds off the tick.

    Registers rise by 0 to 9,999 a reading (`noisy`), by the same each time (`even`), or not at all (`idle`).
    """

    id: str
    number: int
    key: Ed25519PrivateKey
    begins_at: datetime
    rises: Rises = "noisy"
    seq: int = 0
    ticks: int = 0
    prev_hash: str = FIRST_PREV_HASH
    values: list[int] = field(default_factory=lambda: [0] * METERS)

    def __post_init__(self) -> None:
        """Give the node a noise of its own, the same in every run."""
        self.noise = random.Random(self.number)  # noqa: S311  noise, not a secret
        self.meters = list(_meters(self.number))
        # As an agent names them: a digest for each engine and card.
        self.epochs = [
            hashlib.sha256(f"{self.id} {meter.subject_id}".encode()).hexdigest()[:32] for meter in self.meters
        ]
        self.begins_ms = int(self.begins_at.timestamp() * 1000)

    def _rise(self, index: int) -> int:
        return {"noisy": self.noise.randrange(10_000), "even": 83 * index, "idle": 0}[self.rises]

    def seal(self, ticks: int) -> Sealed:
        """Seal the readings of every meter at the next `ticks` ticks."""
        columns, readings = [], []
        at_ms = [self.begins_ms + (self.ticks + tick) * INTERVAL_MS + self.noise.randrange(40) for tick in range(ticks)]
        for index, meter in enumerate(self.meters):
            values = []
            for at in at_ms:
                self.values[index] += self._rise(index)
                values.append(self.values[index])
                readings.append((self.number * METERS + index, at, self.values[index]))
            columns.append(RegisterColumn(meter, self.epochs[index], None, "none", self.ticks + 1, values, at_ms))
        self.seq += 1
        batch = Batch(
            version=WIRE_VERSION,
            node=self.id,
            seq=self.seq,
            prev_hash=self.prev_hash,
            agent_version="0.1.0",
            boot_id="boot-1",
            created_at_ms=at_ms[-1],
            monotonic_ms=self.ticks * INTERVAL_MS,
            metered_to_ms=at_ms[-1],
            registers=columns,
            gauges=[],
            outcomes=[],
            accelerators=[],
            endpoints=_endpoints() if self.seq == 1 else [],
        )
        self.ticks += ticks
        body = encode_batch(batch)
        self.prev_hash = batch_hash(body)
        return Sealed(body, sign(self.key, body), readings)


def make_nodes(count: int, *, now: datetime, back: timedelta, rises: Rises = "noisy") -> list[BenchNode]:
    """Store nodes with keys under one provider, enrolled before the span that they will report."""
    from tests.factories import make_cluster, make_node, make_organization

    name = f"bench-{rises}"
    provider = make_organization(f"{name}-provider", is_provider=True, is_tenant=False)
    cluster = make_cluster(provider, name)
    nodes = []
    for number in range(count):
        key = Ed25519PrivateKey.generate()
        node = make_node(cluster, f"{name}-{number}", key.public_key().public_bytes_raw())
        begins_at = (now - back).replace(minute=0, second=0, microsecond=0)
        nodes.append(BenchNode(str(node.id), number, key, begins_at, rises))
    return nodes


def _meters(number: int) -> Iterator[MeterKey]:
    for card in range(CARDS):
        yield MeterKey("accelerator", f"GPU-{number:04d}-{card}", "", "", "energy_mj")
    for engine in range(ENGINES):
        for model in range(MODELS_PER_ENGINE):
            for quantity in QUANTITIES:
                yield MeterKey("endpoint", _url(engine), "vllm", f"model-{model}", quantity)


def _url(engine: int) -> str:
    return f"http://127.0.0.1:{8000 + engine}"


def _endpoints() -> list[EndpointSeen]:
    models = [f"model-{model}" for model in range(MODELS_PER_ENGINE)]
    return [EndpointSeen(_url(engine), "vllm", models, None) for engine in range(ENGINES)]

"""Cumulative samples as remote write and OTLP carry them, before anybody knows which of them are registers. Pure."""

import struct
from dataclasses import dataclass, field
from typing import Final

from clusters.naming import fitted
from metering.wire import STRING_CHARS_MAX, VALUE_MAX

STALE_BITS: Final = 0x7FF0000000000002
"""The NaN by which Prometheus says that a series is gone, or that its page was not read."""
PRECISE_MAX: Final = 2**53
"""The largest whole number up to which every one has a float of its own."""
FAULTS_KEPT_MAX: Final = 20

TARGET_LABELS: Final = ("cluster", "job", "instance")
TARGET_CHARS_MAX: Final = STRING_CHARS_MAX
REPLICA_LABELS: Final = frozenset({"__replica__", "prometheus_replica"})
"""Two Prometheus servers that read the same page say the same registers; which of them told is no part of a series."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One value at an instant, Unix ms. `start_ms` is since when it counts from zero, None if that is not
    told: a start at the very instant of the value is none, as OTLP's data model says.
    """

    value: float
    at_ms: int
    start_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Series:
    """Samples of one series. `labels` are without the name."""

    name: str
    labels: dict[str, str]
    samples: tuple[Sample, ...]

    @property
    def target(self) -> str:
        """What was read to get it: cluster, job and instance, as far as they are there."""
        named = "/".join(self.labels[name] for name in TARGET_LABELS if self.labels.get(name)) or "unnamed"
        return fitted(named, TARGET_CHARS_MAX)

    @property
    def replica(self) -> str:
        """Which of several servers that read the same page told of it; empty where they do not say."""
        return ",".join(f"{name}={self.labels[name]}" for name in sorted(REPLICA_LABELS & self.labels.keys()))


@dataclass(slots=True)
class Tally:
    """What became of every sample of a call; all but the faults add up to what was sent and taken."""

    accepted: int = 0
    duplicates: int = 0
    late: int = 0
    stale: int = 0
    ignored: int = 0
    conflicts: int = 0
    invalid: int = 0
    faults: list[str] = field(default_factory=list)

    @property
    def taken(self) -> int:
        """Samples that the sender need not send again."""
        return self.accepted + self.duplicates + self.late + self.stale + self.ignored

    def refuse(self, fault: str, count: int = 1) -> None:
        """Count samples that cannot be true, and keep the first few reasons."""
        self.invalid += count
        self._keep(fault)

    def contradict(self, fault: str) -> None:
        """Count a sample that says something else than the one kept for its instant."""
        self.conflicts += 1
        self._keep(fault)

    def _keep(self, fault: str) -> None:
        if len(self.faults) < FAULTS_KEPT_MAX:
            self.faults.append(fault[:300])


def is_stale(value: float) -> bool:
    """Whether a value is the marker of a series that is gone."""
    return value != value and struct.unpack("<Q", struct.pack("<d", value))[0] == STALE_BITS  # noqa: PLR0124  NaN


def whole(value: float) -> int | None:
    """Return a register's value exactly; None for what is none: NaN, infinite, negative, a fraction, imprecise.

    A protocol that has integers gives them as such, and they are exact beyond what a float holds.
    """
    if isinstance(value, int):
        return value if 0 <= value <= VALUE_MAX else None
    if not 0 <= value <= PRECISE_MAX or value != int(value):
        return None
    return int(value)

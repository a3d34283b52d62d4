"""What one tick gives to the spool, and what the collector remembers after it."""

from dataclasses import dataclass, field

import msgspec

from metering.agent.spool import GaugeEntry, RegisterEntry
from metering.wire import EpochProof, Outcome, OutcomeSubject


class DriverMemory(msgspec.Struct, frozen=True):
    """One driver as last seen: `generation` rises when it was loaded anew, which was noticed to be so at `gone_ms`.

    `load` differs after every load (see `metering.agent.nvml`), "" where that cannot be seen; it was last seen so at
    `seen_ms`.
    """

    generation: int = 0
    gone_ms: int | None = None
    load: str = ""
    seen_ms: int | None = None


class Memory(msgspec.Struct, frozen=True):
    """What the collector remembers across restarts, besides the meters' states.

    `pages` is when each endpoint's page was last read well, and a fingerprint of how: what another mapping did not
    find says nothing about a series. `drivers` are by source. `driver_generation` and `driver_gone_ms` are what
    earlier agents remembered of NVML's driver.
    """

    pages: dict[str, tuple[int, str]] = {}
    driver_generation: int = 0
    driver_gone_ms: int | None = None
    drivers: dict[str, DriverMemory] = {}

    def driver(self, source: str) -> DriverMemory:
        """A source's driver as last seen."""
        earlier = DriverMemory(self.driver_generation, self.driver_gone_ms) if source == "nvml" else DriverMemory()
        return self.drivers.get(source, earlier)


@dataclass(frozen=True, slots=True)
class Start:
    """When a register's life began, and what proves it."""

    at_ms: int | None
    proof: EpochProof


@dataclass(slots=True)
class Tick:
    """What one tick gives to the spool, and what is to be remembered once it is there."""

    read_at_ms: int
    memory: Memory
    registers: list[RegisterEntry] = field(default_factory=list)
    gauges: list[GaugeEntry] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)

    def fail(self, subject: OutcomeSubject, subject_id: str, reason: str, detail: str) -> None:
        """Count an outcome."""
        self.outcomes.append(Outcome(subject, subject_id, self.read_at_ms, reason, detail, 1))

    def remember_driver(self, source: str, driver: DriverMemory) -> None:
        """Remember a source's driver once the tick is on disk."""
        self.memory = msgspec.structs.replace(self.memory, drivers={**self.memory.drivers, source: driver})

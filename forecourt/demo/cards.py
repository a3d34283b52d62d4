"""Simulated accelerators: what NVML would say of each, as a function of the world's clock alone."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from forecourt.demo.quantiles import POWER_WATTS, draw

HOUR_MS: Final = 3_600_000
IDLE_PERCENT: Final = 40
"""Below this percentile of the power curve a card idles."""


@dataclass(frozen=True)
class Card:
    """One simulated card; `busy_percent` is how much of the time it works."""

    uuid: str
    serial: str
    model: str
    memory_mib: int
    pci_bus_id: str
    busy_percent: int
    seed: int
    started_ms: int
    _energy_mj: dict[int, int] = field(default_factory=dict, compare=False, repr=False)

    def power_w(self, hour: int) -> int:
        """Return the board's power in watts over the hour (hours since 1970), drawn from the real power curve."""
        return _power_w(self.seed, hour, self.busy_percent)

    def power_mw(self, now_ms: int) -> int:
        """Return the board's power at an instant in milliwatts, as NVML gives it."""
        return self.power_w(now_ms // HOUR_MS) * 1000

    def energy_mj(self, now_ms: int) -> int:
        """Return the register of millijoules since the driver was loaded; a watt over a millisecond is a millijoule."""
        hour, start_hour = now_ms // HOUR_MS, self.started_ms // HOUR_MS
        if hour <= start_hour:
            return self.power_w(start_hour) * max(0, now_ms - self.started_ms)
        return self._full_hours(hour) + self.power_w(hour) * (now_ms % HOUR_MS)

    def utilisation_percent(self, now_ms: int) -> int:
        """Return how much of the last second a kernel ran."""
        power = self.power_w(now_ms // HOUR_MS)
        idle = draw(POWER_WATTS, IDLE_PERCENT)
        return 0 if power <= idle else min(100, 55 + (power - idle) // 9)

    def memory_used_mib(self, now_ms: int) -> int:
        """Return the memory in use."""
        return 812 if self.utilisation_percent(now_ms) == 0 else self.memory_mib * 87 // 100

    def _full_hours(self, hour: int) -> int:
        """Energy from the start to the beginning of `hour`; sums of earlier hours are kept."""
        start_hour = self.started_ms // HOUR_MS
        known = max((one for one in (hour, hour - 1) if one in self._energy_mj), default=None)
        if known is None:
            known = start_hour + 1
            self._energy_mj[known] = self.power_w(start_hour) * (known * HOUR_MS - self.started_ms)
        total = self._energy_mj[known]
        for one in range(known, hour):
            total += self.power_w(one) * HOUR_MS
            self._energy_mj[one + 1] = total
        return total


@lru_cache(maxsize=65_536)
def _power_w(seed: int, hour: int, busy_percent: int) -> int:
    source = random.Random(seed * 1_000_003 + hour)
    percent = (
        source.uniform(IDLE_PERCENT + 10, 100)
        if source.randrange(100) < busy_percent
        else source.uniform(0, IDLE_PERCENT)
    )
    return draw(POWER_WATTS, percent)


def make_cards(
    *, node: str, count: int, model: str, memory_mib: int, busy_percent: int, seed: int, started_ms: int
) -> list[Card]:
    """Return a node's cards; names and numbers follow from the arguments alone."""
    source = random.Random(f"{seed}-{node}")
    return [
        Card(
            uuid=f"GPU-{source.getrandbits(32):08x}-{source.getrandbits(16):04x}-{source.getrandbits(16):04x}-{source.getrandbits(16):04x}-{source.getrandbits(48):012x}",
            serial=f"{source.randrange(10**12, 2 * 10**12)}",
            model=model,
            memory_mib=memory_mib,
            pci_bus_id=f"00000000:{(position + 1) * 16:02X}:00.0",
            busy_percent=busy_percent,
            seed=source.randrange(2**31),
            started_ms=started_ms,
        )
        for position in range(count)
    ]

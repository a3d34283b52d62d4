"""A clock that jumps and a machine with chosen facts, for runs that need no waiting."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from metering.agent.machine import EngineProcess

START = datetime(2026, 11, 23, 10, 0, 0, tzinfo=UTC)
"""Later than the start markers of the recorded pages."""


class SimulatedClock:
    """`sleep_until` jumps; `at` maps a sleep's number to what happens then; stops after `ticks` sleeps."""

    def __init__(
        self,
        *,
        start: datetime = START,
        ticks: int,
        at: dict[int, Callable[[], None]] | None = None,
    ) -> None:
        self.instant = start
        self._jumped = timedelta()
        self.slept: list[datetime] = []
        self._ticks = ticks
        self._at = at or {}

    def now(self) -> datetime:
        return self.instant

    def monotonic_s(self) -> float:
        return (self.instant - self._jumped - START).total_seconds() + 1_000_000

    def jump(self, by: timedelta) -> None:
        """Set the wall clock; the monotonic one goes on."""
        self.instant += by
        self._jumped += by

    def sleep_until(self, instant: datetime, stop: threading.Event) -> None:
        number = len(self.slept)
        if number >= self._ticks:
            stop.set()
            return
        self.slept.append(instant)
        self.instant = instant
        if number in self._at:
            self._at[number]()


class FixedMachine:
    """Facts that a test sets; `processes` by URL."""

    def __init__(self, boot_id: str = "boot-1", booted_at_ms: int | None = None) -> None:
        self.boot_id = boot_id
        booted = START - timedelta(days=1)
        self.booted_at_ms = int(booted.timestamp() * 1000) if booted_at_ms is None else booted_at_ms
        self.processes: dict[str, EngineProcess] = {}

    def process_behind(self, url: str) -> EngineProcess | None:
        return self.processes.get(url)

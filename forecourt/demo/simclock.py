"""The sample world's clock: it runs in step with everyone who lives by it, as fast as the slowest can follow.

Each participant (a node's agent, the gateway) tells the clock the instant it sleeps until. When all of them sleep,
the clock jumps to the earliest of these instants and wakes whoever is due: a month of readings takes a minute, every
reading lies exactly on its tick, and a run is the same each time. A participant that was killed stops the clock until
it is started again and sleeps under its name: nothing happens in the world that it could miss.
"""

from __future__ import annotations

import http.client
import json
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
# A sleeper asks again after this long, so that it notices when it is told to stop.
POLL_S: Final = 0.5
RECONNECT_S: Final = 0.2
ANSWER_TIMEOUT_S: Final = 20.0


@dataclass
class LockStepClock:
    """The clock itself, in the world's process. All instants are Unix milliseconds."""

    now_ms: int
    end_ms: int
    participants: frozenset[str]
    on_advance: Callable[[int], None]
    _sleeping: dict[str, int] = field(default_factory=dict)
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def sleep(self, who: str, until_ms: int, timeout_s: float) -> int:
        """Sleep as `who` until the world reaches `until_ms` or real `timeout_s` pass; return the world's now."""
        deadline_s = time.monotonic() + timeout_s
        with self._changed:
            self._sleeping[who] = until_ms
            self._advance()
            while self.now_ms < until_ms:
                remaining_s = deadline_s - time.monotonic()
                if remaining_s <= 0:
                    return self.now_ms
                self._changed.wait(remaining_s)
            self._sleeping.pop(who, None)
            return self.now_ms

    def _advance(self) -> None:
        if self.now_ms >= self.end_ms or not self.participants <= self._sleeping.keys():
            return
        due_ms = min(self._sleeping[who] for who in self.participants)
        self.now_ms = min(max(due_ms, self.now_ms), self.end_ms)
        for who, until_ms in list(self._sleeping.items()):
            # Whoever is woken is at work until it sleeps again: the world waits for it.
            if until_ms <= self.now_ms:
                del self._sleeping[who]
        self.on_advance(self.now_ms)
        self._changed.notify_all()


class WorldClock:
    """The world's clock as a participant sees it, over HTTP; fits where the agent takes a clock."""

    def __init__(self, url: str, who: str) -> None:
        self._address = urlsplit(url).netloc
        self._who = who
        self._connection: http.client.HTTPConnection | None = None
        self._lock = threading.Lock()
        self._now_ms = self._ask({"who": "", "until_ms": 0})

    def now(self) -> datetime:
        """The world's instant, as of the last sleep: it stands still while this participant is at work."""
        return _EPOCH + timedelta(milliseconds=self._now_ms)

    def monotonic_s(self) -> float:
        """The world's time never falls."""
        return self._now_ms / 1000

    def sleep_until(self, instant: datetime, stop: threading.Event) -> None:
        """Sleep in the world; returns early when `stop` is set."""
        until_ms = (instant - _EPOCH) // timedelta(milliseconds=1)
        while not stop.is_set():
            self._now_ms = self._ask({"who": self._who, "until_ms": until_ms})
            if self._now_ms >= until_ms:
                return

    def _ask(self, question: dict[str, object]) -> int:
        with self._lock:
            while True:
                try:
                    if self._connection is None:
                        self._connection = http.client.HTTPConnection(self._address, timeout=ANSWER_TIMEOUT_S)
                    self._connection.request("POST", "/clock", json.dumps(question))
                    return int(json.loads(self._connection.getresponse().read())["now_ms"])
                except (OSError, http.client.HTTPException):
                    self._connection = None
                    time.sleep(RECONNECT_S)

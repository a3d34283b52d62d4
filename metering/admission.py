"""How many bodies one web process takes in at once: beyond that callers wait outside, and memory stays bounded.

Agents and gateways keep what they could not deliver and come back; a page cannot. So machines never take every thread
of a process: what is over the limit is refused, and its body is dropped.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NoReturn

from tenants.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

BODIES_MAX: Final = 8
"""A batch takes at most 1 MiB as sent, 16 MiB inflated and about as much again decoded: 280 MiB a process."""
WAITING_MAX: Final = 7
"""Together one less than a web process has threads (`forecourt.embedded.stack.WEB_THREADS`)."""
WAIT_S: Final = 0.5
RETRY_AFTER_S: Final = 2


class Overloaded(Problem):
    """This process takes in as much as it can."""

    status = 503
    code = "overloaded"
    title = "The server is busy; send the same again"


class Gate:
    """Lets a number of callers in at once, has some wait a moment, and turns the others away."""

    def __init__(self, limit: int, waiting: int = 0, wait_s: float = 0.0) -> None:
        self._places = threading.BoundedSemaphore(limit)
        self._threads = threading.BoundedSemaphore(limit + waiting)
        self._wait_s = wait_s
        self._lock = threading.Lock()
        self._turned_away = 0

    @property
    def turned_away(self) -> int:
        """How many callers this process has turned away since it started."""
        return self._turned_away

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Hold a place. Raises Overloaded where there is none in time."""
        if not self._threads.acquire(blocking=False):
            self._turn_away()
        try:
            if not self._places.acquire(timeout=self._wait_s):
                self._turn_away()
            try:
                yield
            finally:
                self._places.release()
        finally:
            self._threads.release()

    def _turn_away(self) -> NoReturn:
        with self._lock:
            self._turned_away += 1
        raise Overloaded("All places for taking in are taken.", retry_after_s=RETRY_AFTER_S)


ingest_gate: Final = Gate(BODIES_MAX, WAITING_MAX, WAIT_S)

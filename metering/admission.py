"""How many bodies one web process takes in at once: beyond that callers wait outside, and memory stays bounded.

Agents and gateways keep what they could not deliver and come back; a page cannot. So machines never take every thread
of a process: what is over the limit is refused at once, and its body is
dropped.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from tenants.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

BODIES_MAX: Final = 7
"""One less than a web process has threads (`forecourt.embedded.stack.WEB_THREADS`). A batch takes at most 1 MiB as
sent, 16 MiB inflated and about as much again decoded: 250 MiB a process."""
RETRY_AFTER_S: Final = 2


class Overloaded(Problem):
    """This process takes in as much as it can."""

    status = 503
    code = "overloaded"
    title = "The server is busy; send the same again"


class Gate:
    """Lets a number of callers in at once and turns the others away."""

    def __init__(self, limit: int) -> None:
        self._places = threading.BoundedSemaphore(limit)
        self._lock = threading.Lock()
        self._turned_away = 0

    @property
    def turned_away(self) -> int:
        """How many callers this process has turned away since it started."""
        return self._turned_away

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Hold a place. Raises Overloaded where there is none."""
        if not self._places.acquire(blocking=False):
            with self._lock:
                self._turned_away += 1
            raise Overloaded("All places for taking in are taken.", retry_after_s=RETRY_AFTER_S)
        try:
            yield
        finally:
            self._places.release()


ingest_gate: Final = Gate(BODIES_MAX)

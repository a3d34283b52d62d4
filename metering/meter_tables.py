"""Remembering what was made of a block's table of meters: a node writes the same table batch after batch. Pure."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Final, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

T = TypeVar("T")

METERS_KNOWN_MAX: Final = 65_536
"""Of every node that this process reads; some hundred bytes each."""


class KnownTables(Generic[T]):
    """What `make` gives for the bytes of a table, an entry for each of its meters; the least used are forgotten.

    What `make` raises goes through and is not remembered.
    """

    def __init__(self, make: Callable[[bytes], Sequence[T]], meters_max: int = METERS_KNOWN_MAX) -> None:
        self._make = make
        self._meters_max = meters_max
        self._meters = 0
        self._known: OrderedDict[bytes, Sequence[T]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, table: bytes) -> Sequence[T]:
        """Return the entries of a table."""
        with self._lock:
            found = self._known.get(table)
            if found is not None:
                self._known.move_to_end(table)
                return found
        made = self._make(table)
        with self._lock:
            if table not in self._known:
                self._known[table] = made
                self._meters += len(made)
            while self._meters > self._meters_max:
                _, forgotten = self._known.popitem(last=False)
                self._meters -= len(forgotten)
        return made

    def __len__(self) -> int:
        """Return how many meters are remembered."""
        return self._meters

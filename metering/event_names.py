"""How many names a reporter's events may bring: each pair of source and model is a meter for ever.

A gateway names itself and the models that it serves, some hundred pairs. One that puts a request's id or a process's
number there would make a meter of every request. What is beyond the limit of a day is rejected item by item, with a
code of its own; pairs that are known go on.

A process remembers the pairs that it has seen; only one that it does not know is looked for in the database.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from metering.models import Meter, Witness
from tenants.ids import first_id_of

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime
    from uuid import UUID

    Name = tuple[str, str]

NAMES_A_DAY: Final = 10_000
"""New pairs of source and model of one reporter."""
DAY: Final = timedelta(days=1)
ROLLED_WITHIN: Final = timedelta(hours=1)
"""How long a new pair is counted though it has no meter yet: events wait for rollup."""
NAMES_KNOWN_MAX: Final = 100_000
"""Of every reporter, in one process; some hundred bytes each."""


class KnownNames:
    """The pairs that this process has let in, and when it let in those that were new; the oldest are forgotten."""

    def __init__(self, names_max: int = NAMES_KNOWN_MAX) -> None:
        self._names_max = names_max
        self._known: OrderedDict[tuple[UUID, str, str], datetime | None] = OrderedDict()
        self._lock = threading.Lock()

    def unknown(self, reporter_id: UUID, names: Collection[Name]) -> set[Name]:
        """Return the pairs that were not let in before."""
        with self._lock:
            return {name for name in names if (reporter_id, *name) not in self._known}

    def waiting(self, reporter_id: UUID, since: datetime) -> set[Name]:
        """Return the new pairs of a reporter that were let in since then."""
        with self._lock:
            return {key[1:] for key, at in self._known.items() if key[0] == reporter_id and at and at >= since}

    def add(self, reporter_id: UUID, names: Collection[Name], at: datetime | None) -> None:
        """Let pairs in; `at` says when they were new, None that they have a meter."""
        with self._lock:
            for name in names:
                self._known[reporter_id, *name] = at
            while len(self._known) > self._names_max:
                self._known.popitem(last=False)


known_names: Final = KnownNames()


def names_too_many(
    *, reporter_id: UUID, names: Collection[Name], now: datetime, known: KnownNames = known_names
) -> set[Name]:
    """Return the pairs of source and model that a reporter may not bring any more today, in one order the last."""
    unknown = known.unknown(reporter_id, names)
    if not unknown:
        return set()
    metered = _metered(reporter_id, unknown)
    known.add(reporter_id, metered, None)
    fresh = sorted(unknown - metered)
    if not fresh:
        return set()
    room = max(0, NAMES_A_DAY - _new_today(reporter_id, now, known))
    known.add(reporter_id, fresh[:room], now)
    return set(fresh[room:])


def _metered(reporter_id: UUID, names: Collection[Name]) -> set[Name]:
    rows = Meter.objects.filter(
        witness=Witness.GATEWAY,
        reporter_id=reporter_id,
        source__in={source for source, _ in names},
        model__in={model for _, model in names},
    )
    return set(rows.values_list("source", "model")) & set(names)


def _new_today(reporter_id: UUID, now: datetime, known: KnownNames) -> int:
    made = Meter.objects.filter(witness=Witness.GATEWAY, reporter_id=reporter_id, id__gte=first_id_of(now - DAY))
    return len(set(made.values_list("source", "model")) | known.waiting(reporter_id, now - ROLLED_WITHIN))

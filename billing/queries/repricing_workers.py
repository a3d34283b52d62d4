"""Rating past billing periods at other prices in several processes, where nobody waits for a page: 10,000 contracts."""

from __future__ import annotations

import multiprocessing
import signal
from typing import TYPE_CHECKING

from django.db import connection

from billing.queries.simulation import repriced_each

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from billing.economics.repricing import Reprice, Repriced
    from billing.models import BillingPeriod, Contract
    from billing.queries.simulation import Rater

    Work = tuple[Sequence[BillingPeriod], Callable[[Contract], Reprice], tuple[int, ...]]

_work: list[Work] = []
"""What a process took over from the one it was made by: what prices become cannot be sent."""


def in_processes(processes: int) -> Rater:
    """Return a rater that shares periods out among so many processes; no transaction may be open."""

    def rate(
        periods: Sequence[BillingPeriod], change_of: Callable[[Contract], Reprice], stress: tuple[int, ...]
    ) -> Iterator[tuple[BillingPeriod, list[Repriced]]]:
        if processes < 2 or len(periods) < processes:
            yield from repriced_each(periods, change_of, stress)
            return
        assert not connection.in_atomic_block, "a process would not see what is not committed"
        connection.close()  # two processes on one connection would read each other's answers
        parts = [periods[number::processes] for number in range(processes)]
        context = multiprocessing.get_context("fork")
        with context.Pool(processes, _take, ([(part, change_of, stress) for part in parts],)) as pool:
            for part, found in zip(parts, pool.imap(_rated, range(processes)), strict=True):
                yield from zip(part, found, strict=True)

    return rate


def _take(work: Sequence[Work]) -> None:
    # A pool ends its processes by SIGTERM and waits for them: what the first one does at it is not theirs to do.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    _work[:] = work
    # What was open anywhere in the process that this one is a copy of stays that one's: a session has one reader.
    connection.connection = None


def _rated(number: int) -> list[list[Repriced]]:
    try:
        return [repriced for _, repriced in repriced_each(*_work[number])]
    finally:
        connection.close()

"""Several processes come to what one comes to, each on a connection of its own."""

from __future__ import annotations

import multiprocessing
import signal
from functools import partial

import pytest
from django.db import connection, transaction

from billing.economics.repricing import at_percent
from billing.queries.repricing_workers import _take, in_processes
from billing.queries.simulation import simulate
from tests.billing.costly import make_costly
from tests.billing.world import APRIL, MARCH

raised = at_percent(34)
of_march = partial(simulate, from_at=MARCH, to_at=APRIL, change_of=lambda _contract: raised)


@pytest.mark.django_db(transaction=True)
def test_it_is_the_same_by_one_process_or_two() -> None:
    provider = make_costly().world.provider
    alone = of_march(provider)
    assert alone.total.new > alone.total.old
    assert of_march(provider, rater=in_processes(2)) == alone
    # Fewer periods than processes are not worth any.
    assert of_march(provider, rater=in_processes(9)) == alone
    connection.ensure_connection()
    with transaction.atomic(), pytest.raises(AssertionError, match="not committed"):
        of_march(provider, rater=in_processes(2))


def test_its_processes_end_where_the_first_only_takes_note() -> None:
    """A pool may end a process while it waits for work: one that went on would be waited for without end."""
    before = signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        with multiprocessing.get_context("fork").Pool(1, _take, ([],)) as pool:
            assert pool.apply(signal.getsignal, (signal.SIGTERM,)) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGTERM, before)

"""Places for taking in: as many as there are, each given back, and who finds none is told when to come again."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from threading import Event as Signal

import pytest
from django.db import connection, transaction
from django.test import Client

from forecourt.embedded.stack import WEB_THREADS
from metering.admission import BODIES_MAX, RETRY_AFTER_S, WAITING_MAX, Gate, Overloaded, ingest_gate
from metering.models import Batch, IngestCount
from tests.factories import Cast
from tests.metering.fleet import NOON_MS, FakeAgent, column, make_agent, meter


def deliver(agent: FakeAgent) -> tuple[int, str, str]:
    sent = agent.sent[-1]
    response = Client().post(
        "/api/v1/batches",
        sent.body,
        content_type="application/json",
        headers={
            "Content-Encoding": "zstd",
            "Forecourt-Node": sent.node,
            "Forecourt-Signature": sent.signature,
        },
    )
    return response.status_code, response.json().get("code", ""), response.headers.get("Retry-After", "")


@pytest.fixture
def agent(cast: Cast) -> FakeAgent:
    agent = make_agent(cast.provider)
    agent.seal(registers=[column(meter(), [1, 2], [NOON_MS, NOON_MS + 10_000])])
    return agent


def test_a_place_is_given_back_also_by_who_fails() -> None:
    gate = Gate(2)
    with gate.entered():
        with pytest.raises(ZeroDivisionError), gate.entered():
            raise ZeroDivisionError
        with gate.entered(), pytest.raises(Overloaded), gate.entered():
            pass
        with gate.entered():
            assert gate.turned_away == 1


def test_who_waits_gets_the_place_that_becomes_free() -> None:
    gate, entered, leave = Gate(1, waiting=1, wait_s=30), Signal(), Signal()

    def hold() -> None:
        with gate.entered():
            entered.set()
            assert leave.wait(30)

    def wait() -> bool:
        with gate.entered():
            return True

    with ThreadPoolExecutor(2) as pool:
        held = pool.submit(hold)
        assert entered.wait(30)
        waiting = pool.submit(wait)
        leave.set()
        held.result()
        assert waiting.result()


def test_machines_never_take_every_thread() -> None:
    assert 1 <= BODIES_MAX + WAITING_MAX < WEB_THREADS


def test_a_full_server_turns_a_batch_away_and_takes_it_later(agent: FakeAgent) -> None:
    with ExitStack() as places:
        for _ in range(BODIES_MAX):
            places.enter_context(ingest_gate.entered())
        assert deliver(agent) == (503, "overloaded", str(RETRY_AFTER_S))
        assert not Batch.objects.exists()
        assert not IngestCount.objects.exists()
    assert deliver(agent)[0] == 200


def test_a_database_that_takes_nothing_is_a_reason_to_wait(agent: FakeAgent) -> None:
    before = transaction.savepoint()
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL transaction_read_only = on")
    assert deliver(agent)[:2] == (503, "unavailable")
    transaction.savepoint_rollback(before)
    assert deliver(agent)[0] == 200

"""What a process remembers of a chain may be old: nothing wrong is ever stored or refused because of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.db import connection

from clusters.models import Node
from metering.chain import Chain, KnownChains, known_chains, read_chain
from metering.ingest import ConflictingBatch, NodeRevoked, OutOfChain, SignatureInvalid, ingest_batch
from metering.models import Batch, IngestCount, NodeCursor
from tests.factories import Cast
from tests.metering.fleet import NOON, NOON_MS, FakeAgent, column, make_agent, meter

NOW = NOON + timedelta(hours=12)


@pytest.fixture
def agent(cast: Cast) -> FakeAgent:
    agent = make_agent(cast.provider)
    ship(agent)
    return agent


def ship(agent: FakeAgent, step: int = 1) -> dict[str, int]:
    number = agent.seq + 1
    return agent.ship(column(meter(), [number * step], [NOON_MS + 10_000 * number], first_seq=number), now=NOW)


def remembered(agent: FakeAgent) -> Chain:
    chain = known_chains.get(agent.node.id)
    assert chain is not None
    return chain


def seqs() -> list[int]:
    return list(Batch.objects.order_by("seq").values_list("seq", flat=True))


def test_what_is_remembered_is_what_is_stored(agent: FakeAgent) -> None:
    for _ in range(3):
        ship(agent)
        assert remembered(agent) == read_chain(agent.node.id)


def test_a_chain_that_another_process_moved_on_is_read_again(agent: FakeAgent) -> None:
    before = remembered(agent)
    ship(agent)
    known_chains.keep(before)
    assert ship(agent)["next_seq"] == 4
    known_chains.keep(before)
    assert ingest_batch(sent=agent.sent[1], now=NOW)["seq"] == 2
    assert seqs() == [1, 2, 3]
    assert NodeCursor.objects.get().last_seq == 3


def test_a_chain_that_never_came_to_be_is_not_believed(agent: FakeAgent) -> None:
    ahead = replace(remembered(agent), last_seq=2, last_hash="ab" * 32)
    lost = FakeAgent(agent.node, agent.key, seq=2, prev_hash="ab" * 32)
    known_chains.keep(ahead)
    with pytest.raises(OutOfChain) as refused:
        ship(lost)
    assert refused.value.extra["expected_seq"] == 2
    assert seqs() == [1]
    assert ship(agent)["seq"] == 2


def test_another_batch_under_a_number_is_a_conflict_however_the_chain_is_remembered(agent: FakeAgent) -> None:
    before, twin = remembered(agent), FakeAgent(agent.node, agent.key, agent.seq, agent.prev_hash)
    ship(agent)
    known_chains.keep(before)
    with pytest.raises(ConflictingBatch):
        ship(twin, step=2)
    assert seqs() == [1, 2]


def test_revoking_works_at_once_on_a_remembered_node(agent: FakeAgent) -> None:
    Node.objects.update(revoked_at=NOW)
    with pytest.raises(NodeRevoked):
        ship(agent)
    with pytest.raises(NodeRevoked):
        ingest_batch(sent=agent.sent[0], now=NOW)
    assert seqs() == [1]
    Node.objects.update(revoked_at=None)
    assert ingest_batch(sent=agent.sent[1], now=NOW)["seq"] == 2


def test_another_key_works_at_once_and_the_old_one_no_more(agent: FakeAgent) -> None:
    key = Ed25519PrivateKey.generate()
    Node.objects.update(public_key=key.public_key().public_bytes_raw())
    new = FakeAgent(agent.node, key, agent.seq, agent.prev_hash)
    with pytest.raises(SignatureInvalid):
        ship(agent)
    assert ship(new)["seq"] == 2
    assert seqs() == [1, 2]


def test_receipt_never_falls_along_a_chain(agent: FakeAgent) -> None:
    agent.ship(column(meter(), [2], [NOON_MS + 20_000], first_seq=2), now=NOW - timedelta(hours=1))
    assert set(Batch.objects.values_list("received_at", flat=True)) == {NOW}
    assert NodeCursor.objects.get().last_received_at == NOW


def test_the_least_used_chains_are_forgotten(agent: FakeAgent) -> None:
    chains, chain = KnownChains(limit=2), remembered(agent)
    ids = [uuid4() for _ in range(3)]
    for node_id in ids[:2]:
        chains.keep(replace(chain, node_id=node_id))
    assert chains.get(ids[0]) is not None
    chains.keep(replace(chain, node_id=ids[2]))
    assert [chains.get(node_id) is not None for node_id in ids] == [True, False, True]
    chains.forget(ids[0])
    assert chains.get(ids[0]) is None


@pytest.mark.django_db(transaction=True)
def test_a_kept_connection_that_the_database_closed_is_replaced(cast: Cast) -> None:
    agent = make_agent(cast.provider)
    ship(agent)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        pid = cursor.fetchone()[0]
    other = connection.copy()
    with other.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
    other.close()
    assert ship(agent)["seq"] == 2
    assert sum(IngestCount.objects.filter(kind="batch").values_list("count", flat=True)) == 2

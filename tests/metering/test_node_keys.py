"""Another key for a node, and going on after a loss: the same node, its history verifiable, the break on record."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from clusters.enrolment import PublicKeyMalformed, PublicKeyTaken, enrol, issue_token, revoke
from clusters.models import Node, NodeKey
from metering.ingest import Malformed, NodeRevoked, NodeUnknown, OutOfChain, Sent, SignatureInvalid, ingest_batch
from metering.models import Batch, UsageGap
from metering.node_keys import rejoin_chain, rotate_key
from metering.signing_keys import key_of_batch
from metering.wire import FIRST_PREV_HASH, sign, verify
from tenants.models import AuditEntry
from tests.factories import make_cluster
from tests.metering.fleet import NOON, NOON_MS, FakeAgent, column, hours, meter, roll_up
from tests.metering.node_calls import rejoining, rotation

if TYPE_CHECKING:
    from tests.factories import Cast

NOW = NOON + timedelta(hours=12)


@pytest.fixture
def agent(cast: Cast) -> FakeAgent:
    """A node that was enrolled as agents are, with its first key in the history."""
    key = Ed25519PrivateKey.generate()
    token = issue_token(cluster=make_cluster(cast.provider), now=NOON, valid_for=timedelta(hours=1))
    enrolled = enrol(
        secret=token.secret,
        public_key=key.public_key().public_bytes_raw(),
        node_name="gpu-1",
        agent_version="0.1.0",
        now=NOON,
    )
    return FakeAgent(enrolled.node, key)


def read(agent: FakeAgent, seq: int, value: int, epoch: str = "epoch-1") -> dict[str, int]:
    return agent.ship(column(meter(), [value], [NOON_MS + 10_000 * seq], first_seq=seq, epoch=epoch), now=NOW)


def rotated(agent: FakeAgent) -> Ed25519PrivateKey:
    new = Ed25519PrivateKey.generate()
    rotate_key(asking=rotation(str(agent.node.id), agent.key, new), now=NOW)
    return new


def node_of(agent: FakeAgent) -> Node:
    return Node.objects.get(id=agent.node.id)


def test_every_stored_batch_stays_verifiable_with_the_key_of_its_time(agent: FakeAgent) -> None:
    read(agent, 1, 10)
    read(agent, 2, 20)
    agent.key = rotated(agent)
    read(agent, 3, 30)
    unused = rotated(agent)
    agent.key = unused
    agent.key = rotated(agent)
    read(agent, 4, 40)
    assert list(NodeKey.objects.order_by("version").values_list("first_seq", flat=True)) == [1, 3, None, 4]
    for stored in Batch.objects.all():
        key = key_of_batch(node_id=agent.node.id, seq=stored.seq)
        assert key is not None
        assert verify(bytes(key.public_key), bytes(stored.body), stored.signature), stored.seq
    roll_up(node_of(agent))
    assert sum(value for _, _, value in hours(quantity="output")) == 30


def test_a_rotation_whose_answer_was_lost_is_answered_again(agent: FakeAgent) -> None:
    asking = rotation(str(agent.node.id), agent.key, Ed25519PrivateKey.generate())
    first = rotate_key(asking=asking, now=NOW)
    assert rotate_key(asking=asking, now=NOW + timedelta(days=1)) == first
    assert NodeKey.objects.count() == 2
    assert AuditEntry.objects.filter(action="node.key_rotated").count() == 1


def test_the_old_key_signs_nothing_more_and_bytes_under_way_are_taken_with_the_new_one(agent: FakeAgent) -> None:
    read(agent, 1, 10)
    under_way = agent.sent[0]
    old, agent.key = agent.key, rotated(agent)
    with pytest.raises(SignatureInvalid):
        read(FakeAgent(agent.node, old, agent.seq, agent.prev_hash), 2, 20)
    # The acknowledgement of batch 1 was lost: the same bytes, signed anew, are the same batch.
    resent = Sent(under_way.node, under_way.body, "zstd", sign(agent.key, under_way.body))
    assert ingest_batch(sent=resent, now=NOW)["seq"] == 1
    assert read(agent, 2, 20)["accepted"] == 1


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"node": "another"}, Malformed),
        ({"old_key": "QUJD"}, PublicKeyMalformed),
        ({"old_key": "A" * 43 + "="}, Malformed),
        ({"new_key": "?"}, PublicKeyMalformed),
        ({"proof": "QUJD"}, Malformed),
    ],
)
def test_a_wrong_rotation_changes_nothing(agent: FakeAgent, fields: dict[str, str], error: type[Exception]) -> None:
    with pytest.raises(error):
        rotate_key(asking=rotation(str(agent.node.id), agent.key, Ed25519PrivateKey.generate(), **fields), now=NOW)
    assert NodeKey.objects.count() == 1


def test_who_has_not_the_key_rotates_nothing(agent: FakeAgent) -> None:
    stranger = Ed25519PrivateKey.generate()
    with pytest.raises(SignatureInvalid):
        rotate_key(asking=rotation(str(agent.node.id), stranger, stranger), now=NOW)
    for nobody in ("", "none", "0190f5c0-0000-7000-8000-000000000000"):
        with pytest.raises(NodeUnknown):
            rotate_key(asking=rotation(nobody, stranger, stranger), now=NOW)


def test_a_key_that_was_registered_before_is_never_taken_again(agent: FakeAgent) -> None:
    first = agent.key
    agent.key = rotated(agent)
    with pytest.raises(PublicKeyTaken):
        rotate_key(asking=rotation(str(agent.node.id), agent.key, first), now=NOW)


def test_a_revoked_node_is_refused_until_it_is_enrolled_again(cast: Cast, agent: FakeAgent) -> None:
    read(agent, 1, 10)
    assert revoke(node=agent.node, now=NOW, actor="petra")
    with pytest.raises(NodeRevoked):
        read(FakeAgent(agent.node, agent.key, agent.seq, agent.prev_hash), 2, 20)
    with pytest.raises(NodeRevoked):
        rotate_key(asking=rotation(str(agent.node.id), agent.key, Ed25519PrivateKey.generate()), now=NOW)
    with pytest.raises(NodeRevoked):
        rejoin_chain(asking=rejoining(str(agent.node.id), agent.key, agent.prev_hash), now=NOW)
    token = issue_token(cluster=agent.node.cluster, now=NOW, valid_for=timedelta(hours=1))
    agent.key = Ed25519PrivateKey.generate()
    again = enrol(
        secret=token.secret,
        public_key=agent.key.public_key().public_bytes_raw(),
        node_name="gpu-1",
        agent_version="0.1.0",
        now=NOW,
    )
    assert (again.node, again.continued) == (agent.node, True)
    # Its spool was kept: the chain simply goes on under the new key.
    assert read(agent, 2, 20)["accepted"] == 1
    key = key_of_batch(node_id=agent.node.id, seq=2)
    assert key is not None
    assert (key.version, key.origin) == (2, "enrolled_again")


def test_a_node_that_lost_its_spool_goes_on_with_the_break_on_record_and_no_token_lost(agent: FakeAgent) -> None:
    for seq, value in ((1, 100), (2, 250), (3, 300)):
        read(agent, seq, value)
    lost = FakeAgent(agent.node, agent.key)
    with pytest.raises(OutOfChain) as refused:
        rejoin_chain(asking=rejoining(str(agent.node.id), agent.key, FIRST_PREV_HASH), now=NOW)
    assert refused.value.extra == {"expected_seq": 4, "expected_prev_hash": agent.prev_hash}
    asking = rejoining(str(agent.node.id), agent.key, agent.prev_hash)
    end = rejoin_chain(asking=asking, now=NOW)
    assert rejoin_chain(asking=asking, now=NOW + timedelta(seconds=5)) == end
    assert (end.next_seq, end.prev_hash, end.next_reading_seq) == (4, agent.prev_hash, 4)
    gap = UsageGap.objects.get(reason="chain_rejoined")
    assert (gap.from_at, gap.to_at) == (NOON + timedelta(seconds=30), NOW)
    assert "the spool was lost" in gap.detail
    assert AuditEntry.objects.filter(action="node.chain_rejoined").count() == 1
    lost.seq, lost.prev_hash = end.next_seq - 1, end.prev_hash
    # The readings 4 to 9 were in the lost spool; the register carries what they held.
    answer = read(lost, 10, 900)
    assert (answer["accepted"], answer["duplicates"], answer["conflicts"]) == (1, 0, 0)
    roll_up(node_of(agent))
    assert sum(value for _, _, value in hours(quantity="output")) == 800


def test_a_copy_of_an_earlier_call_does_nothing_once_the_chain_went_on(agent: FakeAgent) -> None:
    read(agent, 1, 10)
    asking = rejoining(str(agent.node.id), agent.key, agent.prev_hash)
    rejoin_chain(asking=asking, now=NOW)
    read(agent, 2, 20)
    with pytest.raises(OutOfChain):
        rejoin_chain(asking=asking, now=NOW)
    assert UsageGap.objects.filter(reason="chain_rejoined").count() == 1


def test_a_chain_that_never_began_has_no_break(agent: FakeAgent) -> None:
    end = rejoin_chain(asking=rejoining(str(agent.node.id), agent.key, FIRST_PREV_HASH), now=NOW)
    assert (end.next_seq, end.prev_hash, end.next_reading_seq) == (1, FIRST_PREV_HASH, 1)
    assert not UsageGap.objects.exists()


def test_a_rejoining_that_is_not_the_nodes_own_is_refused(agent: FakeAgent) -> None:
    read(agent, 1, 10)
    with pytest.raises(SignatureInvalid):
        rejoin_chain(asking=rejoining(str(agent.node.id), Ed25519PrivateKey.generate(), agent.prev_hash), now=NOW)
    asking = rejoining(str(agent.node.id), agent.key, "no hash")
    with pytest.raises(Malformed):
        rejoin_chain(asking=asking, now=NOW)
    assert not UsageGap.objects.exists()

"""Enrolment: a token is good for one key, once, in time."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.db import DatabaseError, connection, transaction

from clusters.enrolment import (
    Enrolled,
    IssuedToken,
    KeyWasRevoked,
    NodeNameTaken,
    PublicKeyMalformed,
    PublicKeyTaken,
    TokenExpired,
    TokenUnknown,
    TokenUsed,
    enrol,
    issue_token,
    read_public_key,
    revoke,
)
from clusters.models import Cluster, EnrolmentToken, Node, NodeKey
from tenants.models import AuditEntry
from tests.factories import EPOCH, make_cluster, make_node
from tests.kept import kept

if TYPE_CHECKING:
    from tests.factories import Cast

NOW = EPOCH + timedelta(days=1)
KEY, OTHER_KEY = b"\1" * 32, b"\2" * 32


@kept
def cluster(cast: Cast) -> Cluster:
    return make_cluster(cast.provider)


def token(cluster: Cluster) -> IssuedToken:
    return issue_token(cluster=cluster, now=NOW, valid_for=timedelta(hours=1), actor="petra@example.com")


def use(issued: IssuedToken, *, key: bytes = KEY, name: str = "gpu-1", minutes: int = 1) -> Enrolled:
    return enrol(
        secret=issued.secret,
        public_key=key,
        node_name=name,
        agent_version="0.1.0",
        now=NOW + timedelta(minutes=minutes),
    )


def test_only_the_hash_of_a_token_is_kept(cluster: Cluster) -> None:
    issued = token(cluster)
    stored = EnrolmentToken.objects.get()
    assert bytes(stored.secret_sha256) == hashlib.sha256(issued.secret.encode()).digest()
    assert issued.secret not in repr(issued)
    entry = AuditEntry.objects.get(action="enrolment_token.issued")
    assert (entry.organization, entry.actor) == (cluster.provider, "petra@example.com")
    assert issued.secret not in str(entry.after)


def test_a_token_enrols_a_node_and_leaves_a_trace(cluster: Cluster) -> None:
    enrolled = use(token(cluster))
    assert enrolled.created
    node = Node.objects.get()
    assert (bytes(node.public_key or b""), node.name, node.cluster, node.agent_version) == (
        KEY,
        "gpu-1",
        cluster,
        "0.1.0",
    )
    assert node.enrolled_at == NOW + timedelta(minutes=1)
    assert EnrolmentToken.objects.get().node == node
    assert AuditEntry.objects.get(action="node.enrolled").subject == str(node.id)


def test_the_same_call_again_gives_the_same_node_even_after_the_tokens_end(cluster: Cluster) -> None:
    issued = token(cluster)
    first = use(issued)
    again = use(issued, minutes=600)
    assert (again.node, again.created) == (first.node, False)
    assert Node.objects.count() == 1
    assert AuditEntry.objects.filter(action="node.enrolled").count() == 1


def test_a_used_token_takes_no_other_key(cluster: Cluster) -> None:
    issued = token(cluster)
    use(issued)
    with pytest.raises(TokenUsed):
        use(issued, key=OTHER_KEY)


@pytest.mark.parametrize("minutes", [60, 61])
def test_an_expired_token_enrols_nobody(cluster: Cluster, minutes: int) -> None:
    issued = token(cluster)
    with pytest.raises(TokenExpired):
        use(issued, minutes=minutes)
    assert not Node.objects.exists()


@pytest.mark.parametrize("secret", ["", "fe_", "fe_guess", "é", "\ud800"])
def test_an_unknown_token_enrols_nobody(cluster: Cluster, secret: str) -> None:
    with pytest.raises(TokenUnknown):
        enrol(secret=secret, public_key=KEY, node_name="gpu-1", agent_version="0.1.0", now=NOW)


def test_a_name_with_another_key_is_taken_and_the_token_stays_good(cluster: Cluster) -> None:
    use(token(cluster))
    issued = token(cluster)
    with pytest.raises(NodeNameTaken):
        use(issued, key=OTHER_KEY)
    assert use(issued, key=OTHER_KEY, name="gpu-2").created


def test_names_are_per_cluster(cast: Cast, cluster: Cluster) -> None:
    use(token(cluster))
    other = make_cluster(cast.outsider, "other")
    assert use(token(other), key=OTHER_KEY).node.cluster == other


def test_a_key_belongs_to_one_node(cast: Cast, cluster: Cluster) -> None:
    use(token(cluster))
    with pytest.raises(PublicKeyTaken):
        use(token(make_cluster(cast.outsider, "other")), name="gpu-2")


def test_a_node_known_by_inventory_gets_its_key(cluster: Cluster) -> None:
    node = make_node(cluster, "gpu-1")
    enrolled = use(token(cluster))
    assert enrolled.node == node
    assert Node.objects.get().enrolled_at == NOW + timedelta(minutes=1)


@pytest.mark.parametrize("key", [b"", b"\1" * 31, b"\1" * 33])
def test_a_key_of_another_length_is_refused(cluster: Cluster, key: bytes) -> None:
    with pytest.raises(PublicKeyMalformed):
        use(token(cluster), key=key)


def test_a_key_is_read_from_base64() -> None:
    assert read_public_key("AQEBAQ==") == b"\1\1\1\1"
    for wrong in ("", "?", "A", "é"):
        if wrong:
            with pytest.raises(PublicKeyMalformed):
                read_public_key(wrong)


def test_a_long_name_is_fitted(cluster: Cluster) -> None:
    assert len(use(token(cluster), name="n" * 500).node.name) == 200


@pytest.mark.django_db(transaction=True)
def test_one_token_used_by_two_keys_at_once_enrols_one(cast: Cast) -> None:
    issued = token(make_cluster(cast.provider))

    def attempt(number: int) -> bytes | None:
        key = bytes([number]) * 32
        try:
            use(issued, key=key)
        except TokenUsed:
            return None
        finally:
            connection.close()
        return key

    with ThreadPoolExecutor(6) as pool:
        winners = [key for key in pool.map(attempt, range(1, 7)) if key]
    assert len(winners) == 1
    assert bytes(Node.objects.get().public_key or b"") == winners[0]


@pytest.mark.django_db(transaction=True)
def test_two_tokens_for_one_name_at_once_enrol_one(cast: Cast) -> None:
    cluster = make_cluster(cast.provider)
    issued = [token(cluster) for _ in range(4)]

    def attempt(number: int) -> bool:
        try:
            return use(issued[number], key=bytes([number + 1]) * 32).created
        except NodeNameTaken:
            return False
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(attempt, range(4))) == 1
    assert Node.objects.count() == 1


def test_a_token_for_a_node_gives_it_a_new_key_and_keeps_the_old_one_in_its_history(cluster: Cluster) -> None:
    first = use(token(cluster)).node
    issued = issue_token(cluster=cluster, now=NOW, valid_for=timedelta(hours=1), for_node=first)
    again = use(issued, key=OTHER_KEY, name="whatever")
    assert (again.node, again.created, again.continued) == (first, True, True)
    assert use(issued, key=OTHER_KEY) == Enrolled(again.node, created=False, continued=True)
    node = Node.objects.get()
    assert (node.name, bytes(node.public_key or b""), node.key_version) == ("gpu-1", OTHER_KEY, 2)
    assert node.enrolled_at == NOW + timedelta(minutes=1)
    history = [(key.version, bytes(key.public_key), key.origin, key.first_seq) for key in node.keys.order_by("version")]
    assert history == [(1, KEY, "enrolled", 1), (2, OTHER_KEY, "enrolled_again", None)]


def test_a_key_of_the_history_never_comes_back(cast: Cast, cluster: Cluster) -> None:
    node = use(token(cluster)).node
    for_node = issue_token(cluster=cluster, now=NOW, valid_for=timedelta(hours=1), for_node=node)
    with pytest.raises(KeyWasRevoked):
        use(for_node)
    use(for_node, key=OTHER_KEY)
    with pytest.raises(PublicKeyTaken):
        use(token(make_cluster(cast.outsider, "other")))


def test_a_revoked_node_is_enrolled_again_by_a_token_of_its_cluster(cluster: Cluster) -> None:
    node = use(token(cluster)).node
    assert revoke(node=node, now=NOW, actor="petra@example.com", reason="stolen")
    assert not revoke(node=node, now=NOW, actor="petra@example.com")
    assert Node.objects.get().revoked_at == NOW
    assert AuditEntry.objects.get(action="node.revoked").actor == "petra@example.com"
    with pytest.raises(KeyWasRevoked):
        use(token(cluster))
    assert use(token(cluster), key=OTHER_KEY).continued
    assert Node.objects.get().revoked_at is None


def test_a_node_without_a_key_has_none_to_revoke(cluster: Cluster) -> None:
    assert not revoke(node=make_node(cluster), now=NOW, actor="petra@example.com")


@pytest.mark.parametrize(
    "change",
    [
        "DELETE FROM clusters_nodekey",
        "UPDATE clusters_nodekey SET public_key = '\\x00'",
        "UPDATE clusters_nodekey SET first_seq = 7 WHERE version = 1",
        "UPDATE clusters_nodekey SET first_seq = 7, version = 9 WHERE version = 2",
    ],
)
def test_the_database_keeps_the_history_of_keys(cluster: Cluster, change: str) -> None:
    node = use(token(cluster)).node
    use(issue_token(cluster=cluster, now=NOW, valid_for=timedelta(hours=1), for_node=node), key=OTHER_KEY)
    with pytest.raises(DatabaseError, match="refused"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(change)
    assert NodeKey.objects.filter(version=2, first_seq=None).update(first_seq=7) == 1

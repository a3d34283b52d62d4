"""Which key signed which batch: filled in once, when the key signs for the first time."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from clusters.models import KeyOrigin, Node, NodeKey
from metering.models import NodeCursor
from metering.signing_keys import adopt_key, key_of_batch
from tests.factories import EPOCH, make_cluster, make_node

if TYPE_CHECKING:
    from tests.factories import Cast


def make_keys(node: Node, first_seqs: list[int | None]) -> None:
    for version, first_seq in enumerate(first_seqs, 1):
        NodeKey.objects.create(
            node=node,
            version=version,
            public_key=bytes([version]) * 32,
            origin=KeyOrigin.ROTATED,
            first_seq=first_seq,
            added_at=EPOCH + timedelta(days=version),
        )


def version_at(node: Node, seq: int) -> int | None:
    key = key_of_batch(node_id=node.id, seq=seq)
    return key.version if key is not None else None


def test_the_key_of_a_batch_is_the_latest_that_had_signed_by_then(cast: Cast) -> None:
    node = make_node(make_cluster(cast.provider), "", b"\4" * 32)
    make_keys(node, [1, 5, None, 9])
    assert [version_at(node, seq) for seq in (1, 4, 5, 8, 9, 100)] == [1, 1, 2, 2, 4, 4]
    other = make_node(make_cluster(cast.outsider, "other"), "", b"\5" * 32)
    assert version_at(other, 1) is None


def test_a_key_that_replaced_another_before_any_batch_is_the_first(cast: Cast) -> None:
    node = make_node(make_cluster(cast.provider), "", b"\2" * 32)
    make_keys(node, [1, 1])
    assert version_at(node, 1) == 2


def test_a_key_is_adopted_once_and_only_while_it_is_in_force(cast: Cast) -> None:
    node = make_node(make_cluster(cast.provider), "", b"\2" * 32)
    make_keys(node, [1, None])
    Node.objects.filter(id=node.id).update(key_version=2)
    stale, fresh = Node.objects.get(id=node.id), Node.objects.get(id=node.id)
    stale.key_version = 1
    cursor = NodeCursor.objects.get(node=node)
    assert not adopt_key(node=stale, cursor=cursor, seq=3)
    assert adopt_key(node=fresh, cursor=cursor, seq=3)
    assert (cursor.key_version, NodeCursor.objects.get(node=node).key_version) == (2, 2)
    assert NodeKey.objects.get(version=2).first_seq == 3
    assert adopt_key(node=fresh, cursor=cursor, seq=4)
    assert NodeKey.objects.get(version=2).first_seq == 3

"""Which of a node's keys signed which batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db.models import F

from clusters.models import Node, NodeKey
from metering.models import NodeCursor

if TYPE_CHECKING:
    from uuid import UUID


def adopt_key(*, node: Node, cursor: NodeCursor, seq: int) -> bool:
    """Note that batch `seq` is the first that the node's key in force signed.

    False if that is no longer the key: it was changed between verifying the batch and this call. Must run in the
    transaction that holds the node's cursor.
    """
    if not Node.objects.filter(id=node.id, key_version=node.key_version).exists():
        return False
    NodeKey.objects.filter(node_id=node.id, version=node.key_version, first_seq=None).update(first_seq=seq)
    NodeCursor.objects.filter(node_id=node.id).update(key_version=node.key_version)
    cursor.key_version = node.key_version
    return True


def key_of_batch(*, node_id: UUID, seq: int) -> NodeKey | None:
    """Return the key that verifies the stored batch `seq` of a node; None for a node that keeps no history."""
    return (
        NodeKey.objects.filter(node_id=node_id, first_seq__lte=seq)
        .order_by(F("first_seq").desc(), F("version").desc())
        .first()
    )

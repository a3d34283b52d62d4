"""Whose collector a call is: one of each API key and of the keys that it is rotated to, with a node of its own.

Its key pair is derived from this server's secret. It ends with its last API key, or when its node is revoked.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.db import connection

from clusters.enrolment import enrol, issue_token, put_key, revoke
from clusters.models import Cluster, KeyOrigin, NodeKey
from metering.compat.models import Collector
from metering.fleet import SEALED_BY_SERVER
from metering.models import NodeCursor, RollupCursor
from tenants.models import ApiKey
from tenants.problems import Problem

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

FIRST_LOOK_BACK: Final = timedelta(hours=1)
"""What provably began within this time before a collector's first call, and after its key, counts from zero."""

# The nearest of the keys that a key was rotated from, itself too, that has a collector.
OWNER: Final = """
    WITH RECURSIVE family (id, rotated_from_id, steps) AS (
        SELECT id, rotated_from_id, 0 FROM tenants_apikey WHERE id = %s
        UNION ALL
        SELECT key.id, key.rotated_from_id, steps + 1
        FROM tenants_apikey key JOIN family ON key.id = family.rotated_from_id
    )
    SELECT family.id FROM family JOIN metering_collector ON api_key_id = family.id ORDER BY steps LIMIT 1
"""
# Collectors in use of whose keys, those that they were rotated to included, none can be used.
OVER: Final = """
    WITH RECURSIVE family (collector, id, expires_at, revoked_at) AS (
        SELECT key.id, key.id, key.expires_at, key.revoked_at
        FROM metering_collector
        JOIN clusters_node node ON node.id = node_id AND node.revoked_at IS NULL
        JOIN tenants_apikey key ON key.id = api_key_id
        UNION ALL
        SELECT collector, key.id, key.expires_at, key.revoked_at
        FROM tenants_apikey key JOIN family ON key.rotated_from_id = family.id
    )
    SELECT collector FROM family GROUP BY collector
    HAVING bool_and(revoked_at IS NOT NULL OR coalesce(expires_at <= %s, false))
"""


class ClusterUnknown(Problem):
    """It is not known which of the organization's clusters a collector's readings belong to."""

    status = 400
    code = "collector_cluster_unknown"
    title = "The collector's cluster is not known"


class CollectorRevoked(Problem):
    """The provider revoked the collector's node; its API key does not bring it back."""

    status = 403
    code = "collector_revoked"
    title = "The collector was revoked"


def locked_collector(*, key: ApiKey, cluster: str, now: datetime) -> tuple[Collector, Ed25519PrivateKey]:
    """Return the collector of a key and what seals its batches; nobody else works on it until the transaction ends.

    It is made at the first call of the key, or of the key that this one was rotated from: a successor goes on with the
    same targets. Raises ClusterUnknown, CollectorRevoked.
    """
    found = _found(key)
    if found is None:
        # Two first calls at once take turns at the key.
        ApiKey.objects.select_for_update().get(id=key.id)
        found = _found(key)
    if found is None:
        found = _make_collector(key, _private_key(key.id), cluster, now)
    if found.node.revoked_at is not None:
        at = f"{found.node.revoked_at:%Y-%m-%dT%H:%M:%SZ}"
        raise CollectorRevoked(f"{found.node.name} was revoked at {at}. Make another API key; it is a new collector.")
    private = _private_key(found.api_key_id)
    public = private.public_key().public_bytes_raw()
    if bytes(found.node.public_key or b"") != public:
        if NodeKey.objects.filter(public_key=public).exists():
            raise CollectorRevoked(
                f"{found.node.name} has another key in force. Make another API key for the collector."
            )
        # The server's secret was changed: the old key's batches stay verifiable, this one signs from now on.
        found.node.key_version += 1
        put_key(node=found.node, public_key=public, origin=KeyOrigin.ENROLLED_AGAIN, now=now)
        found.node.save(update_fields=["public_key", "key_version"])
    return found, private


def retire_collectors(*, now: datetime) -> int:
    """Revoke the nodes of collectors whose keys are all over, so that nothing is expected of them; return how many."""
    with connection.cursor() as cursor:
        cursor.execute(OVER, [now])
        over = [key_id for (key_id,) in cursor.fetchall()]
    retired = 0
    for collector in Collector.objects.filter(api_key_id__in=over).select_related("node").order_by("node_id"):
        retired += revoke(
            node=collector.node, now=now, actor="collector", reason="Its API keys are revoked or expired."
        )
    return retired


def _found(key: ApiKey) -> Collector | None:
    owner = key.id
    if key.rotated_from_id is not None:
        with connection.cursor() as cursor:
            cursor.execute(OWNER, [key.id])
            owner = next((found for (found,) in cursor.fetchall()), key.id)
    rows = Collector.objects.select_for_update(of=("self",)).select_related("node")
    return rows.filter(api_key_id=owner).first()


def _make_collector(key: ApiKey, private: Ed25519PrivateKey, cluster: str, now: datetime) -> Collector:
    chosen = _cluster_of(key, cluster)
    token = issue_token(cluster=chosen, now=now, valid_for=FIRST_LOOK_BACK, actor=f"API key {key.prefix}…")
    enrolled = enrol(
        secret=token.secret,
        public_key=private.public_key().public_bytes_raw(),
        node_name=f"collector {key.prefix}",
        agent_version=SEALED_BY_SERVER,
        now=now,
    )
    created_at = max(key.created_at, now - FIRST_LOOK_BACK)
    node = enrolled.node
    node.enrolled_at = created_at
    node.save(update_fields=["enrolled_at"])
    NodeCursor.objects.update_or_create(node=node, defaults={"metered_to_at": created_at})
    RollupCursor.objects.get_or_create(node=node)
    return Collector.objects.create(api_key=key, node=node, created_at=created_at)


def _cluster_of(key: ApiKey, slug: str) -> Cluster:
    clusters = Cluster.objects.filter(provider=key.organization).order_by("slug")
    found = list(clusters.filter(slug=slug) if slug else clusters[:2])
    if len(found) != 1:
        slugs = ", ".join(clusters.values_list("slug", flat=True)[:20])
        if not slugs:
            raise ClusterUnknown("Your organization has no cluster: this must be called with a key of its provider.")
        raise ClusterUnknown(f"Add ?cluster=… to the address; your clusters are: {slugs}.")
    return found[0]


def _private_key(key_id: UUID) -> Ed25519PrivateKey:
    """Derive the collector's key from the server's secret: it is stored nowhere, and another for each API key."""
    info = b"forecourt collector " + key_id.bytes
    derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(settings.SECRET_KEY.encode())
    return Ed25519PrivateKey.from_private_bytes(derived)

"""Enrolment: a one-time token lets an agent register its node's public key, once.

A token for one named node gives that node a new key and lets it go on; so does a cluster's token for a node whose
key was revoked. The old keys stay in `NodeKey`, since they prove what was shipped before.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from django.db import transaction

from clusters.models import Cluster, EnrolmentToken, KeyOrigin, Node, NodeKey
from clusters.naming import fitted
from tenants.models import AuditEntry
from tenants.problems import Problem

if TYPE_CHECKING:
    from datetime import datetime, timedelta

TOKEN_PREFIX: Final = "fe_"  # noqa: S105  marks a token, is none
TOKEN_BYTES: Final = 32
PUBLIC_KEY_BYTES: Final = 32
NODE_NAME_CHARS_MAX: Final = 200


class TokenUnknown(Problem):
    """No token has this secret."""

    status = 403
    code = "token_unknown"
    title = "The enrolment token is unknown"


class TokenUsed(Problem):
    """The token enrolled another key already."""

    status = 403
    code = "token_used"
    title = "The enrolment token was used"


class TokenExpired(Problem):
    """The token was not used in time."""

    status = 403
    code = "token_expired"
    title = "The enrolment token expired"


class NodeNameTaken(Problem):
    """Another node of the cluster has this name and its own key."""

    status = 409
    code = "node_name_taken"
    title = "The node name is taken"


class PublicKeyTaken(Problem):
    """The key belongs to another node already."""

    status = 409
    code = "public_key_taken"
    title = "The public key belongs to another node"


class KeyWasRevoked(Problem):
    """The key was this node's before; a revoked or replaced key never comes back."""

    status = 409
    code = "key_was_revoked"
    title = "The key cannot be used again"


class PublicKeyMalformed(Problem):
    """The public key is not what an agent makes."""

    status = 400
    code = "bad_request"
    title = "The request cannot be carried out"


@dataclass(frozen=True)
class IssuedToken:
    """A new token with its secret, which nobody can read again."""

    token: EnrolmentToken
    secret: str = field(repr=False)


@dataclass(frozen=True)
class Enrolled:
    """The node that a key stands for now.

    `created` is false where the same call was answered before; `continued` is true for a node that was enrolled
    before with another key, whose chain of batches goes on.
    """

    node: Node
    created: bool
    continued: bool = False


def issue_token(
    *, cluster: Cluster, now: datetime, valid_for: timedelta, actor: str = "system", for_node: Node | None = None
) -> IssuedToken:
    """Make a token that enrols one node of `cluster` within `valid_for`: a new one, or `for_node` again."""
    assert for_node is None or for_node.cluster_id == cluster.id
    secret = TOKEN_PREFIX + secrets.token_urlsafe(TOKEN_BYTES)
    with transaction.atomic():
        token = EnrolmentToken.objects.create(
            cluster=cluster,
            secret_sha256=_digest(secret),
            created_at=now,
            expires_at=now + valid_for,
            for_node=for_node,
        )
        AuditEntry.objects.create(
            organization_id=cluster.provider_id,
            actor=actor,
            action="enrolment_token.issued",
            subject=str(token.id),
            after={
                "cluster": cluster.slug,
                "expires_at": token.expires_at.isoformat(),
                **({"node": for_node.name} if for_node else {}),
            },
            at=now,
        )
    return IssuedToken(token, secret)


def enrol(*, secret: str, public_key: bytes, node_name: str, agent_version: str, now: datetime) -> Enrolled:
    """Register `public_key` (32 raw Ed25519 bytes) for a node of the token's cluster.

    The same token with the same key gives the same node again, also after the token's end. Raises
    TokenUnknown, TokenUsed, TokenExpired, NodeNameTaken, PublicKeyTaken, KeyWasRevoked, PublicKeyMalformed.
    """
    if len(public_key) != PUBLIC_KEY_BYTES:
        raise PublicKeyMalformed(
            f"public_key has {len(public_key)} bytes; expected {PUBLIC_KEY_BYTES}", field="public_key"
        )
    with transaction.atomic():
        # No join: after waiting for the lock its rows would still be those of before.
        token = EnrolmentToken.objects.select_for_update().filter(secret_sha256=_digest(secret)).first()
        if token is None:
            raise TokenUnknown("No enrolment token has this secret; ask the provider for a new one.")
        if token.node is not None:
            if bytes(token.node.public_key or b"") == public_key:
                return Enrolled(token.node, created=False, continued=token.node.key_version > 1)
            raise TokenUsed("This token enrolled another key; a node needs a token of its own.")
        if now >= token.expires_at:
            raise TokenExpired(f"This token expired at {token.expires_at.isoformat()}.")
        node = _register(token, public_key, node_name, agent_version, now)
        token.node, token.used_at = node, now
        token.save(update_fields=["node", "used_at"])
        AuditEntry.objects.create(
            organization_id=token.cluster.provider_id,
            actor=fitted(f"token {token.id}", 200),
            action="node.enrolled",
            subject=str(node.id),
            after={
                "node": node.name,
                "cluster": token.cluster.slug,
                "agent_version": agent_version,
                "key_version": node.key_version,
            },
            at=now,
        )
    return Enrolled(node, created=True, continued=node.key_version > 1)


def read_public_key(text: str) -> bytes:
    """Decode the base64 of a public key as it is sent. Raises PublicKeyMalformed."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as broken:
        raise PublicKeyMalformed("public_key is not base64 of 32 bytes", field="public_key") from broken


def revoke(*, node: Node, now: datetime, actor: str, reason: str = "") -> bool:
    """Accept nothing more that the node's key signs, until it is enrolled again; False if it was revoked already.

    What it shipped before stands, and stays verifiable.
    """
    with transaction.atomic():
        locked = Node.objects.select_for_update().get(id=node.id)
        if locked.revoked_at is not None or locked.public_key is None:
            return False
        locked.revoked_at = now
        locked.save(update_fields=["revoked_at"])
        AuditEntry.objects.create(
            organization_id=locked.cluster.provider_id,
            actor=actor,
            action="node.revoked",
            subject=str(locked.id),
            after={"node": locked.name, "key_version": locked.key_version, "reason": reason[:200]},
            at=now,
        )
    return True


def _register(token: EnrolmentToken, public_key: bytes, node_name: str, agent_version: str, now: datetime) -> Node:
    """Return the node that the token is for, or the cluster's node of that name, with the key in force."""
    cluster = token.cluster
    name = fitted(node_name, NODE_NAME_CHARS_MAX)
    # Two tokens used at once for one name or key: the cluster's row makes them take turns.
    Cluster.objects.select_for_update().get(id=cluster.id)
    nodes = Node.objects.select_for_update()
    node = nodes.get(id=token.for_node_id) if token.for_node_id else nodes.filter(cluster=cluster, name=name).first()
    _refuse_known_key(public_key, node)
    if node is None:
        node = Node.objects.create(cluster=cluster, name=name, created_at=now)
    if node.public_key is not None:
        if token.for_node_id is None and node.revoked_at is None:
            raise NodeNameTaken(
                f"A node named {name!r} is enrolled in {cluster.slug} with another key; a token for that node gives it "
                "a new one.",
                field="node_name",
            )
        node.key_version += 1
    put_key(node=node, public_key=public_key, origin=_origin(node), now=now)
    node.agent_version, node.enrolled_at, node.revoked_at = agent_version[:32], node.enrolled_at or now, None
    node.save(update_fields=["public_key", "key_version", "agent_version", "enrolled_at", "revoked_at"])
    return node


def _origin(node: Node) -> KeyOrigin:
    return KeyOrigin.ENROLLED if node.key_version == 1 else KeyOrigin.ENROLLED_AGAIN


def _refuse_known_key(public_key: bytes, node: Node | None) -> None:
    known = NodeKey.objects.filter(public_key=public_key).first()
    if known is not None and node is not None and known.node_id == node.id:
        raise KeyWasRevoked("The node had this key before; make a new one.", field="public_key")
    if known is not None or Node.objects.filter(public_key=public_key).exists():
        raise PublicKeyTaken("Another node has this public key; a node makes its own.", field="public_key")


def put_key(
    *, node: Node, public_key: bytes, origin: KeyOrigin, now: datetime, statement: bytes = b"", signature: str = ""
) -> None:
    """Store a key under the node's `key_version` and put it in force; the caller holds the row and saves it.

    Which batch it signed first is filled in when that comes, except for a node's first key.
    """
    NodeKey.objects.create(
        node=node,
        version=node.key_version,
        public_key=public_key,
        origin=origin,
        first_seq=1 if node.key_version == 1 else None,
        added_at=now,
        statement=statement,
        signature=signature,
    )
    node.public_key = public_key


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()

"""Enrolment: a one-time token lets an agent register its node's public key, once."""

from __future__ import annotations

import base64
import binascii
import hashlib
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from django.db import transaction

from clusters.models import Cluster, EnrolmentToken, Node
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
    """The node that a key stands for now; `created` is false where the same call was answered before."""

    node: Node
    created: bool


def issue_token(*, cluster: Cluster, now: datetime, valid_for: timedelta, actor: str = "system") -> IssuedToken:
    """Make a token that enrols one node of `cluster` within `valid_for`."""
    secret = TOKEN_PREFIX + secrets.token_urlsafe(TOKEN_BYTES)
    with transaction.atomic():
        token = EnrolmentToken.objects.create(
            cluster=cluster, secret_sha256=_digest(secret), created_at=now, expires_at=now + valid_for
        )
        AuditEntry.objects.create(
            organization_id=cluster.provider_id,
            actor=actor,
            action="enrolment_token.issued",
            subject=str(token.id),
            after={"cluster": cluster.slug, "expires_at": token.expires_at.isoformat()},
            at=now,
        )
    return IssuedToken(token, secret)


def enrol(*, secret: str, public_key: bytes, node_name: str, agent_version: str, now: datetime) -> Enrolled:
    """Register `public_key` (32 raw Ed25519 bytes) for a node of the token's cluster.

    The same token with the same key gives the same node again, also after the token's end. Raises
    TokenUnknown, TokenUsed, TokenExpired, NodeNameTaken, PublicKeyTaken, PublicKeyMalformed.
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
                return Enrolled(token.node, created=False)
            raise TokenUsed("This token enrolled another key; a node needs a token of its own.")
        if now >= token.expires_at:
            raise TokenExpired(f"This token expired at {token.expires_at.isoformat()}.")
        node = _register(token.cluster, public_key, node_name, agent_version, now)
        token.node, token.used_at = node, now
        token.save(update_fields=["node", "used_at"])
        AuditEntry.objects.create(
            organization_id=token.cluster.provider_id,
            actor=fitted(f"token {token.id}", 200),
            action="node.enrolled",
            subject=str(node.id),
            after={"node": node.name, "cluster": token.cluster.slug, "agent_version": agent_version},
            at=now,
        )
    return Enrolled(node, created=True)


def read_public_key(text: str) -> bytes:
    """Decode the base64 of a public key as it is sent. Raises PublicKeyMalformed."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as broken:
        raise PublicKeyMalformed("public_key is not base64 of 32 bytes", field="public_key") from broken


def _register(cluster: Cluster, public_key: bytes, node_name: str, agent_version: str, now: datetime) -> Node:
    """Return the cluster's node of that name with the key: a new one, or one known by inventory only until now."""
    name = fitted(node_name, NODE_NAME_CHARS_MAX)
    # Two tokens used at once for one name or key: the cluster's row makes them take turns.
    Cluster.objects.select_for_update().get(id=cluster.id)
    if Node.objects.filter(public_key=public_key).exists():
        raise PublicKeyTaken("Another node has this public key; a node makes its own.", field="public_key")
    node = Node.objects.filter(cluster=cluster, name=name).first()
    if node is None:
        return Node.objects.create(
            cluster=cluster,
            name=name,
            public_key=public_key,
            agent_version=agent_version[:32],
            enrolled_at=now,
            created_at=now,
        )
    if node.public_key is not None:
        raise NodeNameTaken(f"A node named {name!r} is enrolled in {cluster.slug} with another key.", field="node_name")
    node.public_key, node.agent_version, node.enrolled_at, node.revoked_at = public_key, agent_version[:32], now, None
    node.save(update_fields=["public_key", "agent_version", "enrolled_at", "revoked_at"])
    return node


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()

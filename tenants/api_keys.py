"""API keys: made once, shown once, kept as a hash, checked in constant time by an index."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from django.db import connection, transaction
from django.db.models import Model, Q

from tenants.models import ApiKey, AuditEntry, Organization
from tenants.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

KEY_PREFIX: Final = "fk_"
KEY_BYTES: Final = 32
SHOWN_CHARACTERS: Final = 10
KEY_CHARACTERS_MAX: Final = 100
LAST_USED_STEP: Final = timedelta(minutes=1)

SCOPES: Final = {
    "usage:read": "read usage, gaps and residuals",
    "events:write": "send usage events",
    "reporting:write": "hand over whose reports bill a deployment",
    "budgets:write": "set budgets, retire them, lift what they stop",
    "invoices:read": "read invoices, their lines and evidence",
    "books:read": "read accounts, trial balances and postings, and export the journal",
    "invoices:write": "approve drafts, say how invoices are issued, try steps again",
    "invoices:correct": "issue credit notes, pay balances out, ask and answer questions about lines",
    "costs:write": "say what clusters cost",
    "contracts:read": "read contracts, their versions and amendments",
    "contracts:write": "draft contracts and amendments, offer, accept, decline and withdraw them",
    "fleet:read": "read clusters, nodes and what is held",
    "fleet:write": "make enrolment tokens, revoke nodes",
    "prices:read": "read price books, their versions, and public prices",
    "revenue:write": "state certified revenue under a share",
    "prices:write": "open price books, publish and announce versions",
    "credits:write": "grant prepaid credit, offer and redeem coupons",
    "bank:write": "take in bank statements, and say what movements were",
    "profile:write": "say how the organization stands on bills and taxes its supplies",
    "webhooks:read": "read webhook endpoints and deliveries",
    "webhooks:write": "add and change webhook endpoints, turn their secrets, send tests and again",
    "leases:write": "ask for quotes, reserve, extend and end leases",
}


class UnknownScope(Problem):
    """A key was asked for with a scope that does not exist."""

    status = 400
    code = "unknown_scope"
    title = "There is no such scope"


@dataclass(frozen=True)
class IssuedKey:
    """A new key with its secret, which nobody can read again."""

    key: ApiKey
    secret: str = field(repr=False)


def issue_key(
    *,
    organization: Organization,
    name: str,
    scopes: Sequence[str],
    actor: str,
    now: datetime,
    expires_at: datetime | None = None,
) -> IssuedKey:
    """Make a key for a program of `organization`. Raises UnknownScope."""
    unknown = sorted(set(scopes) - SCOPES.keys())
    if unknown:
        raise UnknownScope(f"scope {unknown[0]!r} is not one of {', '.join(SCOPES)}", field="scopes")
    secret = KEY_PREFIX + secrets.token_urlsafe(KEY_BYTES)
    with transaction.atomic():
        key = ApiKey.objects.create(
            organization=organization,
            name=name,
            prefix=secret[:SHOWN_CHARACTERS],
            secret_sha256=_digest(secret),
            scopes=sorted(set(scopes)),
            created_at=now,
            expires_at=expires_at,
        )
        AuditEntry.objects.create(
            organization=organization,
            actor=actor,
            action="api_key.issued",
            subject=key.prefix,
            after={"name": name, "scopes": key.scopes},
            at=now,
        )
    return IssuedKey(key, secret)


def revoke_key(*, key_id: UUID, organization: Organization, actor: str, now: datetime) -> bool:
    """Make a key useless from now on; says whether it was usable until now."""
    with transaction.atomic():
        changed = ApiKey.objects.for_org(organization).filter(id=key_id, revoked_at__isnull=True).update(revoked_at=now)
        if changed:
            AuditEntry.objects.create(
                organization=organization, actor=actor, action="api_key.revoked", subject=str(key_id), at=now
            )
    return bool(changed)


def _columns(model: type[Model]) -> list[str]:
    return [str(field.column) for field in model._meta.concrete_fields]


# Asked at every call of the API: building the same query each time takes longer than answering it.
FIND: Final = f"""
    SELECT {", ".join(f"key.{name}" for name in _columns(ApiKey))},
        {", ".join(f"organization.{name}" for name in _columns(Organization))}
    FROM tenants_apikey key JOIN tenants_organization organization ON organization.id = key.organization_id
    WHERE key.secret_sha256 = %s AND key.revoked_at IS NULL AND (key.expires_at IS NULL OR key.expires_at > %s)
"""  # noqa: S608  the names are those of the models


def find_key(secret: str, now: datetime) -> ApiKey | None:
    """Return the usable key that `secret` opens, with its organization; and note that it was used (to the minute)."""
    if not secret.startswith(KEY_PREFIX) or len(secret) > KEY_CHARACTERS_MAX:
        return None
    key = _usable_key(_digest(secret), now)
    if key and (key.last_used_at is None or now - key.last_used_at >= LAST_USED_STEP):
        ApiKey.objects.filter(Q(last_used_at__isnull=True) | Q(last_used_at__lt=now), id=key.id).update(
            last_used_at=now
        )
    return key


def _usable_key(digest: bytes, now: datetime) -> ApiKey | None:
    """Return the key with this digest that is neither revoked nor expired (`ApiKeyQuerySet.usable`)."""
    with connection.cursor() as cursor:
        cursor.execute(FIND, [digest, now])
        row = cursor.fetchone()
    if row is None:
        return None
    names = [field.attname for field in ApiKey._meta.concrete_fields]
    key: ApiKey = ApiKey.from_db(connection.alias, names, row[: len(names)])
    others = [field.attname for field in Organization._meta.concrete_fields]
    key.organization = Organization.from_db(connection.alias, others, row[len(names) :])
    return key


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()

"""API keys: made once, shown once, kept as a hash, checked in constant time by an index."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from django.db import connection, transaction
from django.db.models import Model, Q

from tenants import roles
from tenants.limits.prepared import run_prepared
from tenants.limits.reader import lift, read_for, whole
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
    "reporting:write": "hand over whose reports bill a deployment, say what alerts were",
    "budgets:write": "set budgets, retire them, lift what they stop",
    "invoices:read": "read invoices, their lines and evidence",
    "books:read": "read accounts, trial balances and postings, and export the journal",
    "invoices:write": "approve drafts, say how invoices are issued, try steps again",
    "invoices:correct": "issue credit notes, pay balances out, ask and answer questions about lines",
    "costs:write": "say what clusters cost",
    "contracts:read": "read contracts, their versions and amendments",
    "contracts:write": "draft contracts and amendments, offer, accept, decline and withdraw them",
    "fleet:read": "read clusters, nodes, deployments and what is held",
    "fleet:write": "make clusters, deployments and enrolment tokens, revoke nodes",
    "prices:read": "read price books, their versions, and public prices",
    "revenue:write": "state certified revenue under a share",
    "prices:write": "open price books, publish and announce versions",
    "credits:write": "grant prepaid credit, offer and redeem coupons",
    "bank:write": "take in bank statements, and say what movements were",
    "profile:write": "say how the organization stands on bills and taxes its supplies",
    "webhooks:read": "read webhook endpoints and deliveries",
    "webhooks:write": "add and change webhook endpoints, turn their secrets, send tests and again",
    "projects:write": "make and rename projects, put usage keys into them",
    "leases:write": "ask for quotes, reserve, extend and end leases",
    "organizations:read": "read the own organization, and as the operator every one",
    "organizations:write": "change the own organization; as the operator make, change and keep out others",
    "members:read": "read members and open invitations",
    "members:write": "invite people, change roles and take members out, as an admin may",
    "keys:read": "read API keys, without their secrets",
    "keys:write": "make, change, rotate and revoke API keys with no more scopes than its own",
    "audit:read": "read who did what",
}

SCOPE_NEEDS: Final = {
    "usage:read": roles.READ_USAGE,
    "events:write": roles.READ_USAGE,
    "reporting:write": roles.CORRECT_USAGE,
    "invoices:read": roles.READ_INVOICES,
    "books:read": roles.READ_INVOICES,
    "invoices:write": roles.CORRECT_INVOICES,
    "invoices:correct": roles.CORRECT_INVOICES,
    "costs:write": roles.EDIT_COSTS,
    "contracts:read": roles.READ_CONTRACTS,
    "contracts:write": roles.AGREE_CONTRACTS,
    "fleet:read": roles.READ_FLEET,
    "fleet:write": roles.MANAGE_LEASES,
    "prices:read": roles.READ_PRICES,
    "revenue:write": roles.STATE_REVENUE,
    "prices:write": roles.SET_PRICES,
    "credits:write": roles.CORRECT_INVOICES,
    "bank:write": roles.MATCH_PAYMENTS,
    "budgets:write": roles.MANAGE_BUDGETS,
    "profile:write": roles.EDIT_PROFILE,
    "webhooks:read": roles.MANAGE_HOOKS,
    "webhooks:write": roles.MANAGE_HOOKS,
    "projects:write": roles.MANAGE_PROJECTS,
    "leases:write": roles.MANAGE_LEASES,
    "organizations:read": roles.READ_MEMBERS,
    "organizations:write": roles.EDIT_ORGANIZATION,
    "members:read": roles.READ_MEMBERS,
    "members:write": roles.MANAGE_MEMBERS,
    "keys:read": roles.MANAGE_KEYS,
    "keys:write": roles.MANAGE_KEYS,
    "audit:read": roles.READ_AUDIT,
}
"""What a person's role must allow for them to put a scope into a key: a key never does more than who made it."""


OF_PROVIDERS: Final = frozenset({"costs:write", "fleet:write", "prices:write"})
OF_PROVIDERS_AND_OPERATORS: Final = frozenset({"bank:write", "books:read", "invoices:write"})
"""Scopes of which no operation answers any other organization with more than 404."""


def of_use_to(organization: Organization, scope: str) -> bool:
    """Say whether any operation of a scope answers an organization of this kind with more than 404."""
    if scope in OF_PROVIDERS:
        return organization.is_provider
    return scope not in OF_PROVIDERS_AND_OPERATORS or organization.is_provider or organization.is_operator


class UnknownScope(Problem):
    """A key was asked for with a scope that does not exist."""

    status = 400
    code = "unknown_scope"
    title = "There is no such scope"


class NotFromHere(Problem):
    """The key may be used from certain networks only, and the call came from elsewhere."""

    status = 403
    code = "address_not_allowed"
    title = "The API key may not be used from this address"


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
    networks: Sequence[str] = (),
    rotated_from: ApiKey | None = None,
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
            networks=list(networks),
            created_by=actor,
            rotated_from=rotated_from,
        )
        AuditEntry.objects.create(
            organization=organization,
            actor=actor,
            action="api_key.issued",
            subject=key.prefix,
            after={
                "name": name,
                "scopes": key.scopes,
                "networks": key.networks,
                "expires_at": expires_at.isoformat() if expires_at else None,
            },
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
    WHERE key.secret_sha256 = $1 AND key.revoked_at IS NULL AND (key.expires_at IS NULL OR key.expires_at > $2)
"""  # noqa: S608  the names are those of the models


def find_key(secret: str, now: datetime, address: str = "") -> ApiKey | None:
    """Return the usable key that `secret` opens, with its organization.

    Note that it was used (to the minute), and from which address. The rest of a request then reads the organization's
    rows.
    """
    if not secret.startswith(KEY_PREFIX) or len(secret) > KEY_CHARACTERS_MAX:
        return None
    with whole("a key is looked up by what nobody can guess, before it is known whose it is"):
        key = _usable_key(_digest(secret), now)
        if key and (key.last_used_at is None or now - key.last_used_at >= LAST_USED_STEP):
            ApiKey.objects.filter(Q(last_used_at__isnull=True) | Q(last_used_at__lt=now), id=key.id).update(
                last_used_at=now, last_used_from=_ip(address)
            )
    if key:
        read_for(organization_id=key.organization_id)
        if key.organization.is_operator:
            lift()
    return key


def require_network(key: ApiKey, address: str) -> None:
    """Let a call from an address pass. Raises NotFromHere where the key names networks and none of them has it."""
    if not key.networks:
        return
    seen = _ip(address)
    if seen is None or not any(ipaddress.ip_address(seen) in ipaddress.ip_network(one) for one in key.networks):
        raise NotFromHere(f"This key may be used from {', '.join(key.networks)}, and the call came from {address}.")


def _ip(address: str) -> str | None:
    """Return an address as it is kept and compared: one of IPv4 in IPv6 as itself; None for what is none."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return None
    if isinstance(found, ipaddress.IPv6Address):
        return str(found.ipv4_mapped or ipaddress.IPv6Address(int(found)))
    return str(found)


def _usable_key(digest: bytes, now: datetime) -> ApiKey | None:
    """Return the key with this digest that is neither revoked nor expired (`ApiKeyQuerySet.usable`)."""
    rows = run_prepared(FIND, [digest, now])
    if not rows:
        return None
    (row,) = rows
    names = [field.attname for field in ApiKey._meta.concrete_fields]
    key: ApiKey = ApiKey.from_db(connection.alias, names, row[: len(names)])
    others = [field.attname for field in Organization._meta.concrete_fields]
    key.organization = Organization.from_db(connection.alias, others, row[len(names) :])
    # The index found it by the hash of 256 random bits, which tells nothing by its time; compared again all the same.
    return key if hmac.compare_digest(bytes(key.secret_sha256), digest) else None


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()

"""Making, changing, rotating and revoking API keys: never with more in them than who does it may do themselves."""

from __future__ import annotations

import ipaddress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from django.db import transaction

from tenants.api_keys import SCOPE_NEEDS, SCOPES, IssuedKey, UnknownScope, issue_key, of_use_to
from tenants.models import ApiKey, AuditEntry, Organization
from tenants.problems import Problem
from tenants.roles import MANAGE_ORGANIZATIONS, allows
from tenants.sentences import Listed, sentence

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from uuid import UUID

    from tenants.actors import Actor

KEYS_MAX: Final = 100
NAME_CHARACTERS_MAX: Final = 100
NETWORKS_MAX: Final = 50
OVERLAP: Final = timedelta(hours=24)
OVERLAP_MAX: Final = timedelta(days=30)


class WrongApiKey(Problem):
    """Name, scopes, networks or expiry are not what they must be; `field` names it."""

    status = 422
    code = "wrong_api_key"
    title = "The API key cannot be kept"


class ScopeOutOfReach(Problem):
    """A key would do more than who makes it may do."""

    status = 403
    code = "scope_out_of_reach"
    title = "The scope is beyond the own role or key"


class TooManyKeys(Problem):
    """There are as many keys in use as may be."""

    status = 409
    code = "too_many_keys"
    title = "There are too many API keys"


class KeyOver(Problem):
    """The key is revoked or expired."""

    status = 409
    code = "key_over"
    title = "The API key is over"


def scopes_within_reach(actor: Actor) -> list[str]:
    """Return the scopes that a person's role, or a program's own key, lets them put into a key."""
    if actor.scopes is not None:
        return [scope for scope in SCOPES if scope in actor.scopes]
    # What nobody said the need of, nobody but who may do everything puts into a key.
    return [scope for scope in SCOPES if allows(actor.role, SCOPE_NEEDS.get(scope, MANAGE_ORGANIZATIONS))]


def scopes_to_offer(actor: Actor) -> list[str]:
    """Return the scopes within reach that are of use to an organization of the actor's kind."""
    return [scope for scope in scopes_within_reach(actor) if of_use_to(actor.organization, scope)]


@transaction.atomic
def make_key(
    *,
    actor: Actor,
    name: str,
    scopes: Sequence[str],
    now: datetime,
    networks: Iterable[str] = (),
    expires_at: datetime | None = None,
) -> IssuedKey:
    """Make a key; its secret is in the answer alone.

    Raises `UnknownScope`, `ScopeOutOfReach`, `TooManyKeys`, and `WrongApiKey` naming the field.
    """
    shown = checked_name(name)
    allowed_from = checked_networks(networks)
    if not scopes:
        raise WrongApiKey(sentence("scopes: expected at least one."), field="scopes", example="usage:read")
    _check_reach(actor, scopes)
    if expires_at is not None and expires_at <= now:
        raise WrongApiKey(sentence("expires_at: expected an instant to come."), field="expires_at")
    # The organization's row is what two calls at once wait for.
    Organization.objects.select_for_update(no_key=True).get(pk=actor.organization.pk)
    if ApiKey.objects.for_org(actor.organization).usable(now).count() >= KEYS_MAX:
        raise TooManyKeys(sentence("%(most)s keys are in use; revoke one first.", most=KEYS_MAX))
    return issue_key(
        organization=actor.organization,
        name=shown,
        scopes=scopes,
        actor=actor.name,
        now=now,
        expires_at=expires_at,
        networks=allowed_from,
    )


@transaction.atomic
def change_key(*, actor: Actor, key_id: UUID, name: str, networks: Iterable[str], now: datetime) -> ApiKey:
    """Give a key another name, or other networks that it may be used from. Raises DoesNotExist and as `make_key`."""
    shown, allowed_from = checked_name(name), checked_networks(networks)
    key = _locked(actor, key_id)
    _require_usable(key, now)
    _check_reach(actor, key.scopes)
    before: dict[str, object] = {"name": key.name, "networks": list(key.networks)}
    after: dict[str, object] = {"name": shown, "networks": allowed_from}
    if before != after:
        key.name, key.networks = shown, allowed_from
        key.save(update_fields=["name", "networks"])
        _audit(actor, "api_key.changed", key, now, before=before, after=after)
    return key


@transaction.atomic
def rotate_key(*, actor: Actor, key_id: UUID, now: datetime, overlap: timedelta = OVERLAP) -> IssuedKey:
    """Make a key in the place of another one, which works beside it for `overlap` and then no more.

    A key that ends gets a successor that lasts as long as it did. Raises DoesNotExist, `KeyOver`, `ScopeOutOfReach`
    (the secret is told to who rotates), `WrongApiKey`, and `TooManyKeys` where both would work side by side.
    """
    if not timedelta(0) <= overlap <= OVERLAP_MAX:
        raise WrongApiKey(
            sentence("overlap: expected 0 to %(days)s days.", days=OVERLAP_MAX.days), field="overlap_hours", example=24
        )
    Organization.objects.select_for_update(no_key=True).get(pk=actor.organization.pk)
    old = _locked(actor, key_id)
    _require_usable(old, now)
    _check_reach(actor, old.scopes)
    if overlap and ApiKey.objects.for_org(actor.organization).usable(now).count() >= KEYS_MAX:
        raise TooManyKeys(
            sentence("%(most)s keys are in use; let this one end at once, or revoke another first.", most=KEYS_MAX)
        )
    made = issue_key(
        organization=actor.organization,
        name=old.name,
        scopes=old.scopes,
        actor=actor.name,
        now=now,
        expires_at=now + (old.expires_at - old.created_at) if old.expires_at else None,
        networks=old.networks,
        rotated_from=old,
    )
    ends_at = min(now + overlap, old.expires_at or now + overlap)
    if overlap:
        old.expires_at = ends_at
    else:
        old.revoked_at = now
    old.save(update_fields=["expires_at", "revoked_at"])
    _audit(actor, "api_key.rotated", old, now, after={"successor": made.key.prefix, "works_until": ends_at.isoformat()})
    return made


@transaction.atomic
def end_key(*, actor: Actor, key_id: UUID, now: datetime) -> ApiKey:
    """Make a key useless from now on; again changes nothing. Raises DoesNotExist.

    Everybody who manages keys may, whatever is in it: it is what has to be done when one leaks.
    """
    key = _locked(actor, key_id)
    if key.revoked_at is None:
        key.revoked_at = now
        key.save(update_fields=["revoked_at"])
        _audit(actor, "api_key.revoked", key, now, before={"name": key.name, "scopes": list(key.scopes)})
    return key


def checked_name(name: str) -> str:
    """Return a name as it is kept. Raises `WrongApiKey`."""
    shown = " ".join(name.split())
    if not shown or len(shown) > NAME_CHARACTERS_MAX or not shown.isprintable():
        raise WrongApiKey(
            sentence("name: expected 1 to %(most)s characters.", most=NAME_CHARACTERS_MAX),
            field="name",
            example="gateway",
        )
    return shown


def checked_networks(networks: Iterable[str]) -> list[str]:
    """Return networks as they are kept, each once, in order. Raises `WrongApiKey` naming the first that is none."""
    found: list[str] = []
    for text in networks:
        try:
            network = str(ipaddress.ip_network(text.strip(), strict=False))
        except ValueError as error:
            raise WrongApiKey(
                sentence("networks: %(text)s is no address or network.", text=repr(text.strip()[:60])),
                field="networks",
                example="203.0.113.0/24",
            ) from error
        if network not in found:
            found.append(network)
    if len(found) > NETWORKS_MAX:
        raise WrongApiKey(sentence("networks: expected at most %(most)s.", most=NETWORKS_MAX), field="networks")
    return found


def _check_reach(actor: Actor, scopes: Iterable[str]) -> None:
    asked = set(scopes)
    if unknown := sorted(asked - SCOPES.keys()):
        raise UnknownScope(
            sentence(
                "scope %(unknown)s is not one of %(scopes)s", unknown=repr(unknown[0][:40]), scopes=Listed(SCOPES)
            ),
            field="scopes",
        )
    if beyond := sorted(asked.difference(scopes_within_reach(actor))):
        raise ScopeOutOfReach(
            sentence("%(name)s may not handle a key with %(beyond)s.", name=actor.name, beyond=Listed(beyond)),
            field="scopes",
        )


def _locked(actor: Actor, key_id: UUID) -> ApiKey:
    return ApiKey.objects.select_for_update(of=("self",)).get(pk=key_id, organization=actor.organization)


def _require_usable(key: ApiKey, now: datetime) -> None:
    if key.revoked_at is not None or (key.expires_at is not None and key.expires_at <= now):
        raise KeyOver(sentence("%(prefix)s… is revoked or expired. Make a new one.", prefix=key.prefix))


def _audit(
    actor: Actor,
    action: str,
    key: ApiKey,
    now: datetime,
    *,
    before: dict[str, object] | None = None,
    after: dict[str, object] | None = None,
) -> None:
    AuditEntry.objects.create(
        organization=actor.organization,
        actor=actor.name,
        action=action,
        subject=key.prefix,
        before=before,
        after=after,
        at=now,
    )

"""Making an organization, with an invitation of its first owner."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from django.db import IntegrityError, transaction
from django.utils.text import slugify

from tenants.actors import Actor
from tenants.invitation_models import Invitation
from tenants.members.inviting import invite
from tenants.models import AuditEntry, Organization, Role
from tenants.organizations.changing import Facts, WrongOrganization, checked_facts
from tenants.problems import Problem
from tenants.sentences import Listed, sentence

if TYPE_CHECKING:
    from collections.abc import Collection

MADE_KINDS: Final = ("provider", "tenant")
SLUG_CHARACTERS_MAX: Final = 50
WAITING_MAX: Final = 100


class TooManyWaiting(Problem):
    """As many organizations as may be wait for their first owner."""

    status = 409
    code = "too_many_waiting"
    title = "Too many organizations wait for their owner"


@transaction.atomic
def make_organization(
    *,
    actor: Actor,
    given: Facts,
    kinds: Collection[str],
    owner_email: str,
    language: str,
    secret_key: str,
    now: datetime,
) -> tuple[Organization, Invitation, str]:
    """Make an organization and invite its owner; return both and the invitation's token.

    A provider makes tenants alone, and they stand in its list from then on. Raises `WrongOrganization`,
    `WrongInvitation` and `TooManyWaiting`.
    """
    wanted = sorted(set(kinds))
    if not wanted or set(wanted) - set(MADE_KINDS):
        raise WrongOrganization(
            sentence("kinds: expected some of %(made_kinds)s.", made_kinds=Listed(MADE_KINDS)), field="kinds"
        )
    if not actor.organization.is_operator and wanted != ["tenant"]:
        raise WrongOrganization(sentence("kinds: a provider makes tenants only."), field="kinds")
    facts = checked_facts(given)
    # The maker's row is what two calls at once wait for.
    maker = Organization.objects.select_for_update(no_key=True).get(pk=actor.organization.pk)
    waiting = Organization.objects.filter(introduced_by=maker, memberships=None).count()
    if waiting >= WAITING_MAX:
        raise TooManyWaiting(
            sentence("%(waiting)s organizations wait for their first owner; let them come first.", waiting=waiting)
        )
    made = _stored(
        slug=_free_slug(facts.name),
        name=facts.name,
        country=facts.country,
        billing_email=facts.billing_email,
        time_zone=facts.time_zone,
        is_provider="provider" in wanted,
        is_tenant="tenant" in wanted,
        introduced_by=maker,
        created_at=now,
    )
    invitation, token = invite(
        actor=Actor(made, actor.name, Role.OWNER),
        email=owner_email,
        role=Role.OWNER,
        language=language,
        secret_key=secret_key,
        now=now,
    )
    for organization in (made, maker):
        AuditEntry.objects.create(
            organization=organization,
            actor=actor.name,
            action="organization.made",
            subject=made.slug,
            after={"name": made.name, "kinds": wanted, "country": made.country, "owner": invitation.email},
            at=now,
        )
    return made, invitation, token


def _stored(**fields: Any) -> Organization:
    try:
        with transaction.atomic():
            return Organization.objects.create(**fields)
    except IntegrityError as error:  # somebody else took the word since it was looked for
        raise WrongOrganization(sentence("name: somebody took it just now. Try again."), field="name") from error


def _free_slug(name: str) -> str:
    """Return a word for addresses that nobody has. A name without Latin letters gets a plain one."""
    base = slugify(name)[:SLUG_CHARACTERS_MAX].strip("-") or "organization"
    taken = set(Organization.objects.filter(slug__startswith=base).values_list("slug", flat=True))
    return next(slug for slug in (base, *(f"{base}-{n}" for n in range(2, len(taken) + 3))) if slug not in taken)

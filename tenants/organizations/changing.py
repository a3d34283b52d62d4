"""Changing an organization: what it says of itself, and what the operator decides about it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction

from tenants.models import AuditEntry, Organization
from tenants.problems import Problem
from tenants.sentences import sentence
from tenants.tax_ids import COUNTRIES

if TYPE_CHECKING:
    from uuid import UUID

    from tenants.actors import Actor

NAME_CHARACTERS_MAX = 200
REASON_CHARACTERS_MAX = 200


class WrongOrganization(Problem):
    """A field is not what it must be; `field` names it."""

    status = 422
    code = "wrong_organization"
    title = "The organization cannot be kept so"


class OperatorStays(Problem):
    """The operator cannot be kept out of its own installation."""

    status = 409
    code = "operator_stays"
    title = "The operator cannot be suspended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What an organization says of itself. A time zone is what new contracts begin with; running ones keep theirs."""

    name: str
    country: str
    billing_email: str
    time_zone: str = "UTC"


def checked_facts(given: Facts) -> Facts:
    """Return facts as they are kept. Raises `WrongOrganization` naming the first field that is wrong."""
    name = " ".join(given.name.split())
    if not name or len(name) > NAME_CHARACTERS_MAX or not name.isprintable():
        raise WrongOrganization(
            sentence("name: expected 1 to %(most)s characters.", most=NAME_CHARACTERS_MAX), field="name"
        )
    country = given.country.strip().upper()
    if country not in COUNTRIES:
        raise WrongOrganization(
            sentence(
                "country: found %(country)s, expected an ISO 3166-1 alpha-2 code such as DE.",
                country=repr(country[:20]),
            ),
            field="country",
        )
    zone, email = given.time_zone.strip(), given.billing_email.strip()
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise WrongOrganization(
            sentence("time_zone: %(zone)s is no IANA time zone.", zone=repr(zone[:60])),
            field="time_zone",
            example="Europe/Berlin",
        ) from error
    try:
        validate_email(email)
    except ValidationError as error:
        raise WrongOrganization(
            sentence("billing_email: %(email)s is no e-mail address.", email=repr(email[:100])), field="billing_email"
        ) from error
    return Facts(name=name, country=country, billing_email=email, time_zone=zone)


@transaction.atomic
def change_organization(*, actor: Actor, given: Facts, now: datetime) -> Organization:
    """Change what the actor's organization says of itself. Raises `WrongOrganization`. The same again is no change."""
    facts = checked_facts(given)
    kept = Organization.objects.select_for_update(no_key=True).get(pk=actor.organization.pk)
    before = {name: getattr(kept, name) for name in Facts.__slots__}
    changed = {name: value for name, value in asdict(facts).items() if before[name] != value}
    if changed:
        for name, value in changed.items():
            setattr(kept, name, value)
        kept.save(update_fields=list(changed))
        audit(kept, actor, "organization.changed", now, {name: before[name] for name in changed}, changed)
    return kept


@transaction.atomic
def suspend(*, actor: Actor, organization_id: UUID, because: str, now: datetime) -> Organization:
    """Keep an organization's people and programs out; usage is metered on. Raises DoesNotExist and `OperatorStays`."""
    reason = " ".join(because.split())
    if not reason or len(reason) > REASON_CHARACTERS_MAX:
        raise WrongOrganization(
            sentence("because: expected 1 to %(most)s characters.", most=REASON_CHARACTERS_MAX), field="because"
        )
    kept = Organization.objects.select_for_update(no_key=True).get(pk=organization_id)
    if kept.is_operator:
        raise OperatorStays(sentence("%(name)s runs this installation.", name=kept.name))
    if kept.suspended_at is None:
        kept.suspended_at, kept.suspended_because = now, reason
        kept.save(update_fields=["suspended_at", "suspended_because"])
        audit(kept, actor, "organization.suspended", now, None, {"because": reason})
    return kept


@transaction.atomic
def reinstate(*, actor: Actor, organization_id: UUID, now: datetime) -> Organization:
    """Let an organization in again. Raises DoesNotExist."""
    kept = Organization.objects.select_for_update(no_key=True).get(pk=organization_id)
    if kept.suspended_at is not None:
        before = {"because": kept.suspended_because}
        kept.suspended_at, kept.suspended_because = None, ""
        kept.save(update_fields=["suspended_at", "suspended_because"])
        audit(kept, actor, "organization.reinstated", now, before, None)
    return kept


def audit(
    subject: Organization,
    actor: Actor,
    action: str,
    now: datetime,
    *change: dict[str, Any] | None,
) -> None:
    """Write it into the log of whom it was done to, and of who did it where that is another; before, then after."""
    before, after = change
    for organization in {subject.pk: subject, actor.organization.pk: actor.organization}.values():
        AuditEntry.objects.create(
            organization=organization,
            actor=actor.name,
            action=action,
            subject=subject.slug,
            before=before,
            after=after,
            at=now,
        )

"""Inviting people: one open invitation for each address, a letter with a token that works once, again, revoked."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.core.exceptions import ValidationError
from django.core.validators import MaxLengthValidator, validate_email
from django.db import transaction
from django.db.models import F

from tenants.actors import Actor
from tenants.ids import new_id
from tenants.invitation_models import Invitation
from tenants.members.tokens import digest_of, token_of
from tenants.models import AuditEntry, Membership, Organization, Role
from tenants.problems import Problem
from tenants.roles import may_give
from tenants.sentences import Listed, sentence

VALID: Final = timedelta(days=7)
OPEN_MAX: Final = 200
RESENT_AFTER: Final = timedelta(minutes=1)
MAIL_LEASE: Final = timedelta(minutes=5)
MAIL_RETRY: Final = timedelta(minutes=1)
MAIL_ATTEMPTS_MAX: Final = 8
EMAIL_CHARACTERS_MAX: Final = 254
LANGUAGES: Final = ("en", "zh-hans")


class WrongInvitation(Problem):
    """Address, role or language is not what it must be; `field` names it."""

    status = 422
    code = "wrong_invitation"
    title = "The invitation cannot be made"


class RoleOutOfReach(Problem):
    """Who is no owner neither gives nor takes the role of an owner."""

    status = 403
    code = "role_out_of_reach"
    title = "Only an owner may give or take this role"


def check_reach(actor: Actor, *roles: str) -> None:
    """Refuse with `RoleOutOfReach` where the actor's own role may not give or take one of the roles."""
    for role in roles:
        if not may_give(actor.role, role):
            raise RoleOutOfReach(
                sentence(
                    "%(name)s is %(role)s here and may not give or take the role %(role_2)s.",
                    name=actor.name,
                    role=actor.role,
                    role_2=role,
                )
            )


class AlreadyMember(Problem):
    """The address is that of a member."""

    status = 409
    code = "already_member"
    title = "This person is a member"


class AlreadyInvited(Problem):
    """There is an open invitation to the address."""

    status = 409
    code = "already_invited"
    title = "This person is invited"


class TooManyInvitations(Problem):
    """As many invitations are open as may be, or one was sent again only just now."""

    status = 409
    code = "too_many_invitations"
    title = "Too many invitations"


@transaction.atomic
def invite(
    *, actor: Actor, email: str, role: str, language: str, secret_key: str, now: datetime
) -> tuple[Invitation, str]:
    """Invite the person at an address into a role; return the invitation and its token, which the letter carries.

    An invitation to the same address that has expired makes way. Raises `WrongInvitation`, `RoleOutOfReach`,
    `AlreadyMember`, `AlreadyInvited` and `TooManyInvitations`.
    """
    address = checked_address(email)
    _check_words(actor, role, language)
    # The organization's row is what two calls at once wait for.
    organization = Organization.objects.select_for_update(no_key=True).get(pk=actor.organization.pk)
    if Membership.objects.filter(organization=organization, user__email__iexact=address).exists():
        raise AlreadyMember(
            sentence("%(address)s is a member already; change the role there.", address=address), field="email"
        )
    waiting = Invitation.objects.filter(organization=organization, accepted_at=None, revoked_at=None)
    waiting.filter(email__iexact=address, expires_at__lte=now).update(revoked_at=now, mail_due_at=None)
    if waiting.filter(email__iexact=address).exists():
        raise AlreadyInvited(
            sentence("%(address)s has an open invitation; send that one again.", address=address), field="email"
        )
    if waiting.filter(expires_at__gt=now).count() >= OPEN_MAX:
        raise TooManyInvitations(sentence("%(most)s invitations are open; revoke some first.", most=OPEN_MAX))
    key = new_id()
    token = token_of(secret_key=secret_key, invitation_id=key, turn=1)
    made = Invitation.objects.create(
        id=key,
        organization=organization,
        email=address,
        role=role,
        language=language,
        invited_by=actor.name,
        token_sha256=digest_of(token),
        created_at=now,
        expires_at=now + VALID,
        mail_due_at=now,
    )
    _audit(actor, "invitation.made", made, now, after={"role": role, "expires_at": made.expires_at.isoformat()})
    return made, token


@transaction.atomic
def resend(*, actor: Actor, invitation_id: UUID, secret_key: str, now: datetime) -> tuple[Invitation, str]:
    """Send an open invitation again, with a new token and a new week; the tokens before it are worth nothing.

    Raises DoesNotExist, `RoleOutOfReach`, and `TooManyInvitations` where it was sent within the last minute.
    """
    invitation = _locked(actor, invitation_id)
    check_reach(actor, invitation.role)
    if invitation.mailed_at is not None and now - invitation.mailed_at < RESENT_AFTER:
        raise TooManyInvitations(sentence("It was sent within the last minute. Wait, then send it again."))
    invitation.turn += 1
    token = token_of(secret_key=secret_key, invitation_id=invitation.pk, turn=invitation.turn)
    invitation.token_sha256 = digest_of(token)
    invitation.expires_at, invitation.mail_due_at = now + VALID, now
    invitation.mail_attempts, invitation.mailed_at, invitation.mail_error = 0, None, ""
    invitation.save()
    _audit(actor, "invitation.resent", invitation, now, after={"expires_at": invitation.expires_at.isoformat()})
    return invitation, token


@transaction.atomic
def revoke(*, actor: Actor, invitation_id: UUID, now: datetime) -> Invitation:
    """Take an open invitation back. Raises DoesNotExist and `RoleOutOfReach`."""
    invitation = _locked(actor, invitation_id)
    check_reach(actor, invitation.role)
    invitation.revoked_at, invitation.mail_due_at = now, None
    invitation.save(update_fields=["revoked_at", "mail_due_at"])
    _audit(actor, "invitation.revoked", invitation, now, before={"role": invitation.role})
    return invitation


def take_back_of(*, organization: Organization, inviter: str, role: str, by: str, now: datetime) -> int:
    """Revoke the open invitations that `inviter` made and, with `role` from now on, may not give; return how many.

    An empty role is that of who is no member any more. Whoever goes must not come back by a letter of their own.
    Within the transaction that takes the role away.
    """
    waiting = Invitation.objects.select_for_update().filter(
        organization=organization, invited_by__iexact=inviter, accepted_at=None, revoked_at=None
    )
    beyond = [one for one in waiting.order_by("pk") if not may_give(role, one.role)]
    for one in beyond:
        one.revoked_at, one.mail_due_at = now, None
        one.save(update_fields=["revoked_at", "mail_due_at"])
        _audit(Actor(organization, by, role), "invitation.revoked", one, now, before={"role": one.role})
    return len(beyond)


def claim_letters(*, now: datetime, limit: int) -> list[Invitation]:
    """Return invitations whose letter is due, each put off so that whoever else looks meanwhile leaves them alone."""
    due = Invitation.objects.filter(
        mail_due_at__lte=now, mail_attempts__lt=MAIL_ATTEMPTS_MAX, accepted_at=None, revoked_at=None, expires_at__gt=now
    )
    claimed = []
    for one in due.select_related("organization").order_by("mail_due_at")[:limit]:
        mine = Invitation.objects.filter(pk=one.pk, turn=one.turn, mail_due_at=one.mail_due_at)
        if mine.update(mail_due_at=now + MAIL_LEASE, mail_attempts=F("mail_attempts") + 1):
            claimed.append(one)
    return claimed


def letter_token(*, invitation: Invitation, secret_key: str) -> str:
    """Return the token for a letter. Where the secret key was changed since, the new one's token counts from now."""
    token = token_of(secret_key=secret_key, invitation_id=invitation.pk, turn=invitation.turn)
    if bytes(invitation.token_sha256) != digest_of(token):
        Invitation.objects.filter(pk=invitation.pk, turn=invitation.turn).update(token_sha256=digest_of(token))
    return token


def letter_sent(*, invitation: Invitation, now: datetime) -> None:
    """Note that the letter of a turn is out."""
    mine = Invitation.objects.filter(pk=invitation.pk, turn=invitation.turn)
    mine.update(mailed_at=now, mail_due_at=None, mail_error="")


def letter_failed(*, invitation: Invitation, error: str, now: datetime) -> None:
    """Note why a letter could not be sent; it is tried again, later each time."""
    retry_at = now + MAIL_RETRY * 2**invitation.mail_attempts
    mine = Invitation.objects.filter(pk=invitation.pk, turn=invitation.turn)
    mine.update(mail_due_at=retry_at, mail_error=error[:300])


def checked_address(email: str) -> str:
    """Return an e-mail address as it is kept. Raises `WrongInvitation`."""
    address = email.strip()
    try:
        MaxLengthValidator(EMAIL_CHARACTERS_MAX)(address)
        validate_email(address)
    except ValidationError as wrong:
        raise WrongInvitation(
            sentence("email: %(address)s is no e-mail address.", address=repr(address[:100])), field="email"
        ) from wrong
    return address


def _check_words(actor: Actor, role: str, language: str) -> None:
    if role not in Role.values:
        raise WrongInvitation(
            sentence(
                "role: found %(role)s, expected one of %(values)s.", role=repr(role[:40]), values=Listed(Role.values)
            ),
            field="role",
            example="viewer",
        )
    if language not in LANGUAGES:
        raise WrongInvitation(
            sentence(
                "language: found %(language)s, expected one of %(languages)s.",
                language=repr(language[:40]),
                languages=Listed(LANGUAGES),
            ),
            field="language",
        )
    check_reach(actor, role)


def _locked(actor: Actor, invitation_id: UUID) -> Invitation:
    return Invitation.objects.select_for_update().get(
        pk=invitation_id, organization=actor.organization, accepted_at=None, revoked_at=None
    )


def _audit(
    actor: Actor,
    action: str,
    invitation: Invitation,
    now: datetime,
    *,
    before: dict[str, str] | None = None,
    after: dict[str, str] | None = None,
) -> None:
    AuditEntry.objects.create(
        organization=actor.organization,
        actor=actor.name,
        action=action,
        subject=invitation.email[:200],
        before=before,
        after=after,
        at=now,
    )

"""Accepting an invitation, as a person who has an account or as a new one."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from tenants.invitation_models import Invitation
from tenants.limits.reader import whole
from tenants.members.tokens import TOKEN_CHARACTERS, digest_of
from tenants.models import AuditEntry, Membership, User
from tenants.problems import Problem
from tenants.sentences import sentence

if TYPE_CHECKING:
    from uuid import UUID


class InvitationOver(Problem):
    """The invitation was accepted, revoked or sent again since, or its time is over."""

    status = 410
    code = "invitation_over"
    title = "The invitation is over"


class InvitationForAnother(Problem):
    """It was sent to another address than that of the person who is signed in."""

    status = 403
    code = "invitation_for_another"
    title = "The invitation is for another person"


class WrongNewPerson(Problem):
    """Name or password cannot be taken; `field` names it."""

    status = 422
    code = "wrong_new_person"
    title = "The account cannot be made"


@whole("who holds the letter opens the invitation, before it is known who they are")
def find_invitation(token: str) -> Invitation | None:
    """Return the invitation that a token opens, whatever became of it; the tokens of earlier turns open nothing."""
    if len(token) != TOKEN_CHARACTERS or not token.isascii():
        return None
    return Invitation.objects.select_related("organization").filter(token_sha256=digest_of(token)).first()


@whole("an address has one account, whoever asks")
def account_of(invitation: Invitation) -> User | None:
    """Return the person who has an account with the invitation's address."""
    return User.objects.filter(email__iexact=invitation.email).first()


def over_since(invitation: Invitation, now: datetime) -> str:
    """Return why an invitation cannot be accepted any more: `accepted`, `revoked`, `expired`, or nothing."""
    if invitation.accepted_at is not None:
        return "accepted"
    if invitation.revoked_at is not None:
        return "revoked"
    return "expired" if invitation.expires_at <= now else ""


@transaction.atomic
def accept(*, invitation_id: UUID, token: str, person: User, now: datetime) -> Membership:
    """Make the person a member. Raises `InvitationForAnother` and `InvitationOver`.

    Whoever is a member already keeps their role, and the invitation is used up.
    """
    invitation = _open(invitation_id, token, now)
    if invitation.email.casefold() != person.email.casefold():
        raise InvitationForAnother(
            sentence(
                "It was sent to %(email)s, and %(person_email)s is signed in.",
                email=invitation.email,
                person_email=person.email,
            )
        )
    return _join(invitation, person, now)


@transaction.atomic
def accept_as_new(*, invitation_id: UUID, token: str, name: str, password: str, now: datetime) -> Membership:
    """Make an account for the invitation's address and a member of it.

    Raises `InvitationOver`, `InvitationForAnother` where the address has an account, and `WrongNewPerson`.
    """
    invitation = _open(invitation_id, token, now)
    if account_of(invitation) is not None:
        raise InvitationForAnother(
            sentence("%(email)s has an account: sign in with it, then accept.", email=invitation.email)
        )
    shown = name.strip()
    if not shown or len(shown) > 200 or "\0" in shown:
        raise WrongNewPerson(sentence("name: expected 1 to 200 characters."), field="name")
    person = User(email=User.objects.normalize_email(invitation.email), name=shown)
    try:
        validate_password(password, person)
    except ValidationError as wrong:
        raise WrongNewPerson(" ".join(wrong.messages), field="password") from wrong
    person.set_password(password)
    try:
        with transaction.atomic():
            person.save(force_insert=True)
    except IntegrityError as error:  # another organization's invitation was accepted just now
        raise InvitationForAnother(
            sentence("%(email)s has an account: sign in with it, then accept.", email=invitation.email)
        ) from error
    return _join(invitation, person, now)


def _open(invitation_id: UUID, token: str, now: datetime) -> Invitation:
    invitation = Invitation.objects.select_for_update(of=("self",)).select_related("organization").get(pk=invitation_id)
    why = over_since(invitation, now) or ("" if bytes(invitation.token_sha256) == digest_of(token) else "revoked")
    if why:
        raise InvitationOver(
            sentence(
                "The invitation is %(why)s. Ask %(invited_by)s for another one.",
                why=why,
                invited_by=invitation.invited_by,
            ),
            why=why,
        )
    return invitation


def _join(invitation: Invitation, person: User, now: datetime) -> Membership:
    invitation.accepted_at, invitation.accepted_by, invitation.mail_due_at = now, person, None
    invitation.save(update_fields=["accepted_at", "accepted_by", "mail_due_at"])
    membership, made = Membership.objects.get_or_create(
        organization=invitation.organization,
        user=person,
        defaults={"role": invitation.role, "created_at": now},
    )
    AuditEntry.objects.create(
        organization=invitation.organization,
        actor=person.email,
        action="invitation.accepted",
        subject=person.email[:200],
        after={"role": membership.role, "invited_by": invitation.invited_by, "new_member": made},
        at=now,
    )
    membership.organization, membership.user = invitation.organization, person
    return membership

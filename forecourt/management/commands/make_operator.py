"""`manage.py make_operator`: the first organization of an installation, and how its first person comes in."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import datetime
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from forecourt.embedded.places import places_of
from forecourt.embedded.served import address_served
from forecourt.env import PUBLIC_URL
from tenants.actors import Actor
from tenants.invitation_models import Invitation
from tenants.members.inviting import checked_address, invite, letter_token
from tenants.models import Membership, Organization, Role
from tenants.problems import Problem

BY = "Forecourt"
NOT_KNOWN = (
    f"FORECOURT_PUBLIC_URL is not set and nothing serves from this data folder now: {PUBLIC_URL} is where "
    "`forecourt up` serves unless it is told otherwise. Where people reach it elsewhere, put that address in its place."
)


class Command(BaseCommand):
    """`manage.py make_operator EMAIL [--name NAME]`."""

    help = (
        "Make the organization that operates this installation, and print the link with which its first owner joins. "
        "Called again before somebody has joined, it prints a link that works, and changes nothing else."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("email", help="address of the first owner; the link works for it alone")
        parser.add_argument("--name", default="Operator", help="the organization's name, where it is made now")
        codes = [code for code, _ in settings.LANGUAGES]
        parser.add_argument("--language", choices=codes, default=codes[0], help="of the letter and the page")

    def handle(self, **options: Any) -> None:
        now = timezone.now()
        try:
            with transaction.atomic():
                made, token = _invited(options["email"], options["name"], options["language"], now)
        except Problem as problem:
            raise CommandError(problem.detail) from problem
        address, known = _address()
        link = f"{address.rstrip('/')}{reverse('invitation', args=[token])}"
        self.stdout.write(f"{made.organization.name} operates this installation. {made.email} joins it as its owner at")
        self.stdout.write(link)
        self.stdout.write(f"until {made.expires_at:%Y-%m-%d %H:%M} UTC.")
        if not known:
            self.stdout.write(NOT_KNOWN)


def _address() -> tuple[str, bool]:
    """Return where people reach the platform, and whether that was said or is seen, and not only usual."""
    if settings.PUBLIC_URL != PUBLIC_URL:
        return settings.PUBLIC_URL, True
    served = address_served(places_of(settings.ENVIRONMENT.data_dir))
    return served or settings.PUBLIC_URL, bool(served)


def _invited(email: str, name: str, language: str, now: datetime) -> tuple[Invitation, str]:
    """Return the invitation of the operator's first owner, and its token."""
    operator = _operator(name, now)
    if Membership.objects.filter(organization=operator, role=Role.OWNER, user__is_active=True).exists():
        raise CommandError(f"{operator.name} operates this installation and has an owner, who invites under Members.")
    open_one = Invitation.objects.filter(
        organization=operator,
        email__iexact=checked_address(email),
        role=Role.OWNER,
        accepted_at=None,
        revoked_at=None,
        expires_at__gt=now,
    ).first()
    if open_one is not None:
        return open_one, letter_token(invitation=open_one, secret_key=settings.SECRET_KEY)
    actor = Actor(operator, BY, Role.OWNER)
    return invite(actor=actor, email=email, role=Role.OWNER, language=language, secret_key=settings.SECRET_KEY, now=now)


def _operator(name: str, now: datetime) -> Organization:
    there = Organization.objects.filter(is_operator=True).first()
    if there is not None:
        return there
    slug = settings.OPERATOR_SLUG
    if Organization.objects.filter(slug=slug).exists():
        raise CommandError(
            f"FORECOURT_OPERATOR_SLUG: found {slug!r}, which is an organization that operates nothing; "
            "expected the slug of none."
        )
    return Organization.objects.create(slug=slug, name=name, is_operator=True, created_at=now)

"""What django-allauth asks of the installation: letters, words, addresses of links, how secrets are kept.

Its own limits on guessing count in one process's memory and are turned off; `tenants.sign_in` counts for all.
"""

from __future__ import annotations

import logging
from smtplib import SMTPException
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.adapter import DefaultMFAAdapter
from django.conf import settings
from django.contrib import messages
from django.core.mail import EmailMessage
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.translation import gettext_lazy as _

from portal.shell import THEME_COOKIE, THEME_COOKIE_AGE_S
from tenants.accounts import letters
from tenants.accounts.addresses import keep_address
from tenants.accounts.noting import ACTIONS, note
from tenants.accounts.sealing import seal, unseal
from tenants.accounts.vouched import vouched_for
from tenants.accounts.words import MESSAGES, REFUSALS
from tenants.limits.reader import whole
from tenants.models import User
from tenants.password_backend import address_of
from tenants.scoping import VOUCHED_KEY

if TYPE_CHECKING:
    from datetime import datetime

    from django.http import HttpRequest, HttpResponse

log = logging.getLogger(__name__)
WAY_COOKIE: Final = "way"


class Accounts(DefaultAccountAdapter):
    """How people sign in here."""

    error_messages = {**DefaultAccountAdapter.error_messages, **REFUSALS}

    def is_open_for_signup(self, request: HttpRequest) -> bool:  # noqa: ARG002  allauth's signature
        """Nobody signs up: whoever comes was invited."""
        return False

    def get_client_ip(self, request: HttpRequest) -> str:
        """Return where a request comes from, as the limit of attempts counts it."""
        return address_of(request) or "0.0.0.0"  # noqa: S104  an address to be stored, not to listen at

    def get_email_confirmation_url(self, request: HttpRequest, emailconfirmation: Any) -> str:  # noqa: ARG002
        """Return the link of a letter. It names this installation, whatever host the request asked for."""
        return public(reverse("account_confirm_email", args=[emailconfirmation.key]))

    def confirm_email(self, request: HttpRequest, email_address: Any) -> bool:
        """Take an address into use; not one that somebody else signs in with, even if they never confirmed it."""
        with whole("an address is one person's, whoever asks"):
            taken = User.objects.filter(email__iexact=email_address.email).exclude(pk=email_address.user_id).exists()
        if taken:
            facts = {"email": email_address.email}
            self.add_message(request, messages.ERROR, "account/messages/email_confirmation_failed.txt", facts)
            return False
        return bool(super().confirm_email(request, email_address))

    def add_message(  # noqa: PLR0917  allauth's signature
        self,
        request: HttpRequest,
        level: int,
        message_template: str | None = None,
        message_context: dict[str, Any] | None = None,
        extra_tags: str = "",
        message: str | None = None,
    ) -> None:
        """Show what was done in the portal's words; what has none is not said, such as that somebody signed in."""
        words = message or MESSAGES.get(message_template or "")
        if words:
            messages.add_message(request, level, str(words) % (message_context or {}), extra_tags=extra_tags)

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Send a letter of `tenants.accounts.letters`; a server that does not take it is logged, not shown."""
        person = User.objects.filter(email__iexact=email).first() or context.get("user")
        language = (person.language if isinstance(person, User) else "") or translation.get_language() or "en"
        if template_prefix == letters.CONFIRM:
            letter = letters.confirm_letter(url=context["activate_url"], language=language)
        else:
            letter = letters.notice_letter(
                template_prefix,
                at=context["timestamp"],
                zone=ZoneInfo((person.time_zone if isinstance(person, User) else "") or "UTC"),
                address=context["ip"],
                facts={name: value for name, value in context.items() if name in ("from_email", "to_email")},
                url=public(reverse("account_reset_password")),
                language=language,
            )
        deliver(letter, email)

    def send_notification_mail(
        self, template_prefix: str, user: User, context: dict[str, Any] | None = None, email: str | None = None
    ) -> None:
        """Log what a person changed about how they sign in, and tell them."""
        now: datetime = timezone.now()
        if template_prefix in ACTIONS:
            facts = context or {}
            before = {"email": facts["from_email"]} if "from_email" in facts else None
            after = {"email": facts["to_email"]} if "to_email" in facts else None
            note(user, ACTIONS[template_prefix], now, before=before, after=after)
        if template_prefix in letters.NOTICES:
            super().send_notification_mail(template_prefix, user, context, email or user.email)

    def pre_login(self, request: HttpRequest, user: User, **kwargs: Any) -> HttpResponse | None:
        """Bring what is on record of a person's address up to date, before anything rests on it."""
        keep_address(user.pk)
        response: HttpResponse | None = super().pre_login(request, user, **kwargs)
        return response

    def login(self, request: HttpRequest, user: User) -> None:
        """Sign a person in; a session that an organization's provider vouched for is bound to that organization."""
        organization_id = vouched_for(request, user)
        super().login(request, user)
        if organization_id is not None:
            request.session[VOUCHED_KEY] = organization_id

    def post_login(self, request: HttpRequest, user: User, **kwargs: Any) -> HttpResponse:
        """Lead on after signing in, with the language and the theme that the person chose."""
        response: HttpResponse = super().post_login(request, user, **kwargs)
        keep_choices(response, user)
        if VOUCHED_KEY in request.session:
            keep_way(response, str(request.session[VOUCHED_KEY]))
        return response


class SecondSteps(DefaultMFAAdapter):
    """How second steps of sign-in are kept."""

    error_messages = {**DefaultMFAAdapter.error_messages, **REFUSALS}

    def encrypt(self, text: str) -> str:
        """Seal a secret before it is stored."""
        return seal(text)

    def decrypt(self, encrypted_text: str) -> str:
        """Return a stored secret."""
        return unseal(encrypted_text)

    def generate_authenticator_name(self, user: User, type: Any) -> str:  # noqa: A002, ARG002  allauth's signature
        """Return what a passkey is called unless its owner says otherwise."""
        return str(_("Passkey"))

    def get_public_key_credential_rp_entity(self) -> dict[str, str]:
        """Return for whom a passkey is made: the host of this installation."""
        return {"id": super().get_public_key_credential_rp_entity()["id"], "name": "Forecourt"}


def public(path: str) -> str:
    """Return an address of this installation as others reach it."""
    return f"{settings.PUBLIC_URL}{path}"


def deliver(letter: letters.Letter, email: str) -> bool:
    """Send a letter to one address and say whether a server took it; without a server of letters nothing is tried."""
    if not settings.MAIL_READY:
        log.warning("A letter about signing in was not sent: FORECOURT_MAIL_URL is not set.")
        return False
    message = EmailMessage(letter.subject, letter.body, to=[email], headers={"Auto-Submitted": "auto-generated"})
    try:
        message.send()
    except (SMTPException, OSError) as error:
        log.warning("A letter about signing in was not taken: %s.", type(error).__name__)
        return False
    return True


def keep_way(response: HttpResponse, organization_id: str) -> None:
    """Let a browser remember the organization whose provider it came in by: its page of sign-in leads there again."""
    response.set_cookie(
        WAY_COOKIE, organization_id, max_age=THEME_COOKIE_AGE_S, httponly=True, samesite="Lax",
        secure=settings.SESSION_COOKIE_SECURE,
    )  # fmt: skip


def keep_choices(response: HttpResponse, person: User) -> None:
    """Give a browser the language and the theme that a person chose, where they chose any."""
    flags: dict[str, Any] = {"samesite": "Lax", "secure": settings.SESSION_COOKIE_SECURE}
    if person.language:
        response.set_cookie(settings.LANGUAGE_COOKIE_NAME, person.language, max_age=THEME_COOKIE_AGE_S, **flags)
    if person.theme:
        response.set_cookie(THEME_COOKIE, person.theme, max_age=THEME_COOKIE_AGE_S, **flags)

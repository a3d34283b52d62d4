"""Letters that are asked for at the door: a link to choose a new password, the way to an organization's provider.

The request only notes what was typed, whoever that is; the sweep looks whom the address belongs to. So neither what
the door answers nor how long it takes tells who has an account, and where.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from allauth.account import app_settings
from allauth.account.internal.userkit import filter_users_by_email
from allauth.account.utils import user_pk_to_url_str
from django.db.models import F
from django.urls import reverse

from tenants.accounts import letters, sign_on
from tenants.accounts.adapters import public
from tenants.limits.reader import whole
from tenants.models import AskedLetter, User

if TYPE_CHECKING:
    from collections.abc import Iterator

LEASE: Final = timedelta(minutes=5)
RETRY: Final = timedelta(minutes=1)
KEPT: Final = timedelta(days=1)
"""A letter that could not be sent by then is not sent any more: whoever asked has asked again."""


def ask_letter(*, kind: AskedLetter.Kind, email: str, language: str, now: datetime) -> None:
    """Note that a letter was asked for; the same work for every address."""
    with whole("a letter is asked for before anybody is known"):
        AskedLetter.objects.create(kind=kind, email=email, language=language, asked_at=now, due_at=now)


def claim_asked(*, now: datetime, limit: int) -> list[AskedLetter]:
    """Return letters that are due, each put off so that whoever else looks meanwhile leaves them alone."""
    AskedLetter.objects.filter(asked_at__lt=now - KEPT).delete()
    claimed = []
    for one in AskedLetter.objects.filter(due_at__lte=now).order_by("due_at")[:limit]:
        mine = AskedLetter.objects.filter(pk=one.pk, due_at=one.due_at)
        if mine.update(due_at=now + LEASE, attempts=F("attempts") + 1):
            one.attempts += 1
            claimed.append(one)
    return claimed


def letters_of(asked: AskedLetter) -> Iterator[tuple[letters.Letter, str]]:
    """Yield what is to be sent, and to which stored address; nothing where the typed one is nobody's."""
    if asked.kind == AskedLetter.Kind.PASSWORD:
        found = filter_users_by_email(asked.email, is_active=True, prefer_verified=True, for_login=True)
        for person in found:
            url = public(reverse("account_reset_password_from_key", args=_key_of(person)))
            yield letters.forgotten_letter(url=url, language=person.language or asked.language), person.email
        return
    known = User.objects.filter(email__iexact=asked.email, is_active=True).first()
    ways = sign_on.providers_of(asked.email) if known else []
    if known and ways:
        named = [(one.organization.name, public(reverse("sign-on-go", args=[one.pk]))) for one in ways]
        yield letters.ways_letter(ways=named, language=known.language or asked.language), known.email


def letter_done(asked: AskedLetter) -> None:
    """Forget that a letter was asked for: it is out, or nobody's."""
    AskedLetter.objects.filter(pk=asked.pk).delete()


def put_off(asked: AskedLetter, now: datetime) -> None:
    """Try again, later each time."""
    AskedLetter.objects.filter(pk=asked.pk).update(due_at=now + RETRY * 2**asked.attempts)


def _key_of(person: User) -> list[str]:
    secret = app_settings.PASSWORD_RESET_TOKEN_GENERATOR().make_token(person)
    return [user_pk_to_url_str(person), secret]

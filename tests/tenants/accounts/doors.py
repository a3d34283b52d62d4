"""What tests of signing in share: a person who signs in as people do, codes of an app, and the letters sent."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any

from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, generate_totp_secret, hotp_value
from django.core import mail
from django.test import Client

from tenants.tasks import send_asked_letters
from tests.factories import PASSWORD

if TYPE_CHECKING:
    from tenants.models import User


def enter(person: User, client: Client | None = None, password: str = PASSWORD, **more: str) -> Any:
    """Fill in the sign-in form; the answer carries its client."""
    used = client or Client()
    return used.post("/sign-in/", {"login": person.email, "password": password, **more})


def signed_in(person: User, **headers: str) -> Client:
    """A browser that signed in by the door, and opens what is theirs."""
    client = Client(headers=headers)
    answer = enter(person, client)
    assert answer.status_code == 302, answer.content.decode()
    return client


def confirmed(person: User, **headers: str) -> Client:
    """A browser that signed in, and typed the password once more for what changes who can sign in."""
    client = signed_in(person, **headers)
    answer = client.post("/account/confirm/", {"password": PASSWORD, "next": "/account/"})
    assert answer.status_code == 302, answer.content.decode()
    return client


def with_app(person: User) -> str:
    """Give a person an authenticator app; return its key."""
    secret = str(generate_totp_secret())
    TOTP.activate(person, secret)
    return secret


def code_of(secret: str, steps: int = 0) -> str:
    """What the app shows now, or a number of steps of 30 seconds away."""
    return str(format_hotp_value(hotp_value(secret, int(time.time()) // 30 + steps)))


def ask_for_letter(email: str, client: Client | None = None) -> Any:
    """Ask for a link to choose a new password, and let the sweep send it; the answer of the door."""
    answer = (client or Client()).post("/sign-in/forgotten/", {"email": email}, follow=True)
    send_asked_letters()
    return answer


def link_in_letter(path: str) -> str:
    """The one link below `path` in the last letter, without the host."""
    found = re.findall(rf"http\S+?({re.escape(path)}\S+)", str(mail.outbox[-1].body))
    assert len(found) == 1, mail.outbox[-1].body
    return str(found[0])

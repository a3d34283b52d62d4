"""One's own account in a browser: a passkey is made and signs in, and every page is readable by all and on a phone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from allauth.mfa.models import Authenticator
from playwright.sync_api import Page, expect

from tests.factories import PASSWORD
from tests.tenants.accounts.doors import code_of, with_app

if TYPE_CHECKING:
    from pytest_django.live_server_helper import LiveServer

    from tests.factories import Cast
    from tests.plugins.browser import AxeCheck

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


HEADERS = {
    "x-frame-options": "DENY",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}
"""What a browser is told at the door, as the browser has it."""


def sign_in(page: Page, server: LiveServer, email: str) -> None:
    door = page.goto(f"{server.url}/sign-in/?next=/account/")
    assert door is not None
    assert HEADERS.items() <= door.headers.items()
    assert "unsafe" not in door.headers["content-security-policy"]
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()


def with_device(page: Page) -> None:
    """Give the browser a device that makes passkeys and always finds its owner's finger."""
    session = page.context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    session.send(
        "WebAuthn.addVirtualAuthenticator",
        {
            "options": {
                "protocol": "ctap2",
                "transport": "internal",
                "hasResidentKey": True,
                "hasUserVerification": True,
                "isUserVerified": True,
                "automaticPresenceSimulation": True,
            }
        },
    )


def test_a_passkey_is_made_and_signs_in_without_a_password(live_server: LiveServer, watched: Page, cast: Cast) -> None:
    with_device(watched)
    sign_in(watched, live_server, cast.bob.email)
    watched.get_by_role("link", name="Manage Second step").click()
    watched.get_by_role("link", name="Add a passkey").click()
    watched.get_by_label("Password").fill(PASSWORD)
    watched.get_by_role("button", name="Confirm").click()
    watched.get_by_label("Name").fill("Laptop")
    watched.get_by_role("button", name="Make the passkey").click()
    expect(watched.get_by_role("heading", name="Recovery codes", level=1)).to_be_visible()
    kept = Authenticator.objects.get(type=Authenticator.Type.WEBAUTHN)
    assert (kept.user_id, kept.wrap().name) == (cast.bob.pk, "Laptop")
    watched.context.clear_cookies()
    watched.goto(f"{live_server.url}/sign-in/?next=/account/sessions/")
    watched.get_by_role("button", name="Sign in with a passkey").click()
    expect(watched.get_by_role("heading", name="Sessions", level=1)).to_be_visible()
    watched.context.clear_cookies()
    sign_in(watched, live_server, cast.bob.email)
    expect(watched.get_by_text("Use your passkey, or type one of your recovery codes.")).to_be_visible()
    watched.get_by_role("button", name="Use a passkey").click()
    expect(watched.get_by_role("heading", name="Your account", level=1)).to_be_visible()


def test_a_code_is_asked_for_and_the_pages_are_for_everyone(
    live_server: LiveServer, watched: Page, still: Page, cast: Cast, looked_at: AxeCheck
) -> None:
    secret = with_app(cast.alice)
    for address in ("/sign-in/", "/sign-in/forgotten/"):
        still.goto(live_server.url + address)
        assert looked_at(still) == [], address
    sign_in(watched, live_server, cast.alice.email)
    expect(watched.get_by_label("Code")).to_be_visible()
    still.goto(watched.url)
    expect(still.get_by_label("Code")).to_be_visible()
    assert looked_at(still) == []
    watched.get_by_label("Code").fill(code_of(secret))
    watched.get_by_role("button", name="Go on").click()
    expect(watched.get_by_role("heading", name="Your account", level=1)).to_be_visible()
    for address in ("", "second-step/", "sessions/", "email/", "password/", "delete/"):
        still.goto(f"{live_server.url}/account/{address}")
        assert looked_at(still) == [], address

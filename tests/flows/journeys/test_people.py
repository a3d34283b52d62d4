"""What every person does: come in, secure the account, read in the own language, and bring others in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tenants.models import Membership, Role
from tenants.tasks import send_asked_letters, send_invitations
from tests.factories import EPOCH, PASSWORD, make_user
from tests.servers.openid import CLIENT_ID, CLIENT_SECRET, running_provider
from tests.tenants.accounts.doors import code_of

if TYPE_CHECKING:
    from pytest_django import Settings

    from tests.flows.journeys.conftest import Place
    from tests.flows.journeys.desk import Desk

pytestmark = pytest.mark.browser
WISHED = "a walk along the quiet canal"


def test_bring_a_colleague_in(desk: Desk, place: Place) -> None:
    """Bring a colleague in."""
    desk.sit_down(place.cast.alice.email)
    desk.go("Members")
    desk.form("Invite somebody").text("E-mail", "dora@example.com").choice(
        "Role", "developer – Usage, leases, API keys and webhooks; no invoices"
    )
    desk.press("Send the invitation")
    desk.sees("dora@example.com")
    send_invitations()
    assert desk.open_letter("dora@example.com") == "Invitation to Tenant"
    desk.is_at("Join Tenant")
    desk.form().text("Name", "Dora").text("Password", WISHED)
    desk.press("Make an account and join")
    desk.is_at("Usage")
    menu = desk.page.get_by_role("navigation", name="Main")
    expect(menu.get_by_role("link", name="API keys", exact=True)).to_be_visible()
    expect(menu.get_by_role("link", name="Invoices", exact=True)).to_have_count(0)
    desk.sit_down(place.cast.alice.email)
    desk.go("Members")
    desk.follow("Dora")
    desk.form("Role").choice("Role", "viewer")
    desk.press("Give this role")
    assert Membership.objects.get(user__email="dora@example.com").role == "viewer"
    desk.go("Audit log")
    desk.sees("dora@example.com")


def test_turn_on_a_second_step(desk: Desk, place: Place) -> None:
    """Turn on a second step."""
    desk.stand_up()
    desk.form().text("E-mail", place.cast.bob.email).text("Password", PASSWORD)
    desk.press("Sign in")
    desk.is_at("Usage")
    desk.own_account()
    desk.follow("Manage Second step")
    desk.follow("Set up an app")
    desk.form().text("Password", PASSWORD)
    desk.press("Confirm")
    secret = desk.reads(r"\b([A-Z2-7]{16,})\b")
    desk.form().text("Code that the app shows", code_of(secret))
    desk.press("Turn it on")
    desk.is_at("Recovery codes")


def test_sign_in_through_your_organization(desk: Desk, place: Place, settings: Settings) -> None:
    """Sign in through your organization."""
    settings.WEBHOOK_NETWORKS = ["127.0.0.1/32"]
    charlie = place.cast.charlie
    with running_provider() as known:
        known.person = {"sub": "9", "email": charlie.email}
        desk.sit_down(charlie.email)
        desk.go("Sign-in")
        desk.follow("Confirm your password")
        desk.form().text("Password", PASSWORD)
        desk.press("Confirm")
        desk.form("Single sign-on").text("Issuer", known.url).text("Client id", CLIENT_ID).text(
            "Client secret", CLIENT_SECRET
        ).text("E-mail domains", "example.com")
        desk.press("Keep this provider")
        desk.is_told("Members of these domains may sign in through the provider.")
        desk.stand_up()
        desk.follow("Sign in through your organization")
        desk.form().text("E-mail", charlie.email)
        desk.press("Send the way")
        send_asked_letters()
        desk.open_letter(charlie.email)
        desk.is_at("Overview")
        desk.sign_out()
        desk.follow("Sign in through your organization")
        desk.follow("Go on with Outsider")
        desk.is_at("Overview")


def test_choose_a_new_password(desk: Desk, place: Place) -> None:
    """Choose a new password."""
    fiona = make_user("fiona@example.com", place.cast.tenant)
    desk.stand_up()
    desk.follow("Password forgotten?")
    desk.form().text("E-mail", fiona.email)
    desk.press("Send the link")
    send_asked_letters()
    desk.open_letter(fiona.email)
    desk.form().text("New password", WISHED).text("New password, again", WISHED)
    desk.press("Set this password")
    desk.follow("Sign in")
    desk.form().text("E-mail", fiona.email).text("Password", WISHED)
    desk.press("Sign in")
    desk.is_at("Usage")


def test_act_for_another_organization(desk: Desk, place: Place) -> None:
    """Act for another organization."""
    gina = make_user("gina@example.com", place.cast.tenant)
    Membership.objects.create(user=gina, organization=place.cast.provider, role=Role.VIEWER, created_at=EPOCH)
    desk.sit_down(gina.email)
    desk.own_account()
    desk.press("Switch to it Tenant", within="Your organizations")
    desk.is_at("Usage")


def test_take_ones_data_and_leave(desk: Desk, place: Place) -> None:
    """Take your data, and leave."""
    henry = make_user("henry@example.com", place.cast.tenant, Role.VIEWER)
    desk.sit_down(henry.email)
    desk.own_account()
    with desk.saving() as lines:
        desk.follow("Download your data")
    assert any(henry.email in line for line in lines)
    desk.follow("Delete the account")
    desk.form().text("Password", PASSWORD)
    desk.press("Confirm")
    desk.form("What happens").text("Type your e-mail address to confirm", henry.email)
    desk.press("Delete my account")
    desk.is_at("Your account is deleted")
    assert not Membership.objects.filter(user=henry).exists()


def test_read_in_chinese(desk: Desk, place: Place) -> None:
    """Read in your own language and zone."""
    desk.sit_down(place.cast.petra.email)
    desk.own_account()
    desk.form("You").choice("Language", "简体中文").choice("Time zone for reading", "Asia/Shanghai")
    desk.press("Keep these choices")
    desk.is_at("你的账户")

"""The pages of members, keys and the audit log in a real browser: no complaint, usable on a phone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.test import Client
from django.utils import timezone

from tenants.models import Membership, Organization, Role
from tests.factories import PASSWORD, make_cast, make_user
from tests.tenants.audit.entries import write
from tests.tenants.keys.made import make_keys
from tests.tenants.members.people import invited

if TYPE_CHECKING:
    from playwright.sync_api import Page
    from pytest_django.live_server_helper import LiveServer

    from tests.plugins.browser import AxeCheck

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def db(lasting_rows: None) -> None:
    """The database of this module's tests, which only read: what is written stays for the next one."""


@pytest.fixture(scope="module")
def paths(db: None) -> dict[str, list[str]]:
    """An organization of several people with invitations, and the addresses of its pages, by who opens them."""
    cast = make_cast()
    for name, role in (("ada.lovelace", Role.ADMIN), ("billie.accountant-of-the-company", Role.BILLING)):
        make_user(f"{name}@example.com", cast.tenant, role)
    _, token = invited(cast.tenant, at=timezone.now())
    invited(cast.tenant, "a.person.with.quite.a.long.address@subsidiary.example.com", Role.VIEWER)
    _, known = invited(cast.tenant, "petra@example.com", at=timezone.now())
    bob = Membership.objects.get(user=cast.bob)
    make_user("olga@example.com", cast.operator)
    keys = make_keys(cast.tenant)
    write(cast.tenant, before={"role": "viewer"}, after={"role": "admin", "scopes": ["usage:read", "events:write"]})
    write(cast.tenant, actor="API key fk_abcdefg", action="webhook_endpoint.secret_turned", after={"url": "x" * 300})
    Organization.objects.filter(pk=cast.outsider.pk).update(
        suspended_at=timezone.now(), suspended_because="Invoices of March are not paid."
    )
    return {
        "": [f"/invitations/{token}/", f"/invitations/{known}/"],
        "alice@example.com": [
            "/t/members/",
            "/t/members/?q=nobody",
            f"/t/members/{bob.pk}/",
            f"/invitations/{token}/",
            "/t/keys/?show=all",
            *(f"/t/keys/{one.pk}/" for one in keys),
            "/t/audit/",
            "/t/audit/?actor=nobody",
            "/t/organization/",
        ],
        "bob@example.com": ["/t/members/", f"/t/members/{bob.pk}/"],
        "petra@example.com": ["/p/tenants/"],
        "charlie@example.com": ["/t/usage/"],
        "olga@example.com": [
            "/o/organizations/",
            f"/o/organizations/{cast.outsider.pk}/",
            f"/o/organizations/{cast.provider.pk}/",
        ],
    }


def test_every_page_is_accessible_and_fits_a_phone(
    paths: dict[str, list[str]], lasting_server: LiveServer, still: Page, looked_at: AxeCheck
) -> None:
    for email, opened in paths.items():
        client = Client()
        assert not email or client.login(email=email, password=PASSWORD)
        still.context.clear_cookies()
        cookies = [{"name": key, "value": one.value, "url": lasting_server.url} for key, one in client.cookies.items()]
        still.context.add_cookies(cookies)  # type: ignore[arg-type]  # a typed dict of the same keys
        for path in opened:
            still.goto(lasting_server.url + path)
            assert looked_at(still) == [], path

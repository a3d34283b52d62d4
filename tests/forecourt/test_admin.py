"""The back office shows nothing of how people sign in: no address to be edited, no key of an app, no session's key."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.contrib import admin
from django.test import Client

from forecourt.admin import HIDDEN, plural_of
from tenants.models import User
from tests.factories import PASSWORD
from tests.tenants.accounts.doors import signed_in, with_app

if TYPE_CHECKING:
    from django.db.models import Model


@pytest.mark.parametrize("model", HIDDEN)
def test_it_is_not_registered(model: type[Model]) -> None:
    assert not admin.site.is_registered(model)


def test_nothing_of_it_is_on_the_first_page_or_at_an_address(db: None) -> None:
    root = User.objects.create_superuser("root@example.com", PASSWORD, name="Root")
    client = signed_in(root)
    page = client.get("/admin/").content.decode()
    for word in ("authenticator", "usersession", "emailaddress", "socialapp"):
        assert word not in page.lower()
    for address in ("mfa/authenticator/", "usersessions/usersession/", "socialaccount/socialapp/"):
        assert client.get(f"/admin/{address}").status_code == 404


def test_who_enters_the_back_office_with_an_app_is_asked_for_its_code(db: None) -> None:
    root = User.objects.create_superuser("root@example.com", PASSWORD, name="Root")
    with_app(root)
    client = Client()
    answer = client.post("/sign-in/", {"login": "root@example.com", "password": PASSWORD, "next": "/admin/"})
    assert answer.headers["Location"] == "/sign-in/code/"
    assert client.get("/admin/", follow=True).redirect_chain[-1][0].startswith("/sign-in/")


@pytest.mark.parametrize(
    ("one", "many"),
    [
        ("invoice", "invoices"),
        ("audit entry", "audit entries"),
        ("api key", "api keys"),
        ("bank match", "bank matches"),
        ("business", "businesses"),
        ("payout terms", "payout terms"),
        ("card on file", "cards on file"),
        ("usage days summed", "usage days summed"),
    ],
)
def test_tables_have_plurals_that_people_read(one: str, many: str) -> None:
    assert plural_of(one) == many


def test_a_list_without_rows_says_so_and_what_to_do(db: None) -> None:
    client = signed_in(User.objects.create_superuser("root@example.com", PASSWORD, name="Root"))
    page = client.get("/admin/tenants/auditentry/").content.decode()
    assert "Here stand audit entries once there are any." in page
    searched = client.get("/admin/tenants/user/?q=nobody").content.decode()
    assert "Ask for less: take a filter off, or search for another word." in searched
    assert "No row" not in client.get("/admin/tenants/user/").content.decode()

"""The page of the audit log, its pages and its file."""

from __future__ import annotations

import re
from html import unescape
from typing import TYPE_CHECKING

import pytest
from django.urls import reverse

from tests.billing.pages.reading import rows_of, text_of
from tests.factories import make_user
from tests.tenants.audit.entries import write

if TYPE_CHECKING:
    from django.test import Client

    from tests.factories import Cast

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("side", ["tenant", "provider", "operator"])
def test_it_says_who_did_what_and_what_changed(cast: Cast, client: Client, side: str) -> None:
    organization = getattr(cast, side)
    client.force_login(
        {"tenant": cast.alice, "provider": cast.petra}.get(side) or make_user("olga@example.com", cast.operator)
    )
    page = reverse(f"{side}-audit")
    assert "Nothing was done yet" in text_of(client.get(page))
    write(organization, before={"role": "viewer"}, after={"role": "admin"})
    write(cast.outsider, subject="hidden@example.com")
    shown = text_of(client.get(page))
    assert "2 Mar 2026 12:00 UTC alice@example.com member.removed bob@example.com role viewer admin" in shown
    assert "hidden" not in shown
    assert "No entry fits" in text_of(client.get(page, {"subject": "nobody"}))


def test_its_pages_and_its_file_hold_the_same(cast: Cast, client: Client) -> None:
    client.force_login(cast.alice)
    write(cast.tenant, count=120)
    write(cast.tenant, actor="somebody else")
    address, seen = reverse("tenant-audit") + "?actor=alice&from=2026-03-02&to=2026-03-31", 0
    while address:
        page = client.get(address).content.decode()
        seen += page.count("<code>member.removed</code>")
        found = re.search(r'rel="next" href="([^"]+)"', page)
        address = unescape(found[1]) if found else ""
    csv_address = re.search(r'href="([^"]+)" data-key="e"', page)
    assert csv_address is not None
    rows = rows_of(client.get(unescape(csv_address[1])))
    assert seen == len(rows) == 120
    assert {row["actor"] for row in rows} == {"alice@example.com"}
    assert rows[0]["at"] > rows[-1]["at"]


def test_a_cursor_that_is_none_and_a_role_without_it_find_nothing(cast: Cast, client: Client) -> None:
    client.force_login(cast.alice)
    assert client.get(reverse("tenant-audit"), {"cursor": "moon"}).status_code == 404
    client.force_login(cast.bob)
    assert client.get(reverse("tenant-audit")).status_code == 403

"""The file of members is the page with the same filters."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.urls import reverse

from tests.billing.pages.reading import rows_of

if TYPE_CHECKING:
    from django.test import Client

    from tests.factories import Cast

pytestmark = pytest.mark.django_db


def test_the_file_has_whom_the_page_shows_and_nobody_else(cast: Cast, client: Client) -> None:
    cast.bob.name = "=cmd()"
    cast.bob.save()
    client.force_login(cast.alice)
    for asked, expected in (
        ({}, [cast.alice, cast.bob]),
        ({"q": "bob"}, [cast.bob]),
        ({"role": "owner"}, [cast.alice]),
    ):
        page = client.get(reverse("tenant-members"), asked).content.decode()
        assert reverse("tenant-members-csv") + "?" in page
        rows = rows_of(client.get(reverse("tenant-members-csv"), asked))
        assert [row["email"] for row in rows] == [one.email for one in expected]
        assert all(row["email"] in page for row in rows)
    assert rows_of(client.get(reverse("tenant-members-csv"), {"q": "bob"}))[0]["name"] == "'=cmd()"

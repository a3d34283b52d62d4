"""The operator's file of organizations is its page with the same filters, and nobody else's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.urls import reverse

from tenants.models import Role
from tenants.organizations.files import HEAD
from tests.billing.pages.reading import rows_of
from tests.factories import make_user

if TYPE_CHECKING:
    from django.test import Client

    from tests.factories import Cast

pytestmark = pytest.mark.django_db
ADDRESS = "operator-organizations-csv"


def test_it_has_each_with_its_kinds_and_how_many_people(cast: Cast, client: Client) -> None:
    client.force_login(make_user("olga@example.com", cast.operator, Role.OWNER))
    rows = rows_of(client.get(reverse(ADDRESS)))
    assert tuple(rows[0]) == HEAD
    by_slug = {row["slug"]: row for row in rows}
    assert set(by_slug) == {"operator", "provider", "tenant", "outsider"}
    assert by_slug["outsider"]["kinds"].split() == ["provider", "tenant"]
    assert by_slug["tenant"]["members"] == "2"
    assert by_slug["tenant"]["suspended_at"] == ""


@pytest.mark.parametrize(
    ("asked", "slugs"),
    [
        ({"q": "outs"}, {"outsider"}),
        ({"kind": "provider"}, {"provider", "outsider"}),
        ({"kind": "provider", "q": "prov"}, {"provider"}),
        ({"q": "nobody"}, set()),
    ],
)
def test_filters_are_the_page_s(cast: Cast, client: Client, asked: dict[str, str], slugs: set[str]) -> None:
    client.force_login(make_user("olga@example.com", cast.operator, Role.OWNER))
    rows = rows_of(client.get(reverse(ADDRESS), asked))
    assert {row["slug"] for row in rows} == slugs
    page = client.get(reverse("operator-organizations"), asked).content.decode()
    assert all(row["name"] in page for row in rows)


def test_nobody_else_gets_it(cast: Cast, client: Client) -> None:
    for person in (cast.alice, cast.petra, cast.charlie):
        client.force_login(person)
        assert client.get(reverse(ADDRESS)).status_code == 404

"""Keys as a file: what the page lists, and no secret."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

import pytest

from tenants.models import Membership, Role
from tests.tenants.keys.made import make_keys

if TYPE_CHECKING:
    from django.test import Client

    from tests.factories import Cast

pytestmark = pytest.mark.django_db


def rows(client: Client, address: str) -> list[dict[str, str]]:
    answer = client.get(address)
    assert answer.status_code == 200
    text = b"".join(answer.streaming_content).decode()  # type: ignore[attr-defined]
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_it_has_what_the_page_lists(cast: Cast, client: Client) -> None:
    make_keys(cast.tenant)
    client.force_login(cast.alice)
    usable, every = rows(client, "/t/keys.csv"), rows(client, "/t/keys.csv?show=all")
    assert [one["state"] for one in usable] == ["ending", "in_use", "in_use"]
    assert [one["state"] for one in every] == ["ending", "in_use", "revoked", "in_use"]
    page = client.get("/t/keys/?show=all").content.decode()
    assert all(one["prefix"] in page for one in every)
    assert every[0]["networks"] == "203.0.113.0/24 2001:db8::/32"
    assert every[0]["created_by"] == "alice@example.com"


def test_nothing_in_it_signs_in(cast: Cast, client: Client) -> None:
    make_keys(cast.tenant)
    client.force_login(cast.alice)
    for one in rows(client, "/t/keys.csv?show=all"):
        assert len(one["prefix"]) == 10
        assert "secret" not in one


def test_a_name_is_not_run_as_a_formula(cast: Cast, client: Client) -> None:
    key = make_keys(cast.tenant)[0]
    type(key).objects.filter(pk=key.pk).update(
        name='=HYPERLINK("https://evil.example")', created_by="+evil@example.com"
    )
    client.force_login(cast.alice)
    [found] = [one for one in rows(client, "/t/keys.csv") if "HYPERLINK" in one["name"]]
    assert found["name"].startswith("'=")
    assert found["created_by"].startswith("'+")


@pytest.mark.parametrize("role", Role.values)
def test_it_opens_to_those_who_manage_keys(cast: Cast, client: Client, role: str) -> None:
    Membership.objects.filter(user=cast.bob).update(role=role)
    client.force_login(cast.bob)
    allowed = role in (Role.OWNER, Role.ADMIN, Role.DEVELOPER)
    assert client.get("/t/keys.csv").status_code == (200 if allowed else 403)


def test_others_keys_are_in_no_file_of_ours(cast: Cast, client: Client) -> None:
    make_keys(cast.tenant)
    client.force_login(cast.charlie)
    assert rows(client, "/t/keys.csv?show=all") == []
    client.force_login(cast.petra)
    assert client.get("/t/keys.csv").status_code == 404
    assert rows(client, "/p/keys.csv?show=all") == []

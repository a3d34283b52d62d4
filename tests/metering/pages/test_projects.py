"""The page of keys and projects: lists, a file that equals them, and forms that work without scripts."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

import pytest

from metering.key_models import Project, ProjectKey, UsageKey
from tests.billing.world import MARCH

if TYPE_CHECKING:
    from django.test import Client

    from tests.factories import Cast

pytestmark = pytest.mark.django_db
PAGE, ACT = "/t/projects/", "/t/projects/act/"


@pytest.fixture
def keys(cast: Cast, client: Client) -> dict[str, UsageKey]:
    client.force_login(cast.alice)
    made = [UsageKey(tenant=cast.tenant, label=label, first_counted_at=MARCH) for label in ("web", "night", "=cmd")]
    return {one.label: one for one in UsageKey.objects.bulk_create(made)}


def act(client: Client, **given: Any) -> str:
    response = client.post(ACT, given, follow=True)
    return response.content.decode() if response.status_code == 200 else str(response.status_code)


def test_a_project_is_made_renamed_and_holds_keys_from_a_day_on(client: Client, keys: dict[str, UsageKey]) -> None:
    assert "The project Search is made." in act(client, do="make", name="Search")
    web = keys["web"]
    assert "belongs to the project" in act(client, do="put", key=web.id, project="search", **{"from": "2026-03-05"})
    stay = ProjectKey.objects.get()
    assert (stay.key, stay.project.slug, f"{stay.from_at:%F %T}") == (web, "search", "2026-03-05 00:00:00")
    page = act(client, do="rename", project="search", name="Finding")
    assert "The project is called Finding now." in page
    assert f'href="/t/usage/key/{web.id}/"' in page
    assert Project.objects.get().slug == "search"


def test_a_key_is_marked_as_deleted_and_comes_back(client: Client, keys: dict[str, UsageKey]) -> None:
    page = act(client, do="delete", key=keys["web"].id)
    assert "Its history stays." in page
    assert ">deleted</span>" in page
    assert "The key is back." in act(client, do="restore", key=keys["web"].id)
    assert UsageKey.objects.filter(deleted_at__isnull=False).count() == 0


def test_the_file_has_what_the_page_lists(client: Client, keys: dict[str, UsageKey]) -> None:
    text = client.get("/t/projects.csv?q=E").content.decode()
    assert [row["key"] for row in csv.DictReader(io.StringIO(text))] == ["web"]
    whole = [row["key"] for row in csv.DictReader(io.StringIO(client.get("/t/projects.csv").content.decode()))]
    assert whole == ["'=cmd", "night", "web"]
    page = client.get(f"{PAGE}?q=E").content.decode()
    assert "night" not in page
    assert "/t/projects.csv?q=E" in page


@pytest.mark.parametrize(
    "given",
    [
        {"do": "explode"},
        {"do": "put", "key": "no-uuid", "project": ""},
        {"do": "rename", "project": "none", "name": "x"},
        {"do": "put", "key": "00000000-0000-0000-0000-000000000009", "project": "", "from": "yesterday"},
        {"do": "put", "key": "00000000-0000-0000-0000-000000000009", "project": "", "from": "0001-01-01"},
    ],
)
def test_what_is_not_there_is_not_found(client: Client, keys: dict[str, UsageKey], given: dict[str, str]) -> None:
    assert act(client, **given) == "404"


def test_a_name_that_is_none_is_said(client: Client, keys: dict[str, UsageKey]) -> None:
    assert "Give the project a name" in act(client, do="make", name=" ")


def test_who_only_reads_sees_no_forms_and_the_empty_page_says_what_to_do(cast: Cast, client: Client) -> None:
    client.force_login(cast.bob)
    page = client.get(PAGE).content.decode()
    assert "Have your gateway send a label" in page
    assert 'action="/t/projects/act/"' not in page
    assert "No key has this text" in client.get(f"{PAGE}?q=x").content.decode()
    assert client.post(ACT, {"do": "make", "name": "x"}).status_code == 403


def test_others_keys_are_not_listed(cast: Cast, client: Client, keys: dict[str, UsageKey]) -> None:
    client.force_login(cast.charlie)
    assert "night" not in client.get(PAGE).content.decode()
    assert act(client, do="delete", key=keys["web"].id) == "404"

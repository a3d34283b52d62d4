"""The pages of API keys: made, told once, rotated and revoked by form alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.urls import reverse

from tenants.api_keys import find_key
from tenants.models import ApiKey, Membership, Role
from tests.billing.pages.reading import rows_of, text_of
from tests.factories import make_user
from tests.tenants.members.people import NOW

if TYPE_CHECKING:
    from django.http.response import HttpResponseBase
    from django.test import Client

    from tests.factories import Cast

pytestmark = pytest.mark.django_db


def secret_in(page: HttpResponseBase) -> str:
    return str(getattr(page, "content").decode()).partition('<code class="token">')[2].partition("<")[0]  # noqa: B009


@pytest.mark.parametrize("side", ["tenant", "provider", "operator"])
def test_a_key_is_made_told_once_rotated_and_revoked(cast: Cast, client: Client, side: str) -> None:
    person = {"tenant": cast.alice, "provider": cast.petra}.get(side) or make_user("olga@example.com", cast.operator)
    client.force_login(person)
    listed = reverse(f"{side}-keys")
    assert "No keys yet" in text_of(client.get(listed))
    assert ('value="costs:write"' in client.get(listed).content.decode()) is (side == "provider")
    made = client.post(listed, {"name": "gateway", "scopes": ["usage:read"], "days": "90", "networks": ""})
    assert made.status_code == 201
    assert "no-store" in made.headers["Cache-Control"]
    key = ApiKey.objects.get()
    secret = secret_in(made)
    assert find_key(secret, key.created_at) == key
    assert key.expires_at is not None
    assert (key.expires_at - key.created_at).days == 90
    page = reverse(f"{side}-key", args=[key.pk])
    for shown in (client.get(page), client.get(listed)):
        assert "gateway" in text_of(shown)
        assert secret not in shown.content.decode()
    rotated = client.post(page, {"do": "rotate", "overlap": "1"})
    assert rotated.status_code == 201
    assert "It takes the place of" in text_of(rotated)
    assert find_key(secret_in(rotated), key.created_at) is not None
    assert "is no choice" in text_of(client.post(page, {"do": "rotate", "overlap": "2"}, follow=True))
    assert "is revoked: nothing is done" in text_of(client.post(page, {"do": "revoke"}, follow=True))
    assert "Rotate this key" not in text_of(client.get(page))
    assert client.post(page, {"do": "dance"}).status_code == 404
    assert ApiKey.objects.filter(revoked_at=None).count() == 1


def test_a_key_is_changed_and_what_is_wrong_is_said(cast: Cast, client: Client) -> None:
    client.force_login(cast.alice)
    listed = reverse("tenant-keys")
    for body, words in (
        ({"name": "a", "scopes": ["everything"]}, "not one of the available choices"),
        ({"name": "a"}, "required"),
        ({"name": "a", "scopes": ["usage:read"], "networks": "moon"}, "is no address or network"),
    ):
        refused = client.post(listed, body)
        assert refused.status_code == 422
        assert words in text_of(refused)
    client.post(listed, {"name": "a", "scopes": ["usage:read"], "networks": "10.0.0.1, 10.1.0.0/16"})
    key = ApiKey.objects.get()
    assert (key.expires_at, key.networks) == (None, ["10.0.0.1/32", "10.1.0.0/16"])
    page = reverse("tenant-key", args=[key.pk])
    changed = text_of(client.post(page, {"do": "change", "name": "b", "networks": ""}, follow=True))
    assert "The key is changed." in changed
    assert "anywhere" in changed
    assert "required" in text_of(client.post(page, {"do": "change", "name": ""}, follow=True))
    assert "no address" in text_of(client.post(page, {"do": "change", "name": "b", "networks": "?"}, follow=True))


def test_a_developer_is_offered_what_a_developer_may(cast: Cast, client: Client) -> None:
    client.force_login(cast.alice)
    client.post(reverse("tenant-keys"), {"name": "strong", "scopes": ["invoices:read"]})
    Membership.objects.filter(user=cast.bob).update(role=Role.DEVELOPER)
    client.force_login(cast.bob)
    page = client.get(reverse("tenant-keys")).content.decode()
    assert 'value="webhooks:write"' in page
    assert 'value="invoices:read"' not in page
    strong = reverse("tenant-key", args=[ApiKey.objects.get().pk])
    assert "Rotate this key" not in text_of(client.get(strong))
    assert "may not handle a key with invoices:read" in text_of(client.post(strong, {"do": "rotate"}, follow=True))
    assert "is revoked" in text_of(client.post(strong, {"do": "revoke"}, follow=True))


def test_the_file_is_the_page_with_the_same_choice(cast: Cast, client: Client) -> None:
    client.force_login(cast.alice)
    for name in ("old", "new"):
        client.post(reverse("tenant-keys"), {"name": name, "scopes": ["usage:read", "events:write"]})
    ApiKey.objects.filter(name="old").update(revoked_at=NOW)
    for asked, names in (({}, ["new"]), ({"show": "all"}, ["old", "new"])):
        page = client.get(reverse("tenant-keys"), asked).content.decode()
        rows = rows_of(client.get(reverse("tenant-keys-csv"), asked))
        assert [row["name"] for row in rows] == names
        assert [name for name in ("old", "new") if f">{name}</a>" in page] == names
        assert rows[-1]["scopes"] == "events:write usage:read"

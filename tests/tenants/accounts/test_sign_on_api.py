"""The API of how members sign in: read by a program, without the secret, and set by none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tenants.accounts.sealing import seal
from tenants.models import SignOnProvider
from tests.factories import EPOCH
from tests.filled import api_key
from tests.tenants.accounts.doors import with_app

if TYPE_CHECKING:
    from django.test import Client

    from tests.factories import Cast

ADDRESS = "/api/v1/sign-on"


@pytest.mark.django_db
def test_it_says_who_vouches_and_who_lacks_a_second_step(cast: Cast, client: Client) -> None:
    key = {"authorization": f"Bearer {api_key(cast.tenant)}"}
    assert client.get(ADDRESS, headers=key).json() == {
        "provider": None,
        "second_step_required": False,
        "without_second_step": ["alice@example.com", "bob@example.com"],
    }
    with_app(cast.alice)
    kept = SignOnProvider.objects.create(
        organization=cast.tenant,
        issuer="https://login.example.com",
        client_id="forecourt",
        secret_sealed=seal("hidden away"),
        domains=["example.com"],
        changed_at=EPOCH,
    )
    answer = client.get(ADDRESS, headers=key)
    told = answer.json()
    assert told["without_second_step"] == ["bob@example.com"]
    assert told["provider"]["issuer"] == "https://login.example.com"
    assert told["provider"]["redirect_uri"].endswith(f"/sign-in/organization/{kept.pk}/back/")
    assert "hidden" not in answer.content.decode()
    assert kept.secret_sealed not in answer.content.decode()
    other = {"authorization": f"Bearer {api_key(cast.provider)}"}
    assert client.get(ADDRESS, headers=other).json()["provider"] is None


@pytest.mark.django_db
def test_no_key_sets_it(cast: Cast, client: Client) -> None:
    key = {"authorization": f"Bearer {api_key(cast.tenant)}"}
    for call in (client.put, client.post, client.delete, client.patch):
        assert call(ADDRESS, {}, content_type="application/json", headers=key).status_code in (403, 405)
    assert not SignOnProvider.objects.exists()

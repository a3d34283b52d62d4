"""The API of billing profiles."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest

from tests.filled import api_key
from tests.kept import kept
from tests.tenants.test_logos import picture

if TYPE_CHECKING:
    from django.test import Client

    from tests.factories import Cast

pytestmark = pytest.mark.django_db

ADDRESS = "/api/v1/profile"
BODY: dict[str, Any] = {
    "legal_name": "Sample Compute GmbH",
    "address_lines": ["Musterstraße 1"],
    "country": "DE",
    "vat_id": "DE 136 695 976",
    "email": "bills@sample.example",
}


@kept
def key(cast: Cast) -> dict[str, str]:
    return {"authorization": f"Bearer {api_key(cast.provider)}"}


def test_a_profile_is_read_and_kept(cast: Cast, client: Client, key: dict[str, str]) -> None:
    before = client.get(ADDRESS, headers=key).json()
    assert (before["version"], before["legal_name"], before["logo_sha256"]) == (0, cast.provider.name, None)
    answer = client.put(ADDRESS, BODY, content_type="application/json", headers=key)
    assert answer.status_code == 200, answer.content
    kept = answer.json()
    assert (kept["version"], kept["vat_id"], kept["iban"]) == (1, "DE136695976", "")
    assert client.get(ADDRESS, headers=key).json() == kept
    assert client.put(ADDRESS, BODY, content_type="application/json", headers=key).json() == kept


def test_a_logo_stays_unless_it_is_said_to_go(client: Client, key: dict[str, str]) -> None:
    def put(**more: object) -> Any:
        return client.put(ADDRESS, {**BODY, **more}, content_type="application/json", headers=key).json()

    kept = put(logo_base64=base64.b64encode(picture("PNG")).decode())
    assert kept["logo_sha256"]
    shown = client.get(f"{ADDRESS}/logo", headers=key)
    assert (shown.headers["Content-Type"], shown.content) == ("image/png", picture("PNG"))
    assert put() == kept
    assert put(logo_base64=None)["logo_sha256"] is None
    assert client.get(f"{ADDRESS}/logo", headers=key).status_code == 404
    assert put(logo_base64="no base64!")["code"] == "wrong_profile"
    assert put(logo_base64="gr\N{LATIN SMALL LETTER O WITH DIAERESIS}n")["code"] == "wrong_profile"
    assert put(logo_base64=base64.b64encode(b"<svg/>").decode())["code"] == "wrong_logo"


@pytest.mark.parametrize(
    "change", [{"vat_id": "DE1"}, {"country": "XX"}, {"email": "nobody"}, {"legal_name": ""}, {"language": "tlh"}]
)
def test_what_is_wrong_is_named(client: Client, key: dict[str, str], change: dict[str, str]) -> None:
    answer = client.put(ADDRESS, {**BODY, **change}, content_type="application/json", headers=key)
    assert (answer.status_code, answer.json()["code"]) == (422, "wrong_profile")
    assert next(iter(change)) in answer.json()["detail"]
    assert client.get(ADDRESS, headers=key).json()["version"] == 0

"""The API of API keys, by a program with a key."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tenants.models import ApiKey, IdempotentCall
from tests.tenants.calling import call, secret_of

if TYPE_CHECKING:
    from django.test import Client

    from tests.factories import Cast

pytestmark = pytest.mark.django_db

BODY = {"name": "gateway", "scopes": ["prices:read"], "networks": ["127.0.0.0/8"]}


def test_a_key_is_made_once_used_rotated_and_revoked(cast: Cast, client: Client) -> None:
    caller = secret_of(cast.tenant)
    first = call(client, caller, "post", "api-keys", BODY, **{"Idempotency-Key": "one"})
    assert first.status_code == 201
    secret = first.json()["secret"]
    again = call(client, caller, "post", "api-keys", BODY, **{"Idempotency-Key": "one"}).json()
    assert again == {**first.json(), "secret": None}
    assert secret not in str(list(IdempotentCall.objects.values()))
    key = f"api-keys/{first.json()['id']}"
    assert call(client, secret, "get", "price-books").status_code == 200
    read = call(client, caller, "get", key).json()
    assert (read["state"], read["last_used_from"], read["created_by"][:10]) == ("in_use", "127.0.0.1", "API key fk")
    rotated = call(client, caller, "post", f"{key}/rotate", {"overlap_hours": 0}).json()
    assert (rotated["rotated_from_id"], rotated["networks"]) == (read["id"], ["127.0.0.0/8"])
    assert call(client, secret, "get", "price-books").status_code == 401
    assert call(client, rotated["secret"], "get", "price-books").status_code == 200
    new = f"api-keys/{rotated['id']}"
    changed = call(client, caller, "put", new, {"name": "other", "networks": ["203.0.113.0/24"]}).json()
    assert (changed["name"], changed["networks"]) == ("other", ["203.0.113.0/24"])
    elsewhere = call(client, rotated["secret"], "get", "price-books")
    assert (elsewhere.status_code, elsewhere.json()["code"]) == (403, "address_not_allowed")
    for _ in range(2):
        assert call(client, caller, "delete", new).status_code == 204
    listed = call(client, caller, "get", "api-keys", {"show": "all"}).json()["api_keys"]
    assert [one["state"] for one in listed] == ["in_use", "revoked", "revoked"]
    assert len(call(client, caller, "get", "api-keys").json()["api_keys"]) == 1
    assert "secret" not in str(listed)


def test_a_key_makes_no_stronger_one(cast: Cast, client: Client) -> None:
    weak = secret_of(cast.tenant, ["keys:write", "keys:read"])
    refused = call(client, weak, "post", "api-keys", BODY)
    assert (refused.status_code, refused.json()["code"]) == (403, "scope_out_of_reach")
    strong = ApiKey.objects.get(pk=call(client, secret_of(cast.tenant), "post", "api-keys", BODY).json()["id"])
    assert call(client, weak, "post", f"api-keys/{strong.pk}/rotate").status_code == 403
    assert call(client, weak, "put", f"api-keys/{strong.pk}", {"name": "mine"}).status_code == 403


def test_what_is_wrong_is_named_and_anothers_is_not_there(cast: Cast, client: Client) -> None:
    caller, charlie = secret_of(cast.tenant), secret_of(cast.outsider)
    for body, status, code in (
        ({}, 400, "invalid"),
        ({**BODY, "networks": ["moon"]}, 422, "wrong_api_key"),
        ({**BODY, "scopes": ["everything"]}, 400, "unknown_scope"),
        ({**BODY, "expires_at": "2020-01-01T00:00:00Z"}, 422, "wrong_api_key"),
    ):
        answer = call(client, caller, "post", "api-keys", body)
        assert (answer.status_code, answer.json()["code"]) == (status, code)
    key = call(client, caller, "post", "api-keys", BODY).json()["id"]
    calls: tuple[tuple[str, str, dict[str, str]], ...] = (
        ("get", f"api-keys/{key}", {}),
        ("put", f"api-keys/{key}", {"name": "mine"}),
        ("delete", f"api-keys/{key}", {}),
        ("post", f"api-keys/{key}/rotate", {}),
    )
    for method, address, given in calls:
        assert call(client, charlie, method, address, given).status_code == 404
    assert call(client, caller, "get", "api-keys", {"show": "some"}).status_code == 400

"""The API of statements."""

from __future__ import annotations

import json

import pytest
from django.test import Client

from tests.billing.statements.stated import make_month, stated_march
from tests.factories import Cast
from tests.filled import api_key

pytestmark = pytest.mark.django_db


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


def test_a_provider_reads_its_statements_and_their_documents(cast: Cast, client: Client) -> None:
    statement = stated_march(make_month(parties=(cast.provider, cast.tenant)))
    headers = bearer(api_key(cast.provider))
    (listed,) = client.get("/api/v1/statements", headers=headers).json()["statements"]
    assert listed == {
        "id": str(statement.pk),
        "number": "STM-0001",
        "currency": "USD",
        "month": "2026-03",
        "made_at": "2026-04-02T00:00:00Z",
        "opening": "0.00",
        "earned": "1663.83",
        "tax": "0.00",
        "deposit": "0.00",
        "received": "0.00",
        "moved": "0.00",
        "paid_out": "0.00",
        "closing": "1663.83",
        "sha256": statement.sha256,
    }
    assert client.get(f"/api/v1/statements/{statement.pk}", headers=headers).json() == listed
    document = client.get(f"/api/v1/statements/{statement.pk}/document", headers=headers)
    assert document.content.decode() == statement.document
    assert json.loads(document.content)["totals"]["closing"] == "1663.83"
    again = client.get(
        f"/api/v1/statements/{statement.pk}/document", headers={**headers, "If-None-Match": document["ETag"]}
    )
    assert (again.status_code, again.content) == (304, b"")


def test_a_tenant_and_an_outsider_see_no_statement_of_it(cast: Cast, client: Client) -> None:
    statement = stated_march(make_month(parties=(cast.provider, cast.tenant)))
    for organization in (cast.tenant, cast.outsider):
        headers = bearer(api_key(organization))
        assert client.get("/api/v1/statements", headers=headers).json() == {"statements": [], "next_cursor": None}
        assert client.get(f"/api/v1/statements/{statement.pk}", headers=headers).status_code == 404
        assert client.get(f"/api/v1/statements/{statement.pk}/document", headers=headers).status_code == 404

"""A body that names what is not there, or is another's, is answered alike: 404 with the field, and where to look."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client

from tests.api.published import published
from tests.filled import api_key

if TYPE_CHECKING:
    from tests.factories import Cast

NOBODYS = "00000000-0000-0000-0000-000000000009"
SPAN = {"from": "2026-03-05T00:00:00Z", "to": "2026-03-06T00:00:00Z"}
CALLS: list[tuple[str, str, dict[str, Any]]] = [
    ("deployments", "tenant", {"tenant": "nobody", "slug": "d", "name": "D", "from_at": "2026-03-01T00:00:00Z"}),
    ("enrolment-tokens", "cluster", {"cluster": "nowhere"}),
    ("price-drafts", "price_book_id", {"price_book_id": NOBODYS, "effective_at": "2026-03-01T00:00:00Z"}),
    (
        "price-versions",
        "price_book_id",
        {"price_book_id": NOBODYS, "effective_at": "2026-03-01T00:00:00Z", "prices": []},
    ),
    ("quotes", "contract", {"contract": "C-9999", "model": "H100", "count": 1, **SPAN}),
    ("refunds", "balance_id", {"balance_id": NOBODYS, "amount": "1.00", "method": "card", "reason": "asked"}),
    ("sessions", "term", {"term": "D-9999", "name": "s"}),
    ("take-backs", "session_id", {"session_id": NOBODYS}),
    ("volumes", "term", {"term": "D-9999", "volume": "v", "gigabytes": 1}),
]


@pytest.mark.parametrize(("address", "field", "body"), CALLS, ids=[one[0] for one in CALLS])
@pytest.mark.django_db
def test_what_is_named_and_not_there_is_told_by_its_field(
    cast: Cast, address: str, field: str, body: dict[str, Any]
) -> None:
    answer = Client().post(
        f"/api/v1/{address}",
        json.dumps(body),
        content_type="application/json",
        headers={"Authorization": f"Bearer {api_key(cast.provider)}"},
    )
    said = answer.json()
    assert (answer.status_code, said["code"], said.get("field")) == (404, "not_found", field), said
    listed = said["detail"].rpartition("; ")[2].partition(" ")[0]
    assert "get" in published()["paths"][f"/api/v1/{listed}"]

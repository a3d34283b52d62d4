"""The API of the card on file."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from billing.models import CardOnFile, CardVisit
from tenants.api_keys import issue_key

if TYPE_CHECKING:
    from django.test import Client
    from pytest_django import Settings

    from tests.factories import Cast
    from tests.fakes.stripe_double.fixture import StripeDouble


def headers(cast: Cast) -> dict[str, Any]:
    scopes = ["invoices:read", "profile:write"]
    key = issue_key(organization=cast.tenant, name="Bills", scopes=scopes, actor="tests", now=datetime.now(UTC))
    return {"headers": {"authorization": f"Bearer {key.secret}"}}


@pytest.mark.django_db(transaction=True)
def test_a_page_is_opened_a_card_read_and_taken_off(
    cast: Cast, client: Client, double: StripeDouble, settings: Settings
) -> None:
    settings.STRIPE_SECRET_KEY, settings.STRIPE_API_BASE = double.SECRET_KEY, double.base_url
    as_program = headers(cast)
    assert client.get("/api/v1/card", **as_program).json()["code"] == "no_card_on_file"
    opened = client.post("/api/v1/card", **as_program)
    assert (opened.status_code, opened.json()) == (201, {"url": CardVisit.objects.get().url})
    assert client.post("/api/v1/card", **as_program).json() == opened.json()
    double.complete_checkout(CardVisit.objects.get().session_id)
    client.force_login(cast.alice)
    client.get("/t/card/")
    read = client.get("/api/v1/card", **as_program).json()
    assert (read["brand"], read["last4"], read["expires_year"]) == ("visa", "4242", 2040)
    double.faults({"status": 500, "times": 9})
    silent = client.delete("/api/v1/card", **as_program)
    assert (silent.status_code, silent.json()["code"]) == (503, "stripe_unavailable")
    double.clear_faults()
    assert client.delete("/api/v1/card", **as_program).status_code == 204
    assert not CardOnFile.objects.exists()


@pytest.mark.django_db
def test_without_stripe_there_is_no_page(cast: Cast, client: Client) -> None:
    refused = client.post("/api/v1/card", **headers(cast))
    assert (refused.status_code, refused.json()["code"]) == (409, "cards_not_taken")

"""The API of a provider's account at Stripe: opened once, filled in on Stripe's page, looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from billing.models import StripePayee
from tests.filled import api_key

if TYPE_CHECKING:
    from django.test import Client

    from tests.factories import Cast
    from tests.fakes.stripe_double.fixture import StripeDouble

ADDRESS = "/api/v1/payouts/account"


def call(client: Client, cast: Cast, method: str, path: str = "") -> Any:
    key = {"authorization": f"Bearer {api_key(cast.provider)}"}
    return getattr(client, method)(f"{ADDRESS}{path}", headers=key)


@pytest.mark.django_db(transaction=True)
def test_it_is_opened_once_filled_in_and_looked_at(
    cast: Cast, client: Client, double: StripeDouble, settings: Any
) -> None:
    settings.STRIPE_SECRET_KEY, settings.STRIPE_API_BASE = "sk_test_sample", double.base_url
    assert call(client, cast, "get").json()["code"] == "no_payout_account"
    assert call(client, cast, "post", "/page").json()["code"] == "no_payout_account"
    opened = call(client, cast, "post")
    assert opened.status_code == 200, opened.content
    payee = StripePayee.objects.get()
    assert (opened.json()["account_id"], opened.json()["can_receive"]) == (payee.account_id, False)
    page = call(client, cast, "post", "/page")
    assert page.status_code == 201
    assert payee.account_id in page.json()["url"]
    double.onboard(payee.account_id)
    assert call(client, cast, "get").json()["can_receive"] is False, "as it was last seen"
    assert call(client, cast, "post").json()["can_receive"] is True
    assert call(client, cast, "get").json()["can_receive"] is True
    assert StripePayee.objects.count() == 1


@pytest.mark.django_db
def test_without_stripe_there_is_none_to_open(cast: Cast, client: Client) -> None:
    answer = call(client, cast, "post")
    assert (answer.status_code, answer.json()["code"]) == (409, "transfers_not_made")


@pytest.mark.django_db(transaction=True)
def test_a_stripe_that_is_away_is_said(cast: Cast, client: Client, settings: Any) -> None:
    settings.STRIPE_SECRET_KEY, settings.STRIPE_API_BASE = "sk_test_sample", "http://127.0.0.1:9"
    answer = call(client, cast, "post")
    assert (answer.status_code, answer.json()["code"]) == (503, "stripe_unavailable")
    assert not StripePayee.objects.exists()

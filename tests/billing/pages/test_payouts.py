"""The provider's page of payouts, and its account at Stripe."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from billing.models import PayoutTerms, StripePayee
from billing.statements.paying_out import make_payout
from tenants.models import Membership, Role
from tests.billing.pages.reading import text_of
from tests.billing.statements.stated import close_march, make_month, pay, state_march
from tests.billing.world import APRIL

if TYPE_CHECKING:
    from django.test import Client

    from tests.factories import Cast
    from tests.fakes.stripe_double.fixture import StripeDouble

TERMS = {"method": "stripe", "schedule": "daily", "minimum_amount": "100"}


@pytest.mark.django_db
def test_it_shows_what_can_be_paid_and_what_was(cast: Cast, client: Client) -> None:
    world = make_month(parties=(cast.provider, cast.tenant))
    pay(close_march(world))
    client.force_login(cast.petra)
    text = text_of(client.get("/p/payouts/"))
    assert "Can be paid out $1,663.83" in text
    assert "Nothing was paid out yet" in text
    assert "Account at Stripe" not in text
    state_march(world)
    PayoutTerms.objects.create(provider=cast.provider, hold_days=0)
    make_payout(provider_id=cast.provider.id, currency="USD", by="sam", now=APRIL)
    text = text_of(client.get("/p/payouts/"))
    assert "Can be paid out $0.00" in text
    assert "Bank transfer On its way" in text
    assert "STM-0001 $1,663.83" in text


@pytest.mark.django_db
def test_the_provider_sets_how_it_is_paid(cast: Cast, client: Client) -> None:
    client.force_login(cast.petra)
    assert client.post("/p/payouts/", TERMS).headers["Location"] == "/p/payouts/"
    terms = PayoutTerms.objects.get()
    assert (terms.method, terms.schedule, terms.minimum_amount) == ("stripe", "daily", Decimal(100))
    page = client.get("/p/payouts/")
    assert "Payouts are made so from now on." in text_of(page)
    assert 'value="100"' in page.content.decode(), "an amount as it was given, not 100.0000"
    answer = client.post("/p/payouts/", {**TERMS, "minimum_amount": "-1"})
    assert answer.status_code == 422
    Membership.objects.filter(user=cast.petra).update(role=Role.VIEWER)
    assert client.post("/p/payouts/", TERMS).status_code == 403
    assert "How you are paid" not in text_of(client.get("/p/payouts/"))


@pytest.mark.django_db
def test_a_hold_is_said_with_its_reason(cast: Cast, client: Client) -> None:
    PayoutTerms.objects.create(provider=cast.provider, held_reason="Identity is being checked.")
    client.force_login(cast.petra)
    assert "Payouts are held. Identity is being checked." in text_of(client.get("/p/payouts/"))


@pytest.mark.django_db(transaction=True)
def test_the_account_at_stripe_is_opened_and_filled_in(
    cast: Cast, client: Client, double: StripeDouble, settings: Any
) -> None:
    settings.STRIPE_SECRET_KEY, settings.STRIPE_API_BASE = "sk_test_sample", double.base_url
    client.force_login(cast.petra)
    assert "Open an account at Stripe" in text_of(client.get("/p/payouts/"))
    client.post("/p/payouts/", {"action": "connect"})
    payee = StripePayee.objects.get()
    text = text_of(client.get("/p/payouts/"))
    assert "It cannot receive transfers yet." in text
    assert payee.account_id in text
    sent = client.get("/p/payouts/stripe/")
    assert sent.status_code == 302
    assert payee.account_id in sent.headers["Location"]
    double.onboard(payee.account_id)
    back = client.get("/p/payouts/stripe/?back=1")
    assert back.headers["Location"].endswith("/p/payouts/")
    assert "It can receive transfers." in text_of(client.get("/p/payouts/"))

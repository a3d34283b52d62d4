"""The sweeps that ask Stripe about taxes and top-ups."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from billing.agreeing import add_adjustment
from billing.models import TaxQuestion, TopUp
from billing.rating.credit import CreditWording
from billing.tasks import ask_taxes, look_at_top_ups
from billing.tax_rules.deciding import Method
from billing.topups.buying import open_top_up, start_top_up
from tests.billing.collected import gateway_of, settings_of
from tests.billing.tax.taxed import charges_tax, closed, stands, two_leases
from tests.billing.world import MARCH, make_world

if TYPE_CHECKING:
    from tests.factories import Cast
    from tests.fakes.stripe_double.fixture import StripeDouble

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def with_stripe(double: StripeDouble, settings: Any) -> StripeDouble:
    known = settings_of(double)
    settings.STRIPE_SECRET_KEY, settings.STRIPE_API_BASE = known.secret_key, known.api_base
    return double


def test_waiting_questions_are_asked(cast: Cast, with_stripe: StripeDouble) -> None:
    assert with_stripe
    charges_tax(cast.provider, Method.STRIPE)
    stands(cast.provider, "DE")
    stands(cast.tenant, "DE")
    closed(two_leases(cast))
    ask_taxes()
    assert TaxQuestion.objects.get().state == "answered"


def test_top_ups_that_were_paid_are_granted(with_stripe: StripeDouble) -> None:
    contract = make_world(currency="EUR").contract
    add_adjustment(contract=contract, wording=CreditWording(), from_at=MARCH, to_at=None, now=MARCH, title="Prepaid")
    top_up = start_top_up(contract=contract, amount=Decimal(50), by="alice", now=MARCH)
    open_top_up(top_up_id=top_up.pk, return_url="http://127.0.0.1:9/", gateway=gateway_of(with_stripe), now=MARCH)
    top_up.refresh_from_db()
    with_stripe.complete_checkout(top_up.session_id)
    look_at_top_ups()
    top_up.refresh_from_db()
    assert (top_up.state, top_up.next_look_at > MARCH + timedelta(days=1)) == ("paid", True)


def test_without_stripe_nothing_is_asked(cast: Cast) -> None:
    charges_tax(cast.provider, Method.STRIPE)
    closed(two_leases(cast))
    ask_taxes()
    look_at_top_ups()
    assert TaxQuestion.objects.get().state == "waiting"
    assert not TopUp.objects.exists()

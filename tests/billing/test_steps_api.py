"""Steps of an issued invoice over HTTP: what waits for Stripe is handed over when it is asked."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.utils import timezone

from billing.models import Settlement, SettlementState
from tests.billing.collected import only_invoice_at
from tests.billing.pages.test_collection import pushable, use
from tests.billing.test_closing_api import client_of, send

if TYPE_CHECKING:
    from pytest_django import Settings

    from tests.factories import Cast
    from tests.fakes.stripe_double.fixture import StripeDouble


@pytest.mark.django_db(transaction=True)
def test_an_invoice_that_waits_for_stripe_is_handed_over_now(
    cast: Cast, double: StripeDouble, settings: Settings
) -> None:
    use(settings, double)
    invoice = pushable(cast)
    Settlement.objects.update(next_try_at=timezone.now() + timedelta(hours=1), attempts=3)
    address = f"invoices/{invoice.pk}/steps/stripe_push/retry"
    send(client_of(cast.tenant), "post", address, {}, 404)
    assert send(client_of(cast.provider), "post", address, {})["state"] == SettlementState.WAIT
    assert only_invoice_at(double, invoice)["status"] == "open"
    assert send(client_of(cast.provider), "post", address, {})["state"] == SettlementState.WAIT
    double.require_lawful()


@pytest.mark.django_db(transaction=True)
def test_one_that_stopped_is_at_stripe_when_the_call_answers_as_by_the_button(
    cast: Cast, double: StripeDouble, settings: Settings
) -> None:
    use(settings, double)
    invoice = pushable(cast)
    Settlement.objects.update(state=SettlementState.FAILED, last_error="Stripe made something else")
    address = f"invoices/{invoice.pk}/steps/stripe_push/retry"
    assert send(client_of(cast.provider), "post", address, {})["state"] == SettlementState.WAIT
    assert only_invoice_at(double, invoice)["status"] == "open"

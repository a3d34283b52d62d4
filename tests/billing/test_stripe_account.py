"""The account that the settings name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from billing.stripe_account import gateway
from billing.stripe_gateway import StripeRefused
from tests.fakes.stripe_double.fixture import StripeDouble

if TYPE_CHECKING:
    from pytest_django import Settings

pytestmark = pytest.mark.django_db  # every call is paced by a row


def test_without_a_key_there_is_no_gateway(settings: Settings) -> None:
    settings.STRIPE_SECRET_KEY = ""
    assert gateway() is None


def test_the_gateway_speaks_to_the_set_address_and_is_made_once(settings: Settings, double: StripeDouble) -> None:
    settings.STRIPE_SECRET_KEY = double.SECRET_KEY
    settings.STRIPE_API_BASE = double.base_url
    first = gateway()
    assert first is not None
    assert first is gateway()
    assert first.find_invoice("none", "cus_none") is None
    assert len(double.state()["requests"]) == 1


def test_a_changed_setting_makes_another(settings: Settings) -> None:
    settings.STRIPE_SECRET_KEY = "sk_test_changed"
    before = gateway()
    settings.STRIPE_WEBHOOK_SECRET = "whsec_another"
    after = gateway()
    assert after is not None
    assert after is not before


def test_a_key_of_another_account_is_refused(settings: Settings, double: StripeDouble) -> None:
    settings.STRIPE_SECRET_KEY = "sk_live_not_a_test_key"
    settings.STRIPE_API_BASE = double.base_url
    refused = gateway()
    assert refused is not None
    with pytest.raises(StripeRefused, match="Invalid API Key"):
        refused.find_invoice("none", "cus_none")

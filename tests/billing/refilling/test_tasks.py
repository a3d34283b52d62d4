"""The sweeps of low credit do their part for each row, and stop at no failure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.core import mail

from billing.charging import ensure_periods
from billing.models import BalanceNotice, BalanceRule, Contract, TopUp
from billing.refilling.tasks import charge_top_ups, send_letters, watch_balances
from tests.billing.collected import gateway_of, settings_of
from tests.billing.refilling.low import Low, leave_card, low_credit

if TYPE_CHECKING:
    from tests.factories import Cast
    from tests.fakes.stripe_double.fixture import StripeDouble

pytestmark = pytest.mark.django_db(transaction=True)


def low_now(cast: Cast) -> Low:
    """Credit that is low at the present day, with a rule that buys."""
    low = low_credit(cast)
    ensure_periods(contract=low.contract, now=datetime.now(UTC))
    low.rule(now=datetime.now(UTC))
    return low


def test_from_low_credit_to_a_charged_card(cast: Cast, double: StripeDouble, settings: Any) -> None:
    known = settings_of(double)
    settings.STRIPE_SECRET_KEY, settings.STRIPE_API_BASE, settings.MAIL_READY = known.secret_key, known.api_base, True
    low = low_now(cast)
    leave_card(low, gateway_of(double))
    for _time in range(2):
        watch_balances(unknown_argument_of_a_later_version=1)
        charge_top_ups()
        send_letters()
    assert TopUp.objects.get().state == "open"
    assert len(mail.outbox) == 1
    assert BalanceNotice.objects.get().sent_to == mail.outbox[0].to
    TopUp.objects.update(next_look_at=datetime.now(UTC) - timedelta(seconds=1))
    charge_top_ups()
    assert TopUp.objects.get().state == "paid"


def test_without_stripe_or_a_mail_server_all_waits(cast: Cast, settings: Any) -> None:
    settings.MAIL_READY = False
    low_now(cast)
    watch_balances()
    TopUp.objects.update(next_look_at=datetime.now(UTC) - timedelta(seconds=1))
    charge_top_ups()
    send_letters()
    assert (TopUp.objects.get().begun_at, BalanceNotice.objects.get().attempts, mail.outbox) == (None, 0, [])


def test_stripe_that_is_away_is_asked_again_later(cast: Cast, settings: Any, caplog: pytest.LogCaptureFixture) -> None:
    settings.STRIPE_SECRET_KEY, settings.STRIPE_API_BASE = "sk_test_nobody", "http://127.0.0.1:9"
    low_now(cast)
    watch_balances()
    TopUp.objects.update(next_look_at=datetime.now(UTC) - timedelta(seconds=1))
    charge_top_ups()
    assert "Stripe is unavailable" in caplog.text
    assert (TopUp.objects.get().state, BalanceRule.objects.get().ended_at) == ("open", None)


def test_a_look_that_fails_is_logged(cast: Cast, caplog: pytest.LogCaptureFixture) -> None:
    low = low_now(cast)
    Contract.objects.filter(pk=low.contract.pk).update(time_zone="Nowhere/At-all")
    watch_balances()
    assert "rule about low credit" in caplog.text
    assert not BalanceNotice.objects.exists()

"""Planted faults in what rules bought are found by the checks of the books."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from billing.models import BalanceNotice, LedgerPosting, TopUp
from billing.refilling.checks import paid_credit_is_booked, purchases_are_within_their_rules
from billing.topups.buying import take
from tests.billing.refilling.low import BUYS, CHARGED_AT, NOW, Low, low_credit
from tests.kept import kept

pytestmark = pytest.mark.django_db


def bought() -> tuple[Low, TopUp]:
    low = low_credit()
    top_up = low.planned()
    TopUp.objects.filter(pk=top_up.pk).update(begun_at=CHARGED_AT)
    take(top_up_id=top_up.pk, amount_minor=5_000, currency="EUR", payment_intent_id="pi_1", now=CHARGED_AT)
    return low, top_up


def wrong() -> list[str]:
    return [*purchases_are_within_their_rules()[1], *paid_credit_is_booked()[1]]


low_and_top_up = kept(bought)


def test_what_was_bought_within_its_rule_and_told_of_holds() -> None:
    bought()
    assert wrong() == []
    assert purchases_are_within_their_rules()[0] == 1


def test_more_than_the_months_most_is_found(low_and_top_up: tuple[Low, TopUp]) -> None:
    _, top_up = low_and_top_up
    TopUp.objects.filter(pk=top_up.pk).update(amount=Decimal("120.01"))
    beyond, unbooked = wrong()
    assert beyond.endswith(": 120.0100 this month, at most 120.0000")
    assert unbooked.startswith(f"top-up {top_up.pk} of 120.0100 is paid: ")


def test_a_purchase_by_a_rule_that_only_tells_is_found(low_and_top_up: tuple[Low, TopUp]) -> None:
    low, top_up = low_and_top_up
    telling = low.rule(replace(BUYS, buy_amount=None, month_max_amount=None), CHARGED_AT)
    TopUp.objects.filter(pk=top_up.pk).update(rule=telling)
    assert len(wrong()) == 2


@pytest.mark.parametrize("early", [timedelta(seconds=1), CHARGED_AT - NOW])
def test_a_charge_before_what_was_told_is_found(early: timedelta, low_and_top_up: tuple[Low, TopUp]) -> None:
    _, top_up = low_and_top_up
    TopUp.objects.filter(pk=top_up.pk).update(begun_at=CHARGED_AT - early)
    assert "told for" in wrong()[0]


def test_a_charge_that_was_never_begun_or_never_told_is_found(low_and_top_up: tuple[Low, TopUp]) -> None:
    _, top_up = low_and_top_up
    TopUp.objects.filter(pk=top_up.pk).update(begun_at=None)
    assert len(wrong()) == 1
    TopUp.objects.filter(pk=top_up.pk).update(begun_at=CHARGED_AT, crossing=7)
    assert len(wrong()) == 1
    assert BalanceNotice.objects.count() == 1


def test_credit_that_is_paid_and_not_booked_is_found(low_and_top_up: tuple[Low, TopUp]) -> None:
    low, _ = low_and_top_up
    lost = TopUp.objects.create(
        term=low.term,
        amount=5,
        currency="EUR",
        state="paid",
        started_by="x",
        created_at=NOW,
        next_look_at=NOW,
    )
    assert wrong() == [f"top-up {lost.pk} of 5.0000 is paid: 0 booked as paid, 0 as granted"]
    assert LedgerPosting.objects.filter(cause="top_up").count() == 1

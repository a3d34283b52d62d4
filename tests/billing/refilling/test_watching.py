"""The watch over credit: told once as it falls below the amount, beforehand of a purchase, and never of old figures."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError, connection, transaction

from billing.charging import ensure_periods
from billing.models import BalanceNotice, BalanceRule, CardOnFile, TopUp
from billing.refilling.rules import NOTICE
from billing.refilling.watching import LOOK_EVERY, claim_rules, look
from billing.topups.buying import take
from tenants.hook_models import WebhookEndpoint, WebhookEvent
from tenants.models import AuditEntry
from tests.billing.refilling.low import BUYS, BY, CHARGED_AT, NOW, TELLS, Low, low_credit
from tests.billing.world import APRIL
from tests.kept import kept

MINUTE = timedelta(minutes=1)
WORKERS = 4


def listens(low: Low) -> None:
    for organization in (low.contract.tenant, low.contract.provider):
        WebhookEndpoint.objects.create(
            organization=organization, url="https://127.0.0.1:9/", kinds=["balance.low"], created_at=NOW
        )


def paid(top_up: TopUp) -> None:
    take(
        top_up_id=top_up.pk,
        amount_minor=int(top_up.amount * 100),
        currency="eur",
        payment_intent_id="pi_1",
        charge_id="ch_1",
        now=CHARGED_AT,
    )


low = kept(low_credit)


@pytest.mark.django_db
def test_credit_at_the_amount_is_not_low() -> None:
    low = low_credit(amount="20")
    assert look(rule_id=low.rule().pk, now=NOW) is None
    assert low.notices() == []


@pytest.mark.django_db
def test_where_no_period_is_open_nothing_is_known_and_nothing_is_bought(low: Low) -> None:
    """Else a contract that is not billed yet, or not any more, would look as if all credit were used up."""
    rule = low.rule()
    assert look(rule_id=rule.pk, now=APRIL) is None
    assert look(rule_id=rule.pk, now=NOW) is not None


@pytest.mark.django_db
def test_low_credit_is_told_once_and_nothing_is_bought_by_a_rule_that_tells(low: Low) -> None:
    rule = low.rule(TELLS)
    told = look(rule_id=rule.pk, now=NOW)
    assert told is not None
    assert (told.left_amount, told.outcome, told.charge_at, told.crossing) == (Decimal(10), "told", None, 1)
    for minute in range(1, 4):
        assert look(rule_id=rule.pk, now=NOW + minute * MINUTE) is None
    assert not TopUp.objects.exists()


@pytest.mark.django_db
def test_credit_that_rose_and_fell_is_told_again(low: Low) -> None:
    rule = low.rule(replace(TELLS, below_amount=Decimal(50)))
    assert look(rule_id=rule.pk, now=NOW) is not None
    low.given("more", "100")
    assert look(rule_id=rule.pk, now=NOW + MINUTE) is None
    rule.refresh_from_db()
    assert (rule.is_low, rule.crossing) == (False, 1)
    BalanceRule.objects.filter(pk=rule.pk).update(is_low=False)
    higher = low.rule(replace(TELLS, below_amount=Decimal(500)), NOW + 2 * MINUTE)
    again = look(rule_id=higher.pk, now=NOW + 2 * MINUTE)
    assert again is not None
    assert again.left_amount == 110


@pytest.mark.django_db
def test_a_purchase_is_told_of_before_it_is_charged(low: Low) -> None:
    top_up = low.planned()
    notice = BalanceNotice.objects.get()
    assert (notice.outcome, notice.charge_at) == ("buys", NOW + NOTICE)
    assert (top_up.amount, top_up.next_look_at, top_up.begun_at, top_up.state) == (
        Decimal(50),
        NOW + NOTICE,
        None,
        "open",
    )
    planned = AuditEntry.objects.get(action="top_up.planned")
    assert planned.after == {"amount": "50.0000", "currency": "EUR", "set_by": BY}


@pytest.mark.django_db
def test_no_charge_is_told_of_where_no_card_is_on_file_until_one_is(low: Low) -> None:
    CardOnFile.objects.all().delete()
    rule = low.rule()
    told = look(rule_id=rule.pk, now=NOW)
    assert told is not None
    assert (told.outcome, told.charge_at) == ("no_card", None)
    assert look(rule_id=rule.pk, now=NOW + MINUTE) is None
    assert not TopUp.objects.exists()
    CardOnFile.objects.create(
        organization=low.contract.tenant, payment_method_id="pm_2", kind="card", kept_by=BY, kept_at=NOW
    )
    again = look(rule_id=rule.pk, now=NOW + 2 * MINUTE)
    assert again is not None
    assert (again.outcome, again.charge_at) == ("buys", NOW + 2 * MINUTE + NOTICE)


@pytest.mark.django_db
def test_programs_of_the_tenant_are_told_what_and_when_and_the_provider_is_not(low: Low) -> None:
    listens(low)
    low.planned()
    event = WebhookEvent.objects.get(kind="balance.low")
    notice = BalanceNotice.objects.get()
    assert event.organization == low.contract.tenant
    assert event.body == {
        "id": str(notice.pk),
        "contract_id": str(low.contract.pk),
        "contract": low.contract.number,
        "currency": "EUR",
        "left": "10.00",
        "below": "20.00",
        "outcome": "buys",
        "buys": "50.00",
        "charge_at": CHARGED_AT.isoformat().replace("+00:00", "Z"),
    }


@pytest.mark.django_db
def test_nothing_more_is_bought_while_a_purchase_waits(low: Low) -> None:
    top_up = low.planned()
    for minute in range(1, 5):
        assert look(rule_id=top_up.rule_id or top_up.pk, now=NOW + minute * MINUTE) is None
    higher = low.rule(replace(BUYS, below_amount=Decimal(1_000)), NOW + 5 * MINUTE)
    assert TopUp.objects.get(pk=top_up.pk).state == "stopped"
    assert look(rule_id=higher.pk, now=NOW + 5 * MINUTE) is not None
    assert TopUp.objects.filter(state="open").count() == 1


@pytest.mark.django_db
def test_a_purchase_that_was_not_enough_is_followed_by_another_until_the_months_most(low: Low) -> None:
    figures = replace(BUYS, below_amount=Decimal(200))
    top_up = low.planned(figures)
    outcomes = []
    for minute in range(1, 6):
        paid(top_up)
        told = look(rule_id=top_up.rule_id or top_up.pk, now=CHARGED_AT + minute * MINUTE)
        outcomes.append(told.outcome if told else None)
        top_up = TopUp.objects.order_by("crossing").last() or top_up
    assert outcomes == ["buys", "month_max", None, None, None]
    assert sorted(TopUp.objects.values_list("crossing", "state")) == [(1, "paid"), (2, "paid")]


@pytest.mark.django_db
def test_what_the_month_held_back_is_bought_in_the_next(low: Low) -> None:
    top_up = low.planned(replace(BUYS, below_amount=Decimal(200), month_max_amount=Decimal(60)))
    rule_id = top_up.rule_id or top_up.pk
    paid(top_up)
    ensure_periods(contract=low.contract, now=APRIL)
    told = [look(rule_id=rule_id, now=at) for at in (CHARGED_AT, CHARGED_AT + MINUTE, APRIL, APRIL + MINUTE)]
    assert [one.outcome if one else None for one in told] == ["month_max", None, "buys", None]


@pytest.mark.django_db
def test_an_ended_rule_is_looked_at_no_more(low: Low) -> None:
    first = low.rule()
    second = low.rule(TELLS, NOW + MINUTE)
    assert look(rule_id=first.pk, now=NOW + MINUTE) is None
    assert claim_rules(now=NOW + MINUTE, limit=9) == [second.pk]


@pytest.mark.django_db
def test_a_rule_is_claimed_by_one_and_comes_again_later() -> None:
    rule = low_credit().rule()
    assert claim_rules(now=NOW, limit=9) == [rule.pk]
    assert claim_rules(now=NOW, limit=9) == []
    assert claim_rules(now=NOW + LOOK_EVERY, limit=0) == []
    assert claim_rules(now=NOW + LOOK_EVERY, limit=9) == [rule.pk]


@pytest.mark.django_db
def test_the_database_refuses_a_second_purchase_of_a_crossing_and_a_notice_that_changes(low: Low) -> None:
    top_up = low.planned()
    notice = BalanceNotice.objects.get()
    top_up.pk = notice.pk
    with pytest.raises(IntegrityError, match="top_up_once_a_crossing"), transaction.atomic():
        top_up.save(force_insert=True)
    for change in ({"left_amount": 1}, {"charge_at": NOW}, {"outcome": "told"}):
        with pytest.raises(IntegrityError, match="refused"), transaction.atomic():
            BalanceNotice.objects.filter(pk=notice.pk).update(**change)
    with pytest.raises(IntegrityError, match="top_up_by_rule_has_crossing"), transaction.atomic():
        TopUp.objects.update(crossing=None)


@pytest.mark.django_db(transaction=True)
def test_many_who_look_at_once_tell_and_plan_once() -> None:
    low = low_credit()
    rule = low.rule()
    start = threading.Barrier(WORKERS)

    def work() -> None:
        try:
            start.wait()
            look(rule_id=rule.pk, now=NOW)
        finally:
            connection.close()

    workers = [threading.Thread(target=work) for _ in range(WORKERS)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert low.notices() == [("low", "buys")]
    assert TopUp.objects.count() == 1

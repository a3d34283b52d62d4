"""A rule about low credit is set, replaced and ended by rows; its figures are checked, and held by the database."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction

from billing.models import BalanceRule, Contract, TopUp
from billing.refilling.rules import Figures
from billing.refilling.setting import (
    REPLACED,
    NoBalanceRule,
    WrongBalanceRule,
    amounts_by_rules,
    check_figures,
    end_rule,
    running_rule,
    set_rule,
)
from billing.refilling.watching import look
from tenants.models import AuditEntry
from tests.billing.refilling.low import BUYS, BY, NOW, TELLS, Low, low_credit
from tests.billing.world import APRIL, MARCH, make_world
from tests.kept import kept

pytestmark = pytest.mark.django_db
LATER = NOW + timedelta(minutes=1)


low = kept(low_credit)


def test_a_rule_is_set_once_and_written_down(low: Low) -> None:
    rule = low.rule()
    assert low.rule(now=LATER).pk == rule.pk
    assert (rule.term, rule.below_amount, rule.buy_amount, rule.month_max_amount) == (
        low.term,
        Decimal(20),
        Decimal(50),
        Decimal(120),
    )
    audit = AuditEntry.objects.get(action="balance_rule.set")
    assert (audit.organization, audit.actor, audit.before) == (low.contract.tenant, BY, None)
    assert audit.after == {"below_amount": "20", "buy_amount": "50", "month_max_amount": "120", "term": low.term.ref}


def test_another_rule_takes_the_place_of_the_first(low: Low) -> None:
    first, second = low.rule(), low.rule(TELLS, LATER)
    first.refresh_from_db()
    assert (first.ended_at, first.ended_by, first.end_reason) == (LATER, BY, REPLACED)
    assert running_rule(low.contract) == second
    before = AuditEntry.objects.filter(action="balance_rule.set").order_by("at").last()
    assert before is not None
    assert before.before is not None
    assert before.before["buy_amount"] == "50.0000"


def test_an_ended_rule_buys_nothing_that_was_not_begun(low: Low) -> None:
    top_up = low.planned()
    end_rule(contract=low.contract, by="bob@example.com", now=LATER)
    top_up.refresh_from_db()
    assert (top_up.state, top_up.finished_at) == ("stopped", LATER)
    assert running_rule(low.contract) is None
    assert AuditEntry.objects.get(action="balance_rule.ended").actor == "bob@example.com"
    with pytest.raises(NoBalanceRule, match="has no rule"):
        end_rule(contract=low.contract, by=BY, now=LATER)


def test_what_was_begun_is_not_taken_back(low: Low) -> None:
    top_up = low.planned()
    TopUp.objects.filter(pk=top_up.pk).update(begun_at=NOW)
    end_rule(contract=low.contract, by=BY, now=LATER)
    top_up.refresh_from_db()
    assert top_up.state == "open"


def test_what_a_replaced_rule_bought_counts_for_the_month(low: Low) -> None:
    TopUp.objects.filter(pk=low.planned().pk).update(state="paid")
    assert amounts_by_rules(low.contract.pk, MARCH, APRIL) == [50]
    replaced = low.rule(replace(BUYS, month_max_amount=Decimal(99)), LATER)
    told = look(rule_id=replaced.pk, now=LATER)
    assert told is not None
    assert told.outcome == "month_max"
    assert amounts_by_rules(low.contract.pk, APRIL, APRIL + timedelta(days=30)) == []


@pytest.mark.parametrize("state", ["failed", "stopped"])
def test_what_was_not_charged_counts_for_nothing(state: str, low: Low) -> None:
    TopUp.objects.filter(pk=low.planned().pk).update(state=state)
    assert amounts_by_rules(low.contract.pk, MARCH, APRIL) == []


@pytest.mark.parametrize(
    ("below", "buy", "most", "field"),
    [
        ("0", None, None, "below"),
        ("-1", None, None, "below"),
        ("NaN", None, None, "below"),
        ("1000000.01", None, None, "below"),
        ("1.234", None, None, "below"),
        ("20", "50", None, "month_max"),
        ("20", None, "120", "buy"),
        ("20", "0", "120", "buy"),
        ("20", "0.01", "120", "buy"),
        ("20", "1.001", "120", "buy"),
        ("20", "50", "49.99", "month_max"),
        ("20", "50", "Infinity", "month_max"),
    ],
)
def test_figures_that_make_no_rule_are_refused(below: str, buy: str | None, most: str | None, field: str) -> None:
    figures = Figures(Decimal(below), Decimal(buy) if buy else None, Decimal(most) if most else None)
    with pytest.raises(WrongBalanceRule, match=rf"^{field}: ") as wrong:
        check_figures(figures, "EUR")
    assert wrong.value.extra == {"field": field}


def test_figures_at_the_border_are_taken_in_the_decimals_of_the_currency() -> None:
    check_figures(Figures(Decimal("0.01"), Decimal(50), Decimal(50)), "EUR")
    check_figures(Figures(Decimal(1), Decimal(100), Decimal(1_000_000)), "JPY")
    with pytest.raises(WrongBalanceRule, match="at most 0 decimals"):
        check_figures(Figures(Decimal("1.5"), None, None), "JPY")


def test_a_contract_without_prepaid_credit_has_no_rule() -> None:
    with pytest.raises(WrongBalanceRule, match="no such term"):
        set_rule(contract=make_world().contract, figures=TELLS, by=BY, now=NOW)
    low = low_credit()
    with pytest.raises(WrongBalanceRule, match="no such term"):
        set_rule(contract=low.contract, figures=TELLS, term_ref="other", by=BY, now=NOW)


@pytest.mark.parametrize(
    "change",
    [
        {"below_amount": 1},
        {"buy_amount": 500, "month_max_amount": 500},
        {"month_max_amount": 9999},
        {"set_by": "mallory"},
        {"set_at": MARCH},
    ],
)
def test_the_database_keeps_a_rules_figures(change: dict[str, object]) -> None:
    rule = low_credit().rule()
    with pytest.raises(IntegrityError, match="refused"), transaction.atomic():
        BalanceRule.objects.filter(pk=rule.pk).update(**change)


def test_the_database_lets_no_rule_be_taken_away_or_come_back(low: Low) -> None:
    rule = low.rule()
    with pytest.raises(IntegrityError, match="refused"), transaction.atomic():
        BalanceRule.objects.filter(pk=rule.pk).delete()
    end_rule(contract=low.contract, by=BY, now=LATER)
    with pytest.raises(IntegrityError, match="refused"), transaction.atomic():
        BalanceRule.objects.filter(pk=rule.pk).update(ended_at=None)


@pytest.mark.parametrize(
    ("below", "buy", "most"), [(0, None, None), (20, 50, None), (20, None, 50), (20, 50, 49), (20, 0, 0)]
)
def test_the_database_refuses_figures_without_bounds(below: int, buy: int | None, most: int | None, low: Low) -> None:
    with pytest.raises(IntegrityError, match="balance_rule"), transaction.atomic():
        BalanceRule.objects.create(
            contract=low.contract,
            term=low.term,
            below_amount=below,
            buy_amount=buy,
            month_max_amount=most,
            set_by=BY,
            set_at=NOW,
            next_look_at=NOW,
        )


def test_the_database_refuses_a_second_rule_of_a_contract(low: Low) -> None:
    rule = low.rule()
    rule_again = {"contract": low.contract, "term": low.term, "below_amount": 1, "set_by": BY}
    with pytest.raises(IntegrityError, match="balance_rule_once"), transaction.atomic():
        BalanceRule.objects.create(**rule_again, set_at=NOW, next_look_at=NOW)
    assert Contract.objects.get(balance_rules=rule) == low.contract

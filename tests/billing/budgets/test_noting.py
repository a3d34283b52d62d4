"""What a look at a budget leaves: alerts once each, one letter, events to programs, a stop, all or nothing."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from django.db import DatabaseError, connection, transaction

from billing.budgets.noting import amount_text, note_use
from billing.budgets.rules import Per, window_of
from billing.budgets.setting import change_budget, rule_of
from billing.models import BudgetLook, BudgetStop, SpendAlert, SpendMail
from tenants.models import AuditEntry, Role
from tests.billing.budgets.spent import BY, DAY, HOUR, NOW, look, make_spent, set_budget, told
from tests.billing.test_telling import listen
from tests.billing.test_telling import told as events
from tests.factories import make_user
from tests.kept import kept

if TYPE_CHECKING:
    from datetime import datetime

    from billing.models import Budget
    from tests.factories import Cast

pytestmark = pytest.mark.django_db


def note(budget: Budget, used: str, *, now: datetime = NOW, expected: str = "") -> list[tuple[str, int]]:
    rule = rule_of(budget)
    return told(
        note_use(
            budget_id=budget.pk,
            rule=rule,
            window=window_of(rule.per, rule.zone, NOW),
            used=Decimal(used),
            now=now,
            expected=Decimal(expected) if expected else None,
        )
    )


budget = kept(set_budget)


@kept
def budget_made(cast: Cast) -> Budget:
    return set_budget(cast, stops=True)


def test_each_threshold_is_told_once_a_period(budget: Budget) -> None:
    assert note(budget, "99.99") == []
    assert note(budget, "100.00") == [("threshold", 50)]
    assert note(budget, "120.00") == []
    assert note(budget, "90.00") == []  # usage was corrected downwards: nothing is taken back
    assert note(budget, "210.00") == [("threshold", 75), ("threshold", 100)]
    assert note(budget, "500.00") == []
    stored = SpendAlert.objects.latest("pk")
    assert (stored.used, stored.amount, stored.from_at.day) == (Decimal(210), Decimal(200), 1)


def test_a_raised_amount_is_told_of_anew_and_other_thresholds_of_the_same_are_not(cast: Cast, budget: Budget) -> None:
    note(budget, "210.00")
    rule = rule_of(budget)
    for changed, expected in (
        (replace(rule, thresholds=(50, 90, 100)), [("threshold", 90)]),
        (replace(rule, amount=Decimal(400)), [("threshold", 50)]),
    ):
        budget = change_budget(
            organization=cast.tenant, budget_id=budget.pk, name=budget.name, rule=changed, by=BY, now=NOW
        )
        assert note(budget, "210.00") == expected


def test_a_look_at_what_was_changed_meanwhile_notes_nothing(cast: Cast, budget: Budget) -> None:
    changed = replace(rule_of(budget), amount=Decimal(1000))
    change_budget(organization=cast.tenant, budget_id=budget.pk, name=budget.name, rule=changed, by=BY, now=NOW)
    assert note(budget, "210.00") == []
    assert not BudgetLook.objects.exists()


def test_one_letter_tells_of_the_gravest_to_each_who_pays(cast: Cast) -> None:
    make_user("bill@example.com", cast.tenant, Role.BILLING)
    budget = set_budget(cast, stops=True)
    assert note(budget, "200.00") == [
        ("threshold", 50),
        ("threshold", 75),
        ("threshold", 100),
        ("stopped", 0),
    ]
    letters = SpendMail.objects.order_by("address")
    assert [(letter.address, letter.alert.kind) for letter in letters] == [
        ("alice@example.com", "stopped"),
        ("bill@example.com", "stopped"),
        ("billing@tenant.example.com", "stopped"),
    ]
    assert note(budget, "300.00") == []
    assert letters.count() == 3


def test_programs_are_told_of_each_with_what_they_need(cast: Cast) -> None:
    listen(cast.tenant, cast.outsider)
    budget = set_budget(cast, thresholds=(100,), stops=True)
    note(budget, "200.50")
    [(kind, body), (_, stopped)] = events(cast.tenant)
    assert kind == "budget.threshold"
    assert body.pop("id") == str(SpendAlert.objects.get(kind="threshold").pk)
    assert body == {
        "budget_id": str(budget.pk),
        "budget": "All of it",
        "side": "tenant",
        "reason": "threshold",
        "percent": 100,
        "amount": "200.00",
        "used": "200.50",
        "currency": "USD",
        "measure": "cost",
        "period_from": "2026-03-01T00:00:00Z",
        "period_to": "2026-04-01T00:00:00Z",
    }
    assert (stopped["reason"], stopped["percent"]) == ("stopped", None)
    assert events(cast.outsider) == []


def test_a_month_on_course_to_pass_is_told_once(cast: Cast) -> None:
    budget = set_budget(cast, on_forecast=True)
    assert note(budget, "50.00", expected="200.00") == []
    assert note(budget, "50.00", expected="200.01") == [("forecast", 0)]
    assert note(budget, "60.00", expected="240.00") == []
    assert SpendAlert.objects.get().used == Decimal("200.01")
    assert BudgetLook.objects.get().expected == Decimal(240)


def test_what_came_late_into_a_period_that_is_over_is_told_and_stops_nothing(cast: Cast) -> None:
    budget = set_budget(cast, stops=True, thresholds=(100,))
    after = window_of(Per.MONTH, "UTC", NOW)[1] + HOUR / 2
    assert note(budget, "210.00", now=after) == [("threshold", 100)]
    assert not BudgetStop.objects.exists()
    assert not BudgetLook.objects.exists()


def test_a_rate_is_told_every_hour_and_written_of_once_a_day(cast: Cast) -> None:
    spent = make_spent(cast, days=0)
    set_budget(cast, per=Per.HOUR, amount=Decimal(8), thresholds=(100,))
    for hour in (1, 2, 30):
        spent.big.use({"input": 10_000_000}, at=NOW + hour * HOUR, model="sample-big")
        look(cast, NOW + hour * HOUR + HOUR / 2)
    assert [alert.from_at - NOW for alert in SpendAlert.objects.order_by("at")] == [HOUR, 2 * HOUR, 30 * HOUR]
    assert SpendMail.objects.filter(address="alice@example.com").count() == 2


def test_a_stop_is_one_a_period_and_stands_in_the_log(budget_made: Budget) -> None:
    budget = budget_made
    note(budget, "200.00")
    note(budget, "250.00", now=NOW + DAY)
    stop = BudgetStop.objects.get()
    assert (stop.used, stop.at, stop.to_at) == (Decimal(200), NOW, window_of(Per.MONTH, "UTC", NOW)[1])
    entry = AuditEntry.objects.get(action="budget.stopped")
    assert entry.actor == "budgets"


def test_a_look_that_dies_at_any_statement_leaves_nothing_and_the_next_tells_all(cast: Cast) -> None:
    listen(cast.tenant)
    budget = set_budget(cast, stops=True)

    class Cut(Exception):
        pass

    deaths = 0
    for statements in range(1, 60):
        left = statements

        def dying(execute, sql, params, many, context):  # type: ignore[no-untyped-def]  # Django's wrapper
            nonlocal left
            left -= 1
            if left == 0:
                raise Cut
            return execute(sql, params, many, context)

        try:
            with transaction.atomic(), connection.execute_wrapper(dying):
                assert len(note(budget, "200.00")) == 4
        except Cut:
            deaths += 1
            assert not SpendAlert.objects.exists()
            assert not BudgetStop.objects.exists()
            assert not SpendMail.objects.exists()
        else:
            break
    assert deaths > 10
    assert (SpendAlert.objects.count(), BudgetStop.objects.count(), len(events(cast.tenant))) == (4, 1, 4)


@pytest.mark.parametrize("table", ["billing_spendalert", "billing_budgetstop", "billing_budgetlift"])
def test_the_database_keeps_what_was_told_and_stopped(cast: Cast, table: str, budget_made: Budget) -> None:
    budget = budget_made
    note(budget, "200.00")
    change_budget(
        organization=cast.tenant,
        budget_id=budget.pk,
        name=budget.name,
        rule=replace(rule_of(budget), stops=False),
        by=BY,
        now=NOW,
    )
    for statement in (f"UPDATE {table} SET at = now()", f"DELETE FROM {table}"):
        with (
            pytest.raises(DatabaseError, match="append-only"),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(statement)


def test_amounts_are_written_as_the_api_writes_them() -> None:
    assert amount_text(Decimal("12.5"), "USD") == "12.50"
    assert amount_text(Decimal("1200.000000"), "JPY") == "1200"
    assert amount_text(Decimal("30000000.000000"), "") == "30000000"

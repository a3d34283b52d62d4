"""A budget in figures: what is used with its instant, and a running total that ends with it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest

from billing.budgets.known import KnownUse
from billing.budgets.rules import Per, window_of
from billing.models import Budget, BudgetLook
from billing.pages.budget_figures import budget_chart, budget_kpis
from portal.figures import EN
from tests.billing.budgets.spent import DAY, HOUR, NOW

KNOWN = KnownUse(
    used=Decimal("108.00"),
    days={date(2026, 3, 1): Decimal(60), date(2026, 3, 11): Decimal(40)},
    at=NOW,
    days_at=NOW - timedelta(minutes=30),
)


def budget(per: str = "month") -> Budget:
    made = Budget(
        scope="organization", measure="cost", currency="USD", per=per, zone="UTC", amount=Decimal(200), thresholds=[50]
    )
    from_at, to_at = window_of(Per.MONTH, "UTC", NOW)
    made.look = BudgetLook(budget=made, from_at=from_at, to_at=to_at, used=KNOWN.used, looked_at=NOW)
    return made


def test_the_running_total_ends_with_what_is_used_and_says_of_when_its_days_are() -> None:
    shown = budget_chart(KNOWN, budget(), NOW, EN)
    totals = [row.cells[0].text for row in shown["chart_table"].rows]
    assert totals == ["$60.00"] * 10 + ["$108.00"]
    assert shown["chart_foot"] == "How it divides into days was found at 11:30 UTC."
    assert budget_chart(replace(KNOWN, days_at=NOW), budget(), NOW, EN)["chart_foot"] == ""


def test_days_after_the_last_look_are_not_known() -> None:
    """A page that is read two days after the look draws no line through them."""
    shown = budget_chart(KNOWN, budget(), NOW + 2 * DAY, EN)["chart"]
    assert shown == budget_chart(KNOWN, budget(), NOW, EN)["chart"]


@pytest.mark.parametrize(("per", "known"), [("month", None), ("day", KNOWN), ("hour", KNOWN)])
def test_nothing_is_drawn_of_what_is_not_known_or_short(per: str, known: KnownUse | None) -> None:
    assert budget_chart(known, budget(per), NOW, EN) == {}


def test_the_instant_has_its_day_where_it_is_another() -> None:
    feet = [budget_kpis(KNOWN, budget(), NOW + later, EN)[0].foot for later in (HOUR, DAY)]
    assert feet == ["of $200.00 at 12:00 UTC", "of $200.00 at 11 Mar 12:00 UTC"]


def test_what_was_not_looked_at_yet_says_so() -> None:
    used, begins = budget_kpis(None, budget(), NOW, EN)
    assert (used.value, used.foot) == ("–", "not looked at yet: what you sell is added up every few minutes")
    assert begins.value == "1 Apr"

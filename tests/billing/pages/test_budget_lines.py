"""Rows of budgets and alerts, and notices of stops: the state in a word, a bar that marks the amount, a way to it."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from billing.budgets.lists import alerts_of, budgets_of
from billing.budgets.setting import retire_budget
from billing.budgets.standing import standing_stops
from billing.models import Budget, BudgetLook
from billing.pages.budget_lines import alert_lines, budget_lines, state_pill, stop_notices
from portal.figures import EN
from tests.billing.budgets.spent import BY, NOW, look, make_spent, set_budget
from tests.billing.world import APRIL, MARCH

if TYPE_CHECKING:
    from tests.factories import Cast

pytestmark = pytest.mark.django_db


def looked(used: str, *, expected: str | None = None, amount: str = "100") -> Budget:
    budget = Budget(amount=Decimal(amount), thresholds=[50, 75, 100], currency="USD")
    budget.look = BudgetLook(
        budget=budget, from_at=MARCH, to_at=APRIL, used=Decimal(used), looked_at=NOW,
        expected=None if expected is None else Decimal(expected),
    )  # fmt: skip
    return budget


@pytest.mark.parametrize(
    ("budget", "words", "tone"),
    [
        (looked("49.99"), "Within", "good"),
        (looked("50"), "50% reached", "warn"),
        (looked("99.99"), "75% reached", "warn"),
        (looked("100"), "Used up", "bad"),
        (looked("10", expected="100.01"), "On course to pass", "warn"),
        (looked("10", expected="100"), "Within", "good"),
        (Budget(amount=Decimal(1), thresholds=[]), "Waiting", ""),
    ],
)
def test_a_state_is_a_word(budget: Budget, words: str, tone: str) -> None:
    pill = state_pill(budget, is_stopped=False, now=NOW)
    assert (pill.text, pill.tone) == (words, tone)


def test_a_stop_comes_before_all_and_an_old_look_says_nothing() -> None:
    assert state_pill(looked("10"), is_stopped=True, now=NOW).text == "Stopped"
    assert state_pill(looked("100"), is_stopped=False, now=APRIL).text == "Waiting"


def test_a_row_has_its_figures_and_leads_to_its_budget(cast: Cast) -> None:
    make_spent(cast)
    budget = set_budget(cast, amount=Decimal(80))
    [new] = budget_lines(budgets_of(cast.tenant), [], "tenant-budget", NOW, EN)
    assert (new.used, new.percent, new.bar, new.expected) == ("not looked at yet", "", "", "")
    look(cast)
    [line] = budget_lines(budgets_of(cast.tenant), [], "tenant-budget", NOW, EN)
    assert (line.used, line.limit, line.percent) == ("$100.00", "$80.00 per month", "125%")
    assert line.url == f"/t/budgets/{budget.pk}/"
    assert 'class="bad"' in line.bar
    assert line.does == "Tells at 50%, 75%, 100%. Nothing is stopped: it tells only."
    [old] = budget_lines(budgets_of(cast.tenant), [], "tenant-budget", APRIL, EN)
    assert old.used == "not looked at yet"


def test_alerts_lead_to_budgets_that_are_there(cast: Cast) -> None:
    make_spent(cast)
    budget = set_budget(cast, amount=Decimal(200))
    look(cast)
    [line] = alert_lines(alerts_of(cast.tenant), "tenant-budget", EN)
    assert (line.name, line.period, line.at) == ("All of it", "March 2026", "11 Mar 2026 12:00 UTC")
    assert (line.url, line.pill.text) == (f"/t/budgets/{budget.pk}/", "50% reached")
    assert alert_lines(alerts_of(cast.tenant), "", EN)[0].url == ""
    retire_budget(organization=cast.tenant, budget_id=budget.pk, by=BY, now=NOW)
    [line] = alert_lines(alerts_of(cast.tenant), "tenant-budget", EN)
    assert (line.name, line.url) == ("All of it", "")


def test_a_notice_says_until_when_and_where_to_lift_it(cast: Cast) -> None:
    make_spent(cast)
    budget = set_budget(cast, amount=Decimal(90), stops=True)
    look(cast)
    stops = standing_stops([budget], NOW)
    [notice] = stop_notices(stops, "tenant-budget", EN)
    assert notice.strong == "“All of it” is used up: new use is stopped until 1 Apr 2026 00:00 UTC."
    assert notice.link is not None
    assert notice.link.url == f"/t/budgets/{budget.pk}/"
    assert stop_notices(stops, "", EN)[0].link is None
    assert standing_stops([budget], APRIL) == []
    assert standing_stops([budget], MARCH - timedelta(seconds=1)) == []

"""The task of budgets: looks at all who are due, and a look that fails stops no other."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from billing.budgets.tasks import look_at_spending
from billing.models import Budget, BudgetLook, SpendAlert
from tests.billing.budgets.spent import BIG, make_spent, set_budget

if TYPE_CHECKING:
    from tests.factories import Cast

pytestmark = pytest.mark.django_db


def test_the_sweep_looks_at_everybody_once(cast: Cast) -> None:
    now = datetime.now(UTC)
    spent = make_spent(cast, days=0)
    spent.big.use({"input": 10_000_000}, at=now.replace(minute=0, second=0, microsecond=0), model=BIG)
    budget = set_budget(cast, amount=Decimal(8))
    look_at_spending(unknown_argument_of_a_later_version=1)
    assert SpendAlert.objects.filter(budget=budget).count() == 3
    look = BudgetLook.objects.get()
    look_at_spending()
    assert BudgetLook.objects.get() == look


def test_a_look_that_fails_is_logged_and_the_others_are_looked_at(cast: Cast, caplog: pytest.LogCaptureFixture) -> None:
    make_spent(cast, days=0)
    broken = set_budget(cast)
    Budget.objects.filter(pk=broken.pk).update(zone="Nowhere/At-all")
    look_at_spending()
    assert "as tenant" in caplog.text
    assert not BudgetLook.objects.exists()

"""What a gateway is answered, and what a used-up budget keeps from being held."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from billing.budgets.rules import Measure, Scope
from billing.budgets.setting import lift_stop
from billing.budgets.standing import standing_of
from billing.suspensions import StoppedByBudget
from tests.billing.budgets.spent import BIG, BY, DAY, NOW, SMALL, Spent, look, make_spent, set_budget
from tests.billing.world import APRIL
from tests.kept import kept

if TYPE_CHECKING:
    from datetime import datetime

    from tests.factories import Cast

pytestmark = pytest.mark.django_db


def allowed(cast: Cast, now: datetime = NOW, **asked: str) -> bool:
    return standing_of(cast.tenant, {Scope(name): text for name, text in asked.items()}, now).allowed


spent = kept(make_spent)


def test_a_models_budget_stops_that_model_and_nothing_else(cast: Cast) -> None:
    make_spent(cast)
    budget = set_budget(cast, scope=Scope.MODEL, subject=BIG, amount=Decimal(80), stops=True)
    assert allowed(cast, model=BIG)
    look(cast)
    assert not allowed(cast, model=BIG)
    assert allowed(cast, model=SMALL)
    assert allowed(cast)
    assert allowed(cast, APRIL, model=BIG)
    assert standing_of(cast.provider, {Scope.MODEL: BIG}, NOW).allowed
    [stop] = standing_of(cast.tenant, {Scope.MODEL: BIG}, NOW).stops
    assert (stop.budget.name, stop.to_at) == (budget.name, APRIL)
    lift_stop(organization=cast.tenant, budget_id=budget.pk, reason="x", by=BY, now=NOW)
    assert allowed(cast, model=BIG)


def test_only_budgets_that_stop_are_asked(cast: Cast) -> None:
    make_spent(cast)
    set_budget(cast, amount=Decimal(1))
    look(cast)
    found = standing_of(cast.tenant, {}, NOW)
    assert found.allowed
    assert [budget.look.used for budget in found.budgets] == [Decimal(100)]


def test_nothing_new_is_held_once_the_whole_cost_is_used_up_and_what_runs_goes_on(cast: Cast, spent: Spent) -> None:
    spent.world.lease(1, from_at=NOW, now=NOW)
    budget = set_budget(cast, amount=Decimal(90), stops=True)
    look(cast)
    with pytest.raises(
        StoppedByBudget, match=r"'All of it' is used up: nothing new is held before 2026-04-01T00:00:00Z"
    ):
        spent.world.lease(1, from_at=NOW, now=NOW)
    spent.world.lease(1, from_at=APRIL, now=APRIL)
    lift_stop(organization=cast.tenant, budget_id=budget.pk, reason="x", by=BY, now=NOW)
    spent.world.lease(1, from_at=NOW + DAY, now=NOW)


@pytest.mark.parametrize(
    ("changes", "holds"),
    [
        ({"scope": Scope.CONTRACT}, False),
        ({"scope": Scope.MODEL, "subject": BIG, "amount": Decimal(1)}, True),
        ({"measure": Measure.TOKENS, "currency": ""}, True),
    ],
)
def test_cards_are_stopped_by_money_of_all_or_of_their_contract(
    cast: Cast, changes: dict[str, Any], holds: bool, spent: Spent
) -> None:
    if changes.get("scope") is Scope.CONTRACT:
        changes = {**changes, "subject": spent.world.contract.number}
    set_budget(cast, **{"amount": Decimal(90), "stops": True, **changes})
    look(cast)
    if holds:
        spent.world.lease(1, from_at=NOW, now=NOW)
    else:
        with pytest.raises(StoppedByBudget):
            spent.world.lease(1, from_at=NOW, now=NOW)

"""What keeps new use from beginning: a suspension, or a budget of money used up; each says why and until when."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from billing.budgets.noting import note_use
from billing.budgets.rules import Measure, Per, Scope, window_of
from billing.budgets.setting import change_budget, lift_stop, retire_budget, rule_of
from billing.models import Contract
from billing.suspensions import (
    ContractSuspended,
    StoppedByBudget,
    is_suspended,
    require_not_suspended,
    require_within_budgets,
)
from tests.billing.budgets.spent import BY, DAY, NOW, set_budget
from tests.billing.dunning.overdue import after, make_overdue, send_all, sweep
from tests.billing.world import APRIL, make_world
from tests.kept import kept

if TYPE_CHECKING:
    from datetime import datetime

    from billing.models import Budget
    from tests.factories import Cast

pytestmark = pytest.mark.django_db


@kept
def contract(cast: Cast) -> Contract:
    return make_world(parties=(cast.provider, cast.tenant)).contract


def used_up(budget: Budget, now: datetime = NOW) -> Budget:
    rule = rule_of(budget)
    window = window_of(rule.per, rule.zone, now)
    note_use(budget_id=budget.pk, rule=rule, window=window, used=rule.amount, now=now)
    return budget


def holds(contract: Contract, now: datetime = NOW) -> bool:
    """Whether something new may be held."""
    try:
        require_within_budgets(contract, now)
    except StoppedByBudget:
        return False
    return True


def test_without_budgets_nothing_is_stopped(contract: Contract) -> None:
    require_within_budgets(contract, NOW)
    require_not_suspended(contract.pk, contract.number)
    assert not is_suspended(contract.pk)


def test_a_used_up_budget_says_its_name_and_until_when(cast: Cast, contract: Contract) -> None:
    used_up(set_budget(cast, "March at most", stops=True))
    with pytest.raises(StoppedByBudget) as refused:
        require_within_budgets(contract, NOW)
    assert refused.value.detail == (
        "The budget 'March at most' is used up: nothing new is held before 2026-04-01T00:00:00Z, "
        "unless the tenant raises it or lifts its stop."
    )
    assert (refused.value.status, refused.value.code) == (409, "budget_stopped")


@pytest.mark.parametrize(
    ("changes", "is_held"),
    [
        ({}, False),
        ({"per": Per.DAY}, False),
        ({"per": Per.HOUR}, False),
        ({"scope": Scope.MODEL, "subject": "m"}, True),
        ({"measure": Measure.TOKENS, "currency": ""}, True),
        ({"stops": False, "thresholds": (100,)}, True),
    ],
)
def test_money_of_all_use_stops_cards_and_nothing_else_does(
    cast: Cast, contract: Contract, changes: dict[str, Any], is_held: bool
) -> None:
    used_up(set_budget(cast, **{"stops": True, **changes}))
    assert holds(contract) is is_held


def test_a_contracts_budget_stops_that_contract_alone(cast: Cast, contract: Contract) -> None:
    other = make_world(parties=(cast.provider, cast.tenant)).contract
    used_up(set_budget(cast, scope=Scope.CONTRACT, subject=contract.number, stops=True))
    assert (holds(contract), holds(other)) == (False, True)


def test_a_tenants_budget_stops_nothing_of_another_tenant(cast: Cast) -> None:
    used_up(set_budget(cast, stops=True))
    assert holds(make_world(parties=(cast.provider, cast.outsider)).contract)


def test_of_two_stops_the_one_that_lasts_longer_is_named(cast: Cast, contract: Contract) -> None:
    used_up(set_budget(cast, "A day", per=Per.DAY, stops=True))
    used_up(set_budget(cast, "A month", stops=True))
    with pytest.raises(StoppedByBudget, match="'A month'"):
        require_within_budgets(contract, NOW)


@pytest.mark.parametrize("way", ["lifted", "raised", "told only", "retired", "less used", "over"])
def test_whatever_ends_a_stop_lets_cards_be_held_again(cast: Cast, contract: Contract, way: str) -> None:
    budget = used_up(set_budget(cast, stops=True))
    assert not holds(contract)
    rule, later = rule_of(budget), NOW + timedelta(hours=1)
    if way == "lifted":
        lift_stop(organization=cast.tenant, budget_id=budget.pk, reason="x", by=BY, now=later)
    elif way == "retired":
        retire_budget(organization=cast.tenant, budget_id=budget.pk, by=BY, now=later)
    elif way == "less used":
        window = window_of(rule.per, rule.zone, later)
        note_use(budget_id=budget.pk, rule=rule, window=window, used=Decimal(0), now=later)
    elif way in ("raised", "told only"):
        wanted = replace(rule, amount=Decimal(900)) if way == "raised" else replace(rule, stops=False)
        change_budget(organization=cast.tenant, budget_id=budget.pk, name=budget.name, rule=wanted, by=BY, now=later)
    assert holds(contract, APRIL if way == "over" else later)


def test_a_budget_that_begins_anew_stops_anew(cast: Cast, contract: Contract) -> None:
    budget = used_up(set_budget(cast, per=Per.DAY, stops=True))
    assert holds(contract, NOW + DAY)
    used_up(budget, NOW + DAY)
    assert not holds(contract, NOW + DAY)


def test_a_suspended_contract_says_so_until_it_is_paid_for(cast: Cast) -> None:
    invoice = make_overdue(cast)
    for days in (3, 5, 10):
        sweep(after(invoice, days))
        send_all(after(invoice, days))
    assert not is_suspended(invoice.contract_id)
    sweep(after(invoice, 17))
    assert is_suspended(invoice.contract_id)
    number = Contract.objects.get(pk=invoice.contract_id).number
    with pytest.raises(ContractSuspended) as refused:
        require_not_suspended(invoice.contract_id, number)
    assert refused.value.detail == f"{number} is suspended until its overdue invoices are paid."
    other = make_world(parties=(cast.provider, cast.tenant)).contract
    require_not_suspended(other.pk, other.number)

"""Setting budgets: made, changed, retired and lifted, each kept in the audit log; what cannot be is refused."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from billing.budgets.rules import Per, Scope
from billing.budgets.setting import (
    BUDGETS_MAX,
    NoBudget,
    NothingStopped,
    WrongBudget,
    change_budget,
    lift_stop,
    looked_at,
    make_budget,
    retire_budget,
    rule_of,
)
from billing.models import Budget, BudgetLift, SpendWatch
from billing.queries.usage import Side
from metering.key_models import Project, UsageKey
from tenants.models import AuditEntry
from tests.billing.budgets.spent import BY, DAY, NOW, RULE, look, make_spent, set_budget
from tests.billing.world import MARCH
from tests.kept import kept

if TYPE_CHECKING:
    from tests.factories import Cast

pytestmark = pytest.mark.django_db


def actions(cast: Cast) -> list[str]:
    entries = AuditEntry.objects.filter(organization=cast.tenant, action__startswith="budget.").order_by("pk")
    return [entry.action for entry in entries]


def change(cast: Cast, budget: Budget, **changes: Any) -> Budget:
    return change_budget(
        organization=cast.tenant,
        budget_id=budget.pk,
        name=changes.pop("name", budget.name),
        rule=replace(rule_of(budget), **changes),
        by=BY,
        now=NOW,
    )


budget = kept(set_budget)


def test_a_budget_is_made_changed_and_retired_and_the_log_tells_before_and_after(cast: Cast, budget: Budget) -> None:
    assert rule_of(Budget.objects.get()) == RULE
    assert looked_at(budget) is None
    assert SpendWatch.objects.get().due_at == MARCH
    changed = change(cast, budget, amount=Decimal("300.50"), thresholds=(80,), name="More of it")
    assert (changed.name, changed.amount, changed.thresholds) == ("More of it", Decimal("300.50"), [80])
    retire_budget(organization=cast.tenant, budget_id=budget.pk, by=BY, now=NOW)
    assert actions(cast) == ["budget.made", "budget.changed", "budget.retired"]
    entry = AuditEntry.objects.get(action="budget.changed")
    assert entry.before is not None
    assert entry.after is not None
    assert (entry.before["amount"], entry.after["amount"]) == ("200", "300.5")
    assert (entry.before["name"], entry.after["name"]) == ("All of it", "More of it")
    assert entry.actor == BY
    with pytest.raises(NoBudget):
        change(cast, budget)
    set_budget(cast)  # the name is free again


def test_two_budgets_of_one_name_and_too_many_are_refused(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    first = set_budget(cast)
    with pytest.raises(WrongBudget, match="another budget is named 'All of it'"):
        set_budget(cast)
    other = set_budget(cast, "Other")
    with pytest.raises(WrongBudget, match="another budget is named"):
        change(cast, other, name="All of it")
    assert change(cast, first).name == "All of it"
    assert BUDGETS_MAX >= 100
    monkeypatch.setattr("billing.budgets.setting.BUDGETS_MAX", 2)
    with pytest.raises(WrongBudget, match="at most 2 budgets"):
        set_budget(cast, "Third")


def test_what_is_limited_stays_and_a_wrong_rule_names_its_field(cast: Cast, budget: Budget) -> None:
    with pytest.raises(WrongBudget, match="per: stays as it is") as refused:
        change(cast, budget, per=Per.DAY)
    assert refused.value.extra == {"field": "per"}
    with pytest.raises(WrongBudget, match="amount: expected more than 0"):
        change(cast, budget, amount=Decimal(-1))
    with pytest.raises(WrongBudget, match="there is no contract 'C-1'"):
        set_budget(cast, "Of one", scope=Scope.CONTRACT, subject="C-1")


def test_a_contract_is_one_of_the_side_and_a_provider_stops_nobody(cast: Cast) -> None:
    number = make_spent(cast, days=0).world.contract.number
    assert set_budget(cast, scope=Scope.CONTRACT, subject=number).subject == number

    def sold(**changes: Any) -> Budget:
        rule = replace(RULE, scope=Scope.CONTRACT, subject=number, **changes)
        return make_budget(organization=cast.provider, side=Side.PROVIDER, name="Exposure", rule=rule, by=BY, now=NOW)

    assert sold().side == "provider"
    with pytest.raises(WrongBudget, match="tells only"):
        sold(stops=True)
    with pytest.raises(WrongBudget, match="there is no contract"):
        make_budget(
            organization=cast.outsider,
            side=Side.PROVIDER,
            name="Exposure",
            rule=replace(RULE, scope=Scope.CONTRACT, subject=number),
            by=BY,
            now=NOW,
        )


def test_a_key_and_a_project_are_the_tenants_own(cast: Cast) -> None:
    UsageKey.objects.create(tenant=cast.tenant, label="batch", first_counted_at=MARCH)
    Project.objects.create(tenant=cast.tenant, slug="web", name="Web", created_at=MARCH)
    assert set_budget(cast, "Key", scope=Scope.KEY, subject="batch").subject == "batch"
    assert set_budget(cast, "Project", scope=Scope.PROJECT, subject="web").scope == "project"
    for scope in (Scope.KEY, Scope.PROJECT):
        with pytest.raises(WrongBudget, match=f"there is no {scope} 'other'"):
            set_budget(cast, "Other", scope=scope, subject="other")
        with pytest.raises(WrongBudget, match="is a tenant's own"):
            make_budget(
                organization=cast.provider,
                side=Side.PROVIDER,
                name="Key",
                rule=replace(RULE, scope=scope, subject="batch"),
                by=BY,
                now=NOW,
            )


def test_a_stop_is_lifted_by_a_person_once_with_a_reason(cast: Cast) -> None:
    make_spent(cast)
    budget = set_budget(cast, amount=Decimal(90), stops=True)
    look(cast)
    with pytest.raises(WrongBudget, match="reason: expected"):
        lift_stop(organization=cast.tenant, budget_id=budget.pk, reason="  ", by=BY, now=NOW)
    lift_stop(organization=cast.tenant, budget_id=budget.pk, reason=" a launch ", by=BY, now=NOW)
    assert BudgetLift.objects.get().reason == "a launch"
    with pytest.raises(NothingStopped):
        lift_stop(organization=cast.tenant, budget_id=budget.pk, reason="again", by=BY, now=NOW)
    assert look(cast, NOW + DAY) == []  # lifted for this period
    assert actions(cast) == ["budget.made", "budget.stopped", "budget.lifted"]


def test_a_raised_budget_lifts_its_stop_and_a_lowered_one_does_not(cast: Cast) -> None:
    make_spent(cast)
    budget = set_budget(cast, amount=Decimal(90), stops=True)
    look(cast)
    change(cast, budget, amount=Decimal(80))
    assert not BudgetLift.objects.exists()
    budget.refresh_from_db()
    change(cast, budget, amount=Decimal(150))
    assert BudgetLift.objects.get().reason == "the budget was changed"


@pytest.mark.parametrize("way", ["no stop", "retired"])
def test_what_is_not_wanted_any_more_stops_nothing(cast: Cast, way: str) -> None:
    make_spent(cast)
    budget = set_budget(cast, amount=Decimal(90), stops=True)
    look(cast)
    if way == "retired":
        retire_budget(organization=cast.tenant, budget_id=budget.pk, by=BY, now=NOW)
    else:
        change(cast, budget, stops=False)
    assert BudgetLift.objects.count() == 1


def test_a_budget_of_another_is_not_there(cast: Cast, budget: Budget) -> None:
    for organization in (cast.outsider, cast.provider):
        with pytest.raises(NoBudget):
            retire_budget(organization=organization, budget_id=budget.pk, by=BY, now=NOW)
        with pytest.raises(NoBudget):
            lift_stop(organization=organization, budget_id=budget.pk, reason="x", by=BY, now=NOW)
    with pytest.raises(NoBudget):
        retire_budget(organization=cast.tenant, budget_id=uuid4(), by=BY, now=NOW)

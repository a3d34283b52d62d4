"""Setting, changing, retiring and lifting, killed before any write: nothing is kept, and the next call does it."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from billing.budgets.noting import note_use
from billing.budgets.rules import window_of
from billing.budgets.setting import change_budget, lift_stop, make_budget, retire_budget, rule_of
from billing.budgets.standing import standing_of
from billing.models import Budget, BudgetLift, BudgetLook, BudgetStop, SpendAlert, SpendMail, SpendWatch
from billing.queries.usage import Side
from tenants.hook_models import WebhookEvent
from tenants.models import AuditEntry
from tests.billing.budgets.spent import BY, DAY, NOW, RULE, set_budget
from tests.billing.killed import killed_everywhere
from tests.billing.test_telling import listen
from tests.kept import kept

if TYPE_CHECKING:
    from tests.factories import Cast

pytestmark = [pytest.mark.django_db, pytest.mark.unmeasured]

TABLES = (Budget, BudgetLift, BudgetLook, BudgetStop, SpendAlert, SpendMail, SpendWatch, AuditEntry, WebhookEvent)


def use_up(budget: Budget) -> None:
    rule = rule_of(budget)
    note_use(
        budget_id=budget.pk, rule=rule, window=window_of(rule.per, rule.zone, NOW), used=Decimal("250.00"), now=NOW
    )


@kept
def stopped(cast: Cast) -> Budget:
    """A budget of 200.00 that stops, of which 250.00 is used."""
    budget = set_budget(cast, stops=True)
    use_up(budget)
    assert not standing_of(cast.tenant, {}, NOW).allowed
    return budget


def test_a_budget_is_made_whole_or_not_at_all(cast: Cast) -> None:
    def act() -> None:
        make_budget(organization=cast.tenant, side=Side.TENANT, name="All of it", rule=RULE, by=BY, now=NOW)

    killed_everywhere(act, TABLES, least=3)
    assert (Budget.objects.count(), SpendWatch.objects.count(), AuditEntry.objects.count()) == (1, 1, 1)


def test_a_change_is_made_whole_with_its_lift_or_not_at_all(cast: Cast, stopped: Budget) -> None:
    wider = replace(rule_of(stopped), amount=Decimal(400))

    def act() -> None:
        change_budget(
            organization=cast.tenant, budget_id=stopped.pk, name="More of it", rule=wider, by=BY, now=NOW + DAY
        )

    killed_everywhere(act, TABLES, least=5)
    stopped.refresh_from_db()
    assert (stopped.name, stopped.amount) == ("More of it", Decimal(400))
    assert standing_of(cast.tenant, {}, NOW + DAY).allowed
    actions = AuditEntry.objects.filter(subject=f"budget {stopped.pk}").order_by("pk")
    assert [entry.action for entry in actions] == ["budget.made", "budget.stopped", "budget.changed", "budget.lifted"]


def test_a_budget_ends_with_what_it_stops_or_not_at_all(cast: Cast, stopped: Budget) -> None:
    def act() -> None:
        retire_budget(organization=cast.tenant, budget_id=stopped.pk, by=BY, now=NOW + DAY)

    killed_everywhere(act, TABLES, least=4)
    stopped.refresh_from_db()
    assert stopped.retired_at == NOW + DAY
    assert BudgetLift.objects.get().reason == "the budget was retired"
    assert SpendAlert.objects.filter(budget=stopped).count() == 4, "what was told stays readable"


def test_a_stop_is_lifted_whole_or_not_at_all(cast: Cast, stopped: Budget) -> None:
    def act() -> None:
        lift_stop(organization=cast.tenant, budget_id=stopped.pk, reason="a launch", by=BY, now=NOW + DAY)

    killed_everywhere(act, TABLES, least=2)
    assert BudgetLift.objects.get().by == BY
    assert AuditEntry.objects.filter(action="budget.lifted").count() == 1


def test_a_look_is_noted_whole_or_not_at_all(cast: Cast) -> None:
    listen(cast.tenant)
    budget = set_budget(cast, stops=True)
    killed_everywhere(lambda: use_up(budget), TABLES, least=10)
    assert (SpendAlert.objects.count(), BudgetStop.objects.count(), SpendMail.objects.count()) == (4, 1, 2)
    assert WebhookEvent.objects.count() == 4
    assert BudgetLook.objects.get().used == Decimal(250)

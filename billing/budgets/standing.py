"""Whether new use may begin: what a gateway asks before it takes a request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from billing.budgets.rules import Scope
from billing.models import Budget, BudgetStop
from billing.queries.usage import Side

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from tenants.models import Organization


@dataclass(frozen=True, slots=True)
class Standing:
    """All budgets that a request falls under, and the stops of these that stand."""

    budgets: tuple[Budget, ...]
    stops: tuple[BudgetStop, ...]

    @property
    def allowed(self) -> bool:
        """Whether no budget stops it."""
        return not self.stops


def standing_of(organization: Organization, asked: Mapping[Scope, str], now: datetime) -> Standing:
    """Return how a tenant's budgets stand for a request; `asked` says what it is of: its model, project, key, contract.

    A budget of something that was not named is left out: who asks without a model is told of no model's budget.
    """
    mine = Budget.objects.filter(organization=organization, side=Side.TENANT, retired_at__isnull=True)
    budgets = [
        budget
        for budget in mine.select_related("look").order_by("name", "pk")
        if budget.scope == Scope.ORGANIZATION or asked.get(Scope(budget.scope), "") == budget.subject
    ]
    return Standing(tuple(budgets), tuple(standing_stops(budgets, now)))


def standing_stops(budgets: list[Budget], now: datetime) -> list[BudgetStop]:
    """Return the stops of budgets that stand now, the first one first."""
    found = BudgetStop.objects.filter(budget__in=budgets, lift__isnull=True, from_at__lte=now, to_at__gt=now)
    return list(found.select_related("budget").order_by("at", "pk"))

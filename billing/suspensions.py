"""Whether use is stopped: suspended for unpaid invoices, or by the tenant's own budget.

Asked wherever use is let begin or go on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db.models import Q

from billing.models import BudgetStop, Suspension
from tenants.problems import Problem
from tenants.sentences import sentence

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from billing.models import Contract


class ContractSuspended(Problem):
    """The contract has invoices that are long unpaid: nothing new begins under it."""

    status = 409
    code = "contract_suspended"
    title = "Use under the contract is suspended"


class StoppedByBudget(Problem):
    """The tenant's own budget is used up, and says that nothing new begins then."""

    status = 409
    code = "budget_stopped"
    title = "A budget stops new use"


def is_suspended(contract_id: UUID) -> bool:
    """Say whether a suspension stands that nobody lifted."""
    return Suspension.objects.filter(contract_id=contract_id, end__isnull=True).exists()


def require_not_suspended(contract_id: UUID, number: str) -> None:
    """Raise `ContractSuspended` where use is suspended."""
    if is_suspended(contract_id):
        raise ContractSuspended(sentence("%(number)s is suspended until its overdue invoices are paid.", number=number))


def require_within_budgets(contract: Contract, now: datetime) -> None:
    """Raise `StoppedByBudget` where a budget of the tenant's whole cost, or of the contract's, is used up and stops.

    Budgets of tokens, and of one model, stop no card: a gateway asks for these.
    """
    whole = Q(budget__scope="organization") | Q(budget__scope="contract", budget__subject=contract.number)
    standing = BudgetStop.objects.filter(
        whole,
        budget__organization=contract.tenant_id,
        budget__measure="cost",
        lift__isnull=True,
        from_at__lte=now,
        to_at__gt=now,
    )
    stop = standing.select_related("budget").order_by("-to_at").first()
    if stop is not None:
        raise StoppedByBudget(
            sentence(
                "The budget %(name)s is used up: nothing new is held before %(to_at)s, unless the tenant raises it "
                "or lifts its stop.",
                name=repr(stop.budget.name),
                to_at=f"{stop.to_at:%Y-%m-%dT%H:%M:%SZ}",
            )
        )

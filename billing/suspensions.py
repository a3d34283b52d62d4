"""Whether use under a contract is suspended for unpaid invoices; asked wherever use is let begin or go on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from billing.models import Suspension
from tenants.problems import Problem

if TYPE_CHECKING:
    from uuid import UUID


class ContractSuspended(Problem):
    """The contract has invoices that are long unpaid: nothing new begins under it."""

    status = 409
    code = "contract_suspended"
    title = "Use under the contract is suspended"


def is_suspended(contract_id: UUID) -> bool:
    """Say whether a suspension stands that nobody lifted."""
    return Suspension.objects.filter(contract_id=contract_id, end__isnull=True).exists()


def require_not_suspended(contract_id: UUID, number: str) -> None:
    """Raise `ContractSuspended` where use is suspended."""
    if is_suspended(contract_id):
        raise ContractSuspended(f"{number} is suspended until its overdue invoices are paid.")

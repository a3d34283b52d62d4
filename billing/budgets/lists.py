"""Lists of budgets and alerts, for pages, files and programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from billing.models import Budget, SpendAlert

if TYPE_CHECKING:
    from uuid import UUID

    from django.db.models import QuerySet

    from tenants.models import Organization

BUDGET_ORDER: Final = ("created_at", "pk")
ALERT_ORDER: Final = ("-at", "-pk")
"""The latest first: what is told during a walk stands before its first page."""


def budgets_of(organization: Organization, *, side: str = "") -> QuerySet[Budget]:
    """Return the budgets that stand, with their looks, in the order they were set."""
    found = Budget.objects.filter(organization=organization, retired_at__isnull=True)
    found = found.filter(side=side) if side else found
    return found.select_related("look").order_by(*BUDGET_ORDER)


def alerts_of(
    organization: Organization, *, side: str = "", budget_id: UUID | None = None, kind: str = ""
) -> QuerySet[SpendAlert]:
    """Return what was told, the latest first."""
    chosen = {"side": side, "budget": budget_id, "kind": kind}
    found = SpendAlert.objects.filter(organization=organization, **{name: of for name, of in chosen.items() if of})
    return found.select_related("budget").order_by(*ALERT_ORDER)

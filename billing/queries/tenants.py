"""A provider's tenants with what they were billed: those it has contracts with, and those it invited."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from django.db.models import Count, Q, Sum

from billing.models import RUNNING_STATES, Contract, Invoice, InvoiceState
from tenants.limits.reader import within_own
from tenants.models import Organization

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from django.db.models import QuerySet

YEAR: Final = timedelta(days=365)
BILLED: Final = (InvoiceState.ISSUED, InvoiceState.PAID, InvoiceState.UNCOLLECTIBLE)


@dataclass(frozen=True, slots=True)
class TenantFigures:
    """One tenant of a provider. Counts are of now; `billed` is by currency, of the last 365 days, tax included."""

    organization: Organization
    contracts: int
    """Running ones."""
    ended: int
    open_invoices: int
    overdue_invoices: int
    billed: Mapping[str, Decimal]


def tenants_of(
    provider: Organization, now: datetime, *, search: str = "", tenant: UUID | None = None
) -> list[TenantFigures]:
    """Return a provider's tenants by name. Three queries, however many there are."""
    found = _found(provider, search)
    return _with_figures(
        provider, now, list(found if tenant is None else found.filter(pk=tenant)), of_all=tenant is None
    )


def tenant_list(
    provider: Organization, now: datetime, *, first: int, count: int, search: str = ""
) -> tuple[list[TenantFigures], int]:
    """Return some of what `tenants_of` returns, from row `first` on, and how many there are in all. Four queries."""
    found = _found(provider, search)
    with within_own(provider.pk, "tenants that the reader invited or has contracts with, and what it billed them"):
        return _with_figures(provider, now, list(found[first : first + count]), of_all=False), found.count()


def _found(provider: Organization, search: str) -> QuerySet[Organization]:
    theirs = Q(pk__in=Contract.objects.filter(provider=provider).values("tenant")) | Q(introduced_by=provider)
    found = Organization.objects.filter(theirs, is_tenant=True).exclude(pk=provider.pk).order_by("name", "pk")
    return found.filter(Q(name__icontains=search) | Q(slug__icontains=search)) if search else found


def _with_figures(
    provider: Organization, now: datetime, shown: Sequence[Organization], *, of_all: bool
) -> list[TenantFigures]:
    """Return tenants with their figures; those of others are not worked out, where not all are asked for."""
    of = Q() if of_all else Q(tenant__in=shown)
    contracts = _contracts(provider, of)
    billed: dict[UUID, dict[str, Decimal]] = defaultdict(dict)
    counts: dict[UUID, tuple[int, int]] = defaultdict(lambda: (0, 0))
    for row in _invoiced(provider, now, of):
        key = row["tenant"]
        if row["billed"] is not None:
            billed[key][row["currency"]] = row["billed"]
        counts[key] = (counts[key][0] + row["open"], counts[key][1] + row["overdue"])
    return [
        TenantFigures(one, *contracts.get(one.pk, (0, 0)), *counts[one.pk], dict(sorted(billed[one.pk].items())))
        for one in shown
    ]


def _contracts(provider: Organization, of: Q) -> dict[UUID, tuple[int, int]]:
    running = Q(state__in=RUNNING_STATES)
    rows = (
        Contract.objects.filter(of, provider=provider)
        .values("tenant")
        .annotate(running=Count("pk", filter=running), ended=Count("pk", filter=~running))
    )
    return {row["tenant"]: (row["running"], row["ended"]) for row in rows}


def _invoiced(provider: Organization, now: datetime, of: Q) -> list[Any]:
    waits = Q(state=InvoiceState.ISSUED)
    rows = (
        Invoice.objects.filter(of, issuer=provider, state__in=BILLED)
        .values("tenant", "currency")
        .annotate(
            billed=Sum("total", filter=Q(issued_at__gt=now - YEAR, issued_at__lte=now)),
            open=Count("pk", filter=waits),
            overdue=Count("pk", filter=waits & Q(due_at__lt=now)),
        )
        .order_by("tenant", "currency")
    )
    return list(rows)

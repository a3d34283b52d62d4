"""What tenants owe a provider now, by currency: one sum over its open invoices for all who say something of them."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from django.db.models import BooleanField, Count, ExpressionWrapper, Min, Q, Sum

from billing.dues import with_dues
from billing.models import Invoice, InvoiceState
from billing.money import exact_sum
from tenants.limits.reader import within_own

if TYPE_CHECKING:
    from datetime import datetime

    from tenants.models import Organization

NOTHING = Decimal(0)


@dataclass(frozen=True, slots=True)
class Owed:
    """What is left to pay of issued invoices in one currency, and of those that should have been paid by now.

    `overdue_since` is when the oldest of those was due; None without any.
    """

    currency: str
    open: Decimal
    open_invoices: int
    overdue: Decimal = NOTHING
    overdue_invoices: int = 0
    overdue_since: datetime | None = None


def owed_to(provider: Organization, now: datetime) -> tuple[Owed, ...]:
    """Return what is open and overdue of a provider's invoices, in the order of currencies; one query."""
    is_late = ExpressionWrapper(Q(due_at__isnull=False, due_at__lte=now), BooleanField())
    rows = (
        with_dues(Invoice.objects.filter(issuer=provider, state=InvoiceState.ISSUED))
        .annotate(is_late=is_late)
        .order_by("currency")
        .values_list("currency", "is_late")
        .annotate(Sum("left_amount"), Count("pk"), Min("due_at"))
    )
    parts: dict[str, dict[bool, tuple[Decimal, int, datetime | None]]] = {}
    with within_own(provider.pk, "what is paid, credited and written off of an invoice is its issuer's"):
        for currency, late, left, count, since in rows:
            parts.setdefault(currency, {})[late] = (left, count, since)
    none = (NOTHING, 0, None)
    return tuple(
        Owed(
            currency,
            exact_sum(left for left, *_ in found.values()),
            sum(count for _left, count, _since in found.values()),
            *found.get(True, none),
        )
        for currency, found in parts.items()
    )

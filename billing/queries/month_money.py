"""What a provider billed and received over some days, and what tenants still owe it: one line per currency."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from django.db.models import Count, Q, Sum

from billing.models import Invoice, InvoiceState, Payment, PaymentReversal
from billing.queries.receivables import owed_to
from tenants.limits.reader import within_own

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from django.db.models import QuerySet

    from billing.queries.receivables import Owed
    from tenants.models import Organization

NOTHING = Decimal(0)


@dataclass(frozen=True, slots=True)
class MonthMoney:
    """One currency: what was issued and came in over `[from_at, to_at)`, and what is open and overdue now.

    `issued` is the totals of invoices, tax included, without void ones; `received` is payments less what was taken
    back in that time.
    """

    currency: str
    issued: Decimal = NOTHING
    invoices: int = 0
    received: Decimal = NOTHING
    open: Decimal = NOTHING
    open_invoices: int = 0
    overdue: Decimal = NOTHING
    overdue_invoices: int = 0


def month_money(
    provider: Organization, *, from_at: datetime, to_at: datetime, now: datetime, owed: Iterable[Owed] | None = None
) -> list[MonthMoney]:
    """Return a provider's money by currency, in the order of their codes; four queries.

    `owed` is what tenants owe now, where it was read already (`owed_to`).
    """
    found = owed_to(provider, now) if owed is None else owed
    with within_own(provider.pk, "what is paid of an invoice is its issuer's"):
        return _month_money(provider, from_at, to_at, found)


def _month_money(provider: Organization, from_at: datetime, to_at: datetime, found: Iterable[Owed]) -> list[MonthMoney]:
    invoices = Invoice.objects.filter(issuer=provider).exclude(state__in=(InvoiceState.DRAFT, InvoiceState.VOID))
    issued = _sums(invoices.filter(issued_at__gte=from_at, issued_at__lt=to_at), "currency", "total")
    owed = {one.currency: (one.open, one.open_invoices, one.overdue, one.overdue_invoices) for one in found}
    came = _sums(
        Payment.objects.filter(invoice__issuer=provider, received_at__gte=from_at, received_at__lt=to_at),
        "currency", "amount",
    )  # fmt: skip
    back = _sums(
        PaymentReversal.objects.filter(
            Q(reversed_at__gte=from_at, reversed_at__lt=to_at), payment__invoice__issuer=provider
        ),
        "payment__currency",
        "amount",
    )
    none = (NOTHING, 0)
    return [
        MonthMoney(
            code,
            *issued.get(code, none),
            came.get(code, none)[0] - back.get(code, none)[0],
            *owed.get(code, (*none, *none)),
        )
        for code in sorted({*issued, *owed, *came, *back})
    ]


def _sums(
    rows: QuerySet[Invoice] | QuerySet[Payment] | QuerySet[PaymentReversal], currency: str, amount: str
) -> dict[str, tuple[Decimal, int]]:
    found = rows.order_by(currency).values_list(currency).annotate(sum=Sum(amount), count=Count("pk"))
    return {code: (total, count) for code, total, count in found}

"""What an invoice has left to pay: the one place that says it, for one invoice and for lists of them.

Left is the total less what was paid and stayed paid; a void invoice has nothing left. A draft owes nothing either.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from django.db.models import Case, DecimalField, F, OuterRef, Subquery, Sum, Value, When
from django.db.models.functions import Coalesce

from billing.models import Invoice, InvoiceState, Payment, PaymentReversal

if TYPE_CHECKING:
    from django.db.models import Model, QuerySet
    from django.db.models.expressions import Combinable

OWING = (InvoiceState.ISSUED, InvoiceState.PAID, InvoiceState.UNCOLLECTIBLE)
"""States in which the total of an invoice is owed at all."""

_MONEY: DecimalField[Decimal, Decimal] = DecimalField(max_digits=38, decimal_places=4)
_NOTHING = Decimal(0)


@dataclass(frozen=True, slots=True)
class Dues:
    """What became of an invoice's total, in its currency.

    `total` is 0 for a draft and a void invoice. `paid` is the payments received less what was taken back of them,
    `left` what is still to be paid: below zero where more was paid than was owed.
    """

    total: Decimal
    paid: Decimal

    @property
    def left(self) -> Decimal:
        """What is still to be paid."""
        return self.total - self.paid


def dues_of(invoice: Invoice) -> Dues:
    """Return what an invoice has left to pay, read now; lock the invoice's row before if the answer is acted upon."""
    return read_dues(with_dues(Invoice.objects.filter(pk=invoice.pk)).get())


def read_dues(invoice: Invoice) -> Dues:
    """Return the dues that `with_dues` annotated an invoice with; AttributeError for any other invoice."""
    return Dues(*(getattr(invoice, name) for name in ("owed_total", "paid_amount")))


def with_dues(invoices: QuerySet[Invoice]) -> QuerySet[Invoice]:
    """Annotate invoices with `owed_total`, `paid_amount` and `left_amount`, which say what `dues_of` says."""
    return invoices.annotate(
        owed_total=Case(When(state__in=OWING, then=F("total")), default=Value(_NOTHING), output_field=_MONEY),
        paid_amount=_sum_of(Payment, "amount", of="invoice")
        - _sum_of(PaymentReversal, "amount", of="payment__invoice"),
    ).annotate(left_amount=F("owed_total") - F("paid_amount"))


def _sum_of(model: type[Model], amount: str, *, of: str) -> Combinable:
    """The sum of an amount over a model's rows of the invoice at hand, 0 without any."""
    sums = (
        model._default_manager.filter(**{of: OuterRef("pk")})
        .values(of)
        .order_by(of)
        .annotate(sum=Sum(amount))
        .values("sum")
    )
    return Coalesce(Subquery(sums, output_field=_MONEY), Value(_NOTHING), output_field=_MONEY)

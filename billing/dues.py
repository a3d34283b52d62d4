"""What an invoice has left to pay: the one place that says it, for one invoice and for lists of them.

Left is the total less what was paid and stayed paid, what credit notes took off it, and what was written off. A void
invoice has nothing left, and a draft owes nothing yet.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db import connection
from django.db.models import Case, DecimalField, F, Func, Value, When

from billing.models import Invoice, InvoiceState

if TYPE_CHECKING:
    from django.db.models import QuerySet

OWING = (InvoiceState.ISSUED, InvoiceState.PAID, InvoiceState.UNCOLLECTIBLE)
"""States in which the total of an invoice is owed at all."""

_MONEY: DecimalField[Decimal, Decimal] = DecimalField(max_digits=38, decimal_places=4)
_NOTHING = Decimal(0)
_SOME = UUID(int=0)
"""Stands for the invoice in the statement that is made once."""

PAID = "sum(paid.amount) FROM billing_payment paid WHERE paid.invoice_id"
TAKEN_BACK = (
    "sum(taken.amount) FROM billing_paymentreversal taken"
    " JOIN billing_payment reversed ON reversed.id = taken.payment_id WHERE reversed.invoice_id"
)
CREDITED = "sum(note.applied) FROM billing_creditnote note WHERE note.invoice_id"
WRITTEN_OFF = "sum(gone.amount) FROM billing_writeoff gone WHERE gone.invoice_id"
"""What is summed, and of which invoice."""

ANNOTATIONS = ("owed_total", "paid_amount", "credited_amount", "written_off_amount")
"""What `with_dues` names the parts of `Dues`, in their order."""


@dataclass(frozen=True, slots=True)
class Dues:
    """What became of an invoice's total, in its currency.

    `total` is 0 for a draft and a void invoice. `paid` is the payments received less what was taken back of them,
    `credited` what credit notes took off what was left to pay, `written_off` what its issuer no longer expects. `left`
    is still to be paid: below zero where more was paid than was owed. `payable` is what a payment may be of: a tenant
    can pay what was written off.
    """

    total: Decimal
    paid: Decimal
    credited: Decimal = _NOTHING
    written_off: Decimal = _NOTHING

    @property
    def left(self) -> Decimal:
        """What is still to be paid."""
        return self.payable - self.written_off

    @property
    def payable(self) -> Decimal:
        """What a payment may still be of."""
        return self.total - self.paid - self.credited


def dues_of(invoice: Invoice) -> Dues:
    """Return what an invoice has left to pay, read now; lock the invoice's row before if the answer is acted upon."""
    statement, parameters = _statement()
    with connection.cursor() as cursor:
        cursor.execute(statement, [invoice.pk if one == _SOME else one for one in parameters])
        row = cursor.fetchone()
    if row is None:
        raise Invoice.DoesNotExist
    return Dues(*row)


def read_dues(invoice: Invoice) -> Dues:
    """Return the dues that `with_dues` annotated an invoice with; AttributeError for any other invoice."""
    return Dues(*(getattr(invoice, name) for name in ANNOTATIONS))


def with_dues(invoices: QuerySet[Invoice]) -> QuerySet[Invoice]:
    """Annotate invoices with `ANNOTATIONS` and `left_amount`, which say what `dues_of` says."""
    return invoices.annotate(
        owed_total=Case(When(state__in=OWING, then=F("total")), default=Value(_NOTHING), output_field=_MONEY),
        paid_amount=_sum_of(PAID) - _sum_of(TAKEN_BACK),
        credited_amount=_sum_of(CREDITED),
        written_off_amount=_sum_of(WRITTEN_OFF),
    ).annotate(left_amount=F("owed_total") - F("paid_amount") - F("credited_amount") - F("written_off_amount"))


@cache
def _statement() -> tuple[str, tuple[Any, ...]]:
    """What `with_dues` reads of one invoice; making the statement anew took longer than running it."""
    return with_dues(Invoice.objects.filter(pk=_SOME)).order_by().values_list(*ANNOTATIONS).query.sql_with_params()


def _sum_of(amounts: str) -> Func:
    """The sum of amounts of the invoice at hand, 0 without any. As text: made of Django's parts it took a third of the
    time of a page of invoices.
    """
    return Func(F("pk"), template=f"coalesce((SELECT {amounts} = %(expressions)s), 0)", output_field=_MONEY)

"""What holds after every act, from few and cheap sums; the books' own checks are for the end."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from typing import TYPE_CHECKING

from django.db.models import Sum

from billing.banking.deciding import left_of_line
from billing.dues import read_dues, with_dues
from billing.models import (
    AccountKind,
    BalanceMovement,
    BankLine,
    Invoice,
    InvoiceState,
    LedgerEntry,
    LedgerPosting,
    Payout,
    PayoutState,
    Refund,
    RefundState,
    Suspension,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.flows.money.state import Money

NOTHING = Decimal(0)


def held_against(money: Money, before: int) -> tuple[list[str], int]:
    """Return what does not hold, and how many postings there are now, which are never fewer than before."""
    sums = _sums()
    postings = LedgerPosting.objects.count()
    wrong = [*_accounts(sums), *_invoices(), *_suspensions()]
    if postings < before:
        wrong.append(f"{before} postings became {postings}")
    if any(currency != money.currency for currency in LedgerEntry.objects.values_list("currency", flat=True)):
        wrong.append("an entry in another currency")
    return wrong, postings


def _sums() -> Mapping[str, Decimal]:
    found: defaultdict[str, Decimal] = defaultdict(Decimal)
    rows = LedgerEntry.objects.values_list("account__kind").annotate(sum=Sum("amount"))
    found.update(dict(rows.order_by("account__kind")))
    return found


def _accounts(sums: Mapping[str, Decimal]) -> list[str]:
    """Each account is what the rows behind it sum to, which no use case wrote from one another."""
    owed = sum((read_dues(one).left for one in with_dues(Invoice.objects.all())), NOTHING)
    moved = BalanceMovement.objects.aggregate(sum=Sum("amount"))["sum"] or NOTHING
    out = Payout.objects.filter(state=PayoutState.IN_TRANSIT).aggregate(sum=Sum("amount"))["sum"] or NOTHING
    going = Refund.objects.filter(state__in=(RefundState.PENDING, RefundState.SENT)).aggregate(sum=Sum("amount"))
    unmatched = sum((left_of_line(line) for line in BankLine.objects.filter(amount__gt=0)), NOTHING)
    expected = {
        AccountKind.TENANT_RECEIVABLE: owed,
        AccountKind.TENANT_BALANCE: -moved,
        AccountKind.PAYOUT_IN_TRANSIT: -out,
        AccountKind.REFUND_IN_TRANSIT: -(going["sum"] or NOTHING),
        AccountKind.BANK_UNMATCHED: -unmatched,
    }
    wrong = [f"{kind}: {sums[kind]} booked, {is_to}" for kind, is_to in expected.items() if sums[kind] != is_to]
    if sum(sums.values(), NOTHING):
        wrong.append(f"debits and credits differ by {sum(sums.values(), NOTHING)}")
    if moved < 0:
        wrong.append(f"the balances have {moved}")
    return wrong


def _invoices() -> list[str]:
    """A state says what is left: nothing of a paid one, something of an issued one."""
    wrong = []
    for invoice in with_dues(Invoice.objects.exclude(state=InvoiceState.DRAFT)):
        dues = read_dues(invoice)
        paid = invoice.state == InvoiceState.PAID
        if (paid and dues.left > 0) or (invoice.state == InvoiceState.ISSUED and dues.left <= 0):
            wrong.append(f"{invoice.number} is {invoice.state} with {dues}")
        if paid != (invoice.paid_at is not None):
            wrong.append(f"{invoice.number} is {invoice.state} and was paid at {invoice.paid_at}")
        if dues.written_off < 0 or dues.credited < 0 or dues.paid < 0:
            wrong.append(f"{invoice.number} has {dues}")
    return wrong


def _suspensions() -> list[str]:
    """Nobody is suspended without a notice that went out before."""
    found = Suspension.objects.select_related("step__invoice")
    return [
        f"{one.step.invoice.number} is suspended without a notice"
        for one in found
        if not one.step.invoice.dunning_steps.filter(action="notice", at__lt=one.at, mails__sent_at__lt=one.at).exists()
    ]

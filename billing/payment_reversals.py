"""Taking payments back: a counter-posting beside what stands, and the invoice owed again. Nothing is deleted."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models import Sum

from billing.dues import dues_of
from billing.ledger import Entry, post
from billing.models import (
    AccountKind,
    BalanceKind,
    Invoice,
    InvoiceState,
    LedgerPosting,
    Payment,
    PaymentReversal,
    Settlement,
    SettlementState,
)
from billing.money import minor_digits, round_to_minor
from billing.payments import REFERENCE_CHARACTERS_MAX, PaymentMethod
from billing.telling import tell_reversal
from billing.tenant_balances import locked_balance, move_balance
from tenants.models import AuditEntry
from tenants.problems import Problem
from tenants.sentences import sentence

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

CAUSE = "payment_reversal"
REASON_CHARACTERS_MAX = 200


class WrongReversal(Problem):
    """The amount, reason or reference cannot be of a reversal of this payment."""

    status = 422
    code = "wrong_reversal"
    title = "This cannot be taken back of the payment"


class ReversalDiffers(Problem):
    """The reference was recorded before for another reversal."""

    status = 409
    code = "reversal_differs"
    title = "This reversal was recorded before with other contents"


@transaction.atomic
def reverse_payment(
    *,
    payment_id: UUID,
    reference: str,
    reason: str,
    by: str,
    now: datetime,
    amount: Decimal | None = None,
) -> PaymentReversal:
    """Take a payment back, whole or an amount of it, and book the opposite of what was booked; return the reversal.

    1. The invoice's row is locked, so that payments and reversals of one invoice are weighed one after the other.
    2. A reference recorded before is returned as it is; with other contents it raises `ReversalDiffers`.
    3. The posting is the payment's with its signs turned: the money is again where the payment had it from.
    4. A paid invoice of which less than its total stays paid is issued again, payable by bank transfer.

    Raises Payment.DoesNotExist, and `WrongReversal` for more than is left of the payment, or nothing.
    """
    invoice_id = Payment.objects.values_list("invoice_id", flat=True).get(pk=payment_id)
    invoice = Invoice.objects.select_for_update().get(pk=invoice_id)
    payment = Payment.objects.get(pk=payment_id)
    known = PaymentReversal.objects.filter(reference=reference).first()
    if known is not None:
        if known.payment_id != payment_id or amount not in (None, known.amount):
            raise ReversalDiffers(
                sentence(
                    "%(reference)s was recorded at %(reversed_at)s as %(known)s.",
                    reference=reference,
                    reversed_at=known.reversed_at.isoformat(),
                    known=known,
                )
            )
        return known
    taken = amount if amount is not None else left_of(payment)
    _require_plausible(payment, taken=taken, reference=reference, reason=reason)
    reversal = PaymentReversal.objects.create(
        payment=payment, reference=reference, amount=taken, reason=reason, by=by, reversed_at=now
    )
    _book(invoice, reversal, now)
    if payment.method == PaymentMethod.BALANCE:
        _back_on_the_balance(invoice, reversal, now)
    if invoice.state == InvoiceState.PAID and dues_of(invoice).left > 0:
        _owe_again(invoice, now)
    AuditEntry.objects.create(
        organization_id=invoice.issuer_id,
        actor=by,
        action="payment.reversed",
        subject=f"invoice {invoice.number}",
        before={"payment": payment.reference, "state": invoice.state},
        after={"amount": str(round_to_minor(taken, payment.currency)), "reason": reason, "reference": reference},
        at=now,
    )
    tell_reversal(invoice, reversal)
    return reversal


def left_of(payment: Payment) -> Decimal:
    """Return what of a payment has stayed."""
    taken = PaymentReversal.objects.filter(payment=payment).aggregate(sum=Sum("amount"))["sum"]
    return payment.amount - (taken or Decimal(0))


def _require_plausible(payment: Payment, *, taken: Decimal, reference: str, reason: str) -> None:
    if not 0 < len(reference) <= REFERENCE_CHARACTERS_MAX:
        raise WrongReversal(
            sentence("The reference must have 1 to %(most)s characters.", most=REFERENCE_CHARACTERS_MAX)
        )
    if not 0 < len(reason.strip()) <= REASON_CHARACTERS_MAX:
        raise WrongReversal(
            sentence("reason: expected 1 to %(most)s characters.", most=REASON_CHARACTERS_MAX), field="reason"
        )
    if not taken.is_finite() or taken <= 0 or taken != round(taken, minor_digits(payment.currency)):
        raise WrongReversal(
            sentence(
                "%(taken)s is no positive amount in whole minor units of %(currency)s.",
                taken=taken,
                currency=payment.currency,
            )
        )
    left = left_of(payment)
    if taken > left:
        shown = round_to_minor(left, payment.currency)
        raise WrongReversal(
            sentence(
                "%(shown)s %(currency)s of the payment are left; %(taken)s are more.",
                shown=shown,
                currency=payment.currency,
                taken=taken,
            ),
            field="amount",
            left=str(shown),
        )


def _book(invoice: Invoice, reversal: PaymentReversal, now: datetime) -> None:
    booked = LedgerPosting.objects.get(key=f"payment:{reversal.payment_id}").entries.select_related("account")
    post(
        key=f"payment_reversal:{reversal.pk}",
        cause=CAUSE,
        cause_id=reversal.pk,
        provider_id=invoice.issuer_id,
        memo=f"Payment of invoice {invoice.number} taken back",
        at=now,
        entries=[
            Entry(
                entry.account.organization_id,
                AccountKind(entry.account.kind),
                entry.currency,
                reversal.amount if entry.amount < 0 else -reversal.amount,
            )
            for entry in booked
        ],
    )


def _back_on_the_balance(invoice: Invoice, reversal: PaymentReversal, now: datetime) -> None:
    """The posting gave the tenant its balance back; its movement goes with it."""
    move_balance(
        account=locked_balance(tenant_id=invoice.tenant_id, issuer_id=invoice.issuer_id, currency=invoice.currency),
        kind=BalanceKind.APPLIED_BACK,
        amount=reversal.amount,
        key=f"payment_reversal:{reversal.pk}",
        cause_id=reversal.payment_id,
        memo="",
        at=now,
        against=(),
    )


def _owe_again(invoice: Invoice, now: datetime) -> None:
    """What Stripe once collected is closed there, so what is owed again is paid by bank transfer."""
    Invoice.objects.filter(pk=invoice.pk, state=InvoiceState.PAID).update(
        state=InvoiceState.ISSUED, paid_at=None, updated_at=now
    )
    Settlement.objects.filter(pk=invoice.pk, state=SettlementState.PAID).update(
        state=SettlementState.BY_HAND, next_try_at=now, updated_at=now
    )

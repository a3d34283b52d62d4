"""Money received for invoices: recorded once by its reference, booked, and the invoice paid when nothing is left."""

from __future__ import annotations

import logging
from decimal import Decimal
from typing import TYPE_CHECKING

from django.db import models, transaction

from billing.dues import dues_of
from billing.ledger import Entry, post
from billing.models import AccountKind, Invoice, InvoiceState, Payment, Settlement, SettlementState
from billing.money import minor_digits, round_to_minor
from billing.states import in_state
from billing.telling import tell_invoice, tell_payment
from billing.write_offs import recover
from tenants.models import AuditEntry
from tenants.problems import Problem
from tenants.sentences import sentence

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

logger = logging.getLogger(__name__)

REFERENCE_CHARACTERS_MAX = 200
PAYABLE = (InvoiceState.ISSUED, InvoiceState.UNCOLLECTIBLE)


class PaymentMethod(models.TextChoices):
    """How money came in."""

    STRIPE = "stripe"
    BANK_TRANSFER = "bank_transfer"
    BALANCE = "balance"


CLEARING = {
    PaymentMethod.STRIPE: AccountKind.STRIPE_CLEARING,
    PaymentMethod.BANK_TRANSFER: AccountKind.BANK_CLEARING,
    PaymentMethod.BALANCE: AccountKind.TENANT_BALANCE,
}


class WrongPayment(Problem):
    """The amount, currency or reference cannot be a payment of this invoice."""

    status = 422
    code = "wrong_payment"
    title = "This cannot be a payment of the invoice"


class PaymentDiffers(Problem):
    """The reference was recorded before for other money."""

    status = 409
    code = "payment_differs"
    title = "This reference was recorded before with other contents"


class NotPayable(Problem):
    """The invoice is a draft, paid or void."""

    status = 409
    code = "invoice_not_payable"
    title = "The invoice takes no payment"


class Overpaid(Problem):
    """More was paid than is still owed."""

    status = 409
    code = "overpaid"
    title = "The payment is more than what is still owed"


@transaction.atomic
def record_payment(
    *,
    invoice_id: UUID,
    method: PaymentMethod,
    reference: str,
    amount: Decimal,
    currency: str,
    received_at: datetime,
    now: datetime,
    paid_from: AccountKind | None = None,
) -> Payment:
    """Record money received for an invoice and book it; return the payment, the same one however often it is told.

    `paid_from` is the issuer's account that has the money, where that is not the clearing account of the method.

    1. The invoice's row is locked, so that two payments of one invoice are weighed one after the other.
    2. A reference recorded before is returned as it is; with other contents it raises `PaymentDiffers`.
    3. Money by hand that is not owed is refused (`NotPayable`, `Overpaid`). Money that Stripe already holds cannot be
       refused: it is recorded, and what is not owed is flagged in the log and the audit log for a person to return.
    4. The posting: clearing account of the issuer, or `paid_from`, debit; receivable of the tenant, credit.
    5. The invoice becomes paid when nothing is left to pay, and its settlement with it. Of what was written off, the
       payment is recovered.

    Raises Invoice.DoesNotExist, and `WrongPayment` for an amount that is not positive or finer than the currency.
    """
    invoice = Invoice.objects.select_for_update().get(pk=invoice_id)
    _require_plausible(invoice, reference=reference, amount=amount, currency=currency)
    known = Payment.objects.filter(reference=reference).first()
    if known is not None:
        _require_same(known, invoice=invoice, method=method, amount=amount)
        return known
    owed = max(dues_of(invoice).payable, Decimal(0))
    surplus = round_to_minor(max(amount - owed, Decimal(0)), invoice.currency)
    if method != PaymentMethod.STRIPE:
        _require_owed(invoice, owed=owed, surplus=surplus)
    elif surplus:
        _flag(invoice, reference=reference, surplus=surplus, now=now)
    payment = Payment.objects.create(
        invoice=invoice,
        method=method,
        reference=reference,
        amount=amount,
        currency=currency,
        received_at=received_at,
    )
    _book(invoice, payment, paid_from or CLEARING[method])
    recover(invoice=invoice, amount=min(amount, owed), reason=f"payment {reference}", now=now)
    if invoice.state in PAYABLE and amount >= owed:
        mark_settled(invoice, paid_at=received_at, now=now, by_stripe=method == PaymentMethod.STRIPE)
    return payment


def _require_plausible(invoice: Invoice, *, reference: str, amount: Decimal, currency: str) -> None:
    if not 0 < len(reference) <= REFERENCE_CHARACTERS_MAX:
        raise WrongPayment(sentence("The reference must have 1 to %(most)s characters.", most=REFERENCE_CHARACTERS_MAX))
    if currency != invoice.currency:
        raise WrongPayment(
            sentence(
                "Invoice %(invoice)s is in %(currency)s, the payment in %(currency_2)s.",
                invoice=invoice,
                currency=invoice.currency,
                currency_2=currency,
            )
        )
    if not amount.is_finite() or amount <= 0 or amount != round(amount, minor_digits(currency)):
        raise WrongPayment(
            sentence(
                "%(amount)s is no positive amount in whole minor units of %(currency)s.",
                amount=amount,
                currency=currency,
            )
        )
    if invoice.state == InvoiceState.DRAFT:
        raise NotPayable(sentence("The invoice is a draft: nothing is owed until it is issued."), state=invoice.state)


def _require_same(known: Payment, *, invoice: Invoice, method: PaymentMethod, amount: Decimal) -> None:
    """The currency needs no look: it is the invoice's."""
    if (known.invoice_id, known.method, known.amount) != (invoice.pk, method, amount):
        raise PaymentDiffers(
            sentence(
                "%(reference)s was recorded at %(received_at)s as %(known)s by %(method)s.",
                reference=known.reference,
                received_at=known.received_at.isoformat(),
                known=known,
                method=known.method,
            )
        )


def _require_owed(invoice: Invoice, *, owed: Decimal, surplus: Decimal) -> None:
    if invoice.state not in PAYABLE:
        raise NotPayable(
            sentence("Invoice %(invoice)s is %(state)s.", invoice=invoice, state=in_state(invoice.state)),
            state=invoice.state,
        )
    if surplus:
        owed = round_to_minor(owed, invoice.currency)
        raise Overpaid(
            sentence(
                "Invoice %(invoice)s has %(owed)s %(currency)s left to pay; the payment is %(surplus)s more.",
                invoice=invoice,
                owed=owed,
                currency=invoice.currency,
                surplus=surplus,
            ),
            owed=str(owed),
        )


def _flag(invoice: Invoice, *, reference: str, surplus: Decimal, now: datetime) -> None:
    logger.error(
        "Stripe holds %s %s more than invoice %s owes (%s, %s)",
        surplus,
        invoice.currency,
        invoice.number,
        reference,
        invoice.state,
    )
    AuditEntry.objects.create(
        organization_id=invoice.issuer_id,
        actor="stripe",
        action="payment.overpaid",
        subject=f"invoice {invoice.number}",
        after={"reference": reference, "surplus": str(surplus), "currency": invoice.currency},
        at=now,
    )


def _book(invoice: Invoice, payment: Payment, clearing: AccountKind) -> None:
    post(
        key=f"payment:{payment.pk}",
        cause="payment",
        cause_id=payment.pk,
        memo=f"Payment of invoice {invoice.number}",
        at=payment.received_at,
        entries=(
            Entry(
                invoice.tenant_id if payment.method == PaymentMethod.BALANCE else invoice.issuer_id,
                clearing,
                payment.currency,
                payment.amount,
            ),
            Entry(invoice.tenant_id, AccountKind.TENANT_RECEIVABLE, payment.currency, -payment.amount),
        ),
        provider_id=invoice.issuer_id,
    )
    tell_payment(invoice, payment)


def mark_settled(invoice: Invoice, *, paid_at: datetime, now: datetime, by_stripe: bool = False) -> None:
    """Mark a locked invoice of which nothing is left as paid; what Stripe has of it is closed there by the sweep."""
    open_one = Invoice.objects.filter(pk=invoice.pk, state__in=PAYABLE)
    if open_one.update(state=InvoiceState.PAID, paid_at=paid_at, updated_at=now):
        # A payment that is taken back opens an invoice again: each time that it is paid is an occasion.
        tell_invoice(invoice, "invoice.paid", at=now, occasion=now.isoformat())
    settlement = Settlement.objects.filter(pk=invoice.pk).exclude(state=SettlementState.PAID)
    if by_stripe:
        settlement.update(state=SettlementState.PAID, last_error="", next_try_at=now, updated_at=now)
        return
    # What Stripe may know of the invoice is closed there first; the sweep does that and then marks it paid.
    at_rest = (
        SettlementState.BY_HAND,
        SettlementState.BELOW_MINIMUM,
        SettlementState.GATHERING,
        SettlementState.TOGETHER,
    )
    settlement.filter(state__in=at_rest).update(
        state=SettlementState.PAID, last_error="", next_try_at=now, updated_at=now
    )
    settlement.filter(state=SettlementState.FAILED).update(state=SettlementState.WAIT, next_try_at=now, updated_at=now)
    settlement.exclude(state__in=at_rest).update(next_try_at=now)

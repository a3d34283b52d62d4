"""What an invoice at Stripe says is applied to our books: forward only, and never silently against them."""

from __future__ import annotations

import logging
from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING

from django.db import transaction

from billing.models import CarriedDue, Invoice, InvoiceState, PaymentSource, Settlement, SettlementState, StripeIntent
from billing.payments import PaymentMethod, record_payment
from billing.stripe_amounts import from_minor_units
from tenants.models import AuditEntry
from tenants.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from uuid import UUID

    from billing.stripe_answers import StripeInvoice, StripePayment

logger = logging.getLogger(__name__)

REASON_CHARACTERS_MAX = 500
WITHDRAWN = "withdraw"
"""The step of a call that voids at Stripe what Stripe has no integer for any more: kept before the call, so that what
comes of it, a webhook before our own answer, is no surprise.
"""


class Applied(Enum):
    """What came of looking at an invoice at Stripe."""

    PAID = "paid"
    UNCHANGED = "nothing new"
    FLAGGED = "differs from our books: flagged"


def apply_stripe_invoice(*, invoice_id: UUID, seen: StripeInvoice, now: datetime) -> Applied:
    """Apply what Stripe has of one of our invoices; any number of times, in any order, with the same end.

    Every payment that Stripe holds money of is recorded by its own id. An invoice that Stripe calls paid without
    money to show for it, void or uncollectible is flagged when our books say otherwise: a person decides.
    """
    try:
        for payment in _held(seen):
            _record(invoice_id, seen, payment, now)
    except Problem as problem:
        flag(invoice_id=invoice_id, reason=f"{seen.id} at Stripe: {problem.detail}", now=now)
        return Applied.FLAGGED
    invoice = Invoice.objects.get(pk=invoice_id)
    if invoice.state == InvoiceState.PAID:
        return Applied.PAID
    if seen.status in ("draft", "open") or invoice.state in (InvoiceState.VOID, seen.status):
        return Applied.UNCHANGED
    if seen.status == "void" and StripeIntent.objects.filter(subject_id=invoice_id, step=WITHDRAWN).exists():
        return Applied.UNCHANGED
    flag(
        invoice_id=invoice_id,
        reason=f"Stripe has invoice {seen.id} as {seen.status} with {seen.amount_paid_minor} of "
        f"{seen.total_minor} minor units paid; our books have it as {invoice.state}.",
        now=now,
    )
    return Applied.FLAGGED


@transaction.atomic
def _record(invoice_id: UUID, seen: StripeInvoice, held: StripePayment, now: datetime) -> None:
    """Record one payment of Stripe's for the invoice and for what it carried, each under a reference of its own."""
    carried = CarriedDue.objects.filter(carrier_id=invoice_id, released_at__isnull=True).order_by("invoice_id")
    parts = [(one.invoice_id, f"{held.id}:{one.invoice_id}", one.amount) for one in carried]
    amount = from_minor_units(held.amount_paid_minor, seen.currency)
    own = amount - sum((part for *_, part in parts), Decimal(0))
    if own > 0:
        parts.append((invoice_id, held.id, own))
    else:
        # Less came than is asked for: it pays the invoice that asked.
        parts = [(invoice_id, held.id, amount)]
    for paid_id, reference, part in sorted(parts, key=lambda one: one[0]):
        payment = record_payment(
            invoice_id=paid_id,
            method=PaymentMethod.STRIPE,
            reference=reference,
            amount=part,
            currency=seen.currency,
            received_at=held.paid_at or now,
            now=now,
        )
        PaymentSource.objects.get_or_create(
            payment=payment,
            defaults={
                "payment_intent_id": held.payment_intent_id or "",
                "charge_id": held.charge_ids[0] if held.charge_ids else "",
                "stripe_invoice_id": seen.id,
                "noted_at": now,
            },
        )


@transaction.atomic
def flag(*, invoice_id: UUID, reason: str, now: datetime) -> None:
    """Stop the collection with a reason that a person must look at, in the log and the audit log; once per reason."""
    reason = reason[:REASON_CHARACTERS_MAX]
    known = Settlement.objects.filter(pk=invoice_id)
    changed = (
        known.exclude(state=SettlementState.PAID)
        .exclude(state=SettlementState.FAILED, last_error=reason)
        .update(state=SettlementState.FAILED, last_error=reason, updated_at=now)
    )
    if changed or not known.exists():
        sound_alarm(invoice_id=invoice_id, reason=reason, now=now)


def sound_alarm(*, invoice_id: UUID, reason: str, now: datetime) -> None:
    """Write to the log and the issuer's audit log that an invoice's collection needs a person."""
    invoice = Invoice.objects.get(pk=invoice_id)
    logger.error("Collection of invoice %s needs a person: %s", invoice.number, reason)
    AuditEntry.objects.create(
        organization_id=invoice.issuer_id,
        actor="settlement",
        action="settlement.failed",
        subject=f"invoice {invoice.number}",
        after={"reason": reason},
        at=now,
    )


def _held(seen: StripeInvoice) -> Iterator[StripePayment]:
    return (payment for payment in seen.payments if holds_money(payment))


def holds_money(payment: StripePayment) -> bool:
    """Whether the money of a payment is at Stripe; one paid out of band has neither a payment intent nor a charge."""
    has_money = bool(payment.payment_intent_id or payment.charge_ids)
    return payment.status == "paid" and payment.amount_paid_minor > 0 and has_money

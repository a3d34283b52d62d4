"""Chargebacks: a card holder's bank takes a payment back, and perhaps returns it. The books follow, both ways.

What was taken is booked as the payment taken back, so the invoice is owed again; what returns is booked as a new
payment. Of bought credit the credit is taken back, and granted again (`billing.topups.charged_back`). Stripe's fee for
it is booked with all other fees, from the balance transactions.
"""

from __future__ import annotations

import logging
from decimal import Decimal
from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models import Q

from billing.models import Chargeback, Payment, PaymentReversal, PaymentSource
from billing.payment_reversals import left_of, reverse_payment
from billing.payments import PaymentMethod, record_payment
from billing.stripe_amounts import from_minor_units
from billing.topups.charged_back import give_again, take_credit, top_up_of
from tenants.models import AuditEntry

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from billing.stripe_seen import StripeDispute

logger = logging.getLogger(__name__)

BY = "stripe"
NOTHING = Decimal(0)


@transaction.atomic
def apply_dispute(*, seen: StripeDispute, now: datetime) -> Chargeback:
    """Book what a dispute says now, as often as it is told, in any order, with the same end.

    1. The chargeback's row is locked, or made.
    2. Money that Stripe holds back and the books do not: the payments of the charge are taken back, up to the amount.
    3. Money that the books miss and Stripe does not hold back any more: it is recorded as paid again.

    A charge that pays nothing of ours is kept and shown, and alarmed.
    """
    payments = _payments_of(seen)
    top_up = None if payments else top_up_of(seen)
    row, is_new = Chargeback.objects.select_for_update().get_or_create(
        dispute_id=seen.id,
        defaults={
            "payment": payments[0] if payments else None,
            "charge_id": seen.charge_id,
            "status": seen.status,
            "reason": seen.reason,
            "currency": seen.currency,
            "amount": from_minor_units(seen.amount_minor, seen.currency),
            "opened_at": seen.created,
            "updated_at": now,
        },
    )
    withdrawn = from_minor_units(seen.withdrawn_minor, seen.currency)
    if is_new and not payments and top_up is None:
        logger.error("Stripe's dispute %s is of charge %s, which pays nothing of ours", seen.id, seen.charge_id)
    if withdrawn > 0 and not row.withdrawn:
        row.round += 1
    if withdrawn > 0:
        _take(row, payments, withdrawn, now)
        if top_up is not None:
            take_credit(top_up=top_up, reference=_reference(row), amount=withdrawn, now=now)
    elif row.withdrawn:
        _return(row, now)
        if top_up is not None:
            give_again(top_up=top_up, reference=_reference(row), now=now)
    if (row.status, row.withdrawn) != (seen.status, withdrawn) or is_new:
        _audit(row, payments, seen, withdrawn, now)
    row.status, row.withdrawn, row.reason = seen.status, withdrawn, seen.reason
    row.fee, row.respond_by = from_minor_units(seen.fee_minor, seen.currency), seen.respond_by
    row.payment, row.updated_at = row.payment or (payments[0] if payments else None), now
    row.top_up = row.top_up or top_up
    row.save()
    return row


def _reference(row: Chargeback) -> str:
    return f"{row.dispute_id}:{row.round}"


def _payments_of(seen: StripeDispute) -> Sequence[Payment]:
    """The payments that came in by the charge, in the order of their keys, which is the order of locks.

    What came back of a dispute that was won pays by the same charge, and can be taken again.
    """
    sources = PaymentSource.objects.filter(charge_id=seen.charge_id)
    if seen.payment_intent_id and not sources.exists():
        sources = PaymentSource.objects.filter(payment_intent_id=seen.payment_intent_id)
    wanted = Q(source__in=sources)
    for dispute_id in Chargeback.objects.filter(charge_id=seen.charge_id).values_list("dispute_id", flat=True):
        wanted |= Q(reference__startswith=f"{dispute_id}:won:", method=PaymentMethod.STRIPE)
    return list(Payment.objects.filter(wanted).select_related("invoice").order_by("invoice_id", "pk"))


def _take(row: Chargeback, payments: Sequence[Payment], withdrawn: Decimal, now: datetime) -> None:
    """Take back what this round has not taken yet: a dispute may be told of before the payment that it is of."""
    before = dict(
        PaymentReversal.objects.filter(reference__startswith=f"{row.dispute_id}:{row.round}:").values_list(
            "payment_id", "amount"
        )
    )
    left = withdrawn - sum(before.values(), NOTHING)
    for payment in payments:
        if payment.pk in before:
            continue
        taken = min(left, left_of(payment))
        if taken > 0:
            reverse_payment(
                payment_id=payment.pk,
                reference=f"{row.dispute_id}:{row.round}:{payment.pk}",
                reason=f"chargeback {row.dispute_id}: {row.reason}"[:200],
                by=BY,
                now=now,
                amount=taken,
            )
            left -= taken


def _return(row: Chargeback, now: datetime) -> None:
    taken = Payment.objects.filter(reversals__reference__startswith=f"{row.dispute_id}:{row.round}:")
    for payment in taken.order_by("invoice_id", "pk"):
        reversal = payment.reversals.get(reference=f"{row.dispute_id}:{row.round}:{payment.pk}")
        again = record_payment(
            invoice_id=payment.invoice_id,
            method=PaymentMethod.STRIPE,
            reference=f"{row.dispute_id}:won:{row.round}:{payment.pk}",
            amount=reversal.amount,
            currency=payment.currency,
            received_at=now,
            now=now,
        )
        PaymentSource.objects.get_or_create(payment=again, defaults={"noted_at": now})


def _audit(
    row: Chargeback, payments: Sequence[Payment], seen: StripeDispute, withdrawn: Decimal, now: datetime
) -> None:
    for payment in payments[:1]:
        AuditEntry.objects.create(
            organization_id=payment.invoice.issuer_id,
            actor=BY,
            action="chargeback.changed",
            subject=f"invoice {payment.invoice.number}",
            before={"status": row.status, "withdrawn": str(row.withdrawn)},
            after={"status": seen.status, "withdrawn": str(withdrawn), "dispute": row.dispute_id},
            at=now,
        )

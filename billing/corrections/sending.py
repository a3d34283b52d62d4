"""Refunds to cards, sent through Stripe: one call each however often it is tried, and what became of it."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING

from django.db import transaction

from billing.corrections.refunds import finish, give_up, locked_refund
from billing.models import Refund, RefundMethod, RefundState, Settlement
from billing.stripe_amounts import minor_units
from billing.stripe_answers import StripeRefused, StripeUnavailable
from billing.stripe_intents import Result, carry_out

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from billing.stripe_gateway import StripeGateway
    from billing.stripe_seen import StripeRefund

logger = logging.getLogger(__name__)

LEASE_S = 300
BACKOFF_FIRST_S = 5
BACKOFF_MAX_S = 900
POLL_S = 3600
STEP = "refund"


def due_refunds(*, now: datetime, limit: int) -> list[UUID]:
    """Return the refunds to cards whose time has come, the longest waiting first."""
    due = Refund.objects.filter(
        method=RefundMethod.CARD, state__in=(RefundState.PENDING, RefundState.SENT), next_try_at__lte=now
    )
    return list(due.order_by("next_try_at", "pk").values_list("pk", flat=True)[:limit])


def send_refund(*, refund_id: UUID, gateway: StripeGateway, now: datetime) -> None:
    """Claim a due refund, send it or look how it is doing, and store what came of it; of many at once, one does.

    Unavailability is tried again later. A refusal puts the money on the balance again: nothing left us.
    """
    claimed = Refund.objects.filter(
        pk=refund_id, state__in=(RefundState.PENDING, RefundState.SENT), next_try_at__lte=now
    ).update(next_try_at=now + timedelta(seconds=LEASE_S))
    if not claimed:
        return
    refund = Refund.objects.select_related("account", "payment__invoice", "top_up").get(pk=refund_id)
    try:
        seen = _sent(refund, gateway, now)
    except StripeUnavailable as error:
        _try_later(refund, error, now)
        return
    except StripeRefused as error:
        with transaction.atomic():
            give_up(locked_refund(refund_id), reason=f"Stripe refused: {error}", now=now)
        logger.exception("Refund %s was refused", refund_id)
        return
    apply_refund(refund_id=refund_id, seen=seen, now=now)


@transaction.atomic
def apply_refund(*, refund_id: UUID, seen: StripeRefund, now: datetime) -> None:
    """Apply what Stripe has of a refund; any number of times, in any order, with the same end.

    What became of another refund at Stripe that bears the same reference says nothing of this one: it is logged, and
    the reconciliation lists it. Raises Refund.DoesNotExist.
    """
    refund = locked_refund(refund_id)
    if refund.reference not in ("", seen.id):
        logger.error("Stripe's refund %s bears the reference of %s, which is %s", seen.id, refund_id, refund.reference)
        return
    if seen.status in ("failed", "canceled"):
        if refund.state != RefundState.FAILED:
            give_up(refund, reason=f"{seen.id} {seen.status}: {seen.failure_reason or 'no reason given'}", now=now)
    elif seen.status == "succeeded" and refund.state in (RefundState.PENDING, RefundState.SENT):
        finish(refund, reference=seen.id, now=now)
    elif refund.state in (RefundState.PENDING, RefundState.SENT):
        Refund.objects.filter(pk=refund_id).update(
            state=RefundState.SENT, reference=seen.id, next_try_at=now + timedelta(seconds=POLL_S), last_error=""
        )


def _sent(refund: Refund, gateway: StripeGateway, now: datetime) -> StripeRefund:
    if refund.reference:
        return gateway.get_refund(refund.reference)
    payment_intent_id = _payment_intent(refund, gateway)
    amount_minor = minor_units(refund.amount, refund.account.currency)

    def look_up() -> Result | None:
        found = gateway.find_refund(payment_intent_id, str(refund.pk))
        return {"id": found.id} if found else None

    def call(key: str) -> Result:
        made = gateway.refund(
            payment_intent_id=payment_intent_id,
            amount_minor=amount_minor,
            reference=str(refund.pk),
            idempotency_key=key,
        )
        return {"id": made.id}

    made = carry_out(
        key_of=lambda generation: f"refund:{refund.pk}:{generation}",
        step=STEP,
        subject_id=refund.pk,
        look_up=look_up,
        call=call,
        now=now,
    )
    return gateway.get_refund(made["id"])


def _payment_intent(refund: Refund, gateway: StripeGateway) -> str:
    """Return what Stripe knows the payment by; a payment is stored by the id of its place on the invoice."""
    if refund.top_up is not None:
        return refund.top_up.payment_intent_id
    payment = refund.payment
    assert payment is not None, refund
    stripe_invoice_id = Settlement.objects.values_list("stripe_invoice_id", flat=True).get(pk=payment.invoice_id)
    for each in gateway.get_invoice(stripe_invoice_id).payments:
        if each.id == payment.reference and each.payment_intent_id:
            return each.payment_intent_id
    raise StripeRefused("payment_not_found", f"{stripe_invoice_id} shows no payment {payment.reference} by card.")


def _try_later(refund: Refund, error: StripeUnavailable, now: datetime) -> None:
    delay_s = max(min(BACKOFF_FIRST_S * 2 ** min(refund.attempts, 16), BACKOFF_MAX_S), error.retry_after_s)
    Refund.objects.filter(pk=refund.pk).update(
        attempts=refund.attempts + 1,
        next_try_at=now + timedelta(seconds=delay_s),
        last_error=f"Stripe is unavailable: {error}"[:500],
    )
    logger.warning("Refund %s: Stripe is unavailable (%s); again in %s s", refund.pk, error, delay_s)

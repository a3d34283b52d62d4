"""Booking what was done at Stripe by hand: a refund to a card, a transfer to a provider's account."""

from __future__ import annotations

from contextlib import suppress
from decimal import Decimal
from typing import TYPE_CHECKING
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from billing.corrections.refunds import top_up_refundable
from billing.models import CreditMovement, Payment, PaymentReversal, PaymentSource, Payout, Refund, StripePayee, TopUp
from billing.payment_reversals import left_of, reverse_payment
from billing.statements.paying_out import record_paid_elsewhere
from billing.stripe_amounts import from_minor_units
from billing.topups.charged_back import REFUNDED_BY_HAND, take_credit, top_up_of
from tenants.problems import Problem
from tenants.sentences import sentence

if TYPE_CHECKING:
    from datetime import datetime

    from billing.stripe_seen import StripeRefund, StripeTransfer

GIVEN_UP = frozenset({"failed", "canceled"})


class NothingToBook(Problem):
    """What was done at Stripe has no place in our books, or one already; the detail says what to do instead."""

    status = 409
    code = "nothing_to_book"
    title = "It cannot be booked"


@transaction.atomic
def book_refund(*, seen: StripeRefund, by: str, now: datetime) -> tuple[PaymentReversal, ...]:
    """Take back, of the payments that came by the charge, what a refund that is not ours gave to the card.

    The invoice is owed again by that much, as the tenant has its money again: a credit note or a balance settles it.
    Where the charge bought credit, that leaves the balance, also what was used of it: then the balance is below 0.
    Told again it changes nothing. Raises `NothingToBook` for a refund of ours, one that failed, and one that is more
    than is left of what our books have of its charge.
    """
    if seen.status in GIVEN_UP:
        raise NothingToBook(
            sentence(
                "Refund %(id)s is %(status)s: the money is at Stripe. Look again, then accept.",
                id=seen.id,
                status=seen.status,
            )
        )
    if _is_ours(seen):
        raise NothingToBook(
            sentence("Refund %(id)s is one of ours, which its own sweep records. Look again in a minute.", id=seen.id)
        )
    known = tuple(PaymentReversal.objects.filter(reference__startswith=f"{seen.id}:"))
    if known:
        return known
    payments = _payments_of(seen)
    amount = from_minor_units(seen.amount_minor, seen.currency)
    top_up = None if payments else top_up_of(seen)
    if top_up is not None:
        _take_credit(seen, top_up, amount, by=by, now=now)
        return ()
    _require_left(seen, sum((left for _, left in payments), Decimal(0)), amount)
    made = []
    for payment, left in payments:
        taken = min(left, amount)
        if taken > 0:
            amount -= taken
            made.append(
                reverse_payment(
                    payment_id=payment.pk,
                    reference=f"{seen.id}:{payment.pk}",
                    reason=f"refunded at Stripe by hand, {seen.id}",
                    by=by,
                    now=now,
                    amount=taken,
                )
            )
    return tuple(made)


def _take_credit(seen: StripeRefund, top_up: TopUp, amount: Decimal, *, by: str, now: datetime) -> None:
    reference = f"{REFUNDED_BY_HAND}{seen.id}"
    # Told again it is there, and what is left of the purchase is less by it.
    if not CreditMovement.objects.filter(reference=reference).exists():
        _require_left(seen, top_up_refundable(top_up), amount)
        take_credit(top_up=top_up, reference=reference, amount=amount, now=now, by=by)


def _require_left(seen: StripeRefund, left: Decimal, amount: Decimal) -> None:
    if left < amount:
        raise NothingToBook(
            sentence(
                "Our books have less of charge %(charge_id)s than %(amount)s %(currency)s.",
                charge_id=seen.charge_id,
                amount=amount,
                currency=seen.currency,
            )
        )


def book_transfer(*, seen: StripeTransfer, by: str, now: datetime) -> Payout:
    """Record a transfer that is not ours as a payout that was paid; more than was owed is carried by what is earned.

    Told again it changes nothing. Raises `NothingToBook` for one to an account of nobody here, and one that came back.
    """
    payee = StripePayee.objects.filter(account_id=seen.account_id).first()
    if payee is None:
        raise NothingToBook(
            sentence(
                "Account %(account_id)s is no provider's here: take the transfer back at Stripe.",
                account_id=seen.account_id,
            )
        )
    if seen.reversed_minor:
        raise NothingToBook(
            sentence("Of transfer %(id)s something came back: accept it when nothing is left of it.", id=seen.id)
        )
    return record_paid_elsewhere(
        provider_id=payee.pk,
        account_id=seen.account_id,
        currency=seen.currency,
        amount=from_minor_units(seen.amount_minor, seen.currency),
        reference=seen.id,
        by=by,
        at=seen.created,
        now=now,
    )


def _is_ours(seen: StripeRefund) -> bool:
    ours = Q(reference=seen.id)
    with suppress(ValueError):
        ours |= Q(pk=UUID(seen.reference))
    return Refund.objects.filter(ours).exists()


def _payments_of(seen: StripeRefund) -> list[tuple[Payment, Decimal]]:
    """The payments that came by the charge with what has stayed of each, in the order of locks."""
    if not seen.charge_id:
        return []
    sources = PaymentSource.objects.filter(charge_id=seen.charge_id)
    payments = Payment.objects.filter(source__in=sources).order_by("invoice_id", "pk")
    return [(payment, left_of(payment)) for payment in payments]

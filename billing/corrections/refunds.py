"""Paying a tenant's balance out: to the card that paid, or by bank transfer; what does not arrive comes back to it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models import Sum

from billing.api_words import money
from billing.ledger import Entry, post
from billing.models import (
    AccountKind,
    BalanceAccount,
    BalanceKind,
    CreditMovement,
    MovementKind,
    Payment,
    PaymentReversal,
    Refund,
    RefundMethod,
    RefundState,
    TopUp,
    TopUpState,
)
from billing.money import less, minor_digits, round_to_minor
from billing.payments import PaymentMethod
from billing.states import in_state
from billing.stripe_amounts import smallest_amount
from billing.telling import tell_subject
from billing.tenant_balances import locked_balance, move_balance
from tenants.ids import new_id
from tenants.models import AuditEntry
from tenants.problems import Problem
from tenants.sentences import sentence

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

REASON_CHARACTERS_MAX = 500
REFERENCE_CHARACTERS_MAX = 200
CAUSE = "refund"
CLEARING = {
    RefundMethod.CARD: AccountKind.STRIPE_CLEARING,
    RefundMethod.BANK_TRANSFER: AccountKind.BANK_CLEARING,
}


class WrongRefund(Problem):
    """The refund cannot be of this balance: its amount, reason, payment or reference."""

    status = 422
    code = "wrong_refund"
    title = "This cannot be refunded"


class CardHasNotPaid(Problem):
    """The card paid less than that, or it was refunded already."""

    status = 409
    code = "card_has_not_paid"
    title = "That is more than the card paid and has not back"


class RefundDiffers(Problem):
    """The id was used before for another refund."""

    status = 409
    code = "refund_differs"
    title = "This refund was asked for before with other contents"


class RefundIsOver(Problem):
    """The refund went on to another state."""

    status = 409
    code = "refund_is_over"
    title = "The refund is not in a state for that"


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be paid out; `payment_id`, or of bought credit `top_up_id`, is the payment whose card it goes to."""

    amount: Decimal
    method: RefundMethod
    reason: str
    payment_id: UUID | None = None
    top_up_id: UUID | None = None


@transaction.atomic
def request_refund(*, account_id: UUID, order: Order, by: str, now: datetime, refund_id: UUID | None = None) -> Refund:
    """Take an amount off a balance and put it on its way; the same refund however often its id is asked for.

    A refund to a card is sent by the sweep (`billing.corrections.sending`); one by bank transfer waits until a person
    says that it was sent. Booked: Dr `tenant_balance`; Cr `refund_in_transit`. Raises BalanceAccount.DoesNotExist,
    `BalanceTooLow`, `WrongRefund`, `CardHasNotPaid`, `RefundDiffers`.
    """
    found = BalanceAccount.objects.get(pk=account_id)
    account = locked_balance(tenant_id=found.tenant_id, issuer_id=found.issuer_id, currency=found.currency)
    known = Refund.objects.filter(pk=refund_id).first() if refund_id else None
    if known is not None:
        asked = (account.pk, order.amount, order.method, order.payment_id, order.top_up_id)
        if (known.account_id, known.amount, known.method, known.payment_id, known.top_up_id) != asked:
            raise RefundDiffers(
                sentence(
                    "It was asked for at %(requested_at)s as %(known)s.",
                    requested_at=known.requested_at.isoformat(),
                    known=known,
                )
            )
        return known
    _require_plausible(account, order)
    refund = Refund.objects.create(
        id=refund_id or new_id(),
        account=account,
        amount=order.amount,
        method=order.method,
        payment_id=order.payment_id,
        top_up_id=order.top_up_id,
        reason=order.reason,
        requested_by=by,
        requested_at=now,
        next_try_at=now,
    )
    move_balance(
        account=account,
        kind=BalanceKind.REFUND,
        amount=-order.amount,
        key=f"refund:{refund.pk}",
        cause_id=refund.pk,
        memo="Balance paid out",
        at=now,
        against=(Entry(account.issuer_id, AccountKind.REFUND_IN_TRANSIT, account.currency, -order.amount),),
    )
    _audit(refund, "refund.requested", by, now)
    return refund


@transaction.atomic
def mark_sent(*, refund_id: UUID, reference: str, by: str, now: datetime) -> Refund:
    """Say that a refund by bank transfer was sent, with the bank's reference; said again it changes nothing.

    Raises Refund.DoesNotExist, `WrongRefund` for no reference, `RefundIsOver`.
    """
    refund = locked_refund(refund_id)
    if refund.method != RefundMethod.BANK_TRANSFER:
        raise RefundIsOver(sentence("A refund to a card is sent by itself."), state=refund.state)
    if not 0 < len(reference.strip()) <= REFERENCE_CHARACTERS_MAX:
        raise WrongRefund(
            sentence("reference: expected 1 to %(most)s characters.", most=REFERENCE_CHARACTERS_MAX), field="reference"
        )
    if refund.state == RefundState.DONE and refund.reference == reference:
        return refund
    if refund.state != RefundState.PENDING:
        raise RefundIsOver(sentence("The refund is %(state)s.", state=in_state(refund.state)), state=refund.state)
    finish(refund, reference=reference, now=now)
    _audit(refund, "refund.sent", by, now)
    return refund


@transaction.atomic
def take_back(*, refund_id: UUID, reason: str, by: str, now: datetime) -> Refund:
    """Put a refund by bank transfer that was not sent, or came back, on the balance again; harmless said twice.

    Raises Refund.DoesNotExist, `WrongRefund` for no reason, `RefundIsOver` for one to a card, which Stripe decides.
    """
    refund = locked_refund(refund_id)
    if refund.method != RefundMethod.BANK_TRANSFER:
        raise RefundIsOver(sentence("Stripe says what becomes of a refund to a card."), state=refund.state)
    if not 0 < len(reason.strip()) <= REASON_CHARACTERS_MAX:
        raise WrongRefund(
            sentence("reason: expected 1 to %(most)s characters.", most=REASON_CHARACTERS_MAX), field="reason"
        )
    if refund.state != RefundState.FAILED:
        give_up(refund, reason=reason, now=now)
        _audit(refund, "refund.failed", by, now)
    return refund


def locked_refund(refund_id: UUID) -> Refund:
    """Return a refund with its row locked until the transaction ends."""
    return Refund.objects.select_for_update(of=("self",)).select_related("account").get(pk=refund_id)


def finish(refund: Refund, *, reference: str, now: datetime) -> None:
    """Book a locked refund as paid: Dr `refund_in_transit`; Cr the clearing account it left."""
    _store(refund, RefundState.DONE, now, reference=reference, last_error="", finished_at=now)
    _post(refund, "paid", "paid out", now, _left_by(refund, 1))
    account = refund.account
    tell_subject(
        (account.issuer_id, account.tenant_id),
        "refund.paid",
        subject_id=refund.pk,
        at=now,
        issuer_id=str(account.issuer_id),
        tenant_id=str(account.tenant_id),
        currency=account.currency,
        amount=money(refund.amount, account.currency),
        method=str(refund.method),
        reference=reference,
    )


def give_up(refund: Refund, *, reason: str, now: datetime) -> None:
    """Put a locked refund on the balance again; one that was paid comes back to the clearing account first."""
    if refund.state == RefundState.DONE:
        _post(refund, "unpaid", "came back", now, _left_by(refund, -1))
    _store(refund, RefundState.FAILED, now, last_error=reason[:REASON_CHARACTERS_MAX], finished_at=now)
    account = locked_balance(
        tenant_id=refund.account.tenant_id, issuer_id=refund.account.issuer_id, currency=refund.account.currency
    )
    move_balance(
        account=account,
        kind=BalanceKind.REFUND_BACK,
        amount=refund.amount,
        key=f"refund:{refund.pk}:back",
        cause_id=refund.pk,
        memo="Refund came back to the balance",
        at=now,
        against=(Entry(account.issuer_id, AccountKind.REFUND_IN_TRANSIT, account.currency, refund.amount),),
    )


def card_payments(account: BalanceAccount) -> list[tuple[Payment, Decimal]]:
    """Return the payments by card of a tenant to an issuer of which something can go back, the latest first."""
    chosen = Payment.objects.filter(
        invoice__tenant_id=account.tenant_id,
        invoice__issuer_id=account.issuer_id,
        currency=account.currency,
        method=PaymentMethod.STRIPE,
    ).select_related("invoice")
    found = [(payment, refundable(payment)) for payment in chosen.order_by("-received_at", "-pk")]
    return [(payment, left) for payment, left in found if left > 0]


def refundable(payment: Payment) -> Decimal:
    """Return what of a payment by card was neither taken back nor refunded."""
    taken = PaymentReversal.objects.filter(payment=payment).aggregate(sum=Sum("amount"))["sum"] or Decimal(0)
    given = Refund.objects.filter(payment=payment).exclude(state=RefundState.FAILED).aggregate(sum=Sum("amount"))["sum"]
    return payment.amount - taken - (given or Decimal(0))


def top_up_refundable(top_up: TopUp) -> Decimal:
    """Return what of a purchase by card can go back to it: what was neither refunded nor charged back."""
    if top_up.state != TopUpState.PAID or not top_up.payment_intent_id:
        return Decimal(0)
    given = Refund.objects.filter(top_up=top_up).exclude(state=RefundState.FAILED).aggregate(sum=Sum("amount"))["sum"]
    taken = CreditMovement.objects.filter(
        term_id=top_up.term_id, grant=top_up.grant_name, kind=MovementKind.TAKEN
    ).aggregate(sum=Sum("amount"))["sum"]
    return max(Decimal(0), less(top_up.amount, given or Decimal(0), taken or Decimal(0)))


def _left_of_top_up(account: BalanceAccount, top_up_id: UUID) -> Decimal:
    found = TopUp.objects.filter(
        pk=top_up_id,
        term__contract__tenant_id=account.tenant_id,
        term__contract__provider_id=account.issuer_id,
        currency=account.currency,
    ).first()
    return top_up_refundable(found) if found is not None else Decimal(0)


def _require_plausible(account: BalanceAccount, order: Order) -> None:
    amount, currency = order.amount, account.currency
    if not amount.is_finite() or amount <= 0 or amount != round(amount, minor_digits(currency)):
        raise WrongRefund(
            sentence(
                "amount: expected an amount above 0 in whole minor units of %(currency)s, found %(amount)s.",
                currency=currency,
                amount=amount,
            ),
            field="amount",
        )
    if not 0 < len(order.reason.strip()) <= REASON_CHARACTERS_MAX:
        raise WrongRefund(
            sentence("reason: expected 1 to %(most)s characters.", most=REASON_CHARACTERS_MAX), field="reason"
        )
    named = [one for one in (order.payment_id, order.top_up_id) if one is not None]
    if len(named) != (1 if order.method == RefundMethod.CARD else 0):
        raise WrongRefund(sentence("payment: expected for a refund to a card, and for no other."), field="payment")
    if not named:
        return
    if order.top_up_id is not None:
        left = round_to_minor(_left_of_top_up(account, order.top_up_id), currency)
    else:
        payable = {payment.pk: left for payment, left in card_payments(account)}
        left = round_to_minor(payable.get(named[0], Decimal(0)), currency)
    if amount > left:
        raise CardHasNotPaid(
            sentence("%(left)s %(currency)s of that payment can go back to its card.", left=left, currency=currency),
            left=str(left),
        )
    if amount % smallest_amount(currency):
        step = smallest_amount(currency)
        raise WrongRefund(
            sentence(
                "amount: a card takes whole steps of %(step)s %(currency)s, found %(amount)s.",
                step=step,
                currency=currency,
                amount=amount,
            ),
            field="amount",
        )


def _left_by(refund: Refund, sign: int) -> tuple[Entry, Entry]:
    issuer, currency, amount = refund.account.issuer_id, refund.account.currency, sign * refund.amount
    return (
        Entry(issuer, AccountKind.REFUND_IN_TRANSIT, currency, amount),
        Entry(issuer, CLEARING[RefundMethod(refund.method)], currency, -amount),
    )


def _post(refund: Refund, step: str, words: str, now: datetime, entries: tuple[Entry, Entry]) -> None:
    post(
        key=f"refund:{refund.pk}:{step}",
        cause=CAUSE,
        cause_id=refund.pk,
        memo=f"Refund {words}",
        at=now,
        entries=entries,
    )


def _store(refund: Refund, state: RefundState, now: datetime, **changes: object) -> None:
    refund.state, refund.next_try_at = state, now
    for name, value in changes.items():
        setattr(refund, name, value)
    refund.save(update_fields=["state", "next_try_at", *changes])


def _audit(refund: Refund, action: str, by: str, now: datetime) -> None:
    AuditEntry.objects.create(
        organization_id=refund.account.issuer_id,
        actor=by,
        action=action,
        subject=f"refund {refund.pk}",
        after={
            "amount": str(round_to_minor(refund.amount, refund.account.currency)),
            "currency": refund.account.currency,
            "method": refund.method,
            "state": refund.state,
            "reason": refund.last_error or refund.reason,
            "reference": refund.reference,
        },
        at=now,
    )

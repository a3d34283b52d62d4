"""What can happen to money, each by the use case that does it; an act that has nothing to act on returns False."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from billing.closing import close_period
from billing.collecting.chargebacks import apply_dispute
from billing.completeness import missing_reports
from billing.corrections.amounts import Wanted
from billing.corrections.applying import apply_balance
from billing.corrections.credit_notes import issue_credit_note
from billing.corrections.disputes import answer_dispute, grant_dispute, open_dispute, uphold_invoice, withdraw_dispute
from billing.corrections.refunds import Order, card_payments, mark_sent, refundable, request_refund, take_back
from billing.corrections.sending import apply_refund
from billing.corrections.voiding import void_invoice
from billing.corrections.weighing import Scope, creditable_lines
from billing.dues import dues_of
from billing.gaps import accept_gaps, gap_of
from billing.models import (
    BalanceAccount,
    BillingPeriod,
    Chargeback,
    CreditReason,
    Dispute,
    DisputeState,
    Invoice,
    InvoiceState,
    Payment,
    PaymentSource,
    PeriodState,
    Refund,
    RefundMethod,
    RefundState,
)
from billing.payment_reversals import left_of, reverse_payment
from billing.payments import PaymentMethod, record_payment
from billing.stripe_amounts import from_minor_units, minor_units
from billing.stripe_seen import StripeDispute, StripeRefund
from billing.tenant_balances import balance_of
from billing.write_offs import write_off
from tenants.ids import new_id
from tests.flows.money.state import BOUNDS_AT, BY, close_over

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.flows.money.state import Money

    Act = Callable[[Money], bool]

OWED = (InvoiceState.ISSUED, InvoiceState.UNCOLLECTIBLE)


def twice(money: Money, act: Callable[[], object]) -> bool:
    """Do something, and now and then tell it again: the second time must change nothing."""
    act()
    if money.chance.yes(3):
        act()
    return True


def pay_by_bank(money: Money) -> bool:
    """In part, in whole, or too much, which is refused."""
    invoice = money.invoice(*OWED, owed=True)
    if invoice is None:
        return False
    amount = money.part(max(dues_of(invoice).left, Decimal(1)))
    if money.chance.yes(1):
        amount = dues_of(invoice).payable + 1
    reference = money.reference()
    return twice(money, lambda: _record(money, invoice, PaymentMethod.BANK_TRANSFER, reference, amount))


def pay_by_card(money: Money) -> bool:
    """What Stripe holds is recorded whatever is owed."""
    invoice = money.invoice(*OWED) if money.chance.yes(9) else money.invoice(InvoiceState.PAID)
    if invoice is None or invoice.total <= 0:
        return False
    left = money.chargeable(dues_of(invoice).payable)
    amount = money.chargeable(money.part(left)) if left > 0 else from_minor_units(100, money.currency)
    if amount <= 0:
        return False
    if money.chance.yes(1):
        amount += from_minor_units(50, money.currency)
    reference = f"inpay_{money.reference()}"

    def charge() -> None:
        payment = _record(money, invoice, PaymentMethod.STRIPE, reference, amount)
        PaymentSource.objects.get_or_create(
            payment=payment,
            defaults={
                "payment_intent_id": f"pi_{reference}",
                "charge_id": f"ch_{reference}",
                "noted_at": money.now,
            },
        )

    return twice(money, charge)


def _record(money: Money, invoice: Invoice, method: PaymentMethod, reference: str, amount: Decimal) -> Payment:
    return record_payment(
        invoice_id=invoice.pk,
        method=method,
        reference=reference,
        amount=amount,
        currency=money.currency,
        received_at=money.now,
        now=money.now,
    )


def take_payment_back(money: Money) -> bool:
    """A payment that bounced; a transfer that is matched to a bank movement is taken back there."""
    found = [one for one in Payment.objects.filter(bank_match__isnull=True).order_by("pk") if left_of(one) > 0]
    payment = money.one_of(found)
    if payment is None:
        return False
    amount, reference = money.part(left_of(payment)), money.reference()
    if payment.method == PaymentMethod.STRIPE:
        amount = min(amount, refundable(payment))
    return amount > 0 and twice(
        money,
        lambda: reverse_payment(
            payment_id=payment.pk, reference=reference, reason="bounced", by=BY, now=money.now, amount=amount
        ),
    )


def credit(money: Money) -> bool:
    """By line, by an amount, or all that is left; told twice under one id it is one."""
    invoice = money.invoice()
    if invoice is None:
        return False
    scope, made_id = _scope(money, invoice), new_id()
    return twice(
        money,
        lambda: issue_credit_note(
            invoice_id=invoice.pk,
            scope=scope,
            reason=CreditReason.GOODWILL,
            note="seeded",
            by=BY,
            now=money.now,
            credit_note_id=made_id,
        ),
    )


def _scope(money: Money, invoice: Invoice) -> Scope:
    lines = [line for line in creditable_lines(invoice) if line.amount > line.credited]
    if not lines or money.chance.yes(2):
        return Scope()
    line = money.chance.random.choice(lines)
    left = line.amount - line.credited
    if money.chance.yes(5):
        return Scope(lines=(Wanted(line.position, amount=money.part(left)),))
    if money.chance.yes(3):
        return Scope(lines=(Wanted(line.position, quantity=line.quantity / 2),))
    return Scope(amount=money.part(left))


def spend_balance(money: Money) -> bool:
    account = money.one_of(list(BalanceAccount.objects.order_by("pk")))
    return account is not None and twice(money, lambda: apply_balance(account_id=account.pk, now=money.now))


def ask_refund(money: Money) -> bool:
    """To the card that paid, where one did, or by bank transfer."""
    account = money.one_of(list(BalanceAccount.objects.order_by("pk")))
    if account is None:
        return False
    stands = balance_of(tenant_id=account.tenant_id, issuer_id=account.issuer_id, currency=account.currency)
    card = money.one_of(card_payments(account))
    if stands <= 0:
        return False
    amount, refund_id = money.part(stands), new_id()
    order = Order(amount, RefundMethod.BANK_TRANSFER, "seeded")
    if card is not None and money.chance.yes(6):
        order = Order(min(amount, card[1]), RefundMethod.CARD, "seeded", card[0].pk)
        if money.chance.yes(8):
            order = replace(order, amount=money.chargeable(order.amount))
    return twice(
        money,
        lambda: request_refund(account_id=account.pk, order=order, by=BY, now=money.now, refund_id=refund_id),
    )


def end_refund(money: Money) -> bool:
    """It arrives, it is on its way, or it comes back, even after it arrived."""
    refund = money.one_of(list(Refund.objects.exclude(state=RefundState.FAILED).order_by("pk")))
    if refund is None:
        return False
    if refund.method == RefundMethod.CARD:
        status = money.chance.random.choice(["succeeded", "succeeded", "pending", "failed"])
        seen = _refund_at_stripe(refund, status, money)
        return twice(money, lambda: apply_refund(refund_id=refund.pk, seen=seen, now=money.now))
    if refund.state == RefundState.PENDING and money.chance.yes(7):
        reference = money.reference()
        return twice(money, lambda: mark_sent(refund_id=refund.pk, reference=reference, by=BY, now=money.now))
    return twice(money, lambda: take_back(refund_id=refund.pk, reason="came back", by=BY, now=money.now))


def _refund_at_stripe(refund: Refund, status: str, money: Money) -> StripeRefund:
    return StripeRefund(
        id=f"re_{refund.pk}",
        status=status,
        amount_minor=minor_units(refund.amount, money.currency),
        currency=money.currency,
        payment_intent_id=None,
        charge_id=None,
        failure_reason="seeded" if status == "failed" else None,
        reference=str(refund.pk),
        created=money.now,
    )


def ask_about_a_line(money: Money) -> bool:
    invoice = money.invoice()
    if invoice is None:
        return False
    position = money.one_of([None, *invoice.lines.values_list("position", flat=True)])
    open_dispute(invoice=invoice, position=position, text="Why so much?", by=BY, now=money.now)
    return True


def end_question(money: Money) -> bool:
    """Answered, granted with a credit note, upheld or withdrawn."""
    question = money.one_of(list(Dispute.objects.filter(state=DisputeState.OPEN).order_by("pk")))
    if question is None:
        return False
    now = money.now
    match money.chance.random.randrange(4):
        case 0:
            grant_dispute(
                dispute_id=question.pk,
                organization=question.issuer,
                scope=_scope(money, question.invoice),
                text="Granted.",
                by=BY,
                now=now,
            )
        case 1:
            uphold_invoice(dispute_id=question.pk, organization=question.issuer, text="It stands.", by=BY, now=now)
        case 2:
            answer_dispute(dispute_id=question.pk, organization=question.issuer, text="Because.", by=BY, now=now)
        case _:
            withdraw_dispute(dispute_id=question.pk, organization=question.tenant, by=BY, now=now)
    return True


def charge_back(money: Money) -> bool:
    """The tenant's bank takes a charge back: a warning, held back, won or lost, told in any order."""
    known = money.one_of(list(Chargeback.objects.order_by("pk")))
    if known is not None and money.chance.yes(7):
        won = money.chance.yes(5)
        amount_minor = minor_units(known.amount, money.currency)
        seen = _dispute(money, known.charge_id, "won" if won else "lost", amount_minor, 0 if won else amount_minor)
        return twice(money, lambda: apply_dispute(seen=seen, now=money.now))
    disputed = Chargeback.objects.values("charge_id")
    sources = PaymentSource.objects.exclude(charge_id__in=disputed).exclude(charge_id="").select_related("payment")
    source = money.one_of([one for one in sources.order_by("pk") if refundable(one.payment) > 0])
    if source is None:
        return False
    amount_minor = minor_units(money.chargeable(money.part(refundable(source.payment))), money.currency)
    if not amount_minor:
        return False
    withdrawn = 0 if money.chance.yes(2) else amount_minor
    seen = _dispute(money, source.charge_id, "needs_response", amount_minor, withdrawn)
    return twice(money, lambda: apply_dispute(seen=seen, now=money.now))


def _dispute(money: Money, charge_id: str, status: str, amount_minor: int, withdrawn_minor: int) -> StripeDispute:
    return StripeDispute(
        id=f"dp_{charge_id}",
        status=status,
        amount_minor=amount_minor,
        withdrawn_minor=withdrawn_minor,
        fee_minor=0,
        currency=money.currency,
        reason="fraudulent",
        charge_id=charge_id,
        payment_intent_id=None,
        respond_by=None,
        created=money.now,
    )


def give_up_on(money: Money) -> bool:
    """Write off what an invoice has left; what comes of it later is recovered by the payment."""
    invoice = money.invoice(*OWED)
    if invoice is None:
        return False
    write_off(invoice_id=invoice.pk, reason="insolvent", by=BY, now=money.now)
    return True


def void(money: Money) -> bool:
    invoice = money.invoice(InvoiceState.ISSUED)
    return invoice is not None and twice(
        money, lambda: void_invoice(invoice_id=invoice.pk, reason="wrong tenant", by=BY, now=money.now)
    )


def use_late(money: Money) -> bool:
    """Usage of March that is told only now; it comes to the next invoice."""
    used = money.one_of(money.shared)
    if used is None:
        return False
    at = money.worlds[0].contract.from_at + money.chance.random.randrange(1, 700) * timedelta(hours=1)
    at += timedelta(minutes=money.chance.random.randrange(2, 20))
    tokens = {"output": money.chance.random.randrange(1, 10**7)}
    used.use(tokens, at=at, to_at=at + timedelta(minutes=1), version=2, stored_at=money.now)
    return True


def accept_a_gap(money: Money) -> bool:
    """A server falls silent within a period; somebody accepts that it is missing, and the period closes without it.

    What the server says once it is back is usage that came late, as any other.
    """
    world = money.one_of([one for one in money.worlds if one.nodes])
    if world is None:
        return False
    period = BillingPeriod.objects.filter(contract=world.contract, state=PeriodState.OPEN, to_at__gt=money.now)
    open_now = period.order_by("from_at").first()
    if open_now is None or open_now.to_at > BOUNDS_AT[-2]:
        return False
    node, ran_to = world.nodes[-1], open_now.from_at + (open_now.to_at - open_now.from_at) / 2
    world.rolled(node, ran_to)
    money.now = open_now.to_at + timedelta(hours=1)
    close_over(money)
    missing = [gap_of(one) for one in missing_reports(period=open_now, now=money.now)]
    if missing != [f"node:{node.pk}"]:
        raise AssertionError(f"{node.pk} is silent since {ran_to}, and {missing} is missing")
    twice(money, lambda: accept_gaps(period_id=open_now.pk, gaps=missing, reason="burnt", actor=BY, now=money.now))
    close_period(period_id=open_now.pk, now=money.now)
    open_now.refresh_from_db()
    if open_now.state != PeriodState.CLOSED:
        raise AssertionError("a period whose gaps are accepted is closed without them")
    world.rolled(node, BOUNDS_AT[-1])
    return True


def let_a_week_pass(money: Money) -> bool:
    """Days go by; periods that are over are closed."""
    money.now += timedelta(days=money.chance.random.randint(2, 12), hours=money.chance.random.randrange(24))
    close_over(money)
    return True

"""Payment intents, charges and invoice payments, with Stripe's test cards.

An invoice gets one payment intent and one default invoice payment when it is finalized with something due; every
attempt to pay it makes a charge. Test cards decide how an attempt ends (docs.stripe.com/testing).
"""

from dataclasses import dataclass
from typing import Any

from tests.fakes.stripe_double import listing, money
from tests.fakes.stripe_double.calls import Call, Handler, Handlers
from tests.fakes.stripe_double.objects import JsonObject, new_secret
from tests.fakes.stripe_double.refusals import Refusal, missing
from tests.fakes.stripe_double.store import Work

CHARGE_AMOUNT_MAX = 99_999_999


@dataclass(frozen=True)
class TestCard:
    """One of Stripe's test cards and how paying with it ends."""

    __test__ = False  # Not a test class, whatever its name says to pytest.

    brand: str
    last4: str
    decline_code: str | None = None
    declined_at_attach: bool = False
    needs_customer: bool = False


TEST_CARDS = {
    "pm_card_visa": TestCard("visa", "4242"),
    "pm_card_mastercard": TestCard("mastercard", "4444"),
    "pm_card_chargeDeclined": TestCard("visa", "0002", "generic_decline", declined_at_attach=True),
    "pm_card_chargeDeclinedInsufficientFunds": TestCard("visa", "9995", "insufficient_funds", declined_at_attach=True),
    # Attaches to a customer, then every charge is declined.
    "pm_card_chargeCustomerFail": TestCard("visa", "0341", "generic_decline"),
    "pm_card_threeDSecure2Required": TestCard("visa", "3220", needs_customer=True),
    "pm_card_authenticationRequired": TestCard("visa", "3184", needs_customer=True),
}


def card_of(work: Work, method_id: str) -> TestCard:
    """The test card behind a payment method or a test token."""
    found = work.peek(method_id)
    token = str(found["_token"]) if found is not None and found["object"] == "payment_method" else method_id
    if token not in TEST_CARDS:
        raise missing("PaymentMethod", method_id, "payment_method")
    return TEST_CARDS[token]


def decline(card: TestCard, **extra: Any) -> Refusal:
    """What Stripe answers when the card is declined; the attempt itself stands."""
    return Refusal(
        402,
        "Your card was declined.",
        code="card_declined",
        kind="card_error",
        commit=True,
        decline_code=card.decline_code,
        **extra,
    )


def open_payment(work: Work, invoice: JsonObject) -> None:
    """Prepare to collect what a just finalized invoice asks for."""
    if invoice["amount_due"] > CHARGE_AMOUNT_MAX:
        raise Refusal(400, f"Amount must be no more than {CHARGE_AMOUNT_MAX} in minor units", code="amount_too_large")
    intent = new_intent(work, invoice["amount_due"], invoice["currency"], invoice["customer"], _invoice=invoice["id"])
    work.add(
        "invoice_payment",
        amount_requested=invoice["amount_due"],
        currency=invoice["currency"],
        invoice=invoice["id"],
        is_default=True,
        payment={"type": "payment_intent", "payment_intent": intent["id"]},
        status="open",
        status_transitions={"canceled_at": None, "paid_at": None},
    )


def new_intent(work: Work, amount: int, currency: str, customer: str | None, **given: Any) -> JsonObject:
    """A payment intent that waits for a payment method."""
    intent = work.add(
        "payment_intent",
        **{"metadata": {}, **given},
        amount=amount,
        amount_capturable=0,
        amount_received=0,
        capture_method="automatic",
        client_secret=new_secret("pi_secret"),
        confirmation_method="automatic",
        currency=currency,
        customer=customer,
        payment_method_types=["card"],
        status="requires_payment_method",
    )
    work.emit("payment_intent.created", intent)
    return intent


def default_payment(work: Work, invoice: JsonObject) -> JsonObject:
    """The open invoice payment of a finalized invoice."""
    for row in work.all_of("invoice_payment"):
        if row["invoice"] == invoice["id"] and row["is_default"] and row["status"] == "open":
            return work.get(row["id"], "invoice_payment")
    raise Refusal(400, "This invoice has no open payment", code="payment_intent_unexpected_state")


def attempt(work: Work, invoice: JsonObject, method: JsonObject, *, customer_present: bool) -> Refusal | None:
    """Try to collect an open invoice; None when paid, else the refusal to answer after the attempt is kept.

    ``customer_present`` is a customer on the hosted page, who passes 3-D Secure; otherwise a card that asks for it
    leaves the intent in ``requires_action``.
    """
    payment = default_payment(work, invoice)
    intent = work.get(payment["payment"]["payment_intent"], "payment_intent")
    card = card_of(work, method["id"])
    if card.needs_customer and not customer_present:
        return _wait_for_customer(work, invoice, intent, method)
    if card.decline_code:
        return _declined(work, invoice, intent, method, card)
    succeed(work, intent, method)
    payment.update(status="paid", amount_paid=intent["amount"])
    payment["status_transitions"]["paid_at"] = work.now
    work.emit("invoice_payment.paid", payment)
    return None


def succeed(work: Work, intent: JsonObject, method: JsonObject) -> JsonObject:
    """The payment method pays: answers the charge."""
    charge = _charge(work, intent, method, status="succeeded")
    intent.update(
        status="succeeded",
        amount_received=intent["amount"],
        payment_method=method["id"],
        latest_charge=charge["id"],
        last_payment_error=None,
        next_action=None,
    )
    fee, pending_s = work.funds.fee_of(intent["amount"]), work.funds.pending_s
    moved = money.move(work, "charge", intent["amount"], intent["currency"], charge["id"], fee=fee, pending_s=pending_s)
    charge["balance_transaction"] = moved["id"]
    work.emit("charge.succeeded", charge)
    work.emit("payment_intent.succeeded", intent)
    return charge


def fail(work: Work, intent: JsonObject, method: JsonObject, card: TestCard) -> Refusal:
    """The payment method is declined: the refusal to answer after the attempt is kept."""
    charge = _charge(work, intent, method, status="failed")
    charge.update(failure_code="card_declined", failure_message="Your card was declined.")
    refusal = decline(card, charge=charge["id"], payment_intent={"id": intent["id"], "object": "payment_intent"})
    intent.update(status="requires_payment_method", latest_charge=charge["id"], last_payment_error=dict(refusal.error))
    work.emit("charge.failed", charge)
    work.emit("payment_intent.payment_failed", intent)
    return refusal


def ask_customer(work: Work, intent: JsonObject) -> Refusal:
    """The bank wants the customer, who is not there: the refusal to answer after the attempt is kept."""
    refusal = Refusal(
        402,
        "Your card was declined. This transaction requires authentication.",
        code="authentication_required",
        kind="card_error",
        commit=True,
        decline_code="authentication_required",
        payment_intent={"id": intent["id"], "object": "payment_intent"},
    )
    intent.update(status="requires_payment_method", last_payment_error=dict(refusal.error))
    work.emit("payment_intent.payment_failed", intent)
    return refusal


def change_amount(work: Work, invoice: JsonObject) -> None:
    """Ask for what an open invoice still has left to pay."""
    payment = default_payment(work, invoice)
    payment["amount_requested"] = invoice["amount_remaining"]
    work.get(payment["payment"]["payment_intent"], "payment_intent")["amount"] = invoice["amount_remaining"]


def charge_of_invoice(work: Work, invoice: JsonObject) -> JsonObject:
    """The charge that paid the invoice; 400 where it was paid by other means."""
    for row in work.all_of("invoice_payment"):
        if row["invoice"] == invoice["id"] and row["status"] == "paid":
            intent = work.get(row["payment"]["payment_intent"], "payment_intent")
            return work.get(intent["latest_charge"], "charge")
    raise Refusal(400, "This invoice was not paid by a charge; nothing can be refunded.", param="refund_amount")


def cancel_payment(work: Work, invoice: JsonObject) -> None:
    """Give up collecting: the invoice was voided or paid by other means."""
    for row in work.all_of("invoice_payment"):
        if row["invoice"] == invoice["id"] and row["status"] == "open":
            payment = work.get(row["id"], "invoice_payment")
            payment["status"] = "canceled"
            payment["status_transitions"]["canceled_at"] = work.now
            intent = work.get(payment["payment"]["payment_intent"], "payment_intent")
            intent.update(status="canceled", canceled_at=work.now, cancellation_reason="void_invoice")
            work.emit("payment_intent.canceled", intent)


def _declined(work: Work, invoice: JsonObject, intent: JsonObject, method: JsonObject, card: TestCard) -> Refusal:
    refusal = fail(work, intent, method, card)
    _count_attempt(work, invoice)
    work.emit("invoice.payment_failed", invoice)
    return refusal


def _wait_for_customer(work: Work, invoice: JsonObject, intent: JsonObject, method: JsonObject) -> Refusal:
    intent.update(status="requires_action", payment_method=method["id"], next_action={"type": "use_stripe_sdk"})
    work.emit("payment_intent.requires_action", intent)
    _count_attempt(work, invoice)
    work.emit("invoice.payment_action_required", invoice)
    work.emit("invoice.payment_failed", invoice)
    return Refusal(
        402,
        "This payment requires additional user action before it can be completed successfully.",
        code="invoice_payment_intent_requires_action",
        kind="card_error",
        commit=True,
        payment_intent={"id": intent["id"], "object": "payment_intent"},
    )


def _count_attempt(work: Work, invoice: JsonObject) -> None:
    invoice["attempted"] = True
    invoice["attempt_count"] += 1
    if invoice["collection_method"] == "charge_automatically" and invoice["auto_advance"]:
        invoice["next_payment_attempt"] = work.now + 3 * 86_400


def _charge(work: Work, intent: JsonObject, method: JsonObject, *, status: str) -> JsonObject:
    succeeded = status == "succeeded"
    return work.add(
        "charge",
        amount=intent["amount"],
        amount_captured=intent["amount"] if succeeded else 0,
        amount_refunded=0,
        billing_details=method["billing_details"],
        captured=succeeded,
        currency=intent["currency"],
        customer=intent["customer"],
        disputed=False,
        metadata={},
        paid=succeeded,
        payment_intent=intent["id"],
        payment_method=method["id"],
        payment_method_details={"type": "card", "card": dict(method["card"])},
        refunded=False,
        status=status,
    )


def _retrieve(kind: str) -> Handler:
    return lambda call: call.work.get(call.id, kind)


def _list(kind: str, *filters: str) -> Handler:
    return lambda call: listing.newest_first(call.work.all_of(kind), call.params, f"/v1/{kind}s", *filters)


def _list_invoice_payments(call: Call) -> JsonObject:
    rows = call.work.all_of("invoice_payment")
    wanted = (call.params.get("payment") or {}).get("payment_intent")
    if wanted:
        rows = [row for row in rows if row["payment"].get("payment_intent") == wanted]
    return listing.newest_first(rows, call.params, "/v1/invoice_payments", "invoice", "status")


HANDLERS: Handlers = {
    ("GET", "/v1/payment_intents/{intent}"): _retrieve("payment_intent"),
    ("GET", "/v1/payment_intents"): _list("payment_intent", "customer"),
    ("GET", "/v1/charges/{charge}"): _retrieve("charge"),
    ("GET", "/v1/charges"): _list("charge", "customer", "payment_intent"),
    ("GET", "/v1/invoice_payments/{invoice_payment}"): _retrieve("invoice_payment"),
    ("GET", "/v1/invoice_payments"): _list_invoice_payments,
}

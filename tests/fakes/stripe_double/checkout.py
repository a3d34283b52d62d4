"""Checkout sessions: a page on which a customer leaves a card or pays; and charging a kept card without an invoice."""

from tests.fakes.stripe_double import customers, listing, money, payments
from tests.fakes.stripe_double.calls import Call, Handlers, check_metadata
from tests.fakes.stripe_double.objects import JsonObject, merged_metadata
from tests.fakes.stripe_double.refusals import Refusal
from tests.fakes.stripe_double.store import Work

OPEN_S = 86_400
_TEXTS = ("after_submit", "shipping_address", "submit", "terms_of_service_acceptance")


def _create(call: Call) -> JsonObject:
    params, work = call.params, call.work
    check_metadata(params)
    mode = params.get("mode", "payment")
    if mode not in ("payment", "setup"):
        raise Refusal(400, f"The double does not act out mode {mode}.", param="mode")
    if "success_url" not in params:
        raise Refusal(400, "Missing required param: success_url.", code="parameter_missing", param="success_url")
    if mode == "setup" and "currency" not in params:
        raise Refusal(400, "You must provide `currency` in setup mode.", param="currency")
    customer = work.get(params["customer"], "customer", "customer") if "customer" in params else None
    made = work.add(
        "checkout.session",
        **_amounts(params, mode),
        automatic_tax={"enabled": False, "liability": None, "provider": None, "status": None},
        cancel_url=params.get("cancel_url"),
        custom_fields=[],
        custom_text=dict.fromkeys(_TEXTS),
        customer=customer["id"] if customer else None,
        expires_at=params.get("expires_at", work.now + OPEN_S),
        metadata=merged_metadata(None, params.get("metadata", "")),
        mode=mode,
        payment_method_types=["card"],
        payment_status="unpaid" if mode == "payment" else "no_payment_required",
        shipping_options=[],
        status="open",
        success_url=params["success_url"],
        ui_mode="hosted_page",
        _intent_data=params.get("setup_intent_data" if mode == "setup" else "payment_intent_data") or {},
    )
    made["url"] = f"{call.base_url}/_double/checkout/{made['id']}"
    return made


def _amounts(params: JsonObject, mode: str) -> JsonObject:
    if mode == "setup":
        return {"currency": params["currency"].lower()}
    items = params.get("line_items") or []
    if not items or any("price_data" not in item for item in items):
        raise Refusal(400, "The double sells by price_data only.", param="line_items")
    currencies = {item["price_data"]["currency"].lower() for item in items}
    if len(currencies) > 1:
        raise Refusal(400, "All line items must have the same currency.", param="line_items")
    (currency,) = currencies
    total = sum(item["price_data"]["unit_amount"] * item.get("quantity", 1) for item in items)
    money.require_whole(total, currency, "line_items")
    if total < money.minimum_charge(currency):
        raise Refusal(
            400,
            "The Checkout Session's total amount due must add up to at least the minimum charge.",
            code="amount_too_small",
        )
    return {"currency": currency, "amount_subtotal": total, "amount_total": total}


def complete(work: Work, session_id: str, token: str) -> JsonObject:
    """The customer leaves a test card on the page; 402 is raised when it is declined, and the page stays open."""
    session = work.get(session_id, "checkout.session")
    if session["status"] != "open" or session["expires_at"] <= work.now:
        raise Refusal(400, f"This Checkout Session is {session['status']}.")
    customer = work.get(session["customer"], "customer") if session["customer"] else None
    if session["mode"] == "setup":
        _keep_card(work, session, customer, token)
    else:
        _take_payment(work, session, customer, token)
    session.update(status="complete", url=None)
    work.emit("checkout.session.completed", session)
    return session


def _keep_card(work: Work, session: JsonObject, customer: JsonObject | None, token: str) -> None:
    card = payments.card_of(work, token)
    if card.declined_at_attach:
        raise payments.decline(card)
    method = customers.new_card_method(work, token)
    method["customer"] = customer["id"] if customer else None
    intent = work.add(
        "setup_intent",
        customer=method["customer"],
        metadata=merged_metadata(None, session["_intent_data"].get("metadata", "")),
        payment_method=method["id"],
        payment_method_types=["card"],
        status="succeeded",
        usage="off_session",
    )
    session["setup_intent"] = intent["id"]
    work.emit("payment_method.attached", method)
    work.emit("setup_intent.succeeded", intent)


def _take_payment(work: Work, session: JsonObject, customer: JsonObject | None, token: str) -> None:
    card = payments.card_of(work, token)
    if card.decline_code:
        raise payments.decline(card)
    method = customers.new_card_method(work, token)
    intent = payments.new_intent(
        work,
        session["amount_total"],
        session["currency"],
        customer["id"] if customer else None,
        metadata=merged_metadata(None, session["_intent_data"].get("metadata", "")),
    )
    if customer and session["_intent_data"].get("setup_future_usage"):
        method["customer"] = customer["id"]
    payments.succeed(work, intent, method)
    session.update(payment_intent=intent["id"], payment_status="paid")


def _expire(call: Call) -> JsonObject:
    session = call.work.get(call.id, "checkout.session")
    if session["status"] != "open":
        raise Refusal(400, f"This Session is {session['status']}; only open Sessions can be expired.")
    session.update(status="expired", url=None)
    call.work.emit("checkout.session.expired", session)
    return session


def _list(call: Call) -> JsonObject:
    rows = call.work.all_of("checkout.session")
    return listing.newest_first(rows, call.params, "/v1/checkout/sessions", "customer", "payment_intent", "status")


def _charge(call: Call) -> JsonObject:
    """A payment intent that is confirmed at once, with a card on file and nobody there."""
    work, params = call.work, call.params
    check_metadata(params)
    if not params.get("confirm") or not params.get("off_session"):
        raise Refusal(400, "The double makes payment intents only to confirm them off session.", param="confirm")
    currency = params["currency"].lower()
    money.require_whole(params["amount"], currency)
    if params["amount"] < money.minimum_charge(currency):
        raise Refusal(400, "Amount must be at least the minimum charge", code="amount_too_small", param="amount")
    customer = work.get(params.get("customer", ""), "customer", "customer")
    method = work.get(params.get("payment_method", ""), "payment_method", "payment_method")
    if method["customer"] != customer["id"]:
        raise Refusal(400, "The payment method must be attached to the customer.", param="payment_method")
    intent = payments.new_intent(
        work,
        params["amount"],
        currency,
        customer["id"],
        metadata=merged_metadata(None, params.get("metadata", "")),
        description=params.get("description"),
    )
    card = payments.card_of(work, method["id"])
    if card.needs_customer:
        raise payments.ask_customer(work, intent)
    if card.decline_code:
        raise payments.fail(work, intent, method, card)
    payments.succeed(work, intent, method)
    return intent


HANDLERS: Handlers = {
    ("POST", "/v1/checkout/sessions"): _create,
    ("GET", "/v1/checkout/sessions"): _list,
    ("GET", "/v1/checkout/sessions/{session}"): lambda call: call.work.get(call.id, "checkout.session"),
    ("POST", "/v1/checkout/sessions/{session}/expire"): _expire,
    ("GET", "/v1/setup_intents/{intent}"): lambda call: call.work.get(call.id, "setup_intent"),
    ("POST", "/v1/payment_intents"): _charge,
}

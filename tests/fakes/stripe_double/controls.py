"""What tests make happen that no request of ours does: customers, banks, owners of accounts, Stripe itself."""

from collections.abc import Callable, Mapping
from typing import Any

from tests.fakes.stripe_double import accounts, checkout, disputes, invoices, money, refunds
from tests.fakes.stripe_double.double import Double, read_json
from tests.fakes.stripe_double.objects import JsonObject
from tests.fakes.stripe_double.refusals import Refusal
from tests.fakes.stripe_double.store import Work

CARD = "pm_card_visa"
# A deed of the double's world: the work to do it in, and what the control was given.
Deed = Callable[[Work, JsonObject], JsonObject | None]


def pay(work: Work, given: JsonObject) -> JsonObject:
    """A customer pays the hosted page of an invoice."""
    return invoices.pay_as_customer(work, str(given.get("invoice")), str(given.get("payment_method", CARD)))


def visit_checkout(work: Work, given: JsonObject) -> JsonObject:
    """A customer completes a Checkout session."""
    return checkout.complete(work, str(given.get("session")), str(given.get("payment_method", CARD)))


def change_account(work: Work, given: JsonObject) -> JsonObject:
    """The owner of a connected account, or Stripe, does something with it."""
    account_id, deed = str(given.get("account")), given.get("does")
    if deed == "pay_out":
        return accounts.pay_out(work, account_id, str(given.get("currency", "eur")).lower())
    deeds = {"onboard": accounts.onboard, "restrict": accounts.restrict}
    if deed not in deeds:
        raise Refusal(400, f"does is one of pay_out, {', '.join(deeds)}; got {deed!r}")
    return deeds[deed](work, account_id)


def change_balance(work: Work, given: JsonObject) -> JsonObject | None:
    """Money comes into the balance, or all of it leaves for the bank; what waited for funds then goes."""
    currency = str(given.get("currency", "eur")).lower()
    if "top_up" in given:
        moved = money.top_up(work, int(given["top_up"]), currency)
        refunds.complete(work)
        return moved
    return money.pay_out(work, currency)


def open_dispute(work: Work, given: JsonObject) -> JsonObject:
    """A card holder's bank takes a charge back."""
    return disputes.dispute(work, str(given.get("charge")), str(given.get("reason", "fraudulent")), given.get("amount"))


DEEDS: Mapping[str, Deed] = {
    "pay": pay,
    "checkout": visit_checkout,
    "account": change_account,
    "balance": change_balance,
    "dispute": open_dispute,
    "dispute_closes": lambda work, given: disputes.close(work, str(given.get("dispute")), given.get("outcome", "")),
    "refund_fails": lambda work, given: refunds.fail(
        work, str(given.get("refund")), str(given.get("reason", "expired_or_canceled_card"))
    ),
}


def queue_faults(double: Double, body: str) -> Any:
    """Queue what goes wrong."""
    given = read_json(body)
    double.faults.add(given if isinstance(given, list) else [given])
    return {"faults_waiting": double.faults.waiting()}


def clear_faults(double: Double, body: str) -> Any:
    """Nothing goes wrong any more."""
    double.faults.clear()
    return {"faults_waiting": 0}


def set_webhooks(double: Double, body: str) -> Any:
    """Say how deliveries go out, and where."""
    given = read_json(body)
    url, secret, connect = given.pop("url", None), given.pop("secret", None), given.pop("connect", False)
    manner = double.deliverer.set_manner(given)
    return {**manner, "endpoint": double.deliver_to(url, secret, connect=connect) if url else None}


def take_unlawful(double: Double, body: str) -> Any:
    """What was asked that the package's types do not allow; a second question begins anew."""
    found, double.unlawful = double.unlawful, []
    return found


def control(double: Double, method: str, name: str, body: str) -> Any:
    """Answer a control request. 404 for one that there is not."""
    if method == "POST" and name in DEEDS:
        given = read_json(body)
        return double.act(lambda work: DEEDS[name](work, given))
    asked = _CONTROLS.get((method, name))
    if asked is None:
        raise Refusal(404, f"No such control: {method} {name}")
    return asked(double, body)


_CONTROLS: Mapping[tuple[str, str], Callable[[Double, str], Any]] = {
    ("POST", "faults"): queue_faults,
    ("DELETE", "faults"): clear_faults,
    ("GET", "state"): lambda double, _body: double.state(),
    ("POST", "unlawful"): take_unlawful,
    ("POST", "webhooks"): set_webhooks,
    ("POST", "funds"): lambda double, body: double.set_funds(read_json(body)),
}

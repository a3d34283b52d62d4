"""Refunds: bounded by what the charge has left, waiting while the balance lacks them, and failing late."""

from tests.fakes.stripe_double import listing, money
from tests.fakes.stripe_double.calls import Call, Handlers, check_metadata
from tests.fakes.stripe_double.objects import JsonObject, merged_metadata
from tests.fakes.stripe_double.refusals import Refusal
from tests.fakes.stripe_double.store import Work


def _create(call: Call) -> JsonObject:
    check_metadata(call.params)
    charge = _charge_of(call)
    if charge["disputed"]:
        raise Refusal(400, f"Charge {charge['id']} has been charged back; cannot refund.", code="charge_disputed")
    left = charge["amount_captured"] - charge["amount_refunded"]
    if left == 0:
        raise Refusal(400, f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded")
    amount = call.params.get("amount", left)
    if amount < 1:
        raise Refusal(400, "Invalid positive integer", code="parameter_invalid_integer", param="amount")
    money.require_whole(amount, charge["currency"])
    if amount > left:
        raise Refusal(
            400, f"Refund amount ({amount}) is greater than unrefunded amount on charge ({left})", param="amount"
        )
    return refund(
        call.work,
        charge,
        amount,
        reason=call.params.get("reason"),
        metadata=merged_metadata(None, call.params.get("metadata", "")),
    )


def refund(work: Work, charge: JsonObject, amount: int, **given: object) -> JsonObject:
    """Give back part of a charge; pending while the balance does not cover it."""
    covered = amount <= money.available(work, charge["currency"])
    made = work.add(
        "refund",
        **given,
        amount=amount,
        charge=charge["id"],
        currency=charge["currency"],
        payment_intent=charge["payment_intent"],
        pending_reason=None if covered else "insufficient_funds",
        status="succeeded" if covered else "pending",
    )
    charge["amount_refunded"] += amount
    charge["refunded"] = charge["amount_refunded"] == charge["amount_captured"]
    if covered:
        made["balance_transaction"] = money.move(work, "refund", -amount, charge["currency"], made["id"])["id"]
    work.emit("refund.created", made)
    work.emit("charge.refunded", charge)
    return made


def _charge_of(call: Call) -> JsonObject:
    if "charge" in call.params:
        return call.work.get(call.params["charge"], "charge", "charge")
    if "payment_intent" not in call.params:
        raise Refusal(400, "One of the following params should be provided: payment_intent or charge.")
    intent = call.work.get(call.params["payment_intent"], "payment_intent", "payment_intent")
    if intent["status"] != "succeeded":
        raise Refusal(400, f"This PaymentIntent ({intent['id']}) does not have a successful charge to refund.")
    return call.work.get(intent["latest_charge"], "charge")


def complete(work: Work) -> list[JsonObject]:
    """Carry out what waited for funds, as far as they reach; answers the refunds that went."""
    gone = []
    for row in work.all_of("refund"):
        if row["status"] == "pending" and row["amount"] <= money.available(work, row["currency"]):
            waiting = work.get(row["id"], "refund")
            moved = money.move(work, "refund", -row["amount"], row["currency"], row["id"])
            waiting.update(status="succeeded", pending_reason=None, balance_transaction=moved["id"])
            work.emit("refund.updated", waiting)
            gone.append(waiting)
    return gone


def fail(work: Work, refund_id: str, reason: str) -> JsonObject:
    """The bank sends the money of a refund back, days after it succeeded."""
    failed = work.get(refund_id, "refund")
    if failed["status"] not in ("succeeded", "pending"):
        raise Refusal(400, f"This refund is {failed['status']}.")
    if failed["status"] == "succeeded":
        moved = money.move(work, "refund_failure", failed["amount"], failed["currency"], failed["id"])
        failed["failure_balance_transaction"] = moved["id"]
    failed.update(status="failed", failure_reason=reason, pending_reason=None)
    charge = work.get(failed["charge"], "charge")
    charge["amount_refunded"] -= failed["amount"]
    charge["refunded"] = False
    work.emit("refund.updated", failed)
    work.emit("refund.failed", failed)
    return failed


def _update(call: Call) -> JsonObject:
    check_metadata(call.params)
    changed = call.work.get(call.id, "refund")
    changed["metadata"] = merged_metadata(changed["metadata"], call.params.get("metadata", {}))
    call.work.emit("refund.updated", changed)
    return changed


def _list(call: Call) -> JsonObject:
    return listing.newest_first(call.work.all_of("refund"), call.params, "/v1/refunds", "charge", "payment_intent")


HANDLERS: Handlers = {
    ("POST", "/v1/refunds"): _create,
    ("GET", "/v1/refunds"): _list,
    ("GET", "/v1/refunds/{refund}"): lambda call: call.work.get(call.id, "refund"),
    ("POST", "/v1/refunds/{refund}"): _update,
}

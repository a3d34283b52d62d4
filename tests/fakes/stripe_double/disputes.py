"""Disputes: a card holder's bank takes the money back, with a fee; it may come back. Tests open and close them."""

from typing import Literal

import stripe

from tests.fakes.stripe_double import listing, money
from tests.fakes.stripe_double.calls import Call, Handlers
from tests.fakes.stripe_double.objects import JsonObject
from tests.fakes.stripe_double.refusals import Refusal
from tests.fakes.stripe_double.store import Work

RESPOND_WITHIN_S = 7 * 86_400


def dispute(work: Work, charge_id: str, reason: str = "fraudulent", amount: int | None = None) -> JsonObject:
    """The card holder's bank takes the charge, or a part of it, back."""
    charge = work.get(charge_id, "charge")
    if not charge["paid"] or charge["disputed"]:
        raise Refusal(400, f"Charge {charge_id} cannot be disputed.")
    wanted = charge["amount_captured"] - charge["amount_refunded"] if amount is None else amount
    opened = work.add(
        "dispute",
        amount=wanted,
        balance_transactions=[],
        charge=charge["id"],
        currency=charge["currency"],
        enhanced_eligibility_types=[],
        evidence=dict.fromkeys(stripe.Dispute.Evidence.__annotations__),
        evidence_details={
            "due_by": work.now + RESPOND_WITHIN_S,
            "enhanced_eligibility": {},
            "has_evidence": False,
            "past_due": False,
            "submission_count": 0,
            "submission_method": "not_submitted",
        },
        is_charge_refundable=False,
        metadata={},
        payment_intent=charge["payment_intent"],
        reason=reason,
        status="needs_response",
    )
    charge["disputed"] = True
    taken = money.move(work, "adjustment", -wanted, charge["currency"], opened["id"], fee=work.funds.dispute_fee)
    opened["balance_transactions"].append(dict(taken))
    work.emit("charge.dispute.created", opened)
    work.emit("charge.dispute.funds_withdrawn", opened)
    return opened


def close(work: Work, dispute_id: str, outcome: Literal["won", "lost"]) -> JsonObject:
    """The bank decides; what was won comes back, the fee does not."""
    closed = work.get(dispute_id, "dispute")
    if outcome not in ("won", "lost") or closed["status"] in ("won", "lost"):
        raise Refusal(400, f"This dispute is {closed['status']}, and ends as won or lost.")
    closed["status"] = outcome
    if outcome == "won":
        back = money.move(work, "adjustment", closed["amount"], closed["currency"], closed["id"])
        closed["balance_transactions"].append(dict(back))
        work.emit("charge.dispute.funds_reinstated", closed)
    work.emit("charge.dispute.closed", closed)
    return closed


def _list(call: Call) -> JsonObject:
    return listing.newest_first(call.work.all_of("dispute"), call.params, "/v1/disputes", "charge", "payment_intent")


HANDLERS: Handlers = {
    ("GET", "/v1/disputes"): _list,
    ("GET", "/v1/disputes/{dispute}"): lambda call: call.work.get(call.id, "dispute"),
}

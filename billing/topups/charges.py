"""Which charge at Stripe paid a top-up: asked once, so that comparing with Stripe knows it as booked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from billing.models import TopUp, TopUpState

if TYPE_CHECKING:
    from billing.stripe_gateway import StripeGateway

ASKED_MAX: Final = 500


def note_charges(*, gateway: StripeGateway, limit: int = ASKED_MAX) -> int:
    """Store the charge of each paid top-up that has none stored; how many were found. Raises what the gateway raises.

    Granting does not wait for this: what was paid is credit, whether or not the charge's id could be asked for.
    """
    waiting = TopUp.objects.filter(state=TopUpState.PAID, charge_id="").exclude(payment_intent_id="")
    found = 0
    for top_up_id, payment_intent_id in waiting.order_by("pk").values_list("pk", "payment_intent_id")[:limit]:
        charge_id = gateway.get_charge(payment_intent_id).charge_id
        if charge_id:
            found += TopUp.objects.filter(pk=top_up_id, charge_id="").update(charge_id=charge_id)
    return found

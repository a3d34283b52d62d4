"""Refunds: money of a payment that goes back to the card it came from."""

import stripe
from stripe.params import RefundCreateParams

from billing.stripe_gateway.connection import PAGE, Connection
from billing.stripe_gateway.failures import our_errors
from billing.stripe_gateway.references import METADATA_REFERENCE, id_of, instant, written
from billing.stripe_seen import StripeRefund


class Refunds(Connection):
    """Refunds of the account's payments."""

    def refund(
        self, *, payment_intent_id: str, amount_minor: int, reference: str, idempotency_key: str, reason: str = ""
    ) -> StripeRefund:
        """Give back part or all of a payment; `reference` is our refund or credit note.

        Raises StripeRefused, `charge_already_refunded` where nothing is left to give back, and BalanceInsufficient
        where the account's balance does not cover it.
        """
        params: RefundCreateParams = {
            "payment_intent": payment_intent_id,
            "amount": amount_minor,
            "metadata": {METADATA_REFERENCE: reference},
        }
        if reason:
            params["reason"] = reason
        with our_errors():
            return refund_seen(self._v1.refunds.create(params, {"idempotency_key": idempotency_key}))

    def get_refund(self, refund_id: str) -> StripeRefund:
        """The refund as it is now."""
        with our_errors():
            return refund_seen(self._v1.refunds.retrieve(refund_id))

    def find_refund(self, payment_intent_id: str, reference: str) -> StripeRefund | None:
        """What was given back for our reference, the oldest that did not fail; None if nothing was."""
        with our_errors():
            listed = self._v1.refunds.list({"payment_intent": payment_intent_id, "limit": PAGE})
            found = [refund_seen(one) for one in listed.auto_paging_iter()]
        mine = [one for one in found if one.reference == reference]
        alive = [one for one in mine if one.status not in ("failed", "canceled")]
        chosen = alive or mine
        return chosen[-1] if chosen else None


def refund_seen(refund: stripe.Refund) -> StripeRefund:
    """A refund as the package gives it."""
    return StripeRefund(
        id=refund.id,
        status=refund.status or "",
        amount_minor=refund.amount,
        currency=refund.currency.upper(),
        payment_intent_id=id_of(refund.payment_intent),
        charge_id=id_of(refund.charge),
        failure_reason=getattr(refund, "failure_reason", None),
        reference=written(refund.metadata),
        created=instant(refund.created),
    )

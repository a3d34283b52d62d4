"""Webhook deliveries: whether Stripe signed them, and what they say to look up."""

import json
from datetime import UTC, datetime

import stripe

from billing.stripe_answers import StripeEventSeen, WebhookSignatureInvalid
from billing.stripe_gateway.connection import Connection

WEBHOOK_TOLERANCE_S = 300


class Deliveries(Connection):
    """Deliveries to the account's endpoint."""

    def verify_event(self, payload: bytes, signature_header: str | None, *, now: datetime) -> StripeEventSeen:
        """Read a webhook delivery, if Stripe signed these very bytes within five minutes of `now`, before or after.

        The package checks the signature; it lets timestamps from the future pass, so both sides are checked here.
        Raises WebhookSignatureInvalid.
        """
        header = signature_header or ""
        try:
            # Comparing a signature outside ASCII raises TypeError in the package; no real one is.
            header.encode("ascii")
            self._require_signed(payload, header)
            signed_at = next(int(item[2:]) for item in header.split(",") if item.startswith("t="))
        except (stripe.SignatureVerificationError, ValueError) as error:
            raise WebhookSignatureInvalid("The Stripe-Signature header does not match the body.") from error
        if abs(now.timestamp() - signed_at) > WEBHOOK_TOLERANCE_S:
            raise WebhookSignatureInvalid(f"The delivery was signed at {signed_at}, too far from now.")
        return _event_seen(payload)

    def _require_signed(self, payload: bytes, header: str) -> None:
        """Any of the secrets will do: each address at Stripe has its own, and two while one is changed."""
        *others, last = self._webhook_secrets or ("",)
        for secret in others:
            try:
                stripe.WebhookSignature.verify_header(payload, header, secret, tolerance=None)
            except stripe.SignatureVerificationError:
                continue
            return
        stripe.WebhookSignature.verify_header(payload, header, last, tolerance=None)


def _event_seen(payload: bytes) -> StripeEventSeen:
    try:
        event = json.loads(payload)
        subject = event["data"]["object"]
        return StripeEventSeen(
            id=str(event["id"]),
            type=str(event["type"]),
            object_type=str(subject["object"]),
            object_id=subject.get("id"),
            created=datetime.fromtimestamp(event["created"], UTC),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise WebhookSignatureInvalid("The delivery is signed, but it is no event.") from error

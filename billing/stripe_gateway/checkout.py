"""Visits to Checkout, Stripe's own page: to keep a card on file, or to pay an amount; and charging a kept card."""

import stripe
from stripe.params.checkout import SessionCreateParams

from billing.stripe_answers import StripeRefused
from billing.stripe_gateway.connection import PAGE, Connection
from billing.stripe_gateway.failures import our_errors
from billing.stripe_gateway.references import METADATA_REFERENCE, HasId, id_of, instant, written
from billing.stripe_seen import StripeCard, StripeCharge, StripeSession


class Checkout(Connection):
    """Checkout sessions, cards on file and charges of the account."""

    def create_setup_session(
        self,
        *,
        customer_id: str,
        currency: str,
        success_url: str,
        cancel_url: str,
        reference: str,
        idempotency_key: str,
    ) -> StripeSession:
        """Open a page on which the customer leaves a card for later charges without being there."""
        metadata = {METADATA_REFERENCE: reference}
        params: SessionCreateParams = {
            "mode": "setup",
            "customer": customer_id,
            "currency": currency.lower(),
            "success_url": success_url,
            "cancel_url": cancel_url,
            "metadata": metadata,
            "setup_intent_data": {"metadata": metadata},
        }
        return self._session(params, idempotency_key)

    def create_payment_session(
        self,
        *,
        customer_id: str,
        amount_minor: int,
        currency: str,
        description: str,
        success_url: str,
        cancel_url: str,
        reference: str,
        idempotency_key: str,
        keeps_card: bool = False,
    ) -> StripeSession:
        """Open a page on which the customer pays an amount, to top up say; `keeps_card` keeps it for later charges."""
        metadata = {METADATA_REFERENCE: reference}
        params: SessionCreateParams = {
            "mode": "payment",
            "customer": customer_id,
            "line_items": [
                {
                    "quantity": 1,
                    "price_data": {
                        "currency": currency.lower(),
                        "unit_amount": amount_minor,
                        "product_data": {"name": description},
                    },
                }
            ],
            "success_url": success_url,
            "cancel_url": cancel_url,
            "metadata": metadata,
            "payment_intent_data": {"metadata": metadata},
        }
        if keeps_card:
            params["payment_intent_data"] = {"metadata": metadata, "setup_future_usage": "off_session"}
        return self._session(params, idempotency_key)

    def _session(self, params: SessionCreateParams, idempotency_key: str) -> StripeSession:
        with our_errors():
            made = self._v1.checkout.sessions.create(params, {"idempotency_key": idempotency_key})
        return _session_seen(made)

    def get_session(self, session_id: str) -> StripeSession:
        """The session as it is now, with the card that it kept."""
        with our_errors():
            return _session_seen(self._v1.checkout.sessions.retrieve(session_id, {"expand": ["setup_intent"]}))

    def find_session(self, customer_id: str, reference: str) -> StripeSession | None:
        """The session opened for our reference, the oldest; None if there is none."""
        with our_errors():
            listed = self._v1.checkout.sessions.list(
                {"customer": customer_id, "limit": PAGE, "expand": ["data.setup_intent"]}
            )
            mine = [_session_seen(one) for one in listed.auto_paging_iter() if written(one.metadata) == reference]
        return mine[-1] if mine else None

    def expire_session(self, session_id: str) -> StripeSession:
        """Close an open session, so that nobody completes it any more; one that is closed already stays so."""
        try:
            with our_errors():
                self._v1.checkout.sessions.expire(session_id)
        except StripeRefused:
            seen = self.get_session(session_id)
            if seen.status == "open":
                raise
            return seen
        return self.get_session(session_id)

    def get_card(self, payment_method_id: str) -> StripeCard:
        """What may be shown of a payment method."""
        with our_errors():
            return _card_seen(self._v1.payment_methods.retrieve(payment_method_id))

    def default_card(self, customer_id: str) -> StripeCard | None:
        """The payment method that pays the customer's invoices; None where there is none."""
        with our_errors():
            customer = self._v1.customers.retrieve(customer_id, {"expand": ["invoice_settings.default_payment_method"]})
            settings = customer.invoice_settings
            kept = settings.default_payment_method if settings else None
        return _card_seen(kept) if isinstance(kept, stripe.PaymentMethod) else None

    def forget_card(self, payment_method_id: str, idempotency_key: str) -> None:
        """Take a payment method off its customer for good; one that is off already is fine."""
        if self.get_card(payment_method_id).customer_id is None:
            return
        with our_errors():
            self._v1.payment_methods.detach(payment_method_id, {}, {"idempotency_key": idempotency_key})

    def charge(
        self,
        *,
        customer_id: str,
        payment_method_id: str,
        amount_minor: int,
        currency: str,
        description: str,
        reference: str,
        idempotency_key: str,
    ) -> StripeCharge:
        """Charge a kept card while the customer is away, without an invoice at Stripe.

        Raises StripeCardDeclined, with `needs_customer` where the bank wants the customer's consent.
        """
        with our_errors():
            made = self._v1.payment_intents.create(
                {
                    "customer": customer_id,
                    "payment_method": payment_method_id,
                    "amount": amount_minor,
                    "currency": currency.lower(),
                    "description": description,
                    "confirm": True,
                    "off_session": True,
                    "metadata": {METADATA_REFERENCE: reference},
                },
                {"idempotency_key": idempotency_key},
            )
        return _charge_seen(made)

    def get_charge(self, payment_intent_id: str) -> StripeCharge:
        """The payment as it is now."""
        with our_errors():
            return _charge_seen(self._v1.payment_intents.retrieve(payment_intent_id))

    def find_charge(self, customer_id: str, reference: str) -> StripeCharge | None:
        """The payment made for our reference: one that took money before one that did not; None if there is none."""
        with our_errors():
            listed = self._v1.payment_intents.list({"customer": customer_id, "limit": PAGE})
            found = [_charge_seen(one) for one in listed.auto_paging_iter()]
        mine = [one for one in found if one.reference == reference]
        return next((one for one in mine if one.status == "succeeded"), mine[0] if mine else None)


def _session_seen(session: stripe.checkout.Session) -> StripeSession:
    intent = session.setup_intent
    kept: str | HasId | None = None if intent is None or isinstance(intent, str) else intent.payment_method
    return StripeSession(
        id=session.id,
        mode=str(session.mode),
        status=str(session.status),
        is_paid=session.mode == "payment" and session.payment_status == "paid",
        url=session.url,
        customer_id=id_of(session.customer) or "",
        payment_method_id=id_of(kept),
        payment_intent_id=id_of(session.payment_intent),
        amount_minor=session.amount_total or 0,
        currency=(session.currency or "").upper(),
        reference=written(session.metadata),
        expires_at=instant(session.expires_at),
    )


def _card_seen(method: stripe.PaymentMethod) -> StripeCard:
    card = getattr(method, "card", None)
    return StripeCard(
        id=method.id,
        kind=str(method.type),
        brand=card.brand if card else "",
        last4=(card.last4 or "") if card else "",
        expires_year=card.exp_year if card else None,
        expires_month=card.exp_month if card else None,
        customer_id=id_of(method.customer),
    )


def _charge_seen(intent: stripe.PaymentIntent) -> StripeCharge:
    return StripeCharge(
        id=intent.id,
        status=str(intent.status),
        amount_minor=intent.amount,
        received_minor=intent.amount_received,
        currency=intent.currency.upper(),
        customer_id=id_of(intent.customer),
        charge_id=id_of(intent.latest_charge),
        payment_method_id=id_of(intent.payment_method),
        reference=written(intent.metadata),
        created=instant(intent.created),
    )

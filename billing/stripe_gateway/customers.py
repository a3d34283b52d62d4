"""Customers at Stripe and the card that pays their invoices."""

import stripe

from billing.stripe_gateway.connection import PAGE, Connection
from billing.stripe_gateway.failures import our_errors

METADATA_ORGANIZATION = "forecourt_organization"


class Customers(Connection):
    """Customers of the account."""

    def create_customer(self, organization_id: str, name: str, email: str, idempotency_key: str) -> str:
        """Make Stripe's customer for an organization; its id."""
        with our_errors():
            metadata = {METADATA_ORGANIZATION: organization_id}
            return self._v1.customers.create(
                {"name": name, "email": email, "metadata": metadata}, {"idempotency_key": idempotency_key}
            ).id

    def find_customer(self, organization_id: str) -> str | None:
        """The customer made for an organization; the oldest, should there be several.

        Stripe's search lags by up to a minute: right after `create_customer` only its key protects from a second one.
        """
        assert "'" not in organization_id, organization_id
        query = f"metadata['{METADATA_ORGANIZATION}']:'{organization_id}'"
        with our_errors():
            found = self._v1.customers.search({"query": query, "limit": PAGE}).data
        return min(found, key=lambda one: (one.created, one.id)).id if found else None

    def set_default_payment_method(self, customer_id: str, payment_method_id: str, idempotency_key: str) -> str:
        """Attach a payment method and charge invoices to it; the id under which it is attached."""
        with our_errors():
            attached_id = self._attach(customer_id, payment_method_id, f"{idempotency_key}:attach")
            self._v1.customers.update(
                customer_id,
                {"invoice_settings": {"default_payment_method": attached_id}},
                {"idempotency_key": f"{idempotency_key}:default"},
            )
        return attached_id

    def _attach(self, customer_id: str, payment_method_id: str, key: str) -> str:
        try:
            return self._v1.payment_methods.attach(
                payment_method_id, {"customer": customer_id}, {"idempotency_key": key}
            ).id
        except stripe.InvalidRequestError:
            if self._v1.payment_methods.retrieve(payment_method_id).customer != customer_id:
                raise
            return payment_method_id

"""Payments and accounts at the double, made through the gateway."""

from uuid import uuid4

from billing.stripe_gateway import StripeGateway
from billing.stripe_seen import StripeAccount, StripeCharge
from tests.fakes.stripe_double.fixture import StripeDouble


def card_on_file(gateway: StripeGateway, customer: str, card: str = "pm_card_visa") -> str:
    return gateway.set_default_payment_method(customer, card, f"card:{uuid4()}")


def charged(gateway: StripeGateway, customer: str, amount_minor: int = 10_000, currency: str = "EUR") -> StripeCharge:
    """A payment that took money, by a card that the customer keeps on file for it."""
    reference = str(uuid4())
    return gateway.charge(
        customer_id=customer,
        payment_method_id=card_on_file(gateway, customer),
        amount_minor=amount_minor,
        currency=currency,
        description="Top-up",
        reference=reference,
        idempotency_key=f"charge:{reference}",
    )


def account_of_provider(gateway: StripeGateway, double: StripeDouble, *, ready: bool = True) -> StripeAccount:
    organization = str(uuid4())
    made = gateway.create_account(
        organization_id=organization,
        country="DE",
        email="money@provider.example",
        idempotency_key=f"acct:{organization}",
    )
    if ready:
        double.onboard(made.id)
        return gateway.get_account(made.id)
    return made

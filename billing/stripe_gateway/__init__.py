"""The one package that speaks to Stripe: it collects what we invoice, moves shares, and tells us when it was paid.

We own prices, lines, tax, numbers and documents. Answers come back as dataclasses of ours, failures as exceptions
of ours that say what to do next. Every call that changes something takes the caller's idempotency key, which the
caller stored before the call; calls are made outside any transaction.

Amounts are Stripe's integers (`billing.stripe_amounts`), instants are aware UTC datetimes.
Facts: the `stripe` package as pinned, and docs.stripe.com.
"""

from billing.stripe_amounts import AmountNotRepresentable, from_minor_units, minimum_charge_minor, minor_units
from billing.stripe_answers import (
    METADATA_INVOICE,
    BalanceInsufficient,
    StripeCardDeclined,
    StripeError,
    StripeEventSeen,
    StripeInvoice,
    StripeLine,
    StripeLineTax,
    StripePayment,
    StripeRefused,
    StripeSettings,
    StripeUnavailable,
    TooManyLines,
    WebhookSignatureInvalid,
)
from billing.stripe_gateway.accounts import Accounts
from billing.stripe_gateway.checkout import Checkout
from billing.stripe_gateway.customers import METADATA_ORGANIZATION, Customers
from billing.stripe_gateway.deliveries import Deliveries
from billing.stripe_gateway.invoices import LINES_MAX, Invoices
from billing.stripe_gateway.listings import Listings
from billing.stripe_gateway.refunds import Refunds
from billing.stripe_gateway.taxes import Taxes
from billing.stripe_gateway.transfers import Transfers

__all__ = [
    "LINES_MAX",
    "METADATA_INVOICE",
    "METADATA_ORGANIZATION",
    "AmountNotRepresentable",
    "BalanceInsufficient",
    "StripeCardDeclined",
    "StripeError",
    "StripeEventSeen",
    "StripeGateway",
    "StripeInvoice",
    "StripeLine",
    "StripeLineTax",
    "StripePayment",
    "StripeRefused",
    "StripeSettings",
    "StripeUnavailable",
    "TooManyLines",
    "WebhookSignatureInvalid",
    "from_minor_units",
    "minimum_charge_minor",
    "minor_units",
]


class StripeGateway(Customers, Invoices, Deliveries, Refunds, Transfers, Accounts, Checkout, Listings, Taxes):
    """Stripe, for one account. Threads may share it.

    Every method may raise StripeUnavailable and StripeRefused.
    """

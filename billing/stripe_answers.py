"""What the Stripe gateway takes and gives: settings, lines, invoices, payments, events, and failures.

Nothing here knows the `stripe` package. Amounts are Stripe's integers (`billing.stripe_amounts`), instants are aware
UTC datetimes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

API_VERSION = "2026-10-28.endive"
METADATA_INVOICE = "forecourt_invoice"
"""Under this name an invoice there says which one of ours it is."""
RETRY_AFTER_DEFAULT_S = 30


class StripeError(Exception):
    """Stripe did not do what was asked."""


class StripeUnavailable(StripeError):
    """No answer, or none about the request: it may or may not have been done. Ask again after `retry_after_s`.

    `is_kept` says that Stripe keeps this failure under the idempotency key and will repeat it: look the object up,
    and only if it is not there ask again, under a new key. Otherwise repeat with the same key.
    """

    def __init__(self, message: str, *, retry_after_s: int = RETRY_AFTER_DEFAULT_S, is_kept: bool = False) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
        self.is_kept = is_kept


class StripeRefused(StripeError):
    """Stripe understood and will not do it, ever, under this key: a person or a change of the request is needed.

    `code` is Stripe's error code (or its error type where it gives none), `param` the parameter at fault.
    `declined_for` is empty but for a card.
    """

    declined_for = ""

    def __init__(self, code: str, message: str, param: str | None = None) -> None:
        super().__init__(f"{code}: {message}" + (f" ({param})" if param else ""))
        self.code = code
        self.message = message
        self.param = param


class StripeCardDeclined(StripeRefused):
    """The payment method did not pay. Try again later under a new key, or ask the customer for another one.

    `needs_customer` means that the bank wants the customer's consent: send the hosted page's address. `declined_for`
    is the bank's code, or where it gave none, Stripe's.
    """

    def __init__(self, code: str, message: str, decline_code: str | None) -> None:
        super().__init__(code, message)
        self.declined_for = decline_code or code
        self.needs_customer = code in {"invoice_payment_intent_requires_action", "authentication_required"}


class BalanceInsufficient(StripeRefused):
    """The balance at Stripe does not cover what should leave it: wait for funds, then ask under a new key."""


class TooManyLines(StripeRefused):
    """More than Stripe's 250 lines on one invoice: group them and attach the detail. Nothing was sent."""


class WebhookSignatureInvalid(StripeError):
    """The delivery was not signed by Stripe for us just now: answer 400 and keep nothing of it."""


@dataclass(frozen=True, kw_only=True)
class StripeSettings:
    """Everything a client needs; nothing is read from the environment.

    `timeout_s` is for connecting and for each read of one attempt; a failed attempt is repeated `network_retries`
    times under the same key.
    """

    secret_key: str = field(repr=False)
    webhook_secret: str = field(repr=False)
    api_base: str = "https://api.stripe.com"
    api_version: str = API_VERSION
    timeout_s: float = 20
    network_retries: int = 2


@dataclass(frozen=True, kw_only=True)
class StripeLineTax:
    """Tax of one line, added to its amount; `percentage` is shown only."""

    amount_minor: int
    taxable_minor: int
    display_name: str
    percentage: Decimal


@dataclass(frozen=True, kw_only=True)
class StripeLine:
    """One line as it is pushed: a net amount, no quantity or unit price, so that Stripe has nothing to round."""

    amount_minor: int
    description: str
    period_from: datetime
    period_to: datetime
    metadata: Mapping[str, str] = field(default_factory=dict)
    taxes: tuple[StripeLineTax, ...] = ()


@dataclass(frozen=True, kw_only=True)
class StripePayment:
    """One payment of an invoice: `open`, `paid` or `canceled`, with what Stripe knows it by."""

    id: str
    status: str
    amount_paid_minor: int
    payment_intent_id: str | None
    charge_ids: tuple[str, ...]
    paid_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class StripeInvoice:
    """An invoice as Stripe has it: `draft`, `open`, `paid`, `uncollectible` or `void`."""

    id: str
    status: str
    number: str | None
    customer_id: str
    currency: str
    subtotal_minor: int
    tax_minor: int
    total_minor: int
    amount_due_minor: int
    amount_paid_minor: int
    amount_remaining_minor: int
    line_count: int
    hosted_url: str | None
    metadata: Mapping[str, str]
    payments: tuple[StripePayment, ...]


@dataclass(frozen=True, kw_only=True)
class StripeEventSeen:
    """What a verified delivery says to look up. Its copy of the object is left alone: it may be old news."""

    id: str
    type: str
    object_type: str
    object_id: str | None
    created: datetime

"""What the Stripe gateway gives of money that moves: refunds, transfers, accounts, Checkout, disputes, balances, tax.

Nothing here knows the `stripe` package. Amounts are Stripe's integers (`billing.stripe_amounts`), currencies are in
upper case, instants are aware UTC datetimes. `reference` is ours: what `find_…` finds the object by.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, kw_only=True)
class StripeRefund:
    """Money on its way back: `pending`, `requires_action`, `succeeded`, `failed` or `canceled`.

    A refund may fail weeks after it succeeded; `failure_reason` then says why.
    """

    id: str
    status: str
    amount_minor: int
    currency: str
    payment_intent_id: str | None
    charge_id: str | None
    failure_reason: str | None
    reference: str
    created: datetime


@dataclass(frozen=True, kw_only=True)
class StripeTransfer:
    """A share moved to a provider's account; `reversed_minor` of it came back."""

    id: str
    amount_minor: int
    reversed_minor: int
    currency: str
    account_id: str
    group: str
    reference: str
    created: datetime


@dataclass(frozen=True, kw_only=True)
class StripeReversal:
    """What came back of a transfer in one go."""

    id: str
    transfer_id: str
    amount_minor: int
    currency: str
    reference: str
    created: datetime


@dataclass(frozen=True, kw_only=True)
class StripeAccount:
    """A provider's account: whether its owner is done with the forms, and what it may do.

    `missing` names what Stripe asks for now; `disabled_reason` why transfers or payouts are stopped.
    """

    id: str
    country: str
    currency: str
    email: str
    is_submitted: bool
    can_receive: bool
    can_pay_out: bool
    missing: tuple[str, ...]
    disabled_reason: str | None
    organization_id: str


@dataclass(frozen=True, kw_only=True)
class StripeLink:
    """A page of Stripe's that one person may open until `expires_at`."""

    url: str
    expires_at: datetime


@dataclass(frozen=True, kw_only=True)
class StripeSession:
    """A visit to Checkout: `open`, `complete` or `expired`; `setup` keeps a card, `payment` takes money.

    `payment_method_id` is the card kept by a completed set-up. A payment is there when `is_paid`.
    """

    id: str
    mode: str
    status: str
    is_paid: bool
    url: str | None
    customer_id: str
    payment_method_id: str | None
    payment_intent_id: str | None
    amount_minor: int
    currency: str
    reference: str
    expires_at: datetime


@dataclass(frozen=True, kw_only=True)
class StripeCard:
    """What may be shown of a card; `kind` is `card` or another kind of payment method."""

    id: str
    kind: str
    brand: str
    last4: str
    expires_year: int | None
    expires_month: int | None
    customer_id: str | None


@dataclass(frozen=True, kw_only=True)
class StripeCharge:
    """A payment without an invoice at Stripe: `succeeded`, `processing`, `requires_action`, `canceled`, …"""

    id: str
    status: str
    amount_minor: int
    received_minor: int
    currency: str
    customer_id: str | None
    charge_id: str | None
    payment_method_id: str | None
    reference: str
    created: datetime


@dataclass(frozen=True, kw_only=True)
class StripeDispute:
    """A chargeback: `needs_response`, `under_review`, `won`, `lost` or a `warning_…` before it.

    `withdrawn_minor` is what Stripe holds back of us because of it now, `fee_minor` what it took for the trouble;
    both are 0 while nothing was taken, and the first again once it was won.
    """

    id: str
    status: str
    amount_minor: int
    withdrawn_minor: int
    fee_minor: int
    currency: str
    reason: str
    charge_id: str
    payment_intent_id: str | None
    respond_by: datetime | None
    created: datetime


@dataclass(frozen=True, kw_only=True)
class StripeMovement:
    """A change of the account's balance: `net_minor` is `amount_minor` less `fee_minor`, all with their sign.

    `kind` is Stripe's: `charge`, `payment`, `refund`, `transfer`, `transfer_refund`, `payout`, `adjustment`,
    `stripe_fee` and more; `source_id` the object that caused it.
    """

    id: str
    kind: str
    amount_minor: int
    fee_minor: int
    net_minor: int
    currency: str
    source_id: str | None
    available_at: datetime
    created: datetime


@dataclass(frozen=True, kw_only=True)
class StripeFunds:
    """The account's balance in one currency: what can be moved now, and what will be later."""

    currency: str
    available_minor: int
    pending_minor: int


@dataclass(frozen=True, kw_only=True)
class StripeTaxLine:
    """A line to find the tax of: a net amount and the tax code that Stripe files it under ("" for the account's)."""

    reference: str
    amount_minor: int
    tax_code: str = ""


@dataclass(frozen=True, kw_only=True)
class StripeBuyer:
    """Who buys, as far as tax asks: where, and tax ids as (kind, value), such as ("eu_vat", "DE123456789")."""

    country: str
    postal_code: str = ""
    city: str = ""
    line1: str = ""
    state: str = ""
    tax_ids: tuple[tuple[str, str], ...] = ()
    is_reverse_charged: bool = False
    is_exempt: bool = False


@dataclass(frozen=True, kw_only=True)
class StripeTax:
    """Tax as Stripe finds it, added to net amounts; `by_line` by the lines' references.

    `reasons` say by line why: `standard_rated`, `reverse_charge`, `zero_rated`, `customer_exempt`,
    `not_collecting`, … `percentages` are shown only.
    """

    id: str
    tax_minor: int
    by_line: Mapping[str, int]
    reasons: Mapping[str, str]
    percentages: Mapping[str, str]

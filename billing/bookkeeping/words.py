"""Names of accounts for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from django.utils.translation import gettext_lazy

from billing.models import AccountKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from django.utils.functional import Promise

ACCOUNT_WORDS: Final[Mapping[str, Promise]] = {
    AccountKind.TENANT_RECEIVABLE: gettext_lazy("Receivable"),
    AccountKind.PREPAID_CREDIT: gettext_lazy("Prepaid credit"),
    AccountKind.TENANT_BALANCE: gettext_lazy("Balance of the tenant"),
    AccountKind.GRANTED_CREDIT: gettext_lazy("Credit given away"),
    AccountKind.DEPOSIT_HELD: gettext_lazy("Deposits held"),
    AccountKind.PROVIDER_PAYABLE: gettext_lazy("Owed to the provider"),
    AccountKind.PAYOUT_IN_TRANSIT: gettext_lazy("Payouts in transit"),
    AccountKind.OPERATOR_FEE: gettext_lazy("Operator's fee"),
    AccountKind.TAX_PAYABLE: gettext_lazy("Tax to hand on"),
    AccountKind.SLA_CREDITS: gettext_lazy("Service credits"),
    AccountKind.REFUND_IN_TRANSIT: gettext_lazy("Refunds on their way"),
    AccountKind.WRITE_OFF: gettext_lazy("Written off"),
    AccountKind.STRIPE_CLEARING: gettext_lazy("Held by Stripe"),
    AccountKind.STRIPE_FEES: gettext_lazy("Fees of Stripe"),
    AccountKind.BANK_CLEARING: gettext_lazy("Received by bank"),
    AccountKind.BANK_UNMATCHED: gettext_lazy("Received, not matched yet"),
    AccountKind.ROUNDING: gettext_lazy("Rounding"),
}


def account_words(kind: str) -> str:
    """Return what an account of a kind is called."""
    return str(ACCOUNT_WORDS[AccountKind(kind)])

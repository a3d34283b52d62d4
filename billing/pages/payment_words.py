"""How a tenant pays an invoice where no page takes the payment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.utils.translation import gettext as _

from billing.banking.accounts import account_to_pay, printed_number
from billing.models import InvoiceState, SettlementState
from billing.pages.invoice_words import pays_by_transfer
from billing.payment_references import payment_reference, printed_reference
from portal.figures import money

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from billing.queries.invoices import InvoiceRow


def reference_words(row: InvoiceRow) -> str:
    """Return the payment reference of an invoice as people read it."""
    return printed_reference(payment_reference(row.number))


def payment_words(row: InvoiceRow, issuer_email: str, locale: str) -> str:
    """Say how to pay; empty where a page takes the payment or nothing is owed."""
    words = {
        "amount": money(row.outstanding, row.currency, locale=locale),
        "issuer": row.issuer,
        "reference": reference_words(row),
        "email": issuer_email,
    }
    if pays_by_transfer(row):
        transfer = transfer_words(words, provider_id=row.issuer_id, currency=row.currency)
        if not row.leaves_too_little:
            return transfer
        return _("What is left is less than a card is charged. %(transfer)s") % {"transfer": transfer}
    if row.state == InvoiceState.ISSUED and row.settlement_state == SettlementState.FAILED:
        return (
            _("The payment could not be collected. %(issuer)s was told; write to %(email)s to pay another way.") % words
        )
    if row.state == InvoiceState.ISSUED and not row.hosted_url:
        return _("The payment page is being made. Reload in a minute.")
    return ""


def transfer_words(words: Mapping[str, str], *, provider_id: UUID, currency: str) -> str:
    """Say to which account a transfer goes; `words` have its amount and reference, and the issuer with its email."""
    account = account_to_pay(provider_id=provider_id, currency=currency)
    if account is None:
        return (
            _(
                "Transfer %(amount)s to %(issuer)s with the reference %(reference)s; %(email)s has the account data. "
                "The invoice turns to paid when the money is in."
            )
            % words
        )
    told = {
        **words,
        "holder": account.holder,
        "number": " · ".join(filter(None, (printed_number(account.number), account.bic))),
    }
    return (
        _(
            "Transfer %(amount)s to %(holder)s, %(number)s, with the reference %(reference)s. "
            "The invoice turns to paid when the money is in."
        )
        % told
    )

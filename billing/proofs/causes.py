"""Checks that what is booked was booked for something, once: no posting without its cause, and none twice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from billing.models import LedgerPosting
from billing.proofs.proof import Checks, Proved, rows

ONCE: Final[Mapping[str, str]] = {
    "invoice": "billing_invoice",
    "payment": "billing_payment",
    "credit_note": "billing_creditnote",
    "write_off": "billing_writeoff",
    "payment_reversal": "billing_paymentreversal",
    "top_up": "billing_topup",
}
"""Causes that are booked by one posting each, and the table whose rows they are."""


def _postings_have_their_cause() -> Proved:
    """A posting's key names its cause, and the cause is there; that of a movement of Stripe's has Stripe's own id."""
    unnamed = rows(
        """
        SELECT posting.key, posting.cause FROM billing_ledgerposting posting
        WHERE posting.cause <> 'stripe' AND position(posting.cause_id::text IN posting.key) = 0
        UNION ALL
        SELECT posting.key, posting.cause FROM billing_ledgerposting posting
            LEFT JOIN billing_stripemovement moved ON moved.id = split_part(posting.key, ':', 2)
        WHERE posting.cause = 'stripe' AND moved.id IS NULL ORDER BY 1
        """,
    )
    return LedgerPosting.objects.count(), [
        *(f"{key}: its key does not name the {cause} it is for" for key, cause in unnamed),
        *_without_their_row(),
    ]


def _without_their_row() -> Iterator[str]:
    looks = " UNION ALL ".join(
        f"""
        SELECT '{cause}', posting.key FROM billing_ledgerposting posting LEFT JOIN {table} caused
            ON caused.id = posting.cause_id WHERE posting.cause = '{cause}' AND caused.id IS NULL
        """  # noqa: S608  the names are those above
        for cause, table in ONCE.items()
    )
    yield from (f"{key}: there is no such {cause}" for cause, key in rows(f"{looks} ORDER BY 1, 2"))


def _causes_are_booked_once() -> Proved:
    """What happens once is booked by one posting, whatever keys were thought of; a void happens to an invoice once."""
    twice = rows(
        """
        SELECT cause, cause_id, array_agg(key ORDER BY key) FROM billing_ledgerposting WHERE cause = ANY (%s)
        GROUP BY 1, 2, cause = 'invoice' AND key LIKE '%%:voided' HAVING count(*) > 1 ORDER BY 1, 2
        """,
        list(ONCE),
    )
    return LedgerPosting.objects.filter(cause__in=ONCE).count(), [
        f"{cause} {cause_id} is booked by {', '.join(keys)}" for cause, cause_id, keys in twice
    ]


def _contracts_net_to_zero() -> Proved:
    """What one contract's invoices and payments were booked as lies between its tenant, provider and the operator.

    Per contract and currency it sums to zero, and nobody else's account is in it.
    """
    sums = rows(
        """
        WITH booked AS (
            SELECT posting.id, coalesce(invoice.contract_id, paid.contract_id) AS contract_id
            FROM billing_ledgerposting posting
            LEFT JOIN billing_invoice invoice ON posting.cause = 'invoice' AND invoice.id = posting.cause_id
            LEFT JOIN billing_payment payment ON posting.cause = 'payment' AND payment.id = posting.cause_id
            LEFT JOIN billing_invoice paid ON paid.id = payment.invoice_id
            WHERE posting.cause IN ('invoice', 'payment')
        )
        SELECT contract.number, entry.currency, sum(entry.amount), count(*) FILTER (
            WHERE account.organization_id NOT IN (contract.tenant_id, contract.provider_id) AND NOT owner.is_operator
        ) FROM booked JOIN billing_contract contract ON contract.id = booked.contract_id
        JOIN billing_ledgerentry entry ON entry.posting_id = booked.id
        JOIN billing_ledgeraccount account ON account.id = entry.account_id
        JOIN tenants_organization owner ON owner.id = account.organization_id GROUP BY 1, 2 ORDER BY 1, 2
        """
    )
    return len(sums), [
        f"{contract}: {amount} {currency} left over, {strangers} entries of others"
        for contract, currency, amount, strangers in sums
        if amount or strangers
    ]


CHECKS: Checks = {
    "every posting has its cause": _postings_have_their_cause,
    "what happens once is booked once": _causes_are_booked_once,
    "a contract's books net to zero between its parties": _contracts_net_to_zero,
}

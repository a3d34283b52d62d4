"""Says which checks of the books have nothing to look at, by one statement for all of them.

Most books have no use for most of what can be booked: no payouts, no bank, no collective invoices. A check whose rows
are named here and are not there looked at nothing and found nothing, as its own statements would say. A check that is
not named always runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from billing.proofs.proof import rows
from billing.rating.late import RULE_LATE


def _accounts(*kinds: str) -> str:
    return "billing_ledgeraccount WHERE kind IN ({})".format(", ".join(f"'{kind}'" for kind in kinds))


READS: Final[Mapping[str, tuple[str, ...]]] = {
    "checkpoints are the sums of their entries": ("billing_ledgercheckpoint",),
    "prepaid credit is grants less what left them": (
        "billing_term WHERE kind = 'credit'",
        "billing_creditmovement",
        _accounts("prepaid_credit", "granted_credit"),
    ),
    "late lines are adjustments of what they are linked to": (
        "billing_adjustment",
        f"billing_invoiceline WHERE rule = '{RULE_LATE}'",
    ),
    "what was billed of a line before it was adjusted is as stated": (
        """billing_invoiceevidence WHERE document LIKE '%%"adjustments":[{%%'""",
    ),
    "taxes are those of their rates and lines": (
        "billing_invoicetax",
        "billing_invoicelinetax",
        "billing_invoice WHERE tax <> 0",
    ),
    "no slice has two holders": ("clusters_allocation",),
    "statements are the ledger of their providers": ("billing_providerstatement", "billing_statementsequence"),
    "statements are unchanged and add up": ("billing_providerstatement",),
    "payouts are booked, once": (
        "billing_payout",
        "billing_ledgerposting WHERE cause IN ('payout', 'payout_bank')",
        "billing_payoutterms WHERE next_number > 1",
    ),
    "payments are booked as they came": (
        "billing_payment",
        "billing_ledgerposting WHERE cause IN ('payment', 'payment_reversal')",
    ),
    "papers are unchanged": ("billing_documentfile",),
    "files of payouts are what they order": ("billing_payoutfile",),
    "credit notes are of their invoices": ("billing_creditnote", "billing_creditnoteline"),
    "credit notes are within their invoices": ("billing_creditnote", "billing_creditnoteline"),
    "credit notes are booked": ("billing_creditnote", "billing_ledgerposting WHERE cause = 'credit_note'"),
    "credit note numbers have no gap": ("billing_creditnotesequence",),
    "balances of tenants are their movements": (
        "billing_balanceaccount",
        "billing_balancemovement",
        _accounts("tenant_balance"),
    ),
    "credit that left between closes says where it went": ("billing_creditmovement",),
    "debits are billed as they stand": ("billing_debit",),
    "write-offs are booked": ("billing_writeoff", _accounts("write_off")),
    "refunds in transit are those on their way": (
        "billing_refund",
        _accounts("refund_in_transit"),
        "billing_ledgerposting WHERE cause = 'refund'",
    ),
    "collective invoices are their parts": ("billing_collective", "billing_collectivepart"),
    "numbers of collective invoices have no gap": ("billing_collectivesequence",),
    "bank movements are payments and what is unmatched": (
        "billing_bankline",
        "billing_bankmatch",
        _accounts("bank_unmatched"),
    ),
    "what Stripe moved is booked as it moved": (
        "billing_stripemovement",
        "billing_ledgerposting WHERE cause = 'stripe'",
    ),
    "credit is bought within its rule": ("billing_topup WHERE rule_id IS NOT NULL",),
    "bought credit is booked": ("billing_topup",),
    "credit that moved is booked": ("billing_creditmovement",),
}
"""The rows that a check looks at or could complain of, by its name: where there are none of them, it has no work.

A check that compares two sides names both. An account without entries keeps a check at work, and costs no more.
"""


def without_work() -> set[str]:
    """Return the names of the checks that have no row to look at."""
    there = _there({one for read in READS.values() for one in read})
    return {name for name, read in READS.items() if there.isdisjoint(read)}


def _there(sources: Iterable[str]) -> set[str]:
    """Return which of these have a row; one that has is read no further."""
    asked = sorted(sources)
    looks = ", ".join(f"EXISTS (SELECT FROM {one})" for one in asked)
    [found] = rows(f"SELECT {looks}")
    return {one for one, is_there in zip(asked, found, strict=True) if is_there}

"""Checks of the ledger itself, and of the sums that it must show."""

from billing.checkpoints import wrong_checkpoints
from billing.credit_grants import prepaid_against_ledger
from billing.models import NEVER_A_PROVIDERS, LedgerEntry, LedgerPosting
from billing.proofs.invoices import issued_count
from billing.proofs.proof import Checks, Proved, rows


def _postings_balance() -> Proved:
    wrong = rows(
        """
        SELECT posting.key, coalesce(entry.currency, ''), coalesce(sum(entry.amount), 0), count(entry.id)
        FROM billing_ledgerposting posting LEFT JOIN billing_ledgerentry entry ON entry.posting_id = posting.id
        GROUP BY posting.key, entry.currency
        HAVING coalesce(sum(entry.amount), 0) <> 0 OR count(entry.id) = 0 ORDER BY 1, 2
        """
    )
    return LedgerPosting.objects.count(), [
        f"{key}: {amount} {currency} in {count} entries" for key, currency, amount, count in wrong
    ]


def _ledger_nets_to_zero() -> Proved:
    sums = rows("SELECT currency, sum(amount) FROM billing_ledgerentry GROUP BY currency ORDER BY 1")
    return len(sums), [f"{currency}: {amount}" for currency, amount in sums if amount]


def _entries_have_their_currency() -> Proved:
    """An entry is in the currency of its account: both say it, and sums are read by either."""
    wrong = rows(
        """
        SELECT posting.key, account.kind, account.currency, entry.currency
        FROM billing_ledgerentry entry JOIN billing_ledgeraccount account ON account.id = entry.account_id
        JOIN billing_ledgerposting posting ON posting.id = entry.posting_id
        WHERE entry.currency <> account.currency ORDER BY 1, 2
        """
    )
    return LedgerEntry.objects.count(), [
        f"{key}: {found} on an account of {kind} in {expected}" for key, kind, expected, found in wrong
    ]


def _invoices_are_booked() -> Proved:
    wrong = rows(
        """
        SELECT invoice.number, invoice.total, coalesce(sum(entry.amount), 0)
        FROM billing_invoice invoice
        LEFT JOIN billing_ledgerposting posting ON posting.key = 'invoice:' || invoice.id || ':issued'
        LEFT JOIN billing_ledgeraccount account ON account.organization_id = invoice.tenant_id
            AND account.kind = 'tenant_receivable' AND account.currency = invoice.currency
        LEFT JOIN billing_ledgerentry entry ON entry.posting_id = posting.id AND entry.account_id = account.id
        WHERE invoice.state <> 'draft' GROUP BY invoice.id
        HAVING invoice.total <> coalesce(sum(entry.amount), 0) ORDER BY 1
        """
    )
    return issued_count(), [f"{number}: total {total}, receivable {booked}" for number, total, booked in wrong]


def _receivables_are_unpaid_invoices() -> Proved:
    """A tenant's receivable is what its invoices have left to pay, unless something else was booked on it."""
    found = rows(
        """
        WITH due AS (
            SELECT tenant_id, currency, total AS amount FROM billing_invoice WHERE state NOT IN ('draft', 'void')
            UNION ALL
            SELECT invoice.tenant_id, payment.currency, -payment.amount FROM billing_payment payment
            JOIN billing_invoice invoice ON invoice.id = payment.invoice_id
            UNION ALL
            SELECT invoice.tenant_id, payment.currency, reversal.amount
            FROM billing_paymentreversal reversal JOIN billing_payment payment ON payment.id = reversal.payment_id
            JOIN billing_invoice invoice ON invoice.id = payment.invoice_id
            UNION ALL
            SELECT tenant_id, currency, -applied FROM billing_creditnote
            UNION ALL
            SELECT invoice.tenant_id, invoice.currency, -write_off.amount FROM billing_writeoff write_off
            JOIN billing_invoice invoice ON invoice.id = write_off.invoice_id
        ), owed AS (
            SELECT tenant_id, currency, sum(amount) AS amount FROM due GROUP BY 1, 2
        ), booked AS (
            SELECT account.organization_id AS tenant_id, account.currency, sum(entry.amount) AS amount
            FROM billing_ledgerentry entry JOIN billing_ledgeraccount account ON account.id = entry.account_id
            JOIN billing_ledgerposting posting ON posting.id = entry.posting_id
            WHERE account.kind = 'tenant_receivable' AND posting.cause IN (
                'invoice', 'payment', 'payment_reversal', 'credit_note', 'balance', 'write_off'
            ) GROUP BY 1, 2
        )
        SELECT tenant_id, currency, coalesce(owed.amount, 0), coalesce(booked.amount, 0)
        FROM owed FULL JOIN booked USING (tenant_id, currency) ORDER BY 1, 2
        """
    )
    return len(found), [
        f"organization {tenant}: {due} {currency} due, {booked} booked"
        for tenant, currency, due, booked in found
        if due != booked
    ]


def _deposits_are_held() -> Proved:
    """What is held for tenants is what they were invoiced as deposits less what went back."""
    wrong = rows(
        """
        WITH invoiced AS (
            SELECT invoice.issuer_id AS organization_id, invoice.currency, sum(line.amount) AS amount
            FROM billing_invoiceline line JOIN billing_invoice invoice ON invoice.id = line.invoice_id
            WHERE invoice.state <> 'draft' AND line.rule IN ('lease_deposit_taken', 'lease_deposit_returned')
            GROUP BY 1, 2
        ), held AS (
            SELECT account.organization_id, account.currency, -sum(entry.amount) AS amount
            FROM billing_ledgerentry entry JOIN billing_ledgeraccount account ON account.id = entry.account_id
            WHERE account.kind = 'deposit_held' GROUP BY 1, 2
        )
        SELECT organization_id, currency, coalesce(invoiced.amount, 0), coalesce(held.amount, 0)
        FROM invoiced FULL JOIN held USING (organization_id, currency)
        WHERE coalesce(invoiced.amount, 0) <> coalesce(held.amount, 0) ORDER BY 1, 2
        """
    )
    return issued_count(), [
        f"organization {owner}: {due} {currency} of deposits invoiced, {held} held"
        for owner, currency, due, held in wrong
    ]


def _prepaid_is_booked() -> Proved:
    """What grants have left by their movements is what the ledger owes tenants, and given credit what it cost."""
    return prepaid_against_ledger()


def _postings_stand_in_a_book() -> Proved:
    """A posting with accounts of one provider stands in that provider's book; one with none stands in some book."""
    wrong = rows(
        """
        SELECT posting.key, posting.provider_id, array_agg(DISTINCT account.organization_id) FILTER (
            WHERE account.kind <> ALL (%s) AND account.organization_id IS DISTINCT FROM posting.provider_id
        ) FROM billing_ledgerposting posting JOIN billing_ledgerentry entry ON entry.posting_id = posting.id
        JOIN billing_ledgeraccount account ON account.id = entry.account_id GROUP BY posting.id
        HAVING posting.provider_id IS NULL OR count(*) FILTER (
            WHERE account.kind <> ALL (%s) AND account.organization_id <> posting.provider_id
        ) > 0 ORDER BY 1
        """,
        [str(kind) for kind in NEVER_A_PROVIDERS],
        [str(kind) for kind in NEVER_A_PROVIDERS],
    )
    return LedgerPosting.objects.count(), [
        f"{key}: in the book of {provider or 'nobody'}, with accounts of {others}" for key, provider, others in wrong
    ]


def _checkpoints_are_sums() -> Proved:
    """What a checkpoint says an account stood at is the sum of the entries behind it."""
    return wrong_checkpoints()


CHECKS: Checks = {
    "every posting balances": _postings_balance,
    "the ledger nets to zero": _ledger_nets_to_zero,
    "every entry is in the currency of its account": _entries_have_their_currency,
    "every posting stands in one provider's book": _postings_stand_in_a_book,
    "checkpoints are the sums of their entries": _checkpoints_are_sums,
    "invoices are booked as receivable": _invoices_are_booked,
    "receivables are invoices less payments": _receivables_are_unpaid_invoices,
    "deposits are held until they go back": _deposits_are_held,
    "prepaid credit is grants less what left them": _prepaid_is_booked,
}

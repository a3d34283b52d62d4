"""What must hold of bank movements, proved from stored rows."""

from __future__ import annotations

from billing.models import BankLine
from billing.proofs.proof import Checks, Proved, rows

_AGAINST_LEDGER = """
    WITH standing AS (
        SELECT match.* FROM billing_bankmatch match
        WHERE NOT EXISTS (SELECT FROM billing_bankunmatch unmatch WHERE unmatch.match_id = match.id)
    ), came AS (
        SELECT account.provider_id, line.currency, sum(line.amount) AS amount
        FROM billing_bankline line JOIN billing_bankaccount account ON account.id = line.account_id
        WHERE line.amount > 0 GROUP BY 1, 2
    ), matched AS (
        SELECT account.provider_id, line.currency, sum(standing.amount) AS amount
        FROM standing JOIN billing_bankline line ON line.id = standing.line_id
        JOIN billing_bankaccount account ON account.id = line.account_id GROUP BY 1, 2
    ), booked AS (
        SELECT account.organization_id AS provider_id, account.currency, -sum(entry.amount) AS amount
        FROM billing_ledgerentry entry JOIN billing_ledgeraccount account ON account.id = entry.account_id
        WHERE account.kind = 'bank_unmatched' GROUP BY 1, 2
    )
    SELECT provider_id, currency, coalesce(came.amount, 0), coalesce(matched.amount, 0), coalesce(booked.amount, 0)
    FROM came FULL JOIN matched USING (provider_id, currency) FULL JOIN booked USING (provider_id, currency)
    WHERE coalesce(came.amount, 0) - coalesce(matched.amount, 0) <> coalesce(booked.amount, 0) ORDER BY 1, 2
"""
_PAYMENTS = """
    SELECT match.id, match.amount, payment.amount, coalesce(sum(reversal.amount), 0),
        bool_or(unmatch.match_id IS NOT NULL)
    FROM billing_bankmatch match JOIN billing_payment payment ON payment.id = match.payment_id
    LEFT JOIN billing_bankunmatch unmatch ON unmatch.match_id = match.id
    LEFT JOIN billing_paymentreversal reversal ON reversal.id = unmatch.reversal_id
    GROUP BY match.id, payment.id
    HAVING match.amount <> payment.amount OR match.invoice_id <> payment.invoice_id
        OR (bool_or(unmatch.match_id IS NOT NULL) AND coalesce(sum(reversal.amount), 0) <> match.amount) ORDER BY 1
"""
_STATES = """
    WITH standing AS (
        SELECT match.* FROM billing_bankmatch match
        WHERE NOT EXISTS (SELECT FROM billing_bankunmatch unmatch WHERE unmatch.match_id = match.id)
    )
    SELECT line.id, line.state, line.amount, coalesce(sum(standing.amount), 0)
    FROM billing_bankline line LEFT JOIN standing ON standing.line_id = line.id
    GROUP BY line.id
    HAVING (line.state = 'matched') <> (line.amount > 0 AND coalesce(sum(standing.amount), 0) = line.amount)
        OR (line.state = 'outgoing') <> (line.amount < 0)
        OR coalesce(sum(standing.amount), 0) > greatest(line.amount, 0)
    ORDER BY 1
"""


_POSTINGS = """
    WITH wanted AS (
        SELECT 'bank_import:' || line.imported_id || ':' || line.currency || ':' || line.booked_on AS key,
            'bank_unmatched' AS kind, account.provider_id AS owner, line.currency, -sum(line.amount) AS amount
        FROM billing_bankline line JOIN billing_bankaccount account ON account.id = line.account_id
        WHERE line.amount > 0 GROUP BY 1, 3, 4
        UNION ALL
        SELECT told.key, side.kind, side.owner, line.currency, told.sign * side.amount
        FROM billing_bankmatch match JOIN billing_bankline line ON line.id = match.line_id
        JOIN billing_bankaccount account ON account.id = line.account_id
        LEFT JOIN billing_bankunmatch unmatch ON unmatch.match_id = match.id
        CROSS JOIN LATERAL (VALUES
            ('bank_match:' || match.id, 1),
            (CASE WHEN unmatch.match_id IS NOT NULL THEN 'bank_match:' || match.id || ':undone' END, -1)
        ) told (key, sign)
        CROSS JOIN LATERAL (VALUES
            ('bank_unmatched', account.provider_id, match.amount),
            (CASE match.kind WHEN 'balance' THEN 'tenant_balance' ELSE 'bank_clearing' END,
                CASE match.kind WHEN 'balance' THEN match.tenant_id ELSE account.provider_id END, -match.amount)
        ) side (kind, owner, amount)
        WHERE match.kind <> 'invoice' AND told.key IS NOT NULL
    ), booked AS (
        SELECT posting.key, account.kind, account.organization_id AS owner, account.currency,
            sum(entry.amount) AS amount
        FROM billing_ledgerposting posting JOIN billing_ledgerentry entry ON entry.posting_id = posting.id
        JOIN billing_ledgeraccount account ON account.id = entry.account_id
        WHERE posting.key LIKE 'bank_match:%%' OR posting.key LIKE 'bank_import:%%' AND account.kind = 'bank_unmatched'
        GROUP BY 1, 2, 3, 4
    )
    SELECT key, kind, currency, coalesce(wanted.amount, 0), coalesce(booked.amount, 0)
    FROM wanted FULL JOIN booked USING (key, kind, owner, currency)
    WHERE coalesce(wanted.amount, 0) <> coalesce(booked.amount, 0) ORDER BY 1, 2
"""
_STRANGE = """
    SELECT match.id, invoice.number FROM billing_bankmatch match JOIN billing_invoice invoice
        ON invoice.id = match.invoice_id
    JOIN billing_bankline line ON line.id = match.line_id
    JOIN billing_bankaccount account ON account.id = line.account_id
    WHERE (match.tenant_id, account.provider_id, line.currency)
        <> (invoice.tenant_id, invoice.issuer_id, invoice.currency) ORDER BY 1
"""
_FILES = "SELECT id, name FROM billing_bankimport WHERE encode(sha256(document), 'hex') <> sha256 ORDER BY 1"


def movements_are_payments_and_unmatched() -> Proved:
    """What came in is what it was matched to and what is unmatched; a match has its payment; states say the same."""
    wrong = [
        f"organization {provider}: {came} {currency} came in, {matched} matched, {booked} booked as unmatched"
        for provider, currency, came, matched, booked in rows(_AGAINST_LEDGER)
    ]
    wrong += [
        f"match {match}: {amount}, its payment {paid}, {back} taken back{' though it was undone' if undone else ''}"
        for match, amount, paid, back, undone in rows(_PAYMENTS)
    ]
    wrong += [
        f"movement {line} of {amount}: {matched} matched, and it is {state}"
        for line, state, amount, matched in rows(_STATES)
    ]
    wrong += [
        f"{key}: {wanted} {currency} on {kind} by its rows, {booked} booked"
        for key, kind, currency, wanted, booked in rows(_POSTINGS)
    ]
    wrong += [f"match {match}: it is not of the parties of {number}" for match, number in rows(_STRANGE)]
    wrong += [f"file {name or one}: it does not have its hash" for one, name in rows(_FILES)]
    return BankLine.objects.count(), wrong


CHECKS: Checks = {"bank movements are payments and what is unmatched": movements_are_payments_and_unmatched}

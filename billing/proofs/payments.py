"""Checks of payments one by one: each is booked as it came and for its own invoice, and invoices say what is left."""

from __future__ import annotations

from billing.models import Payment
from billing.proofs.invoices import issued_count
from billing.proofs.proof import Checks, Proved, rows

_SIDES = """
    WITH come AS (
        SELECT 'payment:' || payment.id AS key, payment.amount, payment.received_at AS at, payment.id AS payment_id,
            '' AS ending FROM billing_payment payment
        UNION ALL
        SELECT 'payment_reversal:' || taken.id, -taken.amount, taken.reversed_at, taken.payment_id, ' taken back'
        FROM billing_paymentreversal taken
    ), told AS (
        SELECT come.key, come.amount, come.at, payment.currency, payment.method, invoice.number, invoice.issuer_id,
            invoice.tenant_id, 'Payment of invoice ' || invoice.number || come.ending AS memo,
            invoice.currency AS invoiced, match.payment_id IS NOT NULL AS by_match
        FROM come JOIN billing_payment payment ON payment.id = come.payment_id
        JOIN billing_invoice invoice ON invoice.id = payment.invoice_id
        LEFT JOIN billing_bankmatch match ON match.payment_id = payment.id
    ), wanted AS (
        SELECT key, tenant_id AS owner, 'tenant_receivable' AS kind, currency, -amount AS amount FROM told
        UNION ALL
        SELECT key, CASE method WHEN 'balance' THEN tenant_id ELSE issuer_id END,
            CASE WHEN method = 'stripe' THEN 'stripe_clearing' WHEN method = 'balance' THEN 'tenant_balance'
                WHEN by_match THEN 'bank_unmatched' ELSE 'bank_clearing' END, currency, amount FROM told
    ), booked AS (
        SELECT posting.key, account.organization_id AS owner, account.kind, account.currency,
            sum(entry.amount) AS amount
        FROM billing_ledgerposting posting JOIN billing_ledgerentry entry ON entry.posting_id = posting.id
        JOIN billing_ledgeraccount account ON account.id = entry.account_id
        WHERE posting.cause IN ('payment', 'payment_reversal') GROUP BY 1, 2, 3, 4
    )
"""
_DIFFERING = f"""
    {_SIDES}
    SELECT coalesce(wanted.key, booked.key), coalesce(wanted.kind, booked.kind),
        coalesce(wanted.currency, booked.currency), coalesce(wanted.amount, 0), coalesce(booked.amount, 0)
    FROM wanted FULL JOIN booked USING (key, owner, kind, currency)
    WHERE coalesce(wanted.amount, 0) <> coalesce(booked.amount, 0) ORDER BY 1, 2
"""  # noqa: S608  both are text of this module
_STRANGE = f"""
    {_SIDES}
    SELECT told.key, told.number, told.at, coalesce(posting.memo, ''), posting.at
    FROM told LEFT JOIN billing_ledgerposting posting ON posting.key = told.key
    WHERE posting.memo IS DISTINCT FROM told.memo OR posting.at IS DISTINCT FROM told.at
        OR told.currency <> told.invoiced ORDER BY 1
"""  # noqa: S608  both are text of this module
_STATES = """
    WITH left_of AS (
        SELECT invoice.id, invoice.number, invoice.state, invoice.total - coalesce((
                SELECT sum(payment.amount) FROM billing_payment payment WHERE payment.invoice_id = invoice.id
            ), 0) + coalesce((
                SELECT sum(taken.amount) FROM billing_paymentreversal taken
                JOIN billing_payment payment ON payment.id = taken.payment_id WHERE payment.invoice_id = invoice.id
            ), 0) - coalesce((
                SELECT sum(note.applied) FROM billing_creditnote note WHERE note.invoice_id = invoice.id
            ), 0) AS payable
        FROM billing_invoice invoice WHERE invoice.state IN ('issued', 'paid', 'uncollectible')
    )
    SELECT number, state, payable FROM left_of
    WHERE (state = 'paid') <> (payable <= 0)
        OR (state = 'uncollectible' AND NOT EXISTS (
            SELECT FROM billing_writeoff gone WHERE gone.invoice_id = left_of.id
        ))
    UNION ALL
    SELECT invoice.number, invoice.state, invoice.total FROM billing_invoice invoice
    WHERE invoice.total <> 0 AND (invoice.state = 'void') <> EXISTS (
        SELECT FROM billing_ledgerposting posting WHERE posting.key = 'invoice:' || invoice.id || ':voided'
    ) ORDER BY 1
"""
_CHARGEBACKS = """
    WITH moved AS (
        SELECT dispute.dispute_id, sum(come.amount) AS amount, bool_or(come.payment_id = dispute.payment_id) AS own,
            bool_and(come.currency = dispute.currency) AS alike
        FROM billing_chargeback dispute JOIN (
            SELECT taken.reference, taken.amount, taken.payment_id, payment.currency
            FROM billing_paymentreversal taken JOIN billing_payment payment ON payment.id = taken.payment_id
            UNION ALL
            SELECT reference, -amount, id, currency FROM billing_payment WHERE method = 'stripe'
        ) come ON split_part(come.reference, ':', 1) = dispute.dispute_id GROUP BY 1
    )
    SELECT dispute.dispute_id, dispute.withdrawn, moved.amount FROM billing_chargeback dispute
    JOIN moved ON moved.dispute_id = dispute.dispute_id
    WHERE moved.amount NOT BETWEEN 0 AND dispute.withdrawn OR moved.own IS NOT TRUE OR NOT moved.alike ORDER BY 1
"""


def _payments_are_booked() -> Proved:
    """Each payment, and what was taken back of it, is booked on the accounts of its invoice, for it and at its time."""
    wrong = [
        f"{key}: {wanted} {currency} on {kind} by its row, {booked} booked"
        for key, kind, currency, wanted, booked in rows(_DIFFERING)
    ]
    wrong += [
        f"{key}: of invoice {number} at {at.isoformat()}, booked as {memo!r} at {booked_at and booked_at.isoformat()}"
        for key, number, at, memo, booked_at in rows(_STRANGE)
    ]
    wrong += [
        f"chargeback {dispute}: {held} held back at Stripe, {taken} taken back of payments"
        for dispute, held, taken in rows(_CHARGEBACKS)
    ]
    return Payment.objects.count(), wrong


def _invoices_say_what_is_left() -> Proved:
    """An invoice is paid where nothing is left and only there, uncollectible by a write-off, void by a posting."""
    return issued_count(), [f"{number} is {state} with {left} left" for number, state, left in rows(_STATES)]


CHECKS: Checks = {
    "payments are booked as they came": _payments_are_booked,
    "invoices are in the state of what is left of them": _invoices_say_what_is_left,
}
"""Checks of payments by what they prove."""

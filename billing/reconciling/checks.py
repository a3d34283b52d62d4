"""What must hold of Stripe's books beside ours, proved from the rows that are kept of both."""

from __future__ import annotations

from collections.abc import Iterator

from billing.models import StripeMovement
from billing.proofs.proof import Checks, Proved, rows

_OWN = """
    WITH wanted AS (
        SELECT 'stripe:' || id || ':fee' AS key, currency,
            -(fee - CASE WHEN kind IN ('stripe_fee', 'stripe_fx_fee', 'tax_fee') THEN amount ELSE 0 END) AS amount
        FROM billing_stripemovement
        UNION ALL
        SELECT 'stripe:' || id || ':bank', currency, amount FROM billing_stripemovement
        WHERE kind IN ('payout', 'payout_cancel', 'payout_failure', 'topup', 'topup_reversal')
    ), booked AS (
        SELECT posting.key, entry.currency, sum(entry.amount) AS amount
        FROM billing_ledgerposting posting JOIN billing_ledgerentry entry ON entry.posting_id = posting.id
        JOIN billing_ledgeraccount account ON account.id = entry.account_id
        WHERE posting.cause = 'stripe' AND account.kind = 'stripe_clearing' GROUP BY 1, 2
    )
    SELECT coalesce(wanted.key, booked.key), coalesce(wanted.currency, booked.currency),
        coalesce(wanted.amount, 0), coalesce(booked.amount, 0)
    FROM (SELECT * FROM wanted WHERE amount <> 0) wanted FULL JOIN booked USING (key, currency)
    WHERE coalesce(wanted.amount, 0) <> coalesce(booked.amount, 0) ORDER BY 1
"""
_BY_SOURCE = """
    WITH ours AS (
        SELECT source.charge_id AS source_id, payment.currency, sum(payment.amount) AS amount
        FROM billing_paymentsource source JOIN billing_payment payment ON payment.id = source.payment_id
        WHERE source.charge_id <> '' GROUP BY 1, 2
        UNION ALL
        SELECT charge_id, currency, sum(amount) FROM billing_topup
        WHERE charge_id <> '' AND state = 'paid' GROUP BY 1, 2
        UNION ALL
        SELECT reference, currency, -amount FROM billing_payout
        WHERE method = 'stripe' AND state IN ('paid', 'reversed')
        UNION ALL
        SELECT reversal.reference, payout.currency, reversal.amount FROM billing_payoutreversal reversal
        JOIN billing_payout payout ON payout.id = reversal.payout_id WHERE payout.method = 'stripe'
    ), theirs AS (
        SELECT source_id, currency, sum(amount) AS amount FROM billing_stripemovement
        WHERE kind IN ('charge', 'payment', 'transfer', 'transfer_refund') AND source_id <> '' GROUP BY 1, 2
    )
    SELECT source_id, theirs.currency, ours.amount, ours.currency, theirs.amount FROM ours JOIN theirs USING (source_id)
    WHERE (ours.amount <> theirs.amount OR ours.currency <> theirs.currency) AND NOT EXISTS (
        SELECT FROM billing_difference found
        WHERE found.stripe_id = source_id AND found.way = 'accept' AND found.settled_at IS NOT NULL
    ) ORDER BY 1
"""


def stripe_holds_what_is_booked() -> Proved:
    """Fees and what went to the bank are booked as Stripe's movements have them, and nothing else is.

    A charge, a top-up or a transfer that both sides know has one amount. What only one side knows yet may be on its
    way: that is a difference of the nightly look, and no fault of the rows. Nor is what a person accepted there.
    """
    return StripeMovement.objects.count(), _differing()


def _differing() -> Iterator[str]:
    for key, currency, wanted, booked in rows(_OWN):
        yield f"{key}: {booked} {currency} booked of Stripe's balance, {wanted} by its movement"
    for source_id, currency, ours, our_currency, theirs in rows(_BY_SOURCE):
        yield f"{source_id}: {ours} {our_currency} booked, {theirs} {currency} moved at Stripe"


CHECKS: Checks = {"what Stripe moved is booked as it moved": stripe_holds_what_is_booked}

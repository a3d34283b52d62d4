"""Checks of the operator's fees: what invoices and credit notes take for it is what was agreed, and rounded once."""

from __future__ import annotations

from billing.models import Invoice
from billing.money import half_a_unit
from billing.proofs.invoices import issued_count
from billing.proofs.proof import Checks, Proved, rows
from billing.rating.credit import RULE_DRAWN
from billing.rating.lease_term import DEPOSIT_RULES

_INVOICES = """
    WITH half AS (
        SELECT * FROM unnest(%s::text[], %s::numeric[]) AS halves (currency, unit)
    ), agreed AS (
        SELECT invoice.id, invoice.number, invoice.issued_at, half.unit,
            (invoice.subtotal - coalesce((
                SELECT sum(line.amount) FROM billing_invoiceline line
                WHERE line.invoice_id = invoice.id AND line.rule = ANY (%s)
            ), 0)) * contract.operator_fee_percent / 100 AS fee
        FROM billing_invoice invoice JOIN billing_contract contract ON contract.id = invoice.contract_id
        JOIN half ON half.currency = invoice.currency WHERE invoice.state <> 'draft'
    ), booked AS (
        SELECT posting.key, posting.at, coalesce(-sum(entry.amount) FILTER (
                WHERE account.kind = 'operator_fee' AND owner.is_operator
            ), 0) AS fee, count(*) FILTER (WHERE account.kind NOT IN
                ('tenant_receivable', 'provider_payable', 'tax_payable', 'deposit_held', 'operator_fee')) AS others
        FROM billing_ledgerposting posting JOIN billing_ledgerentry entry ON entry.posting_id = posting.id
        JOIN billing_ledgeraccount account ON account.id = entry.account_id
        JOIN tenants_organization owner ON owner.id = account.organization_id
        WHERE posting.cause = 'invoice' GROUP BY posting.id
    )
    SELECT agreed.number, round(agreed.fee, 6), booked.fee, booked.at FROM agreed
    JOIN booked ON booked.key = 'invoice:' || agreed.id || ':issued'
    WHERE abs(agreed.fee - booked.fee) > agreed.unit OR booked.others > 0 OR booked.at <> agreed.issued_at ORDER BY 1
"""
_CREDIT_NOTES = """
    WITH half AS (
        SELECT * FROM unnest(%s::text[], %s::numeric[]) AS halves (currency, unit)
    ), charged AS (
        SELECT posting.cause_id AS invoice_id,
            -coalesce(sum(entry.amount) FILTER (WHERE account.kind = 'operator_fee'), 0) AS fee,
            -coalesce(sum(entry.amount) FILTER (
                WHERE account.kind IN ('operator_fee', 'provider_payable')
            ), 0) AS earned
        FROM billing_ledgerposting posting JOIN billing_ledgerentry entry ON entry.posting_id = posting.id
        JOIN billing_ledgeraccount account ON account.id = entry.account_id
        WHERE posting.cause = 'invoice' AND posting.key = 'invoice:' || posting.cause_id || ':issued' GROUP BY 1
    ), given AS (
        SELECT invoice_id, sum(operator_fee) AS fee, sum(subtotal) AS subtotal FROM billing_creditnote GROUP BY 1
    ), before AS (
        SELECT invoice_id, sum(amount) AS paid, bool_or(rule = %s) AS drew,
            coalesce(sum(amount) FILTER (WHERE rule <> %s), 0) AS carried
        FROM billing_invoiceline WHERE nature = 'payment' AND invoice_id IN (SELECT invoice_id FROM given) GROUP BY 1
    ), drawn AS (
        SELECT movement.period_id, -sum(entry.amount) AS fee
        FROM billing_creditmovement movement
        JOIN billing_ledgerposting posting ON posting.key = 'credit:' || movement.id || ':drawn'
        JOIN billing_ledgerentry entry ON entry.posting_id = posting.id
        JOIN billing_ledgeraccount account ON account.id = entry.account_id
        WHERE movement.kind = 'drawn' AND account.kind = 'operator_fee' GROUP BY 1
    ), taken AS (
        SELECT invoice.id, coalesce(charged.fee, 0) - coalesce(before.carried, 0) * contract.operator_fee_percent / 100
                + CASE WHEN before.drew THEN coalesce(drawn.fee, 0) ELSE 0 END AS fee,
            coalesce(charged.earned, 0) - coalesce(before.paid, 0) AS earned
        FROM given JOIN billing_invoice invoice ON invoice.id = given.invoice_id
        JOIN billing_contract contract ON contract.id = invoice.contract_id
        LEFT JOIN charged ON charged.invoice_id = invoice.id
        LEFT JOIN before ON before.invoice_id = invoice.id LEFT JOIN drawn ON drawn.period_id = invoice.period_id
    )
    SELECT invoice.number, given.fee, round(taken.fee * given.subtotal / nullif(taken.earned, 0), 6)
    FROM given JOIN billing_invoice invoice ON invoice.id = given.invoice_id
    JOIN half ON half.currency = invoice.currency JOIN taken ON taken.id = invoice.id
    WHERE abs(coalesce(taken.fee * given.subtotal / nullif(taken.earned, 0), 0) - given.fee) > half.unit
    ORDER BY 1
"""


def _fees_are_agreed() -> Proved:
    """The fee on an invoice is its contract's percentage, booked for the operator as the invoice was issued; credit
    notes give the same part of it back."""
    currencies = sorted(Invoice.objects.order_by().values_list("currency", flat=True).distinct())
    halves = [half_a_unit(currency) for currency in currencies]
    return issued_count(), [
        *(
            f"{number}: a fee of {agreed} is agreed, {booked} booked at {at.isoformat()}"
            for number, agreed, booked, at in rows(_INVOICES, currencies, halves, sorted(DEPOSIT_RULES))
        ),
        *(
            f"{number}: its credit notes give {given} of the fee back, {due} belongs to what they credit"
            for number, given, due in rows(_CREDIT_NOTES, currencies, halves, RULE_DRAWN, RULE_DRAWN)
        ),
    ]


CHECKS: Checks = {"fees are those that were agreed": _fees_are_agreed}
"""Checks of fees by what they prove."""

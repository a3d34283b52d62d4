"""Checks of taxes: by rate and by line they are those of their invoice, and the books hold them as owed."""

from billing.models import InvoiceTax
from billing.proofs.invoices import issued_count
from billing.proofs.proof import Checks, Proved, rows


def _taxes_add_up() -> Proved:
    """An invoice's tax is the sum by rate and by line; each rate's base and tax are those of its lines."""
    wrong = [
        f"{number}: tax {tax}, by rate {by_rate}, by line {by_line}"
        for number, tax, by_rate, by_line in rows(
            """
            SELECT number, tax, by_rate, by_line FROM (
                SELECT invoice.number, invoice.tax,
                    coalesce((SELECT sum(rate.tax) FROM billing_invoicetax rate
                        WHERE rate.invoice_id = invoice.id), 0) AS by_rate,
                    coalesce((SELECT sum(taxed.tax) FROM billing_invoicelinetax taxed
                        JOIN billing_invoiceline line ON line.id = taxed.line_id
                        WHERE line.invoice_id = invoice.id), 0) AS by_line
                FROM billing_invoice invoice WHERE invoice.state <> 'draft'
            ) found WHERE tax <> by_rate OR tax <> by_line ORDER BY 1
            """
        )
    ]
    wrong += [
        f"{number} rate {position}: {tax} of {taxable}, its lines {line_tax} of {amount}"
        for number, position, taxable, tax, amount, line_tax in rows(
            """
            SELECT invoice.number, rate.position, rate.taxable, rate.tax, coalesce(sum(line.amount), 0),
                coalesce(sum(taxed.tax), 0)
            FROM billing_invoicetax rate JOIN billing_invoice invoice ON invoice.id = rate.invoice_id
            LEFT JOIN billing_invoicelinetax taxed ON taxed.rate_id = rate.id
            LEFT JOIN billing_invoiceline line ON line.id = taxed.line_id
            WHERE invoice.state <> 'draft' GROUP BY invoice.id, rate.id
            HAVING rate.taxable <> coalesce(sum(line.amount), 0) OR rate.tax <> coalesce(sum(taxed.tax), 0)
            ORDER BY 1, 2
            """
        )
    ]
    return InvoiceTax.objects.count(), wrong


def _taxes_are_booked() -> Proved:
    """What the posting of an invoice credits to tax payable is its tax."""
    wrong = rows(
        """
        SELECT invoice.number, invoice.tax, -coalesce(sum(entry.amount), 0)
        FROM billing_invoice invoice
        LEFT JOIN billing_ledgerposting posting ON posting.key = 'invoice:' || invoice.id || ':issued'
        LEFT JOIN billing_ledgeraccount account ON account.organization_id = invoice.issuer_id
            AND account.kind = 'tax_payable' AND account.currency = invoice.currency
        LEFT JOIN billing_ledgerentry entry ON entry.posting_id = posting.id AND entry.account_id = account.id
        WHERE invoice.state <> 'draft' GROUP BY invoice.id
        HAVING invoice.tax <> -coalesce(sum(entry.amount), 0) ORDER BY 1
        """
    )
    return issued_count(), [f"{number}: tax {tax}, booked {booked}" for number, tax, booked in wrong]


CHECKS: Checks = {
    "taxes are those of their rates and lines": _taxes_add_up,
    "taxes are booked as owed": _taxes_are_booked,
}
"""Checks of taxes by what they prove."""

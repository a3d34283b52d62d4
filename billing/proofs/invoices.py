"""Checks of issued invoices: sums, rounding, charges, numbers, evidence."""

from decimal import Decimal

from billing.canonical import digest, parsed
from billing.evidence import differences
from billing.models import Charge, Invoice, InvoiceEvidence, InvoiceLine, InvoiceState, IssuerSequence
from billing.money import half_a_unit
from billing.number_series import INVOICES, former_series
from billing.proofs.proof import Checks, Proved, gaps_of, rows


def _invoices_add_up() -> Proved:
    wrong = rows(
        """
        SELECT invoice.number, invoice.subtotal, invoice.tax, invoice.total, coalesce(sum(line.amount), 0)
        FROM billing_invoice invoice LEFT JOIN billing_invoiceline line ON line.invoice_id = invoice.id
        WHERE invoice.state <> 'draft' GROUP BY invoice.id
        HAVING invoice.subtotal <> coalesce(sum(line.amount), 0)
            OR invoice.total <> invoice.subtotal + invoice.tax ORDER BY 1
        """
    )
    return issued_count(), [
        f"{number}: lines {lines}, subtotal {subtotal}, tax {tax}, total {total}"
        for number, subtotal, tax, total, lines in wrong
    ]


def _lines_are_rounded_sublines() -> Proved:
    found = rows(
        """
        SELECT invoice.number, line.position, invoice.currency, line.amount, line.exact_amount, line.quantity,
            coalesce(sum(subline.exact_amount), 0), coalesce(sum(subline.quantity), 0), count(subline.id)
        FROM billing_invoiceline line JOIN billing_invoice invoice ON invoice.id = line.invoice_id
        LEFT JOIN billing_invoicesubline subline ON subline.line_id = line.id
        WHERE invoice.state <> 'draft' GROUP BY invoice.id, line.id ORDER BY 1, 2
        """
    )
    wrong = []
    for number, position, currency, amount, exact, quantity, parts, quantities, count in found:
        # Sublines are rounded to 18 decimals each, so their sum may lie that little beyond half a unit.
        limit = half_a_unit(currency) + Decimal("1e-17") * (count + 1)
        if exact != parts or quantity != quantities or abs(amount - exact) > limit:
            wrong.append(f"{number} line {position}: {amount}, exact {exact}, sublines {parts} of {quantities}")
    return InvoiceLine.objects.exclude(invoice__state=InvoiceState.DRAFT).count(), wrong


def _lines_are_charges() -> Proved:
    wrong = rows(
        """
        WITH charged AS (
            SELECT period_id, term_ref, model, sum(amount) AS amount, sum(quantity) AS quantity
            FROM billing_charge JOIN billing_billingperiod period ON period.id = period_id
            WHERE period.state = 'closed' GROUP BY 1, 2, 3
        ), billed AS (
            SELECT invoice.period_id, line.term_ref, line.model, sum(line.exact_amount) AS amount,
                sum(line.quantity) AS quantity
            FROM billing_invoiceline line JOIN billing_invoice invoice ON invoice.id = line.invoice_id
            WHERE invoice.state <> 'draft'
                AND NOT EXISTS (SELECT FROM billing_invoice again WHERE again.reissues_id = invoice.id)
            GROUP BY 1, 2, 3
        )
        SELECT coalesce(charged.period_id, billed.period_id), coalesce(charged.term_ref, billed.term_ref),
            coalesce(charged.model, billed.model), coalesce(charged.amount, 0), coalesce(billed.amount, 0)
        FROM charged FULL JOIN billed ON charged.period_id = billed.period_id
            AND charged.term_ref = billed.term_ref AND charged.model = billed.model
        WHERE coalesce(charged.amount, 0) <> coalesce(billed.amount, 0)
            OR coalesce(charged.quantity, 0) <> coalesce(billed.quantity, 0)
        ORDER BY 1, 2, 3
        """
    )
    return Charge.objects.count(), [
        f"period {period} {term} {model}: charged {charged}, billed {billed}"
        for period, term, model, charged, billed in wrong
    ]


def _numbers_are_gapless() -> Proved:
    wrong = []
    sequences = list(IssuerSequence.objects.select_related("issuer").order_by("prefix"))
    for sequence in sequences:
        numbers = Invoice.objects.filter(issuer=sequence.issuer, number__startswith=sequence.prefix)
        issued = [number for number in numbers.values_list("number", flat=True) if number]
        wrong += gaps_of(sequence.issuer.slug, issued, prefix=sequence.prefix, next_number=sequence.next_number)
    for former in former_series(INVOICES):
        numbers = Invoice.objects.filter(issuer_id=former.issuer_id, number__regex=former.pattern)
        issued = [number for number in numbers.values_list("number", flat=True) if number]
        wrong += gaps_of(former.slug, issued, prefix=former.prefix, next_number=former.next_number)
    return len(sequences), wrong


def _evidence_recomputes() -> Proved:
    wrong: list[str] = []
    looked_at = 0
    sealed = InvoiceEvidence.objects.select_related("invoice").order_by("invoice_id")
    for evidence in sealed.iterator(chunk_size=100):
        looked_at += 1
        invoice = evidence.invoice
        if digest(evidence.document) != evidence.sha256:
            wrong.append(f"{invoice.number}: the document does not have the hash {evidence.sha256}")
            continue
        document = parsed(evidence.document)
        wrong.extend(f"{invoice.number}: {difference}" for difference in differences(document))
        stated = document["invoice"]
        if (stated["number"], Decimal(stated["total"])) != (invoice.number, invoice.total):
            wrong.append(f"{invoice.number}: total {invoice.total}, in its evidence {stated['total']}")
    missing = Invoice.objects.exclude(state=InvoiceState.DRAFT).filter(evidence__isnull=True)
    wrong.extend(f"{number}: no evidence" for number in missing.values_list("number", flat=True))
    return looked_at, wrong


def issued_count() -> int:
    """Return how many invoices were issued."""
    return Invoice.objects.exclude(state=InvoiceState.DRAFT).count()


CHECKS: Checks = {
    "invoices are the sum of their lines": _invoices_add_up,
    "lines are their sublines, rounded once": _lines_are_rounded_sublines,
    "lines are the charges of their period": _lines_are_charges,
    "invoice numbers have no gap": _numbers_are_gapless,
    "evidence is unchanged and recomputes": _evidence_recomputes,
}

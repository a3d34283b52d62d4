"""Checks of what was billed late: that it is linked to what it adjusts, and that bills of a line add up."""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from billing.models import Adjustment, Invoice, InvoiceEvidence, InvoiceLine
from billing.money import exact_sum
from billing.proofs.proof import Checks, Proved, rows
from billing.rating.late import RULE_LATE

_STRANGE = """
    SELECT adjustment.period_id, adjustment.term_ref, adjustment.model, adjustment.amount
    FROM billing_adjustment adjustment
    JOIN billing_billingperiod period ON period.id = adjustment.period_id
    JOIN billing_billingperiod into_period ON into_period.id = adjustment.into_id
    LEFT JOIN billing_invoiceline line ON line.id = adjustment.original_id
    LEFT JOIN billing_invoice original ON original.id = line.invoice_id
    LEFT JOIN billing_invoice invoice ON invoice.id = adjustment.invoice_id
    WHERE period.contract_id <> into_period.contract_id OR period.from_at >= into_period.from_at
        OR (line.id IS NOT NULL AND (original.period_id, line.term_ref, line.model, line.rule)
            IS DISTINCT FROM (adjustment.period_id, adjustment.term_ref, adjustment.model, adjustment.rule))
        OR (invoice.id IS NOT NULL AND invoice.period_id <> adjustment.period_id)
    ORDER BY 1, 2, 3
"""
"""Adjustments whose original is a line or an invoice of another period, or that go on a bill of another contract."""


def _adjustments_are_linked() -> Proved:
    """The late lines of an invoice are the adjustments of its period, line by original line; each adjustment, on a bill
    or not yet, is of a line of the period that it adjusts.
    """
    wrong = rows(
        """
        WITH found AS (
            SELECT adjustment.into_id, adjustment.period_id, adjustment.original_id, adjustment.term_ref,
                adjustment.model, sum(adjustment.amount) AS amount
            FROM billing_adjustment adjustment JOIN billing_billingperiod into_period
                ON into_period.id = adjustment.into_id AND into_period.state = 'closed'
            GROUP BY 1, 2, 3, 4, 5
        ), billed AS (
            SELECT invoice.period_id AS into_id, line.adjusts_period_id AS period_id, line.adjusts_id AS original_id,
                line.term_ref, line.model, sum(line.amount) AS amount
            FROM billing_invoiceline line JOIN billing_invoice invoice ON invoice.id = line.invoice_id
            WHERE line.rule = %s AND invoice.state <> 'draft'
                AND NOT EXISTS (SELECT FROM billing_invoice again WHERE again.reissues_id = invoice.id)
            GROUP BY 1, 2, 3, 4, 5
        )
        SELECT coalesce(found.into_id, billed.into_id), coalesce(found.term_ref, billed.term_ref),
            coalesce(found.model, billed.model), coalesce(found.amount, 0), coalesce(billed.amount, 0)
        FROM found FULL JOIN billed ON found.into_id = billed.into_id AND found.period_id = billed.period_id
            AND found.original_id IS NOT DISTINCT FROM billed.original_id
            AND found.term_ref = billed.term_ref AND found.model = billed.model
        WHERE coalesce(found.amount, 0) <> coalesce(billed.amount, 0) ORDER BY 1, 2, 3
        """,
        RULE_LATE,
    )
    return Adjustment.objects.count(), [
        *(
            f"period {into} {term} {model}: {found} found late, {billed} billed"
            for into, term, model, found, billed in wrong
        ),
        *(
            f"period {period} {term} {model}: an adjustment of {amount} is linked to what is not of it"
            for period, term, model, amount in rows(_STRANGE)
        ),
    ]


def _originals_are_as_stated() -> Proved:
    """What evidence says was billed of a line before is what the invoices before say."""
    looked_at = 0
    wrong: list[str] = []
    late = InvoiceEvidence.objects.filter(document__contains='"adjustments":[{').select_related("invoice__period")
    for evidence in late.order_by("invoice_id").iterator(chunk_size=50):
        for section in json.loads(evidence.document)["adjustments"]:
            looked_at += 1
            wrong.extend(f"{evidence.invoice.number}: {each}" for each in _section_wrong(evidence.invoice, section))
    return looked_at, wrong


def _section_wrong(invoice: Invoice, section: Mapping[str, Any]) -> Iterator[str]:
    original = Invoice.objects.filter(issuer=invoice.issuer_id, number=section["invoice"] or None).first()
    if section["invoice"] and (original is None or original.evidence.sha256 != section["sha256"]):
        yield f"{section['invoice']} was not sealed with {section['sha256']}"
        return
    billed = _billed_before(invoice, section)
    for line in section["lines"]:
        about = (line["term"], line["model"], line["rule"], line["unit"], line["about"])
        on_invoice = Decimal(0)
        if line["line"]:
            on_invoice = InvoiceLine.objects.get(invoice=original, position=line["line"]).amount
        before = exact_sum((on_invoice, billed[about]))
        if before != Decimal(line["billed_amount"]):
            yield f"{section['invoice']} line {line['line']}: {line['billed_amount']} stated as billed, {before} was"


def _billed_before(invoice: Invoice, section: Mapping[str, Any]) -> Mapping[tuple[str, ...], Decimal]:
    """Return what adjustments on bills before an invoice's came to, by what they are about."""
    found: dict[tuple[str, ...], Decimal] = defaultdict(Decimal)
    before = Adjustment.objects.filter(
        period__contract=invoice.contract_id,
        period__from_at=section["period"]["from_at"],
        into__from_at__lt=invoice.period.from_at,
    )
    for *about, amount in before.values_list("term_ref", "model", "rule", "unit", "about", "amount"):
        found[*about] = exact_sum((found[*about], amount))
    return found


CHECKS: Checks = {
    "late lines are adjustments of what they are linked to": _adjustments_are_linked,
    "what was billed of a line before it was adjusted is as stated": _originals_are_as_stated,
}
"""Checks of adjustments by what they prove."""

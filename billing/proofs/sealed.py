"""Checks that an invoice's rows are those that its evidence was sealed with, and its papers as they were made."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import islice
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from billing.canonical import parsed
from billing.evidence_formats import present
from billing.models import DocumentFile, InvoiceEvidence, InvoiceTax
from billing.money import exact_sum
from billing.proofs.printed import PrintedLine, due_by, printed_differs
from billing.proofs.proof import Checks, Proved, rows
from billing.rating.late import RULE_LATE

if TYPE_CHECKING:
    from uuid import UUID

    from billing.models import Invoice

INVOICES_AT_ONCE = 100
PRINTED = 4
"""Columns at the end of `_LINES` that `billing.proofs.printed` looks at."""

_LINES = """
    SELECT line.invoice_id, line.term_ref, line.rule, line.model, line.unit, line.quantity, line.base_amount,
        line.exact_amount, line.amount, coalesce(rate.position, 0), coalesce(taxed.tax, 0),
        parts.first_day, parts.last_day, parts.priced, line.unit_price, line.from_at, line.to_at,
        line.position, line.description, line.unit_price_unit, line.quality
    FROM billing_invoiceline line
    LEFT JOIN billing_invoicelinetax taxed ON taxed.line_id = line.id
    LEFT JOIN billing_invoicetax rate ON rate.id = taxed.rate_id
    LEFT JOIN (
        SELECT subline.line_id, min(subline.day) AS first_day, max(subline.day) AS last_day,
            sum(subline.quantity * subline.unit_price) AS priced
        FROM billing_invoicesubline subline JOIN billing_invoiceline of_line ON of_line.id = subline.line_id
        WHERE of_line.invoice_id = ANY (%s) GROUP BY 1
    ) parts ON parts.line_id = line.id
    WHERE line.invoice_id = ANY (%s)
"""
RATE = ("category", "percent", "country", "source", "reason_code", "reason", "taxable", "tax")
"""What the evidence and a row say of a rate of tax, in the order that both are compared in."""


def _rows_are_sealed() -> Proved:
    """Every invoice, its lines and its rates of tax are, value by value, those of its evidence."""
    wrong: list[str] = []
    looked_at = 0
    sealed = InvoiceEvidence.objects.select_related("invoice__contract", "invoice__period").order_by("invoice_id")
    every = sealed.iterator(chunk_size=INVOICES_AT_ONCE)
    while some := list(islice(every, INVOICES_AT_ONCE)):
        looked_at += len(some)
        ids = [each.invoice_id for each in some]
        lines = _lines_of(ids)
        taxes = _taxes_of(ids)
        for each in some:
            wrong.extend(
                f"{each.invoice.number}: {what}"
                for what in _differences(each, lines[each.invoice_id], taxes[each.invoice_id])
            )
    return looked_at, wrong


def _lines_of(ids: Sequence[UUID]) -> Mapping[UUID, list[tuple[Any, ...]]]:
    found: dict[UUID, list[tuple[Any, ...]]] = defaultdict(list)
    for invoice_id, *line in rows(_LINES, list(ids), list(ids)):
        found[invoice_id].append(tuple(line))
    return found


def _taxes_of(ids: Sequence[UUID]) -> Mapping[UUID, list[tuple[Any, ...]]]:
    found: dict[UUID, list[tuple[Any, ...]]] = defaultdict(list)
    stored = InvoiceTax.objects.filter(invoice__in=ids).order_by("invoice_id", "position")
    for invoice_id, *rate in stored.values_list("invoice_id", *RATE):
        found[invoice_id].append(tuple(rate))
    return found


def _differences(
    evidence: InvoiceEvidence, lines: Sequence[tuple[Any, ...]], taxes: Sequence[tuple[Any, ...]]
) -> Iterator[str]:
    invoice = evidence.invoice
    stored = Counter(line[:-PRINTED] for line in lines)
    try:
        document = present(parsed(evidence.document))
        stated, rates = _stated_lines(document), _stated_rates(document)
        head = _head_differs(invoice, document)
        printed = printed_differs([PrintedLine(*line[:3], *line[-PRINTED:]) for line in lines], document)
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        yield f"its evidence cannot be read: {type(error).__name__} {error}"
        return
    yield from head
    for line, count in (stored - stated).items():
        yield f"{count} lines of {line[0]} {line[1]} {line[2]} {line[7]} are not in its evidence"
    for line, count in (stated - stored).items():
        yield f"{count} lines of {line[0]} {line[1]} {line[2]} {line[7]} are in its evidence alone"
    if list(taxes) != rates:
        yield f"rates of tax {taxes}, in its evidence {rates}"
    yield from printed


def _head_differs(invoice: Invoice, document: Mapping[str, Any]) -> list[str]:
    head, contract, period = document["invoice"], document["contract"], document["period"]
    pairs = {
        "subtotal": (invoice.subtotal, Decimal(head["subtotal"])),
        "tax": (invoice.tax, Decimal(head["tax"])),
        "issued_at": (invoice.issued_at, datetime.fromisoformat(head["issued_at"])),
        "due_at": (invoice.due_at, due_by(invoice.contract, document)),
        "contract": (invoice.contract.number, contract["number"]),
        "currency": (invoice.currency, contract["currency"]),
        "period from": (invoice.period.from_at, datetime.fromisoformat(period["from_at"])),
        "period to": (invoice.period.to_at, datetime.fromisoformat(period["to_at"])),
    }
    return [f"{name} {ours}, in its evidence {sealed}" for name, (ours, sealed) in pairs.items() if ours != sealed]


def _stated_lines(document: Mapping[str, Any]) -> Counter[tuple[Any, ...]]:
    lines = document["lines"]
    taxed = document["taxes"]["lines"] if document["taxes"] else [{"rate": -1, "tax": "0"}] * len(lines)
    found: Counter[tuple[Any, ...]] = Counter()
    for line, of_line in zip(lines, taxed, strict=True):
        amounts = (Decimal(line[name]) for name in ("quantity", "base_amount", "exact_amount", "amount"))
        words = (line[name] for name in ("term", "rule", "model", "unit"))
        taxes = (of_line["rate"] + 1, Decimal(of_line["tax"]))
        found[*words, *amounts, *taxes, *_parts_of(line, document)] += 1
    return found


def _parts_of(line: Mapping[str, Any], document: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return what a line's parts say: first and last day, quantities times prices, the one price, and the time."""
    parts = line["sublines"]
    zone = ZoneInfo(document["contract"]["time_zone"])
    from_at = min(datetime.fromisoformat(part["from_at"]) for part in parts)
    last_at = max(datetime.fromisoformat(part["from_at"]) for part in parts)
    to_at = max(datetime.fromisoformat(part["to_at"]) for part in parts)
    days = from_at.astimezone(zone).date(), last_at.astimezone(zone).date()
    if line["rule"] != RULE_LATE:
        from_at = max(from_at, datetime.fromisoformat(document["period"]["from_at"]))
        to_at = min(to_at, datetime.fromisoformat(document["period"]["to_at"]))
    priced = exact_sum(Decimal(part["quantity"]) * Decimal(part["unit_price"]) for part in parts)
    prices = {(Decimal(part["unit_price"]), part["unit_price_unit"]) for part in parts}
    return (*days, priced, prices.pop()[0] if len(prices) == 1 else None, from_at, to_at)


def _stated_rates(document: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    if document["taxes"] is None:
        return []
    exact = ("percent", "taxable", "tax")
    return [
        tuple(Decimal(rate[name]) if name in exact else rate[name] for name in RATE)
        for rate in document["taxes"]["rates"]
    ]


def _papers_are_unchanged() -> Proved:
    """A paper has the hash that it was made with."""
    wrong = rows("SELECT name FROM billing_documentfile WHERE encode(sha256(body), 'hex') <> sha256 ORDER BY 1")
    return DocumentFile.objects.count(), [f"{name}: the file does not have its hash" for (name,) in wrong]


CHECKS: Checks = {
    "invoices are what their evidence was sealed with": _rows_are_sealed,
    "papers are unchanged": _papers_are_unchanged,
}
"""Checks of rows against evidence by what they prove."""

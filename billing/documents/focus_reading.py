"""Reading issued invoices and credit notes as rows of FOCUS, an invoice at a time."""

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.db.models import Q

from billing.documents.focus import CREDIT, TAX, Bill, Charge, Row, charge_row, plain_row, rounding_row
from billing.models import CreditNote, Invoice, InvoiceLine, InvoiceState, InvoiceSubline, InvoiceTax
from billing.money import exact_sum, round_to_minor
from tenants.models import Organization

WHOLE = Decimal(100)
DAY = timedelta(days=1)
CHUNK_ROWS = 2_000


def focus_rows(organization: Organization, *, issued_from: datetime, issued_to: datetime) -> Iterator[Row]:
    """Yield the rows of what the organization owes or issued, of invoices and credit notes issued in `[from, to)`.

    Void invoices are left out. The rows of an invoice sum to its total, those of a credit note to its total below zero.
    """
    between = Q(issued_at__gte=issued_from, issued_at__lt=issued_to)
    invoices = (
        Invoice.objects.for_org(organization)
        .filter(between)
        .exclude(state__in=(InvoiceState.DRAFT, InvoiceState.VOID))
        .select_related("issuer", "tenant", "contract", "period")
        .order_by("issued_at", "pk")
    )
    for invoice in invoices.iterator(chunk_size=CHUNK_ROWS):
        yield from invoice_rows(invoice)
    notes = (
        CreditNote.objects.for_org(organization)
        .filter(between)
        .select_related("issuer", "tenant", "invoice__contract", "invoice__period")
        .order_by("issued_at", "pk")
    )
    for note in notes.iterator(chunk_size=CHUNK_ROWS):
        yield from _note_rows(note)


def invoice_rows(invoice: Invoice) -> Iterator[Row]:
    """Yield the rows of one invoice; a fixed number of queries."""
    bill, zone = _bill(invoice, invoice.number or ""), ZoneInfo(invoice.contract.time_zone)
    lines = {line.pk: line for line in InvoiceLine.objects.filter(invoice=invoice)}
    parts: dict[object, list[Charge]] = {}
    sublines = InvoiceSubline.objects.filter(line__in=lines).order_by("line__position", "position")
    for subline in sublines.select_related("price_version").iterator(chunk_size=CHUNK_ROWS):
        charge = _charge(lines[subline.line_id], subline, zone)
        parts.setdefault(subline.line_id, []).append(charge)
        yield charge_row(bill, charge)
    for line in sorted(lines.values(), key=lambda one: one.position):
        charges = parts.get(line.pk)
        if charges is None:  # a line without parts stands for itself
            charges = [_whole(line)]
            yield charge_row(bill, charges[0])
        difference = line.amount - exact_sum(charge.amount for charge in charges)
        if difference:
            yield rounding_row(bill, charges[0], difference)
    for tax in InvoiceTax.objects.filter(invoice=invoice).order_by("position"):
        if tax.tax:
            yield plain_row(bill, TAX, f"Tax {tax.percent.normalize():f} % ({tax.category})", tax.tax)


def _note_rows(note: CreditNote) -> Iterator[Row]:
    bill = _bill(note.invoice, note.number)
    words = f"Credit note {note.number} for invoice {note.invoice.number}: {note.note}"
    yield plain_row(bill, CREDIT, words, -note.subtotal, corrects=True)
    if note.tax:
        yield plain_row(bill, TAX, f"Tax of credit note {note.number}", -note.tax, corrects=True)


def _bill(invoice: Invoice, number: str) -> Bill:
    return Bill(
        account_id=str(invoice.tenant_id),
        account=invoice.tenant.name,
        issuer=invoice.issuer.name,
        contract=invoice.contract.number,
        number=number,
        currency=invoice.currency,
        from_at=invoice.period.from_at,
        to_at=invoice.period.to_at,
    )


def _charge(line: InvoiceLine, subline: InvoiceSubline, zone: ZoneInfo) -> Charge:
    start = datetime.combine(subline.day, time(), zone).astimezone(UTC)
    end = datetime.combine(subline.day + DAY, time(), zone).astimezone(UTC)
    from_at, to_at = max(start, line.from_at), min(end, line.to_at)
    if from_at >= to_at:  # an adjustment of an earlier day
        from_at, to_at = start, end
    return Charge(
        line=line.position,
        description=line.description,
        term_kind=line.term_kind,
        term_ref=line.term_ref,
        rule=line.rule,
        model=line.model,
        token_class=subline.token_class,
        price_version=str(subline.price_version_id or ""),
        from_at=from_at,
        to_at=to_at,
        quantity=subline.quantity,
        unit=line.unit,
        unit_price=subline.unit_price,
        price_unit=line.unit_price_unit,
        share_percent=WHOLE if line.share_percent is None else line.share_percent,
        base=subline.base_amount,
        amount=subline.exact_amount,
        corrects=line.adjusts_period_id is not None,
    )


def _whole(line: InvoiceLine) -> Charge:
    return Charge(
        line=line.position,
        description=line.description,
        term_kind=line.term_kind,
        term_ref=line.term_ref,
        rule=line.rule,
        model=line.model,
        token_class="",
        price_version="",
        from_at=line.from_at,
        to_at=max(line.to_at, line.from_at + timedelta(seconds=1)),
        quantity=line.quantity,
        unit=line.unit,
        unit_price=line.unit_price or Decimal(0),
        price_unit=line.unit_price_unit,
        share_percent=WHOLE if line.share_percent is None else line.share_percent,
        base=line.base_amount,
        amount=line.exact_amount,
        corrects=line.adjusts_period_id is not None,
    )


def sum_of(rows: Iterator[Row], currency: str) -> Decimal:
    """Return what rows come to, in the minor unit of their currency."""
    return round_to_minor(exact_sum(cost for row in rows if isinstance(cost := row["BilledCost"], Decimal)), currency)

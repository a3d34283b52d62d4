"""Reading an issued invoice as its document says it: frozen rows only, so that it reads the same ever after."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db.models import Count, Max, Min, Sum

from billing.documents.inputs import DocumentInput, DocumentKind, Language, Line, Part, Payment, Tax, Totals
from billing.documents.parties import Parties, parties_of
from billing.documents.rule_words import line_name
from billing.documents.words import class_words, heading_words
from billing.models import Collection, Invoice, InvoiceEvidence, InvoiceLine, InvoiceLineTax, InvoiceSubline, InvoiceTax
from billing.money import round_to_minor
from billing.payment_references import payment_reference, printed_reference
from portal.figures import number

CLASSES_ORDER = ("input", "cached_input", "cache_write", "output", "reasoning")


def read_invoice(invoice_id: UUID, *, public_url: str) -> DocumentInput:
    """Return what an issued invoice says; a fixed number of queries. Raises Invoice.DoesNotExist.

    `public_url` is where the portal is: the paper names the page on which every line can be opened.
    """
    invoice = Invoice.objects.select_related("issuer", "tenant", "contract", "period").get(pk=invoice_id)
    parties = parties_of(invoice)
    lines = list(InvoiceLine.objects.select_related("taxed__rate").filter(invoice=invoice).order_by("position"))
    parts = _parts(lines, parties.language)
    return DocumentInput(
        kind=DocumentKind.INVOICE,
        language=parties.language,
        number=invoice.number or "",
        issued_at=_known(invoice.issued_at),
        due_at=invoice.due_at,
        from_at=invoice.period.from_at,
        to_at=invoice.period.to_at,
        time_zone=invoice.contract.time_zone,
        currency=invoice.currency,
        contract=invoice.contract.number,
        seller=parties.seller,
        buyer=parties.buyer,
        lines=tuple(_line(line, parts.get(line.pk, ()), parties.language, invoice.currency) for line in lines),
        taxes=_taxes(invoice),
        totals=_totals(invoice),
        payment=_payment(invoice, parties, public_url),
        notes=parties.notes,
        evidence_sha256=_sealed(invoice),
    )


def _known(at: datetime | None) -> datetime:
    assert at is not None, "only an issued invoice has a document"
    return at


def _totals(invoice: Invoice) -> Totals:
    subtotal, tax, total = (
        round_to_minor(amount, invoice.currency) for amount in (invoice.subtotal, invoice.tax, invoice.total)
    )
    return Totals(subtotal=subtotal, tax=tax, total=total, due=total)


def _taxes(invoice: Invoice) -> tuple[Tax, ...]:
    return tuple(
        Tax(
            category=rate.category,
            percent=rate.percent,
            base=round_to_minor(rate.taxable, invoice.currency),
            amount=round_to_minor(rate.tax, invoice.currency),
            reason=rate.reason,
            reason_code=rate.reason_code,
        )
        for rate in InvoiceTax.objects.filter(invoice=invoice).order_by("position")
    )


def _payment(invoice: Invoice, parties: Parties, public_url: str) -> Payment:
    return Payment(
        account=parties.account,
        reference=printed_reference(payment_reference(invoice.number)) if invoice.number else "",
        terms=parties.terms,
        url=f"{public_url.rstrip('/')}/t/invoices/{invoice.number}/",
        by_card=invoice.contract.collection == Collection.CHARGE_AUTOMATICALLY,
    )


def _sealed(invoice: Invoice) -> str:
    sha256: str | None = InvoiceEvidence.objects.filter(invoice=invoice).values_list("sha256", flat=True).first()
    return sha256 or ""


def _line(line: InvoiceLine, parts: tuple[Part, ...], language: Language, currency: str) -> Line:
    taxed: InvoiceLineTax | None = getattr(line, "taxed", None)
    return Line(
        position=line.position,
        heading=heading_words(line.group, language),
        name=line_name(line.description, rule=line.rule, share_percent=line.share_percent, language=language),
        rule=line.rule,
        quantity=line.quantity,
        unit=line.unit,
        unit_price=line.unit_price,
        price_unit=line.unit_price_unit,
        share_percent=line.share_percent,
        amount=round_to_minor(line.amount, currency),
        from_at=line.from_at,
        to_at=line.to_at,
        parts=parts,
        tax_category=taxed.rate.category if taxed else "",
        tax_percent=taxed.rate.percent if taxed else None,
    )


def _parts(lines: Iterable[InvoiceLine], language: Language) -> Mapping[UUID, tuple[Part, ...]]:
    """The classes and tiers of each line, summed in the database: a line of a month by day is not read row by row."""
    by_id = {line.pk: line for line in lines}
    rows = (
        InvoiceSubline.objects.filter(line__in=by_id)
        .exclude(token_class="")
        .values("line_id", "token_class", "context_over")
        .order_by("line_id", "token_class", "context_over")
        .annotate(
            counted=Sum("quantity"),
            owed=Sum("exact_amount"),
            lowest=Min("unit_price"),
            highest=Max("unit_price"),
            rows=Count("pk"),
        )
    )
    found: dict[UUID, list[tuple[tuple[int, int], Part]]] = defaultdict(list)
    for row in rows:
        found[row["line_id"]].append((_place(row), _part(row, by_id[row["line_id"]], language)))
    return {pk: tuple(part for _place_of, part in sorted(parts, key=lambda one: one[0])) for pk, parts in found.items()}


def _place(row: Mapping[str, object]) -> tuple[int, int]:
    token_class = str(row["token_class"])
    known = CLASSES_ORDER.index(token_class) if token_class in CLASSES_ORDER else len(CLASSES_ORDER)
    return int(str(row["context_over"])), known


def _part(row: Mapping[str, object], line: InvoiceLine, language: Language) -> Part:
    context_over = int(str(row["context_over"]))
    price = row["lowest"] if row["lowest"] == row["highest"] else None
    assert price is None or isinstance(price, Decimal)
    return Part(
        name=class_words(language, str(row["token_class"]), number(context_over) if context_over else ""),
        quantity=Decimal(str(row["counted"])),
        unit=line.unit,
        unit_price=price,
        price_unit=line.unit_price_unit,
        amount=Decimal(str(row["owed"])),
    )

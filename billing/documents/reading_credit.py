"""Reading a credit note as its document says it: frozen rows only."""

from collections import defaultdict
from decimal import Decimal
from uuid import UUID

from billing.documents.inputs import DocumentInput, DocumentKind, Language, Line, Tax, Totals
from billing.documents.parties import parties_of
from billing.documents.rule_words import line_name
from billing.documents.words import CREDIT_REASONS, heading_words
from billing.models import CreditNote, CreditNoteLine, InvoiceLineTax, InvoiceTax
from billing.money import round_to_minor
from billing.rating.rated import PriceUnit, Unit
from portal.figures import locale_for, mark


def read_credit_note(credit_note_id: UUID, *, public_url: str) -> DocumentInput:  # noqa: ARG001  every reader takes it
    """Return what a credit note says; a fixed number of queries. Raises CreditNote.DoesNotExist."""
    note = CreditNote.objects.select_related(
        "invoice__issuer", "invoice__tenant", "invoice__contract", "invoice__period"
    ).get(pk=credit_note_id)
    invoice, currency = note.invoice, note.currency
    parties = parties_of(invoice)
    rows = list(
        CreditNoteLine.objects.select_related("line__taxed__rate").filter(credit_note=note).order_by("position")
    )
    total = round_to_minor(note.total, currency)
    return DocumentInput(
        kind=DocumentKind.CREDIT_NOTE,
        language=parties.language,
        number=note.number,
        issued_at=note.issued_at,
        due_at=None,
        from_at=invoice.period.from_at,
        to_at=invoice.period.to_at,
        time_zone=invoice.contract.time_zone,
        currency=currency,
        contract=invoice.contract.number,
        seller=parties.seller,
        buyer=parties.buyer,
        lines=tuple(_line(row, note, parties.language) for row in rows),
        taxes=_taxes(rows, currency),
        totals=Totals(
            subtotal=round_to_minor(note.subtotal, currency),
            tax=round_to_minor(note.tax, currency),
            total=total,
            due=total,
        ),
        notes=(_why(note, parties.language),),
        about=invoice.number or "",
        about_at=invoice.issued_at,
    )


def _why(note: CreditNote, language: Language) -> str:
    reason = CREDIT_REASONS[language].get(note.reason, note.reason)
    return f"{reason}{mark('colon', locale_for(language))}{note.note}"


def _line(row: CreditNoteLine, note: CreditNote, language: Language) -> Line:
    """A line by quantity has its price; one by an amount is that amount."""
    line = row.line
    counted = row.quantity is not None and line.unit_price is not None and line.share_percent is None
    taxed: InvoiceLineTax | None = getattr(line, "taxed", None)
    return Line(
        position=row.position,
        heading=heading_words(line.group, language),
        name=line_name(line.description, rule=line.rule, share_percent=line.share_percent, language=language),
        rule=line.rule,
        quantity=row.quantity if counted and row.quantity is not None else Decimal(1 if row.amount > 0 else -1),
        unit=line.unit if counted else Unit.AMOUNT,
        unit_price=line.unit_price if counted else abs(row.amount),
        price_unit=line.unit_price_unit if counted else PriceUnit.AMOUNT,
        amount=round_to_minor(row.amount, note.currency),
        from_at=line.from_at,
        to_at=line.to_at,
        tax_category=taxed.rate.category if taxed else "",
        tax_percent=taxed.rate.percent if taxed else None,
    )


def _taxes(rows: list[CreditNoteLine], currency: str) -> tuple[Tax, ...]:
    """What goes back of each rate of the invoice."""
    sums: dict[UUID, list[Decimal]] = defaultdict(lambda: [Decimal(0), Decimal(0)])
    rates: dict[UUID, InvoiceTax] = {}
    for row in rows:
        taxed: InvoiceLineTax | None = getattr(row.line, "taxed", None)
        if taxed is None:
            return ()
        rates[taxed.rate_id] = taxed.rate
        sums[taxed.rate_id][0] += row.amount
        sums[taxed.rate_id][1] += row.tax
    return tuple(
        Tax(
            category=rate.category,
            percent=rate.percent,
            base=round_to_minor(sums[pk][0], currency),
            amount=round_to_minor(sums[pk][1], currency),
            reason=rate.reason,
            reason_code=rate.reason_code,
        )
        for pk, rate in sorted(rates.items(), key=lambda one: one[1].position)
    )

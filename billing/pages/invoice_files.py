"""What was corrected of an invoice and which electronic invoices there are of it, as its page names them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from django.urls import reverse
from django.utils.translation import gettext as _

from billing.documents.found import find_documents
from billing.models import CreditNote, Debit, Dispute, DocumentFormat, DocumentState, Invoice, InvoiceState
from billing.pages.correction_words import dispute_pill
from billing.pages.invoice_words import day_words
from portal.figures import money

if TYPE_CHECKING:
    from billing.queries.invoice_beside import Beside
    from tenants.models import Organization

SHOWN_MAX: Final = 20
"""Of each kind; their own lists have all."""
SYNTAXES: Final = {"ubl": DocumentFormat.UBL, "cii": DocumentFormat.CII}


def invoice_papers(organization: Organization, invoice: Invoice, side: str) -> dict[str, object]:
    """Return where the PDF of an invoice is that an organization may see, and its electronic invoices (EN 16931).

    Lacking is one that could not be made, because the standard demands what is not known of a party.
    """
    found = find_documents(organization, invoice.pk)
    if found is None:
        return {"pdf_url": "", "einvoices": [], "lacks_einvoice": False}
    pdf, xml = (reverse(f"{side}-invoice-{kind}", args=[invoice.number]) for kind in ("pdf", "xml"))
    return {
        "pdf_url": pdf if found.has(DocumentFormat.PDF) else "",
        "einvoices": [(key.upper(), f"{xml}?syntax={key}") for key, wanted in SYNTAXES.items() if found.has(wanted)],
        "lacks_einvoice": found.state == DocumentState.DONE and bool(found.einvoice_lacks),
    }


def correction_rows(invoice: Invoice, there_is: Beside, locale: str, side: str) -> list[dict[str, str]]:
    """Return what was given back of an invoice, put on a later one and asked about it, and what stands in its place."""
    zone, currency = invoice.contract.time_zone, invoice.currency
    notes = CreditNote.objects.filter(invoice=invoice) if there_is.credit_notes else CreditNote.objects.none()
    debits = Debit.objects.filter(invoice=invoice, taken_back=None) if there_is.debits else Debit.objects.none()
    questions = Dispute.objects.filter(invoice=invoice) if there_is.disputes else Dispute.objects.none()
    return [
        *_reissues(invoice, side),
        *(
            {
                "name": note.number,
                "url": reverse(f"{side}-credit-note", args=[note.number]),
                "what": money(-note.total, currency, locale=locale),
                "detail": " · ".join([day_words(note.issued_at, zone, locale), *_kept_words(note, locale)]),
            }
            for note in notes.order_by("issued_at", "pk")[:SHOWN_MAX]
        ),
        *(
            {
                "name": _("On a later invoice"),
                "url": "",
                "what": money(debit.amount, currency, locale=locale),
                "detail": f"{day_words(debit.at, zone, locale)} · {_why(debit)}",
            }
            for debit in debits.select_related("step").order_by("at", "pk")[:SHOWN_MAX]
        ),
        *(
            {
                "name": _("Question"),
                "url": reverse(f"{side}-dispute", args=[question.pk]),
                "what": dispute_pill(question.state).text,
                "detail": day_words(question.opened_at, zone, locale),
            }
            for question in questions.order_by("opened_at", "pk")[:SHOWN_MAX]
        ),
    ]


def _why(debit: Debit) -> str:
    """Return why an amount stands on a later invoice: of a late fee in the reader's language, else a person's words."""
    if debit.step is None:
        return debit.reason
    return _("Not paid %(days)s days after it was due") % {"days": debit.step.after_days}


def _reissues(invoice: Invoice, side: str) -> list[dict[str, str]]:
    """The void invoice that this one takes the place of, and the one that takes its own."""
    is_void = invoice.state == InvoiceState.VOID
    before, after = invoice.reissues, Invoice.objects.filter(reissues=invoice).first() if is_void else None
    found = ((_("Issued in place of"), before), (_("Issued again as"), after))
    return [
        {"name": each.number or "", "url": reverse(f"{side}-invoice", args=[each.number]), "what": words, "detail": ""}
        for words, each in found
        if each is not None
    ]


def _kept_words(note: CreditNote, locale: str) -> list[str]:
    kept = note.total - note.applied
    if not kept:
        return []
    return [_("%(amount)s of it kept on the balance") % {"amount": money(kept, note.currency, locale=locale)}]

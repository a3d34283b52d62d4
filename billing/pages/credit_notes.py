"""Credit notes on both sides: the list with what is on balances, one of them, and correcting an invoice."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from billing.corrections.amounts import Wanted
from billing.corrections.credit_notes import issue_credit_note
from billing.corrections.debit_api import OPEN, state_of
from billing.corrections.debits import BILLABLE, add_debit, take_back_debit
from billing.corrections.reading import (
    balances_of,
    credit_notes_of,
    find_credit_note,
    issued_invoice,
    stands_at,
)
from billing.corrections.reissuing import reissuable, reissue_invoice
from billing.corrections.voiding import void_invoice, voidable
from billing.corrections.weighing import Scope, creditable_lines, creditable_total, weigh
from billing.documents.found import has_pdf
from billing.dues import dues_of
from billing.models import CreditReason, Debit, Invoice, InvoiceState
from billing.pages.correction_words import REASONS, may_correct, read_decimal, refusal_words, weighed_words
from billing.pages.paper_words import line_said
from billing.pages.quantity_words import WORDS, most_words, quantity_words, stored_quantity
from billing.write_offs import write_off
from portal.figures import moment, money
from portal.locales import active_locale
from portal.parts import Empty
from portal.shell import Crumb
from tenants.ids import new_id
from tenants.problems import Problem
from tenants.roles import CORRECT_INVOICES, READ_INVOICES
from tenants.scoping import provider_page, tenant_page

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django.http import HttpRequest

    from billing.corrections.weighing import Weighed
    from billing.models import CreditNote, CreditNoteLine
    from tenants.models import Organization


@require_safe
@tenant_page(READ_INVOICES)
def tenant_credit_notes(request: HttpRequest, organization: Organization) -> HttpResponse:
    """List what a tenant was credited, and what its providers have of it."""
    return _list(request, organization, "tenant")


@require_safe
@provider_page(READ_INVOICES)
def provider_credit_notes(request: HttpRequest, organization: Organization) -> HttpResponse:
    """List what a provider credited; a number asked for leads to where that invoice is corrected."""
    asked = request.GET.get("invoice", "").strip()
    if asked:
        if may_correct(request) and issued_invoice(organization, number=asked) is not None:
            return redirect("provider-invoice-correct", number=asked)
        messages.error(request, _("You issued no invoice %(number)s.") % {"number": asked[:32]})
    return _list(request, organization, "provider")


@require_safe
@tenant_page(READ_INVOICES)
def tenant_credit_note(request: HttpRequest, organization: Organization, *, number: str) -> HttpResponse:
    """Show one credit note that a tenant got."""
    return _one(request, organization, "tenant", number)


@require_safe
@provider_page(READ_INVOICES)
def provider_credit_note(request: HttpRequest, organization: Organization, *, number: str) -> HttpResponse:
    """Show one credit note that a provider issued."""
    return _one(request, organization, "provider", number)


@require_http_methods(["GET", "HEAD", "POST"])
@provider_page(CORRECT_INVOICES)
def provider_invoice_correct(request: HttpRequest, organization: Organization, *, number: str) -> HttpResponse:
    """Credit an invoice or write it off; what is left of every line stands beside what is given back."""
    invoice = issued_invoice(organization, number=number)
    if invoice is None:
        raise Http404
    problem, weighed = "", None
    if request.method == "POST":
        try:
            if "preview" not in request.POST:
                return _done(request, invoice, _corrected(request, invoice))
            weighed = weigh(invoice, _scope(request, invoice))
        except Problem as refused:
            problem = refusal_words(refused, invoice.currency)
        except ValueError as refused:
            problem = _("“%(found)s” is no number.") % {"found": str(refused)[:40]}
    return render(
        request,
        "billing/invoice_correct.html",
        _correcting(request, invoice, problem, weighed),
        status=422 if problem else 200,
    )


def _done(request: HttpRequest, invoice: Invoice, made: CreditNote | Invoice | None) -> HttpResponse:
    """Say what was done, and lead to what was made."""
    if made is not None:
        messages.success(request, _("%(number)s is issued.") % {"number": made.number})
        if isinstance(made, Invoice):
            return redirect("provider-invoice-correct", number=made.number)
        return redirect("provider-credit-note", number=made.number)
    words = {
        "void": _("%(number)s is void."),
        "debit": _("It stands on the draft of the contract of %(number)s."),
        "take_back": _("It is taken back, and comes on no invoice of the contract of %(number)s."),
    }.get(request.POST["action"], _("%(number)s is written off."))
    messages.success(request, words % {"number": invoice.number})
    return redirect("provider-invoice-correct", number=invoice.number)


def _corrected(request: HttpRequest, invoice: Invoice) -> CreditNote | Invoice | None:
    now, given = datetime.now(UTC), request.POST
    if given.get("action") == "write_off":
        write_off(invoice_id=invoice.pk, reason=given.get("reason", ""), by=str(request.user), now=now)
        return None
    if given.get("action") == "void":
        void_invoice(invoice_id=invoice.pk, reason=given.get("reason", ""), by=str(request.user), now=now)
        return None
    if given.get("action") == "debit":
        add_debit(
            invoice_id=invoice.pk,
            amount=read_decimal(given.get("debit", "")) or Decimal(0),
            reason=given.get("reason", ""),
            by=str(request.user),
            now=now,
        )
        return None
    if given.get("action") == "take_back":
        debit = get_object_or_404(Debit, pk=_uuid(given.get("debit", "")), invoice=invoice)
        take_back_debit(debit_id=debit.pk, reason=given.get("reason", ""), by=str(request.user), now=now)
        return None
    if given.get("action") == "reissue":
        return reissue_invoice(
            invoice_id=invoice.pk, by=str(request.user), now=now, stripe_ready=bool(settings.STRIPE_SECRET_KEY)
        )
    reason = given.get("why", "")
    return issue_credit_note(
        invoice_id=invoice.pk,
        scope=_scope(request, invoice),
        reason=CreditReason(reason) if reason in CreditReason else CreditReason.BILLING_ERROR,
        note=given.get("note", ""),
        by=str(request.user),
        now=now,
        credit_note_id=_uuid(given.get("id", "")),
    )


def _scope(request: HttpRequest, invoice: Invoice) -> Scope:
    """What the form names: everything, an amount over all lines, or lines by quantity or amount."""
    given = request.POST
    if given.get("all"):
        return Scope()
    amount = read_decimal(given.get("amount", ""))
    wanted = []
    for line in creditable_lines(invoice):
        quantity = read_decimal(given.get(f"quantity-{line.position}", ""))
        part = read_decimal(given.get(f"amount-{line.position}", ""))
        if quantity is not None or part is not None:
            quantity = quantity if quantity is None else stored_quantity(quantity, line.unit)
            wanted.append(Wanted(line.position, quantity, part))
    # Nothing named is refused, and does not mean everything.
    return Scope(wanted, amount) if wanted or amount is not None else Scope([Wanted(0)])


def _correcting(request: HttpRequest, invoice: Invoice, problem: str, weighed: Weighed | None = None) -> dict[str, Any]:
    locale, dues, currency = active_locale(), dues_of(invoice), invoice.currency
    described = {line.position: line_said(line) for line in invoice.lines.all()}
    title = _("Correct %(number)s") % {"number": invoice.number}
    return {
        "title": title,
        "crumbs": (Crumb(_("Credit notes"), reverse("provider-credit-notes")), Crumb(title)),
        "sub": f"{invoice.tenant.name} · {invoice.contract.number}",
        "problem": problem,
        "weighed": weighed_words(invoice, weighed) if weighed is not None else None,
        "given": request.POST,
        "id": request.POST.get("id") or str(new_id()),
        "reasons": [(str(key), words, request.POST.get("why") == key) for key, words in REASONS.items()],
        "currency": currency,
        "facts": [
            *_before_words(invoice, locale),
            (_("Total"), money(invoice.total, currency, locale=locale)),
            (_("Received"), money(dues.paid, currency, locale=locale)),
            (_("Credited"), money(dues.credited, currency, locale=locale)),
            (_("Written off"), money(dues.written_off, currency, locale=locale)),
            (_("Left to pay"), money(dues.left, currency, locale=locale)),
        ],
        "can_credit": invoice.state != InvoiceState.VOID,
        "can_write_off": dues.left > 0,
        "can_debit": invoice.state in BILLABLE,
        "debits": [
            {
                "id": one.pk,
                "is_open": state_of(one) == OPEN,
                "amount": money(one.amount, currency, locale=locale),
                "reason": one.reason,
                "at": moment(one.at, UTC, locale=locale),
                "state": _debit_words(state_of(one)),
            }
            for one in Debit.objects.filter(invoice=invoice).select_related("term").order_by("at", "pk")
        ],
        "can_void": voidable(invoice),
        "can_reissue": reissuable(invoice),
        "links": _links(invoice),
        "lines": [
            {
                "position": line.position,
                "description": described[line.position],
                "amount": money(line.amount, currency, locale=locale),
                "left": money(line.left, currency, locale=locale),
                "quantity_left": most_words(line.quantity - line.credited_quantity, line.unit),
                "unit": WORDS.get(line.unit, ""),
                "open": bool(line.left),
                "given_quantity": request.POST.get(f"quantity-{line.position}", ""),
                "given_amount": request.POST.get(f"amount-{line.position}", ""),
            }
            for line in creditable_lines(invoice)
        ],
    }


def _before_words(invoice: Invoice, locale: str) -> list[tuple[str, str]]:
    """What all credit notes can come to, where a deposit or bought credit paid for part of an invoice."""
    whole = creditable_total(invoice)
    if whole == invoice.total:
        return []
    return [(_("Total before deposits and bought credit"), money(whole, invoice.currency, locale=locale))]


def _debit_words(state: str) -> str:
    return {"open": _("on the draft"), "billed": _("billed"), "taken_back": _("taken back")}[state]


def _links(invoice: Invoice) -> list[tuple[str, str, str]]:
    """The invoices that this one takes the place of, and that takes its place."""
    before, after = invoice.reissues, Invoice.objects.filter(reissues=invoice).first()
    found = ((_("Issued in place of"), before), (_("Issued again as"), after))
    return [
        (words, each.number or "", reverse("provider-invoice-correct", args=[each.number]))
        for words, each in found
        if each is not None
    ]


def _list(request: HttpRequest, organization: Organization, side: str) -> HttpResponse:
    locale = active_locale()
    rows = [note for note in credit_notes_of(organization) if _is_on(note, organization, side)]
    context = {
        "side": side,
        "rows": [_row(note, side, locale) for note in rows],
        "balances": _balances(organization, side, locale),
        "corrects": side == "provider" and may_correct(request),
        "empty": Empty(
            _("No credit notes"),
            _("A credit note gives back something of an invoice that was issued."),
            icon="doc",
        ),
    }
    return render(request, "billing/credit_notes.html", context)


def _balances(organization: Organization, side: str, locale: str) -> list[dict[str, str]]:
    found = []
    for account in balances_of(organization):
        other = account.issuer if side == "tenant" else account.tenant
        if stands_at(account) and other.pk != organization.pk:
            found.append({"party": other.name, "amount": money(stands_at(account), account.currency, locale=locale)})
    return found


def _row(note: CreditNote, side: str, locale: str) -> dict[str, Any]:
    return {
        "number": note.number,
        "url": reverse(f"{side}-credit-note", args=[note.number]),
        "invoice": note.invoice.number,
        "invoice_url": reverse(f"{side}-invoice", args=[note.invoice.number]),
        "party": note.issuer.name if side == "tenant" else note.tenant.name,
        "reason": REASONS[note.reason],
        "at": moment(note.issued_at, UTC, locale=locale),
        "total": money(note.total, note.currency, locale=locale),
    }


def _one(request: HttpRequest, organization: Organization, side: str, number: str) -> HttpResponse:
    which = {"tenant": organization} if side == "tenant" else {"issuer": organization}
    note = find_credit_note(organization, number=number, **which)
    if note is None:
        raise Http404
    locale, currency = active_locale(), note.currency
    context = {
        **_row(note, side, locale),
        "crumbs": (Crumb(_("Credit notes"), reverse(f"{side}-credit-notes")), Crumb(note.number)),
        "pdf_url": reverse(f"{side}-credit-note-pdf", args=[note.number]) if has_pdf(note.pk) else "",
        "note": note.note,
        "lines": _lines(note, locale),
        "subtotal": money(note.subtotal, currency, locale=locale),
        "tax": money(note.tax, currency, locale=locale),
        "applied": money(note.applied, currency, locale=locale),
        "to_balance": money(note.total - note.applied, currency, locale=locale),
    }
    return render(request, "billing/credit_note.html", context)


def _lines(note: CreditNote, locale: str) -> Sequence[dict[str, str]]:
    return [
        {
            "description": line_said(each.line),
            "quantity": _quantity_words(each),
            "amount": money(each.amount, note.currency, locale=locale),
            "tax": money(each.tax, note.currency, locale=locale),
        }
        for each in note.lines.all()
    ]


def _quantity_words(line: CreditNoteLine) -> str:
    return quantity_words(line.quantity, line.line.unit) if line.quantity else ""


def _is_on(note: CreditNote, organization: Organization, side: str) -> bool:
    return organization.pk == (note.tenant_id if side == "tenant" else note.issuer_id)


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None

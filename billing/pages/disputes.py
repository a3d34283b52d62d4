"""Questions about what was billed: asked on the invoice, answered by both sides, decided by the provider."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from billing.corrections.amounts import Wanted
from billing.corrections.disputes import (
    answer_dispute,
    grant_dispute,
    open_dispute,
    uphold_invoice,
    withdraw_dispute,
)
from billing.corrections.reading import ROWS_MAX, dispute_actions, disputes_of, owed_invoice
from billing.corrections.weighing import Scope, weigh
from billing.models import DisputeSide, DisputeState
from billing.pages.correction_words import (
    dispute_pill,
    may_correct,
    read_decimal,
    refusal_words,
    weighed_words,
)
from billing.pages.paper_words import line_said
from portal.figures import moment, money
from portal.locales import active_locale
from portal.parts import Empty
from portal.shell import Crumb
from tenants.problems import Problem
from tenants.roles import CORRECT_INVOICES, READ_INVOICES, NotAllowed
from tenants.scoping import provider_page, tenant_page

if TYPE_CHECKING:
    from uuid import UUID

    from django.http import HttpRequest

    from billing.models import Dispute
    from tenants.models import Organization


@require_safe
@tenant_page(READ_INVOICES)
def tenant_disputes(request: HttpRequest, organization: Organization) -> HttpResponse:
    """List what a tenant asked."""
    return _list(request, organization, "tenant")


@require_safe
@provider_page(READ_INVOICES)
def provider_disputes(request: HttpRequest, organization: Organization) -> HttpResponse:
    """List what a provider was asked."""
    return _list(request, organization, "provider")


@require_http_methods(["GET", "HEAD", "POST"])
@tenant_page(READ_INVOICES)
def tenant_dispute(request: HttpRequest, organization: Organization, *, dispute_id: UUID) -> HttpResponse:
    """Show a question to who asked it; a POST answers or withdraws."""
    return _one(request, organization, "tenant", dispute_id)


@require_http_methods(["GET", "HEAD", "POST"])
@provider_page(READ_INVOICES)
def provider_dispute(request: HttpRequest, organization: Organization, *, dispute_id: UUID) -> HttpResponse:
    """Show a question to who was asked; a POST answers, grants or lets the invoice stand."""
    return _one(request, organization, "provider", dispute_id)


@require_http_methods(["GET", "HEAD", "POST"])
@tenant_page(CORRECT_INVOICES)
def tenant_invoice_question(request: HttpRequest, organization: Organization, *, number: str) -> HttpResponse:
    """Ask about an invoice or a line of it; the line may come with the address."""
    invoice = owed_invoice(organization, number=number)
    if invoice is None:
        raise Http404
    given = request.POST if request.method == "POST" else request.GET
    line, problem = given.get("line", ""), ""
    if request.method == "POST":
        try:
            made = open_dispute(
                invoice=invoice,
                position=int(line) if line.isascii() and line.isdigit() and len(line) < 9 else None,
                text=given.get("text", ""),
                by=str(request.user),
                now=datetime.now(UTC),
            )
        except Problem as refused:
            problem = refusal_words(refused)
        else:
            messages.success(request, _("The provider was asked. You find its answer here."))
            return redirect("tenant-dispute", dispute_id=made.pk)
    title = _("Question %(number)s") % {"number": invoice.number}
    context = {
        "title": title,
        "crumbs": (Crumb(str(invoice.number), reverse("tenant-invoice", args=[number])), Crumb(title)),
        "sub": invoice.issuer.name,
        "problem": problem,
        "line": line,
        "text": given.get("text", ""),
        "lines": [
            (str(each.position), line_said(each), money(each.amount, invoice.currency, locale=active_locale()))
            for each in invoice.lines.order_by("position")
        ],
    }
    return render(request, "billing/invoice_question.html", context, status=422 if problem else 200)


def _list(request: HttpRequest, organization: Organization, side: str) -> HttpResponse:
    locale = active_locale()
    own = {"tenant": organization} if side == "tenant" else {"issuer": organization}
    context = {
        "rows": [_row(each, side, locale) for each in disputes_of(organization).filter(**own)[:ROWS_MAX]],
        "side": side,
        "empty": Empty(
            _("No questions"),
            _("A tenant questions a line on the invoice's page. While a question is open, no reminder is sent for it.")
            if side == "provider"
            else _("Open an invoice and question a line that you do not understand."),
            icon="doc",
        ),
    }
    return render(request, "billing/disputes.html", context)


def _row(dispute: Dispute, side: str, locale: str) -> dict[str, Any]:
    return {
        "url": reverse(f"{side}-dispute", args=[dispute.pk]),
        "invoice": dispute.invoice.number,
        "line": line_said(dispute.line) if dispute.line else _("The whole invoice"),
        "party": dispute.issuer.name if side == "tenant" else dispute.tenant.name,
        "pill": dispute_pill(dispute.state),
        "at": moment(dispute.opened_at, UTC, locale=locale),
    }


def _one(request: HttpRequest, organization: Organization, side: str, dispute_id: UUID) -> HttpResponse:
    own = {"tenant": organization} if side == "tenant" else {"issuer": organization}
    dispute = disputes_of(organization).filter(pk=dispute_id, **own).first()
    if dispute is None:
        raise Http404
    problem = ""
    if request.method == "POST":
        if not may_correct(request):
            raise NotAllowed(CORRECT_INVOICES)
        try:
            if "preview" in request.POST and side == "provider":
                weighed = weighed_words(dispute.invoice, weigh(dispute.invoice, _scope_of(request, dispute)))
                context = _shown(request, organization, side, dispute, "")
                return render(request, "billing/dispute.html", {**context, "weighed": weighed})
            messages.success(request, _acted(request, organization, dispute))
        except Problem as refused:
            problem = refusal_words(refused, dispute.invoice.currency)
        except ValueError as refused:
            found = str(refused)[:40]
            none = _("Give an amount, or say that it is everything that is left.")
            problem = _("“%(found)s” is no number.") % {"found": found} if found else none
        else:
            return redirect(f"{side}-dispute", dispute_id=dispute_id)
    context = _shown(request, organization, side, dispute, problem)
    return render(request, "billing/dispute.html", context, status=422 if problem else 200)


def _acted(request: HttpRequest, organization: Organization, dispute: Dispute) -> str:
    """Do what the button said; return the words for it."""
    given, now, by = request.POST, datetime.now(UTC), str(request.user)
    text, action = given.get("text", ""), given.get("action", "")
    if action == "grant":
        grant_dispute(
            dispute_id=dispute.pk,
            organization=organization,
            scope=_scope_of(request, dispute),
            text=text,
            by=by,
            now=now,
        )
        return _("The question is granted, and a credit note is issued.")
    if action == "uphold":
        uphold_invoice(dispute_id=dispute.pk, organization=organization, text=text, by=by, now=now)
        return _("The invoice stands, and the question is closed.")
    if action == "withdraw":
        withdraw_dispute(dispute_id=dispute.pk, organization=organization, by=by, now=now)
        return _("The question is withdrawn.")
    answer_dispute(dispute_id=dispute.pk, organization=organization, text=text, by=by, now=now)
    return _("Your answer is sent.")


def _scope_of(request: HttpRequest, dispute: Dispute) -> Scope:
    return _granted(dispute, request.POST.get("amount", ""), everything=bool(request.POST.get("all")))


def _granted(dispute: Dispute, text: str, *, everything: bool) -> Scope:
    """What is credited: an amount of the line or of the invoice, or all that is left. Without either ValueError."""
    amount = None if everything else read_decimal(text)
    if amount is None and not everything:
        raise ValueError
    if dispute.line is not None:
        return Scope([Wanted(dispute.line.position, None, amount)])
    return Scope((), amount)


def _shown(
    request: HttpRequest, organization: Organization, side: str, dispute: Dispute, problem: str
) -> dict[str, Any]:
    locale, invoice = active_locale(), dispute.invoice
    sides = {DisputeSide.TENANT: dispute.tenant.name, DisputeSide.PROVIDER: dispute.issuer.name}
    note = dispute.credit_note
    return {
        **_row(dispute, side, locale),
        "title": _("Question about %(number)s") % {"number": invoice.number},
        "crumbs": (
            Crumb(_("Questions"), reverse(f"{side}-disputes")),
            Crumb(_("Question about %(number)s") % {"number": invoice.number}),
        ),
        "problem": problem,
        "given": request.POST,
        "invoice_url": reverse(f"{side}-invoice", args=[invoice.number]),
        "line_amount": money(dispute.line.amount if dispute.line else invoice.total, invoice.currency, locale=locale),
        "currency": invoice.currency,
        "pauses": dispute.pauses_dunning and dispute.state == DisputeState.OPEN,
        "actions": dispute_actions(dispute, organization) if may_correct(request) else [],
        "side": side,
        "credit_note": note
        and {
            "number": note.number,
            "url": reverse(f"{side}-credit-note", args=[note.number]),
            "total": money(note.total, note.currency, locale=locale),
        },
        "messages_said": [
            {
                "who": sides[DisputeSide(each.side)],
                "author": each.author,
                "at": moment(each.at, UTC, locale=locale),
                "text": each.text,
            }
            for each in dispute.messages.all()
        ],
    }

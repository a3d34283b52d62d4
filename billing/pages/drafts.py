"""Invoices that are not issued yet: a provider's list with approvals, and one draft for both sides."""

from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID

from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from billing.adjusting.rules import (
    BACK_BILLING_MONTHS_MAX,
    InvoiceDraftChanged,
    approve_draft,
    issuing_rule,
    set_issuing_rule,
)
from billing.closing import Closed, CloseState, close_period
from billing.closing_by_hand import close_now
from billing.draft_taxes import draft_rates
from billing.draft_waits import draft_waits
from billing.gaps import accept_gaps
from billing.models import BillingPeriod, Invoice
from billing.pages.draft_words import (
    change_words,
    draft_kpis,
    line_rows,
    state_pill,
    tax_notice,
    total_words,
    waiting_rows,
)
from billing.pages.invoice_words import period_words
from billing.pages.periods import with_query
from billing.pages.tax_words import tax_lines
from billing.queries.draft_detail import DraftDetail, DraftState, draft_counts, draft_detail, draft_entries
from billing.tax.retrying import TaxNotRetryable, retry_tax, tax_step
from portal.figures import money
from portal.locales import active_locale
from portal.parts import Choice, Empty, Kpi
from portal.punctuation import between, one_after_another
from portal.shell import Crumb
from tenants.models import Organization, User
from tenants.problems import Problem
from tenants.roles import CORRECT_INVOICES, READ_INVOICES, NotAllowed, allows
from tenants.scoping import acting_membership, provider_page, tenant_page
from tenants.telling import told

ROWS = 50


class IssuingForm(forms.Form):
    """How a provider issues its invoices."""

    back_billing_months = forms.IntegerField(
        label=gettext_lazy("Months in which more can be billed"),
        min_value=0,
        max_value=BACK_BILLING_MONTHS_MAX,
        required=False,
        help_text=gettext_lazy("After the end of a period. Empty: without end. What is less is always given back."),
    )
    approves = forms.BooleanField(label=gettext_lazy("Invoices wait for an approval"), required=False)


@require_http_methods(["GET", "HEAD", "POST"])
@provider_page(READ_INVOICES)
def provider_drafts(request: HttpRequest, organization: Organization) -> HttpResponse:
    """List what is not issued yet, and take how invoices are issued."""
    edits = _may_issue(request)
    posted = request.method == "POST"
    if posted and not edits:
        raise NotAllowed(CORRECT_INVOICES)
    rule = issuing_rule(organization.pk)
    form = IssuingForm(
        request.POST if posted else None,
        initial={"back_billing_months": rule.back_billing_months, "approves": rule.approves},
    )
    if posted and form.is_valid():
        set_issuing_rule(provider=organization, actor=_actor(request), now=datetime.now(UTC), **form.cleaned_data)
        messages.success(request, _("This holds for every invoice that is issued from now on."))
        return redirect("provider-drafts")
    context = {**_list(request, organization), "form": form if edits else None}
    return render(request, "billing/drafts.html", context, status=422 if posted else 200)


@require_safe
@provider_page(READ_INVOICES)
def provider_draft(request: HttpRequest, organization: Organization, *, period_id: UUID) -> HttpResponse:
    """Show a draft to the provider that will issue it."""
    return _one(request, organization, period_id, as_provider=True)


@require_safe
@tenant_page(READ_INVOICES)
def tenant_draft(request: HttpRequest, organization: Organization, *, period_id: UUID) -> HttpResponse:
    """Show a draft to the tenant that will owe it."""
    return _one(request, organization, period_id, as_provider=False)


@require_POST
@provider_page(READ_INVOICES)
def provider_draft_approve(request: HttpRequest, organization: Organization, *, period_id: UUID) -> HttpResponse:
    """Approve a draft at the amount that was shown, and issue it."""
    get_object_or_404(BillingPeriod, pk=period_id, contract__provider=organization)
    if not _may_issue(request):
        raise NotAllowed(CORRECT_INVOICES)
    now = datetime.now(UTC)
    try:
        amount, tax = Decimal(request.POST.get("amount", "")), request.POST.get("tax", "")
        approve_draft(
            period_id=period_id, amount=amount, tax=Decimal(tax) if tax else None, actor=_actor(request), now=now
        )
        closed = close_period(period_id=period_id, now=now, stripe_ready=bool(settings.STRIPE_SECRET_KEY))
    except InvalidOperation:
        messages.error(request, _("The draft comes to something else by now. Look at it again."))
    except InvoiceDraftChanged as problem:
        changed = _("The draft comes to something else by now. Look at it again.")
        messages.error(request, one_after_another((changed, told(problem.said))))
    except Problem as problem:
        messages.error(request, told(problem.said))
    else:
        if closed.state is CloseState.CLOSED and closed.invoice is not None:
            messages.success(request, _("Invoice %(number)s is issued.") % {"number": closed.invoice.number})
            return redirect("provider-drafts")
        differs = closed.state is CloseState.AWAITING_APPROVAL
        again = _("The draft comes to something else by now. Look at it again.")
        messages.error(request, again if differs else _not_closed_words(closed))
    return redirect("provider-draft", period_id=period_id)


@require_POST
@provider_page(READ_INVOICES)
def provider_draft_close(request: HttpRequest, organization: Organization, *, period_id: UUID) -> HttpResponse:
    """Close a period that is over now, as the next sweep would, and say what came of it."""
    get_object_or_404(BillingPeriod, pk=period_id, contract__provider=organization)
    if not _may_issue(request):
        raise NotAllowed(CORRECT_INVOICES)
    closed = close_now(
        period_id=period_id, actor=_actor(request), now=datetime.now(UTC), stripe_ready=bool(settings.STRIPE_SECRET_KEY)
    )
    if closed.invoice is not None:
        messages.success(request, _("Invoice %(number)s is issued.") % {"number": closed.invoice.number})
        return redirect("provider-invoice", number=closed.invoice.number)
    if closed.state in (CloseState.CLOSED, CloseState.ALREADY_CLOSED):
        messages.success(request, _("The period is closed. Nothing was used or held in it, so there is no invoice."))
        return redirect("provider-drafts")
    messages.info(request, _not_closed_words(closed))
    return redirect("provider-draft", period_id=period_id)


@require_POST
@provider_page(READ_INVOICES)
def provider_draft_gaps(request: HttpRequest, organization: Organization, *, period_id: UUID) -> HttpResponse:
    """Accept that reports which were shown are missing; the period closes without them."""
    get_object_or_404(BillingPeriod, pk=period_id, contract__provider=organization)
    if not _may_issue(request):
        raise NotAllowed(CORRECT_INVOICES)
    gaps, reason = request.POST.getlist("gap"), request.POST.get("reason", "")
    try:
        accept_gaps(period_id=period_id, gaps=gaps, reason=reason, actor=_actor(request), now=datetime.now(UTC))
    except Problem as problem:
        messages.error(request, f"{problem.title}{between('colon')}{told(problem.said)}")
    else:
        messages.success(request, _("It is accepted, and kept with the reason. The period closes without it."))
    return redirect("provider-draft", period_id=period_id)


@require_POST
@provider_page(READ_INVOICES)
def provider_draft_tax(request: HttpRequest, organization: Organization, *, period_id: UUID) -> HttpResponse:
    """Have the taxes of a draft tried again."""
    get_object_or_404(BillingPeriod, pk=period_id, contract__provider=organization)
    if not _may_issue(request):
        raise NotAllowed(CORRECT_INVOICES)
    try:
        retry_tax(period_id=period_id, actor=_actor(request), now=datetime.now(UTC))
    except TaxNotRetryable:
        messages.error(request, _("The taxes of this draft do not wait for anything."))
    else:
        messages.success(request, _("The taxes are tried again."))
    return redirect("provider-draft", period_id=period_id)


def _not_closed_words(closed: Closed) -> str:
    if any(each.get("kind") == "earlier_period" for each in closed.waiting_for):
        return _("The period before it is not closed yet. Close that one first.")
    return {
        CloseState.NOT_OVER: _("The period is not over yet."),
        CloseState.AWAITING_APPROVAL: _("It is complete, and waits for your approval."),
    }.get(closed.state, _("It does not close yet: it waits for what is named below."))


def _may_issue(request: HttpRequest) -> bool:
    membership = acting_membership(request)
    return membership is not None and allows(membership.role, CORRECT_INVOICES)


def _actor(request: HttpRequest) -> str:
    assert isinstance(request.user, User)
    return request.user.email


def _list(request: HttpRequest, organization: Organization) -> dict[str, Any]:
    now, locale = datetime.now(UTC), active_locale()
    wanted = request.GET.get("state", "")
    state = DraftState(wanted) if wanted in set(DraftState) else None
    found = draft_entries(organization, now, as_provider=True, state=state, after=_after(request), limit=ROWS + 1)
    shown = found[:ROWS]
    more = with_query(request.path, {"state": state or "", "after": str(shown[-1].period_id)}) if shown else ""
    words = {
        None: _("All"),
        DraftState.AWAITING_APPROVAL: _("To approve"),
        DraftState.CLOSING: _("Closing"),
        DraftState.RUNNING: _("Running"),
    }
    return {
        "kpis": draft_kpis(draft_counts(organization, now), request.path, locale),
        "total": total_words(found, locale) if len(found) <= ROWS and _after(request) is None else "",
        "rows": [
            {
                "entry": each,
                "url": reverse("provider-draft", args=[each.period_id]),
                "period": period_words(each.from_at, each.to_at, each.time_zone, locale),
                "pill": state_pill(each.state),
                "change": change_words(each.amount, each.previous_amount),
            }
            for each in shown
        ],
        "choices": [
            Choice(title, with_query(request.path, {"state": each or ""}), current=each is state)
            for each, title in words.items()
        ],
        "more_url": more if len(found) > ROWS else "",
        "empty": Empty(_("No drafts"), _("What your contracts come to stands here until it is issued.")),
    }


def _after(request: HttpRequest) -> UUID | None:
    try:
        return UUID(request.GET.get("after", ""))
    except ValueError:
        return None


def _one(request: HttpRequest, organization: Organization, period_id: UUID, *, as_provider: bool) -> HttpResponse:
    now, locale = datetime.now(UTC), active_locale()
    found = draft_detail(organization, period_id, now, as_provider=as_provider)
    side = "provider" if as_provider else "tenant"
    if found is None:
        return redirect(f"{side}-invoice", number=_issued_as(organization, period_id, as_provider=as_provider))
    entry = found.entry
    approves = as_provider and entry.state is DraftState.AWAITING_APPROVAL and _may_issue(request)
    closes = as_provider and entry.state in (DraftState.CLOSING, DraftState.APPROVED) and _may_issue(request)
    lists = {
        "provider": Crumb(_("Drafts"), reverse("provider-drafts")),
        "tenant": Crumb(_("Invoices"), reverse("tenant-invoices")),
    }
    period = BillingPeriod.objects.select_related("contract").get(pk=period_id)
    waiting = waiting_rows(draft_waits(period, now), entry, locale)
    accepts = as_provider and _may_issue(request) and any(each["gap"] for each in waiting)
    context = {
        "draft": found,
        "entry": entry,
        "sub": " · ".join(
            (
                period_words(entry.from_at, entry.to_at, entry.time_zone, locale),
                entry.tenant if as_provider else entry.issuer,
            )
        ),
        "pill": state_pill(entry.state),
        "kpis": _kpis(found, locale),
        "lines": line_rows(found, locale),
        "waiting": waiting,
        "waits": any(not each["reason"] for each in waiting),
        "named": [each for each in waiting if not (accepts and each["gap"])],
        "gaps_url": reverse("provider-draft-gaps", args=[period_id]) if accepts else "",
        "tax": tax_notice(tax_step(period), locale),
        "taxes": tax_lines(draft_rates(organization, period, found, now), entry.currency, locale),
        "tax_url": reverse("provider-draft-tax", args=[period_id]) if as_provider and _may_issue(request) else "",
        "close_url": reverse("provider-draft-close", args=[period_id]) if closes else "",
        "withheld": money(found.withheld_amount, entry.currency, locale=locale) if found.withheld_amount else "",
        "approve_url": reverse("provider-draft-approve", args=[period_id]) if approves else "",
        "ready": money(found.ready_amount, entry.currency, locale=locale) if found.ready_amount is not None else "",
        "ready_tax": money(found.ready_tax, entry.currency, locale=locale) if found.ready_tax is not None else "",
        "crumbs": (lists[side], Crumb(entry.contract)),
    }
    return render(request, "billing/draft.html", context)


def _issued_as(organization: Organization, period_id: UUID, *, as_provider: bool) -> str:
    """The number of the invoice that a draft became, to which who kept its address is led. Raises Http404."""
    own = {"issuer": organization} if as_provider else {"tenant": organization}
    issued = Invoice.objects.standing().filter(period=period_id, number__isnull=False, **own)
    number = issued.values_list("number", flat=True).first()
    if number is None:
        raise Http404
    return number


def _kpis(found: DraftDetail, locale: str) -> list[Kpi]:
    entry = found.entry
    before = entry.previous_amount
    return [
        Kpi(_("So far, before tax"), money(entry.amount, entry.currency, locale=locale), lead=True),
        Kpi(
            _("Period before"),
            "–" if before is None else money(before, entry.currency, locale=locale),
            foot=entry.previous_number or "",
        ),
        Kpi(_("Change"), change_words(entry.amount, before)),
    ]

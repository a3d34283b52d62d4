"""Dunning on the provider's pages: the schedule, overdue invoices that are followed, and the steps of each."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from django import forms
from django.contrib import messages
from django.http import Http404
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from billing.dues import read_dues, with_dues
from billing.dunning.policies import own_schedules, schedule_of, set_policy
from billing.dunning.schedule import FEE_AMOUNT_MAX, FEE_DECIMALS_MAX, FEE_PERCENT_MAX, Action, Planned
from billing.dunning.stepping import hold, take_back
from billing.models import DunningCase, DunningHold, DunningStep, Invoice
from billing.pages.bank import may_match
from billing.pages.dunning_words import action_words, step_words, wait_words
from portal.figures import day, moment, money
from portal.locales import active_locale
from portal.parts import Empty
from portal.shell import Crumb
from tenants.models import User
from tenants.problems import Problem
from tenants.roles import MATCH_PAYMENTS, READ_INVOICES, NotAllowed
from tenants.scoping import provider_page
from tenants.telling import told

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from uuid import UUID

    from django.http import HttpRequest, HttpResponse

    from tenants.models import Organization

CASES_SHOWN: Final = 200
HOLD_DAYS_MAX: Final = 365


class DaysField(forms.CharField):
    """Days after the due date, separated by commas."""

    def clean(self, value: Any) -> list[int]:
        """Read whole numbers."""
        text = super().clean(value)
        try:
            return [int(part) for part in text.replace(" ", ",").split(",") if part]
        except ValueError:
            raise forms.ValidationError(_("Enter days as whole numbers, such as 3, 10.")) from None


class ScheduleForm(forms.Form):
    """When what happens, in days after the due date; empty is never."""

    remind = DaysField(label=gettext_lazy("Remind by mail, days after due"), max_length=60, required=False)
    retry_card = DaysField(label=gettext_lazy("Charge the card again, days after due"), max_length=60, required=False)
    notice = DaysField(label=gettext_lazy("Give notice of suspension, days after due"), max_length=10, required=False)
    suspend = DaysField(
        label=gettext_lazy("Suspend use, days after due"),
        max_length=10,
        required=False,
        help_text=gettext_lazy("At least 3 days after a notice that went out; without one nobody is suspended."),
    )

    late_fee = DaysField(label=gettext_lazy("Charge a late fee, days after due"), max_length=60, required=False)
    fee_amount = forms.DecimalField(
        label=gettext_lazy("Late fee, in the invoice's currency"),
        min_value=0,
        max_value=FEE_AMOUNT_MAX,
        decimal_places=FEE_DECIMALS_MAX,
        required=False,
    )
    fee_percent = forms.DecimalField(
        label=gettext_lazy("and percent of what is left"),
        min_value=0,
        max_value=FEE_PERCENT_MAX,
        decimal_places=FEE_DECIMALS_MAX,
        required=False,
        help_text=gettext_lazy("It is a line of its own on the next invoice, and bears no tax."),
    )

    def steps(self) -> list[dict[str, Any]]:
        """Return what the form says; it must be valid."""
        return [
            {"after_days": days, "action": action.value, **(self._fee() if action is Action.LATE_FEE else {})}
            for action in Action
            for days in self.cleaned_data[action.value]
        ]

    def _fee(self) -> dict[str, str]:
        said = {"amount": self.cleaned_data["fee_amount"], "percent": self.cleaned_data["fee_percent"]}
        return {name: str(value) for name, value in said.items() if value}


def initial(schedule: Sequence[Planned]) -> dict[str, Any]:
    """Return a schedule as the form shows it."""
    days = {
        action.value: ", ".join(str(one.after_days) for one in schedule if one.action is action) for action in Action
    }
    fee = next((one for one in schedule if one.action is Action.LATE_FEE), None)
    return {
        **days,
        "fee_amount": fee.amount or None if fee else None,
        "fee_percent": fee.percent or None if fee else None,
    }


class HoldForm(forms.Form):
    """Days without a step, and why."""

    days = forms.IntegerField(label=gettext_lazy("Take no step for, days"), min_value=0, max_value=HOLD_DAYS_MAX)
    reason = forms.CharField(label=gettext_lazy("Why"), max_length=200)


@require_http_methods(["GET", "HEAD", "POST"])
@provider_page(READ_INVOICES)
def provider_dunning(request: HttpRequest, organization: Organization) -> HttpResponse:
    """Show what is overdue and where each stands; a POST sets the schedule."""
    edits = may_match(request)
    if request.method == "POST" and not edits:
        raise NotAllowed(MATCH_PAYMENTS)
    schedule = schedule_of(organization.pk)
    form = ScheduleForm(request.POST if request.method == "POST" else None, initial=initial(schedule))
    if form.is_bound and form.is_valid() and _set(request, organization, form):
        return redirect("provider-dunning")
    locale = active_locale()
    cases = DunningCase.objects.filter(invoice__issuer=organization, is_open=True).order_by("invoice__due_at", "pk")
    context = {
        "cases": [_case(one, locale) for one in cases.select_related("invoice__tenant")[:CASES_SHOWN]],
        "schedule": [{"day": step.after_days, "what": action_words(step.action.value)} for step in schedule],
        "form": form if edits else None,
        "own": own_schedules(organization),
        "empty": _nothing(has_schedule=bool(schedule)),
    }
    return render(request, "billing/dunning.html", context, status=422 if form.is_bound else 200)


def _nothing(*, has_schedule: bool) -> Empty:
    words = (
        _("An invoice that is overdue appears here within minutes.")
        if has_schedule
        else _("Overdue invoices appear here once a schedule is set.")
    )
    return Empty(_("Nothing overdue is followed"), words, icon="check")


@require_http_methods(["GET", "HEAD", "POST"])
@provider_page(READ_INVOICES)
def provider_dunning_case(request: HttpRequest, organization: Organization, *, invoice_id: UUID) -> HttpResponse:
    """Show every step of an invoice; a POST takes one back, or holds those to come."""
    found = with_dues(Invoice.objects.filter(issuer=organization, pk=invoice_id).exclude(state="draft"))
    invoice = found.select_related("tenant", "contract").first()
    if invoice is None:
        raise Http404
    edits = may_match(request)
    if request.method == "POST":
        if not edits:
            raise NotAllowed(MATCH_PAYMENTS)
        return _changed(request, organization, invoice)
    locale = active_locale()
    held = DunningHold.objects.filter(invoice=invoice).order_by("-at", "-pk").first()
    context = {
        "invoice": invoice,
        "title": invoice.number,
        "sub": _("%(left)s left to pay, %(tenant)s")
        % {"left": money(read_dues(invoice).left, invoice.currency, locale=locale), "tenant": invoice.tenant.name},
        "steps": [step_words(step, locale) for step in steps_of(invoice)],
        "held": ""
        if held is None or held.until <= datetime.now(UTC)
        else _("No step before %(moment)s: %(reason)s")
        % {"moment": moment(held.until, UTC, locale=locale), "reason": held.reason},
        "edits": edits,
        "hold": HoldForm(),
        "crumbs": (Crumb(_("Dunning"), reverse("provider-dunning")), Crumb(invoice.number or "")),
    }
    return render(request, "billing/dunning_case.html", context)


def steps_of(invoice: Invoice) -> list[DunningStep]:
    """Return the steps of an invoice, the first one first."""
    steps = DunningStep.objects.filter(invoice=invoice).select_related("taken_back", "suspension__end")
    return list(steps.prefetch_related("mails").order_by("at", "pk"))


def _changed(request: HttpRequest, organization: Organization, invoice: Invoice) -> HttpResponse:
    assert isinstance(request.user, User)
    by, now = request.user.email, datetime.now(UTC)
    acts: dict[str, Callable[[], object]] = {
        "take_back": lambda: take_back(
            provider=organization,
            step_id=_step(invoice, request.POST.get("step", "")),
            reason=request.POST.get("reason", ""),
            by=by,
            now=now,
        ),
        "hold": lambda: _hold(request, organization, invoice, by, now),
    }
    action = request.POST.get("action", "")
    if action not in acts:
        raise Http404
    try:
        acts[action]()
    except Problem as problem:
        messages.error(request, told(problem.said))
    else:
        messages.success(request, _("Done, and noted beside the steps."))
    return redirect("provider-dunning-case", invoice_id=invoice.pk)


def _hold(request: HttpRequest, organization: Organization, invoice: Invoice, by: str, now: datetime) -> None:
    form = HoldForm(request.POST)
    if not form.is_valid():
        raise Http404
    until = now + timedelta(days=form.cleaned_data["days"])
    hold(provider=organization, invoice_id=invoice.pk, until=until, reason=form.cleaned_data["reason"], by=by, now=now)


def _step(invoice: Invoice, text: str) -> UUID:
    found = next((step.pk for step in steps_of(invoice) if str(step.pk) == text), None)
    if found is None:
        raise Http404
    return found


def _set(request: HttpRequest, organization: Organization, form: ScheduleForm) -> bool:
    assert isinstance(request.user, User)
    try:
        set_policy(provider=organization, steps=form.steps(), by=request.user.email, now=datetime.now(UTC))
    except Problem as problem:
        form.add_error(None, told(problem.said))
        return False
    messages.success(request, _("Set. It counts from now on for everything that is overdue."))
    return True


def _case(case: DunningCase, locale: str) -> dict[str, Any]:
    invoice = with_dues(Invoice.objects.filter(pk=case.pk)).get()
    last = DunningStep.objects.filter(invoice=invoice).order_by("-at", "-pk").first()
    assert invoice.due_at is not None
    return {
        "url": reverse("provider-dunning-case", args=[case.pk]),
        "number": invoice.number,
        "tenant": case.invoice.tenant.name,
        "due": day(invoice.due_at.date(), "yMMMd", locale),
        "left": money(read_dues(invoice).left, invoice.currency, locale=locale),
        "last": action_words(last.action) if last else _("nothing yet"),
        "next": wait_words(case.waits_for)
        or (moment(case.next_at, UTC, locale=locale) if case.next_at else _("nothing more is scheduled")),
    }

"""What parties state of token shares on the pages of both: refunds, findings of audits, counts of held differences.

One page for each, beside the certified revenue: its list, its file with the same rows, and the form of whoever may
state it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from billing.audit_claims import answer_audit, claims_of
from billing.csv_files import csv_answer
from billing.models import PeriodState
from billing.pages.refused_fields import say_at_field
from billing.pages.share_fact_forms import AnswerForm, AuditAnswerForm, AuditForm, RefundForm, chosen_difference
from billing.pages.share_fact_words import (
    FILE_HEADS,
    audit_file_row,
    audit_row,
    empty_words,
    held_file_row,
    held_row,
    refund_file_row,
    refund_row,
    title_words,
)
from billing.queries.share_facts import Side, deployments_of, facts_of, held_of, share_periods, shares_of
from billing.share_stating import By, refundable, state_audit, state_refund
from billing.stated_facts import AUDIT_CLAIM
from billing.witness_answers import answer_difference
from portal.locales import active_locale
from portal.paging import ROWS_PER_PAGE, first_row, pagination, read_page
from portal.parts import Choice
from tenants.models import User
from tenants.problems import Problem
from tenants.roles import READ_INVOICES, STATE_REVENUE, NotAllowed, allows
from tenants.scoping import acting_membership, provider_page, tenant_page

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.forms import Form
    from django.http import HttpRequest
    from django.http.response import HttpResponseBase

    from tenants.models import Organization

FACTS: Final = {"refunds": "refunded_counts", "audits": AUDIT_CLAIM}
"""The kind of fact behind each list of facts."""
PAGES: Final = ("refunds", "audits", "witnesses")


@dataclass(frozen=True, slots=True)
class Asked:
    """One request for one of the pages: who reads it, as which side, and whether they may state anything."""

    request: HttpRequest
    organization: Organization
    side: Side
    page: str
    now: datetime

    @property
    def url(self) -> str:
        """The address of the page."""
        return reverse(f"{self.side}-share-{self.page}")

    @property
    def by(self) -> By:
        """Who states something here."""
        assert isinstance(self.request.user, User)
        return By(self.organization, self.request.user.email)

    @property
    def may_state(self) -> bool:
        """Whether the reader's role states anything."""
        membership = acting_membership(self.request)
        return membership is not None and allows(membership.role, STATE_REVENUE)


def share_tabs(side: Side, current: str) -> list[Choice]:
    """Return the tabs of the pages of revenue, one of them current."""
    first = Choice(_("Certified revenue"), reverse(f"{side}-revenue"), current == "revenue")
    return [first, *(Choice(title_words(page), reverse(f"{side}-share-{page}"), page == current) for page in PAGES)]


def _show(asked: Asked, rows: list[dict[str, Any]], form: Form | None, **more: Any) -> HttpResponse:
    refused = asked.request.method == "POST"
    context = {
        "page": asked.page,
        "side": asked.side,
        "title": title_words(asked.page),
        "tabs": share_tabs(asked.side, asked.page),
        "rows": rows,
        "form": form,
        "empty": empty_words(asked.page, asked.side),
        "file_url": reverse(f"{asked.side}-share-{asked.page}-csv"),
        **more,
    }
    return render(asked.request, "billing/share_facts.html", context, status=422 if refused else 200)


def _facts(asked: Asked, form: Form | None, **more: Any) -> HttpResponse:
    """Show a page of the facts of one kind, and a form that adds one."""
    page = read_page(asked.request.GET.get("page", ""))
    found = facts_of(asked.organization, asked.side, FACTS[asked.page])
    shown = found[first_row(page) : first_row(page) + ROWS_PER_PAGE]
    locale = active_locale()
    if asked.page == "audits":
        rows = [audit_row(one, asked.side, locale) for one in claims_of(list(shown))]
    else:
        named = deployments_of(asked.organization, asked.side, {UUID(one.document["deployment"]) for one in shown})
        names = {str(one.deployment_id): one.deployment.name for one in named}
        rows = [refund_row(one, asked.side, names, locale) for one in shown]
    return _show(asked, rows, form, pagination=pagination(asked.url, {}, page, found.count()), **more)


def _refunds(asked: Asked) -> HttpResponse:
    """The tenant states refunds; the provider reads them."""
    posted = asked.request.method == "POST"
    states = asked.side == "tenant" and asked.may_state
    if posted and not states:
        raise PermissionDenied if asked.side == "provider" else NotAllowed(STATE_REVENUE)
    open_ones = share_periods(asked.organization, asked.side, PeriodState.OPEN, asked.now) if states else []
    choices = [one for one in open_ones if refundable(one.term, one.period)]
    deployments = deployments_of(asked.organization, asked.side) if choices else []
    form = RefundForm(asked.request.POST if posted else None, choices, deployments)
    if posted and form.is_valid():
        given = form.cleaned_data
        chosen = given["what"]

        def state() -> bool:
            _fact, is_new = state_refund(
                contract=chosen.term.contract,
                term_ref=chosen.term.ref,
                refund=given["refund"],
                period_from_at=chosen.period.from_at,
                deployment=given["deployment"],
                model=given["model"],
                token_class=given["token_class"],
                tokens=given["tokens"],
                by=asked.by,
                now=asked.now,
            )
            return is_new

        if _stated(asked, form, state):
            return redirect(asked.url)
    return _facts(asked, form if choices else None)


def _audits(asked: Asked) -> HttpResponse:
    """The provider states what audits found; the tenant accepts or disputes it."""
    posted = asked.request.method == "POST"
    if posted and not asked.may_state:
        raise NotAllowed(STATE_REVENUE)
    if asked.side == "tenant":
        return _answers(asked, AuditAnswerForm(asked.request.POST) if posted else None)
    states = asked.may_state
    choices = share_periods(asked.organization, asked.side, PeriodState.CLOSED, asked.now) if states else []
    form = AuditForm(asked.request.POST if posted else None, choices)
    if posted and form.is_valid():
        given = form.cleaned_data
        chosen = given["what"]

        def state() -> bool:
            _fact, is_new = state_audit(
                contract=chosen.term.contract,
                term_ref=chosen.term.ref,
                audit=given["audit"],
                period_from_at=chosen.period.from_at,
                reported_share_amount=given["reported_share_amount"],
                found_share_amount=given["found_share_amount"],
                cost_amount=given["cost_amount"],
                by=asked.by,
                now=asked.now,
            )
            return is_new

        if _stated(asked, form, state, kept=_("Kept. It bills once the tenant has accepted it.")):
            return redirect(asked.url)
    return _facts(asked, form if choices else None)


def _answers(asked: Asked, form: AuditAnswerForm | None) -> HttpResponse:
    """The tenant's word on a finding."""
    if form is None or not form.is_valid():
        return _facts(asked, None, may_answer=asked.may_state, problem=form.problem if form else "")
    given = form.cleaned_data
    term = shares_of(asked.organization, asked.side).filter(ref=given["term"]).first()
    if term is None:
        return HttpResponse(status=404)

    def state() -> bool:
        answer_audit(
            contract=term.contract,
            term_ref=term.ref,
            audit=given["audit"],
            accepts=given["action"] == "accept",
            note=given["note"],
            by=asked.by,
            now=asked.now,
        )
        return True

    disputed = _("Disputed. It stays off the bill until you accept it.")
    kept = _("Accepted. It changes the next bill.") if given["action"] == "accept" else disputed
    if _stated(asked, form, state, kept=kept):
        return redirect(asked.url)
    return _facts(asked, None, may_answer=asked.may_state, problem=form.problem)


def _stated(asked: Asked, form: Form, state: Callable[[], bool], *, kept: str = "") -> bool:
    """State a fact; say what became of it, or on the form why it was refused."""
    try:
        is_new = state()
    except Problem as refused:
        say_at_field(form, refused)
        return False
    kept = kept or _("Kept. It changes the next bill.")
    messages.success(asked.request, kept if is_new else _("It was stated already."))
    return True


def _witnesses(asked: Asked) -> HttpResponse:
    """Both parties state a count for a difference that is held."""
    posted = asked.request.method == "POST"
    if posted and not asked.may_state:
        raise NotAllowed(STATE_REVENUE)
    held = held_of(asked.organization, asked.side, asked.now)
    form = AnswerForm(asked.request.POST) if posted else None
    if form is not None and form.is_valid() and _answered(asked, form):
        return redirect(asked.url)
    locale = active_locale()
    served = deployments_of(asked.organization, asked.side) if held else ()
    names = {str(one.deployment_id): one.deployment.name for one in served}
    rows = [held_row(row, asked.side, names, locale) for row in held]
    problem = " ".join(str(each) for errors in form.errors.values() for each in errors) if form else ""
    return _show(asked, rows, None, may_answer=asked.may_state, problem=problem)


def _answered(asked: Asked, form: AnswerForm) -> bool:
    row = chosen_difference(form.cleaned_data["what"], held_of(asked.organization, asked.side, asked.now))
    if row is None:
        form.add_error(None, _("This difference is no longer held."))
        return False
    fact = row.held.fact
    tokens = form.cleaned_data["tokens"]
    try:
        settled = answer_difference(
            contract=row.period.contract,
            term_ref=row.term.ref,
            deployment=form.deployment(fact),
            model=fact.model,
            token_class=fact.token_class,
            from_at=fact.from_at,
            tokens=tokens,
            by=asked.by,
            now=asked.now,
        )
    except Problem as refused:
        say_at_field(form, refused)
        return False
    said = (
        _("Both parties state this count: it bills.") if settled else _("Your count is kept. The other party is next.")
    )
    messages.success(asked.request, said)
    return True


VIEWS: Final = {"refunds": _refunds, "audits": _audits, "witnesses": _witnesses}


def _file(asked: Asked) -> HttpResponseBase:
    name = f"share-{asked.page}-{asked.organization.slug}.csv"
    if asked.page == "witnesses":
        rows = map(held_file_row, held_of(asked.organization, asked.side, asked.now))
        return csv_answer(name, FILE_HEADS[asked.page], rows)
    facts = facts_of(asked.organization, asked.side, FACTS[asked.page])
    if asked.page == "audits":
        return csv_answer(name, FILE_HEADS[asked.page], map(audit_file_row, claims_of(list(facts))))
    return csv_answer(name, FILE_HEADS[asked.page], (refund_file_row(one) for one in facts.iterator()))


@require_http_methods(["GET", "HEAD", "POST"])
@tenant_page(READ_INVOICES)
def tenant_share(request: HttpRequest, organization: Organization, *, page: str) -> HttpResponse:
    """Show a tenant what was stated of its shares; a POST states a refund or a count."""
    return VIEWS[page](Asked(request, organization, "tenant", page, datetime.now(UTC)))


@require_http_methods(["GET", "HEAD", "POST"])
@provider_page(READ_INVOICES)
def provider_share(request: HttpRequest, organization: Organization, *, page: str) -> HttpResponse:
    """Show a provider what was stated of its shares; a POST states a finding or a count."""
    return VIEWS[page](Asked(request, organization, "provider", page, datetime.now(UTC)))


@require_safe
@tenant_page(READ_INVOICES)
def tenant_share_csv(request: HttpRequest, organization: Organization, *, page: str) -> HttpResponseBase:
    """Write the rows of a tenant's page as a file."""
    return _file(Asked(request, organization, "tenant", page, datetime.now(UTC)))


@require_safe
@provider_page(READ_INVOICES)
def provider_share_csv(request: HttpRequest, organization: Organization, *, page: str) -> HttpResponseBase:
    """Write the rows of a provider's page as a file."""
    return _file(Asked(request, organization, "provider", page, datetime.now(UTC)))

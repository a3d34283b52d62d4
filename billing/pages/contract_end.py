"""Ending a contract by agreement, for both sides: the date is proposed here, and decided on like every amendment."""

from datetime import UTC, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from django import forms
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from billing.agreements.drafting import Actor, edit_draft, propose
from billing.agreements.ending import read_end
from billing.models import Amendment, Contract
from billing.pages.contracts import own_contract
from billing.pages.refused_fields import refused_words
from billing.queries.agreements import amendment_of
from portal.shell import Crumb
from tenants.models import Organization, User
from tenants.problems import Problem
from tenants.roles import AGREE_CONTRACTS
from tenants.scoping import provider_page, tenant_page


class EndForm(forms.Form):
    """When a contract is to end."""

    ends_at = forms.CharField(
        label=gettext_lazy("Ends, local time of the contract"),
        max_length=40,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local", "step": "1"}),
        help_text=gettext_lazy("All its terms end then, and what they hold is free again."),
    )
    note = forms.CharField(label=gettext_lazy("Note to the other party"), max_length=1_000, required=False)


@require_http_methods(["GET", "HEAD", "POST"])
@tenant_page(AGREE_CONTRACTS)
def tenant_contract_end(request: HttpRequest, organization: Organization, *, contract_id: UUID) -> HttpResponse:
    """Draft the end of a contract as its tenant."""
    return _end(request, organization, "tenant", contract_id)


@require_http_methods(["GET", "HEAD", "POST"])
@provider_page(AGREE_CONTRACTS)
def provider_contract_end(request: HttpRequest, organization: Organization, *, contract_id: UUID) -> HttpResponse:
    """Draft the end of a contract as its provider."""
    return _end(request, organization, "provider", contract_id)


def _end(request: HttpRequest, organization: Organization, side: str, contract_id: UUID) -> HttpResponse:
    contract = own_contract(organization, contract_id)
    query = request.POST if request.method == "POST" else request.GET
    draft = _draft(organization, contract, query.get("draft", ""))
    form = EndForm(request.POST if request.method == "POST" else None, initial=_said(contract, draft))
    if form.is_bound and form.is_valid():
        try:
            made = _propose(request, organization, contract, draft, form)
        except Problem as problem:
            field = problem.extra.get("field")
            with timezone.override(contract.time_zone):
                words = refused_words(problem.said, problem.example)
            form.add_error(str(field) if field in form.fields else None, words)
        else:
            return redirect(f"{side}-amendment", made.id)
    context = {
        "form": form,
        "contract": contract,
        "draft": draft,
        "crumbs": (
            Crumb(_("Contracts"), reverse(f"{side}-contracts")),
            Crumb(contract.number, reverse(f"{side}-contract", args=[contract.id])),
            Crumb(_("End this contract")),
        ),
    }
    return render(request, "billing/contract_end.html", context, status=422 if form.is_bound else 200)


def _propose(
    request: HttpRequest, organization: Organization, contract: Contract, draft: Amendment | None, form: EndForm
) -> Amendment:
    assert isinstance(request.user, User)
    by, given = Actor(organization, request.user.email), form.cleaned_data
    ends_at, note = read_end(contract, given["ends_at"]), given["note"]
    if draft is not None:
        return edit_draft(amendment_id=draft.id, changes=(), by=by, note=note, ends_at=ends_at)
    return propose(contract_id=contract.id, changes=(), by=by, now=datetime.now(UTC), note=note, ends_at=ends_at)


def _said(contract: Contract, draft: Amendment | None) -> dict[str, str]:
    """What the form is filled with: what the draft says, in the contract's time."""
    if draft is None or draft.ends_at is None:
        return {}
    local = draft.ends_at.astimezone(ZoneInfo(contract.time_zone))
    return {"ends_at": local.strftime("%Y-%m-%dT%H:%M:%S"), "note": draft.note}


def _draft(organization: Organization, contract: Contract, text: str) -> Amendment | None:
    """The draft of the end that is changed; none where none is named."""
    if not text:
        return None
    try:
        found = amendment_of(organization, UUID(text))
    except ValueError as error:
        raise Http404 from error
    if found is None or found.contract_id != contract.id or found.ends_at is None:
        raise Http404
    return found

"""The schedule of dunning of one contract: what counts for it, one of its own, or its provider's again."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from django.contrib import messages
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from billing.dunning.policies import follow_provider, own_schedule, schedule_of, set_policy
from billing.pages.bank import may_match
from billing.pages.contracts import own_contract
from billing.pages.dunning import ScheduleForm, initial
from billing.pages.dunning_words import action_words
from portal.shell import Crumb
from tenants.models import User
from tenants.problems import Problem
from tenants.roles import MATCH_PAYMENTS, READ_INVOICES, NotAllowed
from tenants.scoping import provider_page
from tenants.telling import told

if TYPE_CHECKING:
    from uuid import UUID

    from django.http import HttpRequest, HttpResponse

    from billing.models import Contract
    from tenants.models import Organization


@require_http_methods(["GET", "HEAD", "POST"])
@provider_page(READ_INVOICES)
def provider_contract_dunning(request: HttpRequest, organization: Organization, *, contract_id: UUID) -> HttpResponse:
    """Show what happens for one contract; a POST sets a schedule of its own, or takes it away."""
    contract = own_contract(organization, contract_id)
    edits = may_match(request)
    posted = request.method == "POST"
    if posted and not edits:
        raise NotAllowed(MATCH_PAYMENTS)
    if posted and request.POST.get("action") == "follow":
        follow_provider(contract=contract, by=_by(request), now=datetime.now(UTC))
        messages.success(request, _("Your schedule for all contracts counts for this one again."))
        return redirect("provider-contract-dunning", contract_id=contract.pk)
    schedule = schedule_of(organization.pk, contract.pk)
    form = ScheduleForm(request.POST if posted else None, initial=initial(schedule))
    if form.is_bound and form.is_valid() and _set(request, organization, contract, form):
        return redirect("provider-contract-dunning", contract_id=contract.pk)
    context = {
        "contract": contract,
        "own": own_schedule(organization.pk, contract.pk) is not None,
        "schedule": [{"day": step.after_days, "what": action_words(step.action.value)} for step in schedule],
        "form": form if edits else None,
        "crumbs": (
            Crumb(_("Dunning"), reverse("provider-dunning")),
            Crumb(contract.number, reverse("provider-contract", args=[contract.pk])),
        ),
    }
    return render(request, "billing/dunning_contract.html", context, status=422 if form.is_bound else 200)


def _set(request: HttpRequest, organization: Organization, contract: Contract, form: ScheduleForm) -> bool:
    try:
        set_policy(provider=organization, steps=form.steps(), by=_by(request), now=datetime.now(UTC), contract=contract)
    except Problem as problem:
        form.add_error(None, told(problem.said))
        return False
    messages.success(request, _("Set for this contract alone. It counts from now on for everything that is overdue."))
    return True


def _by(request: HttpRequest) -> str:
    assert isinstance(request.user, User)
    return request.user.email

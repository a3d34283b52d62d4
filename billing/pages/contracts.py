"""Contracts for both sides: the list, and one contract with its terms, versions and amendments."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from billing.agreements.heading import may_edit_header
from billing.leasing import SWEEP
from billing.models import Amendment, Contract, ContractState, ContractVersion
from billing.pages.contract_words import (
    accepted_rows,
    amendment_pill,
    contract_pill,
    kind_words,
    span_words,
    term_words,
)
from billing.pages.leases import step_words
from billing.queries.agreements import (
    amendments_of,
    contract_of,
    contracts_of,
    offer_of,
    steps_behind,
    versions_of,
)
from portal.figures import listed, moment
from portal.locales import active_locale
from portal.paging import ROWS_PER_PAGE, first_row, pagination, read_page
from portal.parts import Action, Empty
from portal.shell import Crumb
from tenants.acting import named_actors
from tenants.limits.reader import within_own
from tenants.models import Organization, User
from tenants.roles import AGREE_CONTRACTS, READ_CONTRACTS, allows
from tenants.scoping import acting_membership, provider_page, tenant_page


@require_safe
@tenant_page(READ_CONTRACTS)
def tenant_contracts(request: HttpRequest, organization: Organization) -> HttpResponse:
    """List what a tenant has agreed and is offered."""
    return _list(request, organization, "tenant")


@require_safe
@provider_page(READ_CONTRACTS)
def provider_contracts(request: HttpRequest, organization: Organization) -> HttpResponse:
    """List what a provider has agreed and offers."""
    return _list(request, organization, "provider")


@require_safe
@tenant_page(READ_CONTRACTS)
def tenant_contract(request: HttpRequest, organization: Organization, *, contract_id: UUID) -> HttpResponse:
    """Show one contract to its tenant."""
    return _one(request, organization, "tenant", contract_id)


@require_safe
@provider_page(READ_CONTRACTS)
def provider_contract(request: HttpRequest, organization: Organization, *, contract_id: UUID) -> HttpResponse:
    """Show one contract to its provider."""
    return _one(request, organization, "provider", contract_id)


def may_agree(request: HttpRequest) -> bool:
    """Whether the person who reads may also draft and accept."""
    membership = acting_membership(request)
    return membership is not None and allows(membership.role, AGREE_CONTRACTS)


def own_contract(organization: Organization, contract_id: UUID) -> Contract:
    """Return a contract that an organization may see; raises Http404."""
    found = contract_of(organization, contract_id)
    if found is None:
        raise Http404
    return found


def _list(request: HttpRequest, organization: Organization, side: str) -> HttpResponse:
    locale = active_locale()
    agrees = may_agree(request)
    new = Action(_("Draft a contract"), reverse(f"{side}-contract-new"), "plus", primary=True)
    seen = contracts_of(organization)
    if side == "tenant":
        seen = seen.filter(tenant=organization)
    page = read_page(request.GET.get("page", ""))
    with within_own(organization.pk, "a contract's parties, terms and prices are both parties'"):
        shown = list(seen[first_row(page) : first_row(page) + ROWS_PER_PAGE])
    rows = [
        {
            "contract": each,
            "url": reverse(f"{side}-contract", args=[each.id]),
            "pill": contract_pill(each),
            "party": each.tenant.name if each.provider_id == organization.pk else each.provider.name,
            "time": span_words(each.from_at, each.to_at, each.time_zone, locale),
            "kinds": listed(
                dict.fromkeys(kind_words(term.kind) for term in each.terms.all() if term.stretches()), locale
            ),
            "waits": _waiting(each),
        }
        for each in shown
    ]
    empty = Empty(_("No contracts yet"), _("What you agree on with the other party stands here, version by version."))
    context = {
        "rows": rows,
        "new": new if agrees else None,
        "empty": empty,
        "side": side,
        "pagination": pagination(request.path, {}, page, seen.count()),
    }
    return render(request, "billing/contracts.html", context)


def _waiting(contract: Contract) -> Amendment | None:
    found: list[Amendment] = getattr(contract, "open_amendments", [])
    return found[0] if found else None


def _one(request: HttpRequest, organization: Organization, side: str, contract_id: UUID) -> HttpResponse:
    contract = own_contract(organization, contract_id)
    locale = active_locale()
    zone = contract.time_zone
    amendments = amendments_of(organization, contract)
    is_open = any(each.state in ("draft", "offered") for each in amendments)
    may_amend = not is_open and may_agree(request) and contract.state in (ContractState.DRAFT, ContractState.ACTIVE)
    may_end = may_amend and contract.state == ContractState.ACTIVE
    versions = versions_of(contract)
    firsts = {version.amendment.pk for version in versions if version.number == 1 and hasattr(version, "amendment")}
    context: dict[str, Any] = {
        "contract": contract,
        "pill": contract_pill(contract),
        "terms": term_words([term for term in contract.terms.all() if term.stretches()], contract, locale),
        "versions": _version_rows(organization, versions, zone, locale),
        "amendments": [
            {
                "row": each,
                "is_first": contract.version == 0 or each.pk in firsts,
                "pill": amendment_pill(each),
                "url": reverse(f"{side}-amendment", args=[each.id]),
                "at": span_words(each.effective_at, None, zone, locale),
            }
            for each in amendments
        ],
        "amend_url": reverse(f"{side}-amendment-new", args=[contract.id]) if may_amend else "",
        "header_url": reverse(f"{side}-contract-header", args=[contract.id])
        if may_agree(request) and may_edit_header(contract, organization)
        else "",
        "dunning_url": reverse("provider-contract-dunning", args=[contract.id])
        if side == "provider" and contract.provider_id == organization.pk
        else "",
        "offer": _offer(request, organization, side, contract) if may_agree(request) else None,
        "end_url": reverse(f"{side}-contract-end", args=[contract.id]) if may_end else "",
        "crumbs": (Crumb(_("Contracts"), reverse(f"{side}-contracts")), Crumb(contract.number)),
        "sub": " · ".join(filter(None, (contract.name, span_words(contract.from_at, contract.to_at, zone, locale)))),
        "now": datetime.now(UTC),
    }
    return render(request, "billing/contract.html", context)


def _offer(request: HttpRequest, organization: Organization, side: str, contract: Contract) -> dict[str, Any] | None:
    """What is on offer and waits for this side's word, so that it can be given where the contract is read."""
    offered = offer_of(contract)
    if offered is None or offered.acceptances.filter(organization=organization).exists():
        return None
    return {
        "row": offered,
        "url": reverse(f"{side}-amendment", args=[offered.id]),
        "is_first": contract.version == 0,
        "person": request.user.name if isinstance(request.user, User) else "",
    }


def _version_rows(
    organization: Organization, versions: Sequence[ContractVersion], zone: str, locale: str
) -> list[dict[str, Any]]:
    steps = steps_behind(versions)
    names = named_actors(organization, {step.by for step in steps.values()})
    rows = []
    for version in versions:
        amendment: Amendment | None = getattr(version, "amendment", None)
        step = steps.get(version.pk)
        rows.append(
            {
                "row": version,
                "at": span_words(version.effective_at, None, zone, locale),
                "accepted": accepted_rows(list(amendment.acceptances.all()) if amendment else [], zone, locale),
                "step": f"{step.ref} · {step_words(step.step)}" if step else "",
                "by": names[step.by] if step and step.by != SWEEP else "",
                "entered": moment(version.created_at, ZoneInfo(zone), locale=locale),
            }
        )
    return rows

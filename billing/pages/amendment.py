"""Amendments for both sides: what one would change in words and in money, deciding on it, and drafting one."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from billing.agreements.accepting import accept
from billing.agreements.drafting import Actor, decline, draft_contract, edit_draft, offer, propose, withdraw
from billing.agreements.standing import actions_of, preview_of
from billing.models import Amendment, Contract, Term
from billing.pages.contract_forms import (
    ChangeForm,
    HeaderForm,
    deployments_between,
    deployments_of,
    free_slices,
    kind_choices,
    slices_of,
    versions_of,
)
from billing.pages.contract_header import books_of_side, header_of
from billing.pages.contract_words import (
    ChangeWords,
    accepted_rows,
    amendment_pill,
    change_words,
    deposit_words,
    kind_words,
    settled_words,
    span_words,
)
from billing.pages.contracts import may_agree, own_contract
from billing.pages.refused_fields import refused_above, say_refused
from billing.queries.agreements import amendment_of, settled_changes
from billing.queries.known_parties import card_models, known_parties
from billing.rating.kinds import KINDS
from billing.rating.rated import TermKind
from billing.rating.wording import Wording
from clusters.card_models import is_card
from portal.figures import money, money_change
from portal.locales import active_locale
from portal.parts import Kpi
from portal.shell import Crumb
from tenants.models import Organization, User
from tenants.problems import Problem
from tenants.roles import AGREE_CONTRACTS, READ_CONTRACTS
from tenants.scoping import provider_page, tenant_page
from tenants.telling import with_example


@require_http_methods(["GET", "HEAD", "POST"])
@tenant_page(READ_CONTRACTS)
def tenant_amendment(request: HttpRequest, organization: Organization, *, amendment_id: UUID) -> HttpResponse:
    """Show an amendment to the tenant; a POST decides on it."""
    return _amendment(request, organization, "tenant", amendment_id)


@require_http_methods(["GET", "HEAD", "POST"])
@provider_page(READ_CONTRACTS)
def provider_amendment(request: HttpRequest, organization: Organization, *, amendment_id: UUID) -> HttpResponse:
    """Show an amendment to the provider; a POST decides on it."""
    return _amendment(request, organization, "provider", amendment_id)


@require_http_methods(["GET", "HEAD", "POST"])
@tenant_page(AGREE_CONTRACTS)
def tenant_amendment_new(request: HttpRequest, organization: Organization, *, contract_id: UUID) -> HttpResponse:
    """Draft a change of a contract, or one more of a draft."""
    return _new(request, organization, "tenant", contract_id)


@require_http_methods(["GET", "HEAD", "POST"])
@provider_page(AGREE_CONTRACTS)
def provider_amendment_new(request: HttpRequest, organization: Organization, *, contract_id: UUID) -> HttpResponse:
    """Draft a change of a contract, or one more of a draft."""
    return _new(request, organization, "provider", contract_id)


@require_http_methods(["GET", "HEAD", "POST"])
@tenant_page(AGREE_CONTRACTS)
def tenant_contract_new(request: HttpRequest, organization: Organization) -> HttpResponse:
    """Draft a contract with its first term."""
    return _new_contract(request, organization, "tenant")


@require_http_methods(["GET", "HEAD", "POST"])
@provider_page(AGREE_CONTRACTS)
def provider_contract_new(request: HttpRequest, organization: Organization) -> HttpResponse:
    """Draft a contract with its first term."""
    return _new_contract(request, organization, "provider")


def _amendment(request: HttpRequest, organization: Organization, side: str, amendment_id: UUID) -> HttpResponse:
    amendment = amendment_of(organization, amendment_id)
    if amendment is None:
        raise Http404
    now = datetime.now(UTC)
    refused = ""
    status = 200
    if request.method == "POST":
        try:
            _decide(request, organization, amendment, now)
        except Problem as problem:
            with timezone.override(amendment.contract.time_zone):
                refused, status = refused_above(problem), problem.status
        else:
            return redirect(f"{side}-amendment", amendment_id)
    context = _shown(request, organization, side, amendment, now)
    return render(request, "billing/amendment.html", {**context, "refused": refused}, status=status)


def _decide(request: HttpRequest, organization: Organization, amendment: Amendment, now: datetime) -> None:
    if not may_agree(request):
        raise Http404
    by, given = _actor(request, organization), request.POST
    match given.get("action"):
        case "accept":
            name = given.get("name", "")
            accept(amendment_id=amendment.id, by=by, name=name, sha256=given.get("sha256", ""), now=now)
            messages.success(request, _("You have accepted these terms."))
        case "decline":
            decline(amendment_id=amendment.id, by=by, now=now)
        case "withdraw":
            withdraw(amendment_id=amendment.id, by=by, now=now)
        case "offer":
            offer(amendment_id=amendment.id, by=by, now=now)
            messages.success(request, _("Offered. Its terms are fixed now; accept them yourself too."))
        case _:
            raise Http404


def _shown(
    request: HttpRequest, organization: Organization, side: str, amendment: Amendment, now: datetime
) -> dict[str, Any]:
    contract = amendment.contract
    locale, zone = active_locale(), contract.time_zone
    found = preview_of(amendment, now)
    actions = actions_of(amendment, organization) if may_agree(request) else ()
    edited_by = "amendment-new" if amendment.ends_at is None else "contract-end"
    is_first = contract.version == 0 or (amendment.version is not None and amendment.version.number == 1)
    context: dict[str, Any] = {
        "amendment": amendment,
        "is_first": is_first,
        "contract": contract,
        "pill": amendment_pill(amendment),
        "at": span_words(amendment.effective_at, None, zone, locale),
        "expires": amendment.expires_at,
        "accepted": accepted_rows(list(amendment.acceptances.all()), zone, locale),
        "actions": actions,
        "edit_url": f"{reverse(f'{side}-{edited_by}', args=[contract.id])}?draft={amendment.id}",
        "changes": change_words(found, contract, locale) if found else _settled(amendment, locale),
        "person": request.user.name if isinstance(request.user, User) else "",
        "crumbs": (
            Crumb(_("Contracts"), reverse(f"{side}-contracts")),
            Crumb(contract.number, reverse(f"{side}-contract", args=[contract.id])),
            Crumb(_("First version") if is_first else _("Amendment %(number)s") % {"number": amendment.number}),
        ),
    }
    if found is not None:
        difference = found.after - found.before
        context["period"] = span_words(found.from_at, found.to_at, zone, locale)
        context["unpriced"] = found.unpriced
        context["kpis"] = [
            Kpi(_("By the terms in force"), money(found.before, found.currency, locale=locale)),
            Kpi(_("By the terms proposed"), money(found.after, found.currency, locale=locale)),
            Kpi(
                _("Difference"),
                money_change(difference, found.currency, locale=locale),
                foot=deposit_words(found.deposit, found.currency, locale) if found.deposit else "",
            ),
        ]
    return context


def _settled(amendment: Amendment, locale: str) -> list[ChangeWords]:
    """What an accepted amendment changed, in words; nothing of one that both have not accepted."""
    version = amendment.version
    return settled_words(settled_changes(version), amendment.contract, locale) if version else []


def _new(request: HttpRequest, organization: Organization, side: str, contract_id: UUID) -> HttpResponse:
    contract = own_contract(organization, contract_id)
    query = request.POST if request.method == "POST" else request.GET
    draft = _draft(organization, contract, query.get("draft", ""))
    terms = {term.ref: term for term in contract.terms.all() if term.stretches()}
    term = terms.get(query.get("term", ""))
    kind = TermKind(term.kind) if term else _kind(query.get("kind", ""))
    form = _change_form(request, contract, kind, term)
    if form.is_bound and form.is_valid():
        change = _change(contract, form, term)
        if not form.errors:
            try:
                by = _actor(request, organization)
                made = _propose(by, contract, draft, change, form.cleaned_data["note"])
            except Problem as problem:
                with timezone.override(contract.time_zone):
                    say_refused(problem, form)
            else:
                return redirect(f"{side}-amendment", made.id)
    context = {
        "form": form,
        "cards": card_models(organization, side),
        "contract": contract,
        "draft": draft,
        "term": term,
        "kind": kind,
        "kind_name": kind_words(kind),
        "terms": list(terms.values()),
        "kinds": kind_choices(),
        "crumbs": (
            Crumb(_("Contracts"), reverse(f"{side}-contracts")),
            Crumb(contract.number, reverse(f"{side}-contract", args=[contract.id])),
            Crumb(_("Draft an amendment")),
        ),
    }
    return render(request, "billing/amendment_form.html", context, status=422 if form.is_bound else 200)


def _new_contract(request: HttpRequest, organization: Organization, side: str) -> HttpResponse:
    query = request.POST if request.method == "POST" else request.GET
    header = HeaderForm(
        request.POST if request.method == "POST" else None,
        books=books_of_side(organization, side),
        party=query.get("party", ""),
    )
    kind = _kind(query.get("kind", ""))
    form = ChangeForm(request.POST if request.method == "POST" else None, kind=kind)
    if header.is_bound and header.is_valid() and form.is_valid():
        try:
            made = _draft_contract(request, organization, side, header, form)
        except Problem as problem:
            say_refused(problem, header, form)
        else:
            if made is not None:
                return redirect(f"{side}-amendment", made.id)
    context = {
        "header": header,
        "parties": known_parties(organization, side),
        "cards": card_models(organization, side),
        "form": form,
        "kind": kind,
        "kind_name": kind_words(kind),
        "kinds": kind_choices(),
        "crumbs": (Crumb(_("Contracts"), reverse(f"{side}-contracts")), Crumb(_("Draft a contract"))),
    }
    return render(request, "billing/contract_new.html", context, status=422 if form.is_bound else 200)


def _draft_contract(
    request: HttpRequest, organization: Organization, side: str, header: HeaderForm, form: ChangeForm
) -> Amendment | None:
    given = header.cleaned_data
    other = Organization.objects.filter(slug=given["party"]).first()
    if other is None:
        known = next((each.slug for each in known_parties(organization, side)), "")
        header.add_error("party", with_example(_("There is no organization of this name."), known))
        return None
    provider, tenant = (organization, other) if side == "provider" else (other, organization)
    made = header_of(given, provider, tenant)
    change = _change(Contract(provider=provider, tenant=tenant, time_zone=made.time_zone), form, None)
    if form.errors:
        return None
    by, now = _actor(request, organization), datetime.now(UTC)
    return draft_contract(header=made, changes=[change], by=by, now=now, note=form.cleaned_data["note"])


def _change_form(request: HttpRequest, contract: Contract, kind: TermKind, term: Term | None) -> ChangeForm:
    wording: Wording | None = term.stretches()[-1].wording if term else None
    locale = active_locale()
    return ChangeForm(
        request.POST if request.method == "POST" else None,
        kind=kind,
        wording=wording,
        known=term is not None,
        deployments=deployments_between(contract),
        bound=deployments_of(term) if term else (),
        held=slices_of(term) if term and KINDS[kind].takes_slices else (),
        versions=versions_of(contract, locale) if kind == TermKind.PRICE_RULE else (),
    )


def _change(contract: Contract, form: ChangeForm, term: Term | None) -> dict[str, Any]:
    """The change that a form says, as a proposal has it."""
    given, document = form.cleaned_data, form.document()
    change: dict[str, Any] = {
        "ref": term.ref if term else "",
        "title": given["title"] or (term.title if term else ""),
        "from_at": given["from_at"],
        "to_at": given["to_at"] or None,
        "wording": document,
    }
    if document is None or (term is not None and not form.is_about_others):
        return change
    if "cards" in form.fields:
        card = str(document.get("accelerator_model", ""))
        # A card that nobody has is refused by its name, not by how many of it are free.
        known = not card or is_card(card, provider_ids=[contract.provider_id])
        more = free_slices(contract, card, form) if known else []
        change["slices"] = [*given.get("kept", form.held), *more]
    if "deployments" in form.fields:
        change["deployments"] = list(given["deployments"])
    return change


def _propose(by: Actor, contract: Contract, draft: Amendment | None, change: Mapping[str, Any], note: str) -> Amendment:
    if draft is None:
        return propose(contract_id=contract.id, changes=[change], by=by, now=datetime.now(UTC), note=note)
    kept = [each for each in draft.changes if not change["ref"] or each["ref"] != change["ref"]]
    return edit_draft(amendment_id=draft.id, changes=[*kept, change], by=by, note=note or draft.note)


def _draft(organization: Organization, contract: Contract, text: str) -> Amendment | None:
    """The draft to which a change is added; none where none is named."""
    try:
        amendment_id = UUID(text)
    except ValueError:
        return None
    found = amendment_of(organization, amendment_id)
    if found is None or found.contract_id != contract.id or found.ends_at is not None:
        raise Http404
    return found


def _kind(text: str) -> TermKind:
    kinds = [kind for kind in KINDS if kind == text]
    return kinds[0] if kinds else TermKind.LEASE


def _actor(request: HttpRequest, organization: Organization) -> Actor:
    assert isinstance(request.user, User)
    return Actor(organization, request.user.email)

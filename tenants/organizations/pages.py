"""What an organization says of itself, on every side; and for the operator: all of them, one of them, a new one."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any
from uuid import UUID

from babel import Locale
from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import Http404
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from portal import paging
from portal.figures import day, moment
from portal.locales import active_locale
from portal.parts import Empty, Pill
from portal.selects import UNCHOSEN, LongSelect, zone_names
from portal.shell import Crumb
from tenants.acting import on_every_side, person_acting
from tenants.members.inviting import invite
from tenants.members.reading import members_of, open_invitations
from tenants.models import Organization, Role
from tenants.organizations import changing, making
from tenants.organizations.changing import Facts
from tenants.organizations.fee_pages import percent
from tenants.organizations.fees import fee_at, set_fee, standings
from tenants.organizations.reading import KINDS, kinds_of, organizations
from tenants.problems import Problem
from tenants.roles import EDIT_ORGANIZATION, MANAGE_ORGANIZATIONS, READ_MEMBERS, NotAllowed, allows
from tenants.scoping import operator_page
from tenants.tax_ids import COUNTRIES
from tenants.telling import told

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse
    from django.http.response import HttpResponseBase

    from tenants.actors import Actor


class FactsForm(forms.Form):
    """What an organization says of itself."""

    name = forms.CharField(label=gettext_lazy("Name"), max_length=changing.NAME_CHARACTERS_MAX)
    country = forms.ChoiceField(label=gettext_lazy("Country"), widget=LongSelect)
    time_zone = forms.ChoiceField(
        label=gettext_lazy("Time zone"),
        initial="UTC",
        widget=LongSelect,
        help_text=gettext_lazy("New contracts begin with it; running ones keep theirs."),
    )
    billing_email = forms.EmailField(label=gettext_lazy("E-mail for bills"), max_length=254)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Offer every country by its name, and every time zone."""
        super().__init__(*args, **kwargs)
        country, zone = self.fields["country"], self.fields["time_zone"]
        assert isinstance(country, forms.ChoiceField)
        assert isinstance(zone, forms.ChoiceField)
        names = Locale.parse(active_locale()).territories
        named = {code: str(names.get(code, code)) for code in COUNTRIES}
        country.choices = [UNCHOSEN] + [(code, named[code]) for code in sorted(named, key=lambda code: named[code])]
        zone.choices = [(name, name) for name in zone_names()]

    def facts(self) -> Facts:
        """Return what was typed; it must be valid."""
        return Facts(**{name: self.cleaned_data[name] for name in Facts.__slots__})


class NewOrganizationForm(FactsForm):
    """A new organization and its first owner."""

    kinds = forms.MultipleChoiceField(
        label=gettext_lazy("It is"),
        choices=(("provider", gettext_lazy("a provider")), ("tenant", gettext_lazy("a tenant"))),
        widget=forms.CheckboxSelectMultiple,
    )
    owner_email = forms.EmailField(label=gettext_lazy("E-mail of its owner"), max_length=254)
    field_order = ("name", "kinds", "owner_email", "billing_email", "country", "time_zone")


def _about(request: HttpRequest, actor: Actor, side: str) -> HttpResponseBase:
    """Show what an organization says of itself; a POST changes it."""
    organization = actor.organization
    edits, posted = allows(actor.role, EDIT_ORGANIZATION), request.method == "POST"
    if posted and not edits:
        raise NotAllowed(EDIT_ORGANIZATION)
    kept = {name: getattr(organization, name) for name in Facts.__slots__}
    form = FactsForm(request.POST if posted else None, initial=kept)
    if posted and form.is_valid():
        try:
            changing.change_organization(actor=actor, given=form.facts(), now=_now())
        except Problem as refused:
            form.add_error(str(refused.extra.get("field", "")) or None, told(refused.said))
        else:
            messages.success(request, _("It is kept so."))
            return redirect(f"{side}-organization")
    if not edits:
        for field in form.fields.values():
            field.disabled = True
    context = {
        "form": form,
        "edits": edits,
        "organization": organization,
        "words": _kind_words(organization),
        "fees": _fees(organization),
    }
    return render(request, "tenants/organization.html", context, status=422 if posted else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@operator_page(MANAGE_ORGANIZATIONS)
def operator_organizations(request: HttpRequest, organization: Organization) -> HttpResponse:
    """List every organization; a POST makes one and invites its owner."""
    posted, actor = request.method == "POST", person_acting(request)
    form = NewOrganizationForm(request.POST if posted else None, initial={"country": organization.country})
    made: Organization | None = None
    address = ""
    if form.is_bound and form.is_valid():
        try:
            made, _invitation, token = making.make_organization(
                actor=actor,
                given=form.facts(),
                kinds=form.cleaned_data["kinds"],
                owner_email=form.cleaned_data["owner_email"],
                language=translation.get_language() or "en",
                secret_key=settings.SECRET_KEY,
                now=_now(),
            )
        except Problem as refused:
            named = str(refused.extra.get("field", ""))
            form.add_error({"email": "owner_email"}.get(named, named) or None, told(refused.said))
        else:
            address = invitation_address(request, token)
            form = NewOrganizationForm(initial={"country": organization.country})
    context = {"form": form, "made": made, "invitation_address": address, **_listed(request)}
    status = 201 if made else 422 if posted else 200
    return render(request, "tenants/organizations.html", context, status=status)


def _listed(request: HttpRequest) -> dict[str, Any]:
    """Return the organizations of a page with what they were chosen by. Raises Http404 beyond the last page."""
    search, kind, page = (
        request.GET.get("q", "").strip()[:200],
        request.GET.get("kind", ""),
        paging.read_page(request.GET.get("page", "")),
    )
    found, first = organizations(search=search, kind=kind), paging.first_row(page)
    shown = list(found[first : first + paging.ROWS_PER_PAGE])
    if page > 1 and not shown:
        raise Http404
    locale, kept = active_locale(), {"q": search, "kind": kind}
    return {
        "search": search,
        "kind": kind,
        "kinds": [(name, _kind_names()[name]) for name in KINDS],
        "rows": [_row(one, locale) for one in shown],
        "pagination": paging.pagination(request.path, kept, page, found.count()),
        "empty": Empty(_("No organization is found"), _("Search for something else."), icon="people"),
        "csv_url": paging.address(reverse("operator-organizations-csv"), kept),
    }


@require_http_methods(["GET", "HEAD", "POST"])
@operator_page(MANAGE_ORGANIZATIONS)
def operator_organization(
    request: HttpRequest,
    organization: Organization,  # noqa: ARG001  every page takes it
    *,
    organization_id: UUID,
) -> HttpResponseBase:
    """Show one organization; a POST sets its fee, keeps it out, lets it in, or invites an owner."""
    found = organizations().filter(pk=organization_id).first()
    if found is None:
        raise Http404
    address = ""
    if request.method == "POST":
        try:
            said, address = _act(request, person_acting(request), found)
        except Problem as refused:
            messages.error(request, told(refused.said))
            return redirect("operator-organization-of", found.pk)
        if not address:
            messages.success(request, said)
            return redirect("operator-organization-of", found.pk)
    locale = active_locale()
    context = {
        "one": found,
        "row": _row(found, locale),
        "owners": members_of(found, role=Role.OWNER),
        "invitations": open_invitations(found),
        "invitation_address": address,
        "fee": f"{fee_at(found, _now()).normalize():f}",
        "crumbs": [Crumb(_("Organizations"), reverse("operator-organizations")), Crumb(found.name)],
    }
    return render(request, "tenants/organization_of.html", context)


def _act(request: HttpRequest, actor: Actor, found: Organization) -> tuple[str, str]:
    """Do what a button says; return what came of it, and an address that is to be handed over."""
    action, now = request.POST.get("do", ""), _now()
    given: dict[str, Any] = {"actor": actor, "organization_id": found.pk, "now": now}
    if action == "suspend":
        changing.suspend(because=request.POST.get("because", ""), **given)
        return _("%(name)s is kept out; usage is metered on.") % {"name": found.name}, ""
    if action == "reinstate":
        changing.reinstate(**given)
        return _("%(name)s is let in again.") % {"name": found.name}, ""
    if action == "fee":
        set_fee(fee_percent=_percent(request.POST.get("fee", "")), **given)
        return _("New contracts of %(name)s have this fee.") % {"name": found.name}, ""
    if action != "invite":
        raise Http404
    _invitation, token = invite(
        actor=type(actor)(found, actor.name, Role.OWNER),
        email=request.POST.get("email", ""),
        role=Role.OWNER,
        language=translation.get_language() or "en",
        secret_key=settings.SECRET_KEY,
        now=now,
    )
    return _("An owner of %(name)s is invited.") % {"name": found.name}, invitation_address(request, token)


def invitation_address(request: HttpRequest, token: str) -> str:
    """Return the address to hand over where no letters are sent; nothing where one carries it."""
    return "" if settings.MAIL_READY else request.build_absolute_uri(reverse("invitation", args=[token]))


def _percent(text: str) -> Decimal:
    try:
        return Decimal(text.strip())
    except InvalidOperation as error:
        raise changing.WrongOrganization(
            f"fee_percent: {text[:40]!r} is no number.", field="fee_percent", example="2.5"
        ) from error


def _row(one: Organization, locale: str) -> dict[str, Any]:
    return {
        "name": one.name,
        "slug": one.slug,
        "kinds": _kind_words(one),
        "country": one.country,
        "people": getattr(one, "people", 0),
        "made": moment(one.created_at, UTC, locale=locale),
        "by": one.introduced_by.name if one.introduced_by else "",
        "url": reverse("operator-organization-of", args=[one.pk]),
        "pill": Pill(_("Suspended"), "bad") if one.suspended_at else Pill(_("Let in"), "good"),
    }


def _fees(organization: Organization) -> list[tuple[str, str]]:
    """Return the operator's fee of a provider: from when on, "" for what counts now, and how much."""
    if not organization.is_provider:
        return []
    locale = active_locale()
    (found,) = standings(_now(), organization)
    ahead = [(day(fee.from_at.date(), "yMMMd", locale), percent(fee.fee_percent)) for fee in found.announced]
    return [("", percent(found.fee_percent)), *ahead]


def _kind_names() -> dict[str, str]:
    return {"operator": _("Operator"), "provider": _("Provider"), "tenant": _("Tenant")}


def _kind_words(one: Organization) -> str:
    return " · ".join(_kind_names()[kind] for kind in kinds_of(one))


def _now() -> datetime:
    return datetime.now(UTC)


about = on_every_side(READ_MEMBERS, _about, require_http_methods(["GET", "HEAD", "POST"]))

"""How an organization stands on bills: its form, and the versions before it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from babel import Locale
from django import forms
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_safe

from portal.figures import moment
from portal.locales import active_locale
from portal.punctuation import joined
from portal.selects import UNCHOSEN
from tenants.logos import LOGO_BYTES_MAX
from tenants.members.words import role_names
from tenants.models import BillingProfile, User
from tenants.problems import Problem
from tenants.profile_models import ADDRESS_LINES_MAX, BillLanguage
from tenants.profiles import LogoChange, ProfileFields, fields_of, keep_profile, profile_of
from tenants.roles import EDIT_PROFILE, READ_INVOICES, NotAllowed, allows, roles_that
from tenants.scoping import acting_membership, provider_page, tenant_page
from tenants.tax_ids import COUNTRIES
from tenants.telling import told

if TYPE_CHECKING:
    from django.http import HttpRequest

    from tenants.models import Organization

VERSIONS_SHOWN_MAX = 20


class ProfileForm(forms.Form):
    """A billing profile as a person writes it."""

    legal_name = forms.CharField(label=gettext_lazy("Legal name"), max_length=200)
    address = forms.CharField(
        label=gettext_lazy("Street address"),
        max_length=320,
        required=False,
        widget=forms.Textarea(attrs={"rows": ADDRESS_LINES_MAX}),
        help_text=gettext_lazy("At most three lines."),
    )
    postcode = forms.CharField(label=gettext_lazy("Postcode"), max_length=20, required=False)
    city = forms.CharField(label=gettext_lazy("City"), max_length=100, required=False)
    region = forms.CharField(label=gettext_lazy("State or province"), max_length=100, required=False)
    country = forms.ChoiceField(label=gettext_lazy("Country"))
    vat_id = forms.CharField(
        label=gettext_lazy("VAT id"),
        max_length=30,
        required=False,
        help_text=gettext_lazy("With its country's prefix. Form and check digits are looked at, nobody is asked."),
    )
    tax_number = forms.CharField(label=gettext_lazy("Other tax number"), max_length=40, required=False)
    registration = forms.CharField(
        label=gettext_lazy("Company registration"),
        max_length=100,
        required=False,
        help_text=gettext_lazy("Register and number."),
    )
    email = forms.EmailField(label=gettext_lazy("E-mail for bills"))
    bank_name = forms.CharField(label=gettext_lazy("Bank"), max_length=100, required=False)
    iban = forms.CharField(label=gettext_lazy("IBAN"), max_length=50, required=False)
    bic = forms.CharField(label=gettext_lazy("BIC"), max_length=14, required=False)
    bank_account = forms.CharField(
        label=gettext_lazy("Account without IBAN"),
        max_length=200,
        required=False,
        help_text=gettext_lazy("Routing and account number."),
    )
    payment_terms = forms.CharField(label=gettext_lazy("Payment terms on bills"), max_length=500, required=False)
    notes = forms.CharField(
        label=gettext_lazy("Notes on bills"),
        max_length=1000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    language = forms.ChoiceField(label=gettext_lazy("Language of bills"), choices=BillLanguage.choices)
    logo = forms.FileField(
        label=gettext_lazy("Logo"),
        required=False,
        widget=forms.FileInput(attrs={"accept": "image/png,image/jpeg"}),
        help_text=gettext_lazy("PNG or JPEG, at most 200 KiB. Without a file the one there is stays."),
    )
    without_logo = forms.BooleanField(label=gettext_lazy("Take the logo off"), required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Offer every country by its name in the reader's language."""
        super().__init__(*args, **kwargs)
        country = self.fields["country"]
        assert isinstance(country, forms.ChoiceField)
        country.choices = [UNCHOSEN, *country_choices()]

    def clean_logo(self) -> bytes | None:
        """Read the picture, which may not be larger than a logo is."""
        found = self.cleaned_data["logo"]
        if not found:
            return None
        if found.size > LOGO_BYTES_MAX:
            raise forms.ValidationError(_("The picture is too large: at most 200 KiB."))
        content: bytes = found.read()
        return content

    def fields_given(self) -> ProfileFields:
        """Return what the form says; it must be valid."""
        given = {name: self.cleaned_data[name] for name in ProfileFields.__slots__ if name != "address_lines"}
        return ProfileFields(address_lines=tuple(self.cleaned_data["address"].splitlines()), **given)

    def logo_change(self) -> LogoChange | None:
        """Return a new logo, none from now on, or no change."""
        content = self.cleaned_data["logo"]
        if content is None and not self.cleaned_data["without_logo"]:
            return None
        return LogoChange(content)


def country_choices() -> list[tuple[str, str]]:
    """Return every country's code and its name in the language of the page, by name."""
    names = Locale.parse(active_locale()).territories
    return sorted(((code, str(names.get(code, code))) for code in COUNTRIES), key=lambda choice: choice[1])


@require_http_methods(["GET", "HEAD", "POST"])
@tenant_page(READ_INVOICES)
def tenant_settings(request: HttpRequest, organization: Organization) -> HttpResponse:
    """Show and take how a tenant stands on bills."""
    return _settings(request, organization, "tenant")


@require_http_methods(["GET", "HEAD", "POST"])
@provider_page(READ_INVOICES)
def provider_settings(request: HttpRequest, organization: Organization) -> HttpResponse:
    """Show and take how a provider stands on the bills that it issues."""
    return _settings(request, organization, "provider")


@require_safe
@tenant_page(READ_INVOICES)
def tenant_logo(request: HttpRequest, organization: Organization) -> HttpResponse:  # noqa: ARG001  every page takes it
    """Show the logo of a tenant."""
    return _logo(organization)


@require_safe
@provider_page(READ_INVOICES)
def provider_logo(request: HttpRequest, organization: Organization) -> HttpResponse:  # noqa: ARG001  every page takes it
    """Show the logo of a provider."""
    return _logo(organization)


def _settings(request: HttpRequest, organization: Organization, side: str) -> HttpResponse:
    membership = acting_membership(request)
    edits = membership is not None and allows(membership.role, EDIT_PROFILE)
    posted = request.method == "POST"
    if posted and not edits:
        raise NotAllowed(EDIT_PROFILE)
    profile = profile_of(organization)
    form = ProfileForm(
        request.POST if posted else None, request.FILES if posted else None, initial=_initial(profile, organization)
    )
    if posted and form.is_valid() and _kept(request, organization, form):
        return redirect(f"{side}-settings")
    if not edits:
        for field in form.fields.values():
            field.disabled = True
    locale = active_locale()
    versions = BillingProfile.objects.filter(organization=organization).order_by("-version")
    context = {
        "form": form,
        "edits": edits,
        "editors": joined(role_names()[role] for role in roles_that(EDIT_PROFILE)),
        "logo_url": reverse(f"{side}-logo") if profile.logo_id else "",
        "taxes_url": reverse("provider-taxes") if side == "provider" else "",
        "versions": [
            {
                "number": one.version,
                "at": moment(one.created_at, UTC, locale=locale),
                "by": one.created_by,
                "name": one.legal_name,
                "vat_id": one.vat_id,
            }
            for one in versions[:VERSIONS_SHOWN_MAX]
        ],
    }
    return render(request, "billing/settings.html", context, status=422 if posted else 200)


def _kept(request: HttpRequest, organization: Organization, form: ProfileForm) -> bool:
    """Keep what the form says; what refuses it is shown at its field."""
    assert isinstance(request.user, User)
    try:
        _profile, is_new = keep_profile(
            organization=organization,
            given=form.fields_given(),
            by=request.user.email,
            now=datetime.now(UTC),
            logo=form.logo_change(),
        )
    except Problem as wrong:
        named = str(wrong.extra.get("field", "logo" if wrong.code == "wrong_logo" else ""))
        field = {"address_lines": "address"}.get(named, named)
        form.add_error(field or None, told(wrong.said).removeprefix(f"{named}: "))
        return False
    messages.success(
        request, _("Kept. Bills that are issued from now on say so.") if is_new else _("Nothing was changed.")
    )
    return True


def _initial(profile: BillingProfile, organization: Organization) -> dict[str, Any]:
    fields = fields_of(profile)
    found: dict[str, Any] = {name: getattr(fields, name) for name in ProfileFields.__slots__}
    found["address"] = "\n".join(found.pop("address_lines"))
    return found if profile.version else {**found, "country": organization.country}


def _logo(organization: Organization) -> HttpResponse:
    logo = profile_of(organization).logo
    if logo is None:
        raise Http404
    answer = HttpResponse(bytes(logo.content), content_type=logo.media_type)
    answer["Cache-Control"] = "private, max-age=60"
    return answer

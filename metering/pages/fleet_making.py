"""Adding a cluster and making enrolment tokens by hand, so that a server is connected without writing a program."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from babel import Locale
from django import forms
from django.core.exceptions import PermissionDenied
from django.shortcuts import get_object_or_404
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from clusters.enrolment import issue_token
from clusters.making import make_cluster
from clusters.models import Cluster
from portal.figures import moment
from portal.locales import active_locale
from portal.selects import UNCHOSEN, LongSelect
from tenants.acting import person_acting
from tenants.problems import Problem
from tenants.roles import MANAGE_LEASES, allows
from tenants.tax_ids import COUNTRIES
from tenants.telling import told

if TYPE_CHECKING:
    from collections.abc import Mapping

    from django.http import HttpRequest

    from tenants.models import Organization

SLUG_CHARS_MAX: Final = 63
TOKEN_VALID_FOR: Final = timedelta(hours=24)


class ClusterForm(forms.Form):
    """A new cluster: its name, and where it stands."""

    name = forms.CharField(label=gettext_lazy("Name"), max_length=200)
    slug = forms.SlugField(
        label=gettext_lazy("Short name"),
        max_length=SLUG_CHARS_MAX,
        required=False,
        help_text=gettext_lazy("Stands in addresses and commands. Left empty, it is made from the name."),
    )
    country = forms.ChoiceField(label=gettext_lazy("Country"), widget=LongSelect)

    def __init__(self, data: Mapping[str, Any] | None, *, country: str) -> None:
        """Offer every country by its name, first the one that the provider is in."""
        super().__init__(data, initial={"country": country})
        names = Locale.parse(active_locale()).territories
        named = sorted((str(names.get(code, code)), code) for code in COUNTRIES)
        self.fields["country"].choices = [UNCHOSEN] + [(code, name) for name, code in named]  # type: ignore[attr-defined]  # a ChoiceField's

    def clean(self) -> dict[str, Any]:
        """Make the short name from the name where none is given; one in other letters has to be typed."""
        given = super().clean() or {}
        given["slug"] = given.get("slug") or slugify(given.get("name", ""))[:SLUG_CHARS_MAX].strip("-")
        if not given["slug"] and "slug" not in self.errors and "name" not in self.errors:
            self.add_error("slug", _("Give a short name in the letters a to z, such as harbour-1."))
        return given


def may_make(request: HttpRequest) -> bool:
    """Say whether the person may add clusters and make tokens, as keys with fleet:write may."""
    return allows(person_acting(request).role, MANAGE_LEASES)


def cluster_form(request: HttpRequest, organization: Organization) -> tuple[ClusterForm, Cluster | None]:
    """Return the form that adds a cluster, and what a POST of it made. Raises PermissionDenied for other roles."""
    posted = request.method == "POST"
    if posted and not may_make(request):
        raise PermissionDenied
    form = ClusterForm(request.POST if posted else None, country=organization.country)
    if not form.is_bound or not form.is_valid():
        return form, None
    actor, now = person_acting(request).name, datetime.now(UTC)
    try:
        return form, make_cluster(provider=organization, actor=actor, now=now, **form.cleaned_data)
    except Problem as refused:
        form.add_error("slug", told(refused.said))
    return form, None


def made_token(request: HttpRequest, organization: Organization, cluster: str) -> dict[str, str]:
    """Make a token for a cluster where the page was posted: its secret, and until when it is good.

    Raises PermissionDenied for other roles and Http404 for a cluster that is not the provider's.
    """
    if request.method != "POST":
        return {}
    if not may_make(request):
        raise PermissionDenied
    found = get_object_or_404(Cluster, provider=organization, slug=cluster)
    actor, now = person_acting(request).name, datetime.now(UTC)
    made = issue_token(cluster=found, now=now, valid_for=TOKEN_VALID_FOR, actor=actor)
    until = moment(made.token.expires_at, UTC, locale=active_locale())
    return {"token": made.secret, "token_until": until}

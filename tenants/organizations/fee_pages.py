"""The operator's fees on a page: what counts for each provider, what is announced, and what was set when by whom."""

from __future__ import annotations

from datetime import UTC, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import messages
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_safe

from portal.figures import day, moment
from portal.locales import active_locale
from portal.parts import Action, Empty
from tenants.acting import person_acting
from tenants.listing.csv_files import csv_answer
from tenants.organizations.fees import FeeStanding, fees_of, set_fee, standings
from tenants.problems import Problem
from tenants.roles import MANAGE_ORGANIZATIONS
from tenants.scoping import operator_page
from tenants.telling import told

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from django.http import HttpRequest, HttpResponse
    from django.http.response import HttpResponseBase

    from tenants.models import Organization

HISTORY_ROWS_MAX = 200
HEAD = ("provider", "slug", "fee_percent", "from_utc", "set_by", "set_utc")


class FeeForm(forms.Form):
    """A provider's fee, from now on or from a day to come."""

    provider = forms.ChoiceField(label=gettext_lazy("Provider"))
    fee_percent = forms.DecimalField(
        label=gettext_lazy("Percent of what it bills"),
        help_text=gettext_lazy("Of contracts that are made from then on; those there are keep theirs."),
        min_value=0,
        max_value=100,
        decimal_places=4,
    )
    from_day = forms.DateField(
        label=gettext_lazy("From the beginning of, UTC"),
        help_text=gettext_lazy("Left empty, it counts from now on. A day to come is announced to the provider."),
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}),
    )

    def __init__(self, data: Mapping[str, Any] | None, rows: Sequence[FeeStanding], provider: str = "") -> None:
        """Offer the providers that there are."""
        super().__init__(data, initial={"provider": provider})
        field = self.fields["provider"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [(str(row.organization.pk), row.organization.name) for row in rows]


@require_http_methods(["GET", "HEAD", "POST"])
@operator_page(MANAGE_ORGANIZATIONS)
def operator_fees(request: HttpRequest, organization: Organization) -> HttpResponse:  # noqa: ARG001  every page takes it
    """Show what each provider pays; a POST sets a fee, or announces one."""
    posted, now = request.method == "POST", datetime.now(UTC)  # noqa: TID251  an entry point
    rows = standings(now)
    form = FeeForm(request.POST if posted else None, rows, request.GET.get("provider", ""))
    if posted and form.is_valid() and _set(request, form, now):
        return redirect("operator-fees")
    locale = active_locale()
    context = {
        "form": form if rows else None,
        "rows": [_row(row, locale) for row in rows],
        "history": [
            {
                "name": fee.organization.name,
                "fee": percent(fee.fee_percent),
                "from": moment(fee.from_at, UTC, locale=locale),
                "by": fee.set_by,
                "at": moment(fee.set_at, UTC, locale=locale),
            }
            for fee in fees_of()[:HISTORY_ROWS_MAX]
        ],
        "empty": Empty(
            _("No provider yet"),
            _("Make an organization that is a provider: its fee stands here then."),
            Action(_("New organization"), f"{reverse('operator-organizations')}#make", "plus"),
            icon="people",
        ),
        "csv_url": reverse("operator-fees-csv"),
    }
    return render(request, "tenants/fees.html", context, status=422 if posted else 200)


@require_safe
@operator_page(MANAGE_ORGANIZATIONS)
def operator_fees_csv(request: HttpRequest, organization: Organization) -> HttpResponseBase:  # noqa: ARG001  every page takes it
    """Send every fee that was set."""
    rows = (
        (
            fee.organization.name,
            fee.organization.slug,
            f"{fee.fee_percent.normalize():f}",
            fee.from_at.isoformat(),
            fee.set_by,
            fee.set_at.isoformat(),
        )
        for fee in fees_of()
    )
    return csv_answer("fees.csv", HEAD, rows)


def percent(value: Decimal) -> str:
    """Return a percentage as people read it, with all its decimals and no more."""
    return f"{Decimal(value).normalize():f}%"


def _set(request: HttpRequest, form: FeeForm, now: datetime) -> bool:
    given = form.cleaned_data
    start = given["from_day"] and datetime.combine(given["from_day"], time(), UTC)
    try:
        made = set_fee(
            actor=person_acting(request),
            organization_id=given["provider"],
            fee_percent=given["fee_percent"],
            from_at=start,
            now=now,
        )
    except Problem as refused:
        field = {"from_at": "from_day"}.get(str(refused.extra.get("field", "")), "fee_percent")
        form.add_error(field, told(refused.said))
        return False
    if made is None:
        messages.success(request, _("It counted already."))
    elif start is None:
        messages.success(request, _("New contracts have this fee from now on."))
    else:
        messages.success(request, _("It is announced: new contracts have this fee from that day on."))
    return True


def _row(row: FeeStanding, locale: str) -> dict[str, Any]:
    return {
        "name": row.organization.name,
        "url": reverse("operator-organization-of", args=[row.organization.pk]),
        "change_url": f"{reverse('operator-fees')}?provider={row.organization.pk}#set",
        "fee": percent(row.fee_percent),
        "since": day(row.since.date(), "yMMMd", locale) if row.since else "",
        "announced": [(percent(fee.fee_percent), day(fee.from_at.date(), "yMMMd", locale)) for fee in row.announced],
    }

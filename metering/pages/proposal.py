"""Proposing a value: first what stands in an hour, part by part, then the value and the reason for one of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from django import forms
from django.contrib import messages
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_safe

from metering.hour_parts import HOUR, HourPart, hour_parts, metered_nodes
from metering.models import Meter
from metering.pages.node_paging import node_pagination
from metering.pages.quantities import NotAnAmount, amount, read_amount, unit, units
from metering.pages.substitution_words import STAMP, refusal_words, span_words
from metering.pages.tabs import tabs
from metering.pages.witness_words import quantity_words
from metering.substituting import REASON_CHARS_MAX, REASON_CHARS_MIN, VALUE_MAX, UsageUnknown, propose_substitution
from portal.figures import moment
from portal.locales import active_locale
from portal.paging import address, read_page
from portal.parts import Pagination
from portal.shell import Crumb
from tenants.models import Organization, User
from tenants.problems import Problem
from tenants.roles import CORRECT_USAGE, READ_USAGE, allows
from tenants.scoping import acting_membership, provider_page

HOUR_STAMP: Final = "%Y%m%dT%H"
NODES_SUGGESTED_MAX: Final = 500
NODES_PER_PAGE: Final = 20
NODE_CHARS_MAX: Final = 200


class ProposalForm(forms.Form):
    """A value with its unit, and why."""

    value = forms.CharField(label=gettext_lazy("New value"), max_length=60)
    unit = forms.ChoiceField(label=gettext_lazy("Unit"))
    reason = forms.CharField(
        label=gettext_lazy("Reason, for both parties and the audit log"),
        min_length=REASON_CHARS_MIN,
        max_length=REASON_CHARS_MAX,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=gettext_lazy("Say what shows the value, such as a gateway's log or a test of the engine."),
    )

    def __init__(self, *args: Any, quantity: str, **kwargs: Any) -> None:
        """Offer the units of a class."""
        super().__init__(*args, **kwargs)
        self.factors = units(quantity)
        choice = self.fields["unit"]
        assert isinstance(choice, forms.ChoiceField)
        choice.choices = [(name, name) for name in self.factors]
        self.fields["value"].widget.attrs.update({"inputmode": "decimal", "autocomplete": "off"})

    def clean(self) -> dict[str, Any]:
        """Work the amount out in the class's own unit."""
        given = super().clean() or {}
        if "value" in given and "unit" in given:
            try:
                given["amount"] = read_amount(given["value"], self.factors[given["unit"]])
            except NotAnAmount as wrong:
                self.add_error("value", str(wrong))
            else:
                if given["amount"] > VALUE_MAX:
                    self.add_error("value", _("This is more than any meter can count."))
        return given


@dataclass(frozen=True, slots=True)
class PartLine:
    """A part of an hour in words."""

    node: str
    under: str
    what: str
    owner: str
    span: str
    shown_span: str
    billed: str
    metered: bool
    held: str
    substituted: bool
    unit: str
    propose_url: str


@require_safe
@provider_page(READ_USAGE)
def provider_hour(request: HttpRequest, organization: Organization) -> HttpResponse:
    """Show what stands in one hour of a provider's nodes, part by part."""
    locale = active_locale()
    now = datetime.now(UTC)
    hour_at = _hour(request, now)
    node = request.GET.get("node", "")
    meter = _meter(request.GET["meter"]) if request.GET.get("meter") else None
    if len(node) > NODE_CHARS_MAX or "\0" in node:
        raise Http404
    nodes = metered_nodes(organization)
    if meter is None:
        meters, paged = _page_of_nodes(request, [pk for pk, name in nodes if node in ("", name)], hour_at, node)
    else:
        meters, paged = Meter.objects.filter(pk=meter), None
    parts = hour_parts(provider=organization, meters=meters, hour_at=hour_at, now=now)
    corrects = _corrects(request)
    context: dict[str, Any] = {
        "area": "provider",
        "tabs": tabs("provider", "substitutions"),
        "hour": moment(hour_at, UTC, locale=locale),
        "day": f"{hour_at:%Y-%m-%d}",
        "hours": [(f"{each:02}", f"{each:02}:00", each == hour_at.hour) for each in range(24)],
        "node": node,
        "nodes": list(dict.fromkeys(name for _pk, name in nodes))[:NODES_SUGGESTED_MAX],
        "pagination": paged,
        "parts": [_line(part, locale, corrects=corrects) for part in parts],
        "corrects": corrects,
        "crumbs": (Crumb(_("Substitutions"), reverse("provider-substitutions")), Crumb(_("One hour"))),
    }
    return render(request, "metering/hour.html", context)


def _page_of_nodes(
    request: HttpRequest, nodes: Sequence[UUID], hour_at: datetime, node: str
) -> tuple[QuerySet[Meter], Pagination | None]:
    """Return the meters of the nodes that a page shows, and the links to its neighbours: no node is cut in two."""
    page = read_page(request.GET.get("page", ""))
    first = (page - 1) * NODES_PER_PAGE
    shown = nodes[first : first + NODES_PER_PAGE]
    if page > 1 and not shown:
        raise Http404
    kept = {"at": f"{hour_at:{HOUR_STAMP}}", "node": node}
    paged = node_pagination(request.path, kept, page, len(nodes), NODES_PER_PAGE)
    return Meter.objects.filter(node__in=shown), paged


@require_http_methods(["GET", "HEAD", "POST"])
@provider_page(CORRECT_USAGE)
def provider_substitution_new(request: HttpRequest, organization: Organization) -> HttpResponse:
    """Ask for a value and a reason for one part of an hour, and propose it."""
    asked = request.POST if request.method == "POST" else request.GET
    meter_id, from_at = _meter(asked.get("meter", "")), _read(asked.get("from", ""), STAMP)
    hour_at = from_at.replace(minute=0, second=0, microsecond=0)
    meters = Meter.objects.filter(pk=meter_id)
    parts = hour_parts(provider=organization, meters=meters, hour_at=hour_at, now=datetime.now(UTC))
    if not parts:
        raise Http404
    part = next((one for one in parts if one.from_at == from_at), None)
    if part is None:  # the hour is cut: which of its parts is meant?
        hour = {"at": f"{hour_at:{HOUR_STAMP}}", "meter": str(meter_id)}
        return redirect(address(reverse("provider-hour"), hour))
    form = ProposalForm(request.POST if request.method == "POST" else None, quantity=part.quantity)
    if form.is_bound and form.is_valid() and _proposed(request, organization, part, form):
        return redirect("provider-substitutions")
    locale = active_locale()
    context = {
        "tabs": tabs("provider", "substitutions"),
        "form": form,
        "part": _line(part, locale, corrects=False),
        "meter": meter_id,
        "from": f"{from_at:{STAMP}}",
        "crumbs": (Crumb(_("Substitutions"), reverse("provider-substitutions")), Crumb(_("Propose a value"))),
    }
    return render(request, "metering/proposal.html", context, status=422 if form.is_bound else 200)


def _proposed(request: HttpRequest, organization: Organization, part: HourPart, form: ProposalForm) -> bool:
    """Propose what the form says; what refuses it is shown above the form."""
    assert isinstance(request.user, User)
    try:
        propose_substitution(
            provider=organization,
            by=request.user,
            meter_id=part.meter_id,
            from_at=part.from_at,
            value=form.cleaned_data["amount"],
            reason=form.cleaned_data["reason"],
            now=datetime.now(UTC),
        )
    except UsageUnknown as unknown:
        raise Http404 from unknown
    except Problem as refused:
        form.add_error(None, refusal_words(refused))
        return False
    messages.success(request, _("Proposed. Another owner or admin must approve it; until then nothing changes."))
    return True


def _line(part: HourPart, locale: str, *, corrects: bool) -> PartLine:
    what = " · ".join(each for each in (part.model, quantity_words(part.quantity)) if each)
    card = _("GPU %(position)s") % {"position": part.card} if part.card is not None else ""
    span = span_words(part.from_at, part.to_at, locale)
    asked = {"meter": str(part.meter_id), "from": f"{part.from_at.astimezone(UTC):{STAMP}}"}
    return PartLine(
        node=part.node,
        under=card,
        what=what,
        owner=" · ".join(each for each in (part.deployment, part.tenant) if each)
        or (_("nobody's") if part.metered else ""),
        span=span,
        shown_span=_("the whole hour") if part.to_at - part.from_at == HOUR else span,
        billed=amount(part.quantity, part.billed),
        metered=part.metered,
        held=amount(part.quantity, part.held) if part.held else "",
        substituted=bool(part.substituted),
        unit=unit(part.quantity),
        propose_url=address(reverse("provider-substitution-new"), asked) if corrects else "",
    )


def _corrects(request: HttpRequest) -> bool:
    membership = acting_membership(request)
    return membership is not None and allows(membership.role, CORRECT_USAGE)


def _hour(request: HttpRequest, now: datetime) -> datetime:
    """Return the hour of `?at=20260305T09` or of `?day=2026-03-05&hour=09`, else the last that is over."""
    asked = request.GET
    if asked.get("at"):
        return _read(asked["at"], HOUR_STAMP)
    if asked.get("day"):
        return _read(f"{asked['day']} {asked.get('hour') or '00'}", "%Y-%m-%d %H")
    return datetime.fromtimestamp(now.timestamp() // 3600 * 3600 - 3600, UTC)


def _read(text: str, form: str) -> datetime:
    try:
        at = datetime.strptime(text, form).replace(tzinfo=UTC)
    except ValueError as error:
        raise Http404 from error
    if not 2000 <= at.year < 3000:
        raise Http404
    return at


def _meter(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise Http404 from error

"""The two witnesses side by side, for the tenant and the provider alike: the same figures, each its own deployments."""

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from metering.acknowledging import AlertUnknown, NoteMissing, acknowledge
from metering.alerts import alert_rows
from metering.comparison import TOLERANCE_PERCENT, terms_of
from metering.models import Quantity
from metering.pages.hand_over import begin_choices, hand_over_urls
from metering.pages.tabs import Area, tabs
from metering.pages.windows import Shown, shown
from metering.pages.witness_words import (
    cause_words,
    quantity_words,
    residual_pill,
    shown_alert,
    signed,
    unexplained_share,
)
from metering.witness import WitnessHour, WitnessTotal, each_residual_hour, residual_hours, residual_totals
from portal.figures import compact, moment, number, share
from portal.locales import active_locale
from portal.paging import ROWS_PER_PAGE, first_row, pagination, read_page
from portal.parts import Empty, Kpi, Pill
from tenants.listing.csv_files import csv_answer
from tenants.models import Organization
from tenants.roles import READ_USAGE
from tenants.scoping import provider_page, tenant_page

COUNTED_ONCE: Final = (Quantity.INPUT, Quantity.OUTPUT)
"""Cached input is a part of input and reasoning a part of output: added up they would count twice."""
HOURS_MAX: Final = 48
PERCENT: Final = 100
FILTERS: Final = ("deployment", "model", "class")
HOURS_KEPT: Final = 9_000
"""A year's."""
CSV_HEAD: Final = (
    "hour_utc",
    "deployment",
    "model",
    "class",
    "engine",
    "gateway",
    "difference",
    "explained",
    "unexplained",
    "held",
)


@dataclass(frozen=True, slots=True)
class Line:
    """A row of a table: both counts, what explains the difference, and what is left."""

    name: str
    model: str
    quantity: str
    url: str
    billed_by: str
    engine: str
    gateway: str
    difference: str
    explained: tuple[tuple[str, str], ...]
    unexplained: str
    share: str
    tolerance: str
    pill: Pill
    held: str


@require_safe
@tenant_page(READ_USAGE)
def tenant_witnesses(request: HttpRequest, organization: Organization) -> HttpResponse:
    """Compare the witnesses of a tenant's deployments."""
    return _page(request, organization, "tenant")


@require_safe
@provider_page(READ_USAGE)
def provider_witnesses(request: HttpRequest, organization: Organization) -> HttpResponse:
    """Compare the witnesses of the deployments on a provider's nodes."""
    return _page(request, organization, "provider")


@require_safe
@tenant_page(READ_USAGE)
def tenant_witnesses_csv(request: HttpRequest, organization: Organization) -> StreamingHttpResponse:
    """Give the hours of a tenant's comparison as a file."""
    return _csv(request, organization)


@require_safe
@provider_page(READ_USAGE)
def provider_witnesses_csv(request: HttpRequest, organization: Organization) -> StreamingHttpResponse:
    """Give the hours of a provider's comparison as a file."""
    return _csv(request, organization)


@require_POST
@tenant_page(READ_USAGE)
def tenant_alert_seen(request: HttpRequest, organization: Organization, *, alert: UUID) -> HttpResponse:
    """Keep what a tenant's person says of an alert."""
    return _seen(request, organization, alert, "tenant")


@require_POST
@provider_page(READ_USAGE)
def provider_alert_seen(request: HttpRequest, organization: Organization, *, alert: UUID) -> HttpResponse:
    """Keep what a provider's person says of an alert."""
    return _seen(request, organization, alert, "provider")


def _page(request: HttpRequest, organization: Organization, area: Area) -> HttpResponse:
    now = datetime.now(UTC)
    locale = active_locale()
    window = shown(request, now, FILTERS)
    filters = {name: value for name, value in window.chosen.items() if value}
    totals = residual_totals(
        organization=organization, from_at=window.from_at, to_at=window.to_at, filters=filters, summed=True
    )
    totals = [one for one in totals if one.residual.engine or one.residual.gateway]
    page = read_page(request.GET.get("page", ""))
    on_page = totals[first_row(page) : first_row(page) + ROWS_PER_PAGE]
    compared = (one for one in totals if one.residual.engine and one.residual.gateway)
    terms = terms_of({one.deployment_id for one in (*on_page, *compared)})
    lines = [_line(one, terms.get(one.deployment_id), window, request.path) for one in on_page]
    alerts = alert_rows(organization=organization, from_at=window.from_at, to_at=now)
    hand_overs = hand_over_urls(request, organization, area, alerts)
    hours = []
    if "deployment" in filters and "class" in filters:
        found = residual_hours(organization=organization, from_at=window.from_at, to_at=window.to_at, filters=filters)
        hours = [_hour_line(one, terms.get(one.deployment_id), locale) for one in reversed(found[-HOURS_MAX:])]
    context: dict[str, Any] = {
        "area": area,
        "sub": _("Engines and gateways count the same tokens apart. What the one counts more must be explained."),
        "kpis": _kpis(totals, terms, sum(alert.waits for alert in alerts), locale),
        "choices": window.choices(request.path),
        "alerts": [shown_alert(alert, area, locale, hand_overs.get(alert.id, "")) for alert in alerts],
        "begins": begin_choices(now, locale),
        "lines": lines,
        "pagination": pagination(request.path, window.query, page, len(totals)),
        "hours": hours,
        "chosen": " · ".join(quantity_words(value) if name == "class" else value for name, value in filters.items()),
        "all_url": window.url(request.path, deployment="", model="", **{"class": ""}),
        "export_url": window.url(reverse(f"{area}-witnesses-csv")),
        "tabs": tabs(area, "witnesses"),
        "here": request.get_full_path(),
        "empty": Empty(
            _("Nothing to compare"),
            _("Neither an engine nor a gateway counted tokens of a deployment in these days."),
        ),
    }
    return render(request, "metering/witnesses.html", context)


def _kpis(
    totals: list[WitnessTotal], terms: dict[UUID, tuple[str, Decimal]], waiting: int, locale: str
) -> tuple[Kpi, ...]:
    counted = [one for one in totals if one.quantity in COUNTED_ONCE]
    both = [one for one in counted if one.residual.engine and one.residual.gateway]
    engine = sum(one.residual.engine for one in both)
    gateway = sum(one.residual.gateway for one in both)
    explained = sum(abs(part.tokens) for one in both for part in one.residual.explained)
    unexplained = sum(abs(one.residual.unexplained) for one in both)
    larger = max(engine, gateway)
    alone = {one.deployment for one in counted} - {one.deployment for one in both}
    strictest = min(
        (terms[one.deployment_id][1] for one in both if one.deployment_id in terms), default=TOLERANCE_PERCENT
    )
    return (
        Kpi(
            _("Engines counted"),
            compact(engine, locale=locale, digits=2),
            foot=_("input and output tokens, where both count"),
        ),
        Kpi(
            _("Gateways reported"),
            compact(gateway, locale=locale, digits=2),
            foot=_("difference %(tokens)s") % {"tokens": signed(engine - gateway)},
        ),
        Kpi(_("Explained"), compact(explained, locale=locale, digits=2), foot=_("tokens of the differences")),
        Kpi(
            _("Unexplained"),
            share(Decimal(unexplained) / larger, digits=2) if larger else "–",
            foot=_("%(tokens)s tokens; strictest tolerance %(percent)s")
            % {"tokens": number(unexplained), "percent": f"{strictest.normalize():f} %"},
            foot_strong=_("Compared with nothing: %(count)s.") % {"count": len(alone)} if alone else "",
            foot_tone="warn" if alone else "",
        ),
        Kpi(
            _("To look at"),
            number(waiting),
            foot=_("alerts that nobody here has answered") if waiting else _("no open alert"),
            alert=bool(waiting),
        ),
    )


def _line(one: WitnessTotal, terms: tuple[str, Decimal] | None, window: Shown, path: str) -> Line:
    url = window.url(path, deployment=one.deployment, model=one.model, **{"class": one.quantity})
    return _in_words(one, one.deployment, terms, url)


def _hour_line(one: WitnessHour, terms: tuple[str, Decimal] | None, locale: str) -> Line:
    return _in_words(one, moment(one.hour_at, UTC, locale=locale, year=False), terms, "")


def _in_words(one: WitnessTotal | WitnessHour, name: str, terms: tuple[str, Decimal] | None, url: str) -> Line:
    billed_by, tolerance = terms or ("", TOLERANCE_PERCENT)
    residual = one.residual
    return Line(
        name=name,
        model=one.model,
        quantity=quantity_words(one.quantity),
        url=url,
        billed_by=billed_by,
        engine=number(residual.engine),
        gateway=number(residual.gateway),
        difference=signed(residual.difference),
        explained=tuple((cause_words(part.cause), signed(part.tokens)) for part in residual.explained),
        unexplained=signed(residual.unexplained),
        share=unexplained_share(residual),
        tolerance=f"{tolerance.normalize():f} %",
        pill=residual_pill(residual, tolerance),
        held=number(one.quarantined) if one.quarantined else "",
    )


def _csv(request: HttpRequest, organization: Organization) -> StreamingHttpResponse:
    window = shown(request, datetime.now(UTC), FILTERS)
    filters = {name: value for name, value in window.chosen.items() if value}
    name = f"witnesses-{window.from_at:%Y%m%dT%H}-{window.to_at:%Y%m%dT%H}Z.csv"
    found = each_residual_hour(organization=organization, from_at=window.from_at, to_at=window.to_at, filters=filters)
    return csv_answer(name, CSV_HEAD, map(_csv_row, found))


@lru_cache(maxsize=HOURS_KEPT)
def _hour_words(hour_at: datetime) -> str:
    """Write an hour; every series of a file has the same ones."""
    return hour_at.astimezone(UTC).isoformat()


def _csv_row(one: WitnessHour) -> tuple[object, ...]:
    return (
        _hour_words(one.hour_at),
        one.deployment,
        one.model,
        one.quantity,
        one.residual.engine,
        one.residual.gateway,
        one.residual.difference,
        " ".join(f"{part.cause.value}={part.tokens}" for part in one.residual.explained),
        one.residual.unexplained,
        one.quarantined,
    )


def _seen(request: HttpRequest, organization: Organization, alert: UUID, area: Area) -> HttpResponse:
    by = request.user.get_username()
    try:
        acknowledge(
            alert_id=alert, organization=organization, by=by, note=request.POST.get("note", ""), now=datetime.now(UTC)
        )
    except AlertUnknown as unknown:
        raise Http404 from unknown
    except NoteMissing:
        return redirect(f"{reverse(f'{area}-witnesses')}?missing=note#alerts")
    return redirect(f"{reverse(f'{area}-witnesses')}#alerts")

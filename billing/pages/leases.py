"""Leases as a calendar and as a list, for both sides, and one lease of a tenant with what can be done to it."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Literal
from zoneinfo import ZoneInfo

import msgspec
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_safe

from billing.lease_ends.letters import reason_words
from billing.models import LeaseStep, Quote
from billing.money import to_decimals
from billing.pages.contract_words import SaidRow, said_rows
from billing.pages.dunning_words import suspension_notices
from billing.pages.lease_chart import (
    calendar,
    chart_window,
    day_choices,
    held_words,
    holds_words,
    lease_url,
    price_words,
    read_days,
    running_words,
    span_words,
)
from billing.pages.lease_forms import EndForm
from billing.pages.lease_outages import tenant_outages
from billing.pages.occupancy_chart import gpus_words, state_legend, state_words
from billing.queries.availability import availability_of
from billing.queries.lease_list import LeaseRow, StepRow, lease_of, lease_rows, quotes_of
from billing.queries.lease_places import LeaseSums, lease_places, lease_sums
from billing.rating.lease_wording import AtEnd, LeaseWording
from clusters.models import SliceKind
from clusters.part_names import Part, names_of
from metering.pages.node_lines import short_model
from portal.charts import Cell, Heading, Row, Table, draw_occupancy
from portal.figures import DASH, moment, money, number, share, unit_price
from portal.locales import active_locale
from portal.paging import ROWS_PER_PAGE, first_row, pagination, read_page
from portal.parts import Action, Choice, Empty, Kpi, Pill, PillTone
from portal.shell import Crumb
from tenants.models import Organization
from tenants.roles import MANAGE_LEASES, READ_FLEET, allows
from tenants.scoping import acting_membership, provider_page, tenant_page

Area = Literal["tenant", "provider"]
TONES: dict[str, PillTone] = {"running": "good", "reserved": "info", "ended": ""}
GPU_MS_PER_HOUR = 3_600_000
AVAILABLE_DECIMALS = 6


@require_safe
@tenant_page(READ_FLEET)
def tenant_leases(request: HttpRequest, organization: Organization) -> HttpResponse:
    """Show what a tenant leases."""
    return _page(request, organization, "tenant")


@require_safe
@provider_page(READ_FLEET)
def provider_leases(request: HttpRequest, organization: Organization) -> HttpResponse:
    """Show what a provider lets, and which prices it has quoted."""
    return _page(request, organization, "provider")


@require_safe
@tenant_page(READ_FLEET)
def tenant_lease(request: HttpRequest, organization: Organization, *, ref: str) -> HttpResponse:
    """Show one lease of a tenant, its steps, and what can be done to it."""
    return lease_page(request, organization, ref)


def lease_page(
    request: HttpRequest,
    organization: Organization,
    ref: str,
    *,
    extend: EndForm | None = None,
    end: EndForm | None = None,
    status: int = 200,
) -> HttpResponse:
    """Answer with a tenant's lease; forms that were refused are shown as they were sent."""
    now = datetime.now(UTC)
    locale = active_locale()
    row = next(iter(lease_rows(organization, now, party="tenant", ref=ref)), None)
    if row is None:
        raise Http404
    zone = row.time_zone
    context = {
        "lease": row,
        "sub": f"{row.title} · {row.contract} · {row.provider}",
        "pill": Pill(state_words(row.state), TONES[row.state]),
        "kpis": (*_lease_kpis(row, now, locale), *available_kpis(organization, ref, now, locale)),
        "rate": price_words(row, locale),
        "span": span_words(row, locale),
        "renews": row.renews,
        "said": lease_said(organization, ref, locale),
        "steps": [step_row(step, zone, locale) for step in row.steps],
        **tenant_outages(organization, ref, now, locale),
        "can_change": row.state != "ended" and may_manage(request),
        "extend": extend or EndForm(zone=zone, prefix="extend", auto_id="extend-%s"),
        "end": end or EndForm(zone=zone, prefix="end", auto_id="end-%s"),
        "crumbs": (Crumb(_("Leases"), reverse("tenant-leases")), Crumb(row.ref)),
    }
    return render(request, "billing/tenant_lease.html", context, status=status)


def may_manage(request: HttpRequest) -> bool:
    """Whether the person may ask for leases and change them."""
    membership = acting_membership(request)
    return membership is not None and allows(membership.role, MANAGE_LEASES)


def step_words(step: str) -> str:
    """Return a step of a lease in words."""
    return {
        LeaseStep.RESERVED: _("reserved"),
        LeaseStep.STARTED: _("started"),
        LeaseStep.EXTENDED: _("extended"),
        LeaseStep.RENEWED: _("renewed"),
        LeaseStep.ENDED_EARLY: _("ended early"),
        LeaseStep.HELD_OVER: _("held past its end"),
        LeaseStep.ENDED: _("ended"),
    }[LeaseStep(step)]


def lease_said(organization: Organization, ref: str, locale: str) -> tuple[SaidRow, ...]:
    """Return in words what the latest wording of a lease says beside card, price per GPU-hour and whether it renews."""
    lease = lease_of(organization, ref)
    stretches = lease.stretches() if lease else ()
    if lease is None or not stretches:
        return ()
    wording = stretches[-1].wording
    assert isinstance(wording, LeaseWording), ref
    beside = msgspec.structs.replace(wording, accelerator_model="", price_per_gpu_hour=None, at_end=AtEnd.EXPIRE)
    return said_rows(None, beside, lease.contract, locale)


def available_kpis(organization: Organization, ref: str, now: datetime, locale: str) -> tuple[Kpi, ...]:
    """Return how much of the time that a lease was held its cards could be used, in the latest billing period."""
    lease = lease_of(organization, ref)
    found = availability_of(lease, now) if lease else None
    if lease is None or found is None:
        return ()
    since = moment(found.from_at, ZoneInfo(lease.contract.time_zone), locale=locale, year=False)
    lost = number(Decimal(found.lost_gpu_ms) / GPU_MS_PER_HOUR, digits=1)
    words = _("%(hours)s GPU-hours lost since %(at)s") if found.lost_gpu_ms else _("nothing lost since %(at)s")
    part = share(to_decimals(found.fraction, AVAILABLE_DECIMALS), digits=2)
    return (Kpi(_("Available"), part.removesuffix("%"), unit="%", foot=words % {"hours": lost, "at": since}),)


def step_row(step: StepRow, zone: str, locale: str) -> tuple[str, str, str]:
    """Return a step in words: what, from when on or to when and of an end why, and when it was entered."""
    local = ZoneInfo(zone)
    at = moment(step.at, local, locale=locale)
    if step.step in (LeaseStep.EXTENDED, LeaseStep.RENEWED, LeaseStep.HELD_OVER) and step.to_at is not None:
        at = _("to %(end)s") % {"end": moment(step.to_at, local, locale=locale)}
    if why := reason_words(step.reason):
        at = f"{at} · {why}"
    entered = _("entered %(at)s") % {"at": moment(step.recorded_at, local, locale=locale)}
    return step_words(step.step), at, entered


def _page(request: HttpRequest, organization: Organization, area: Area) -> HttpResponse:
    now = datetime.now(UTC)
    locale = active_locale()
    as_list = request.GET.get("view") == "list"
    days = read_days(request.GET.get("from", ""), request.GET.get("days", ""), now)
    sums = lease_sums(organization, now, party=area)
    page, path = read_page(request.GET.get("page", "")), request.path
    asked_for = lease_places(
        organization,
        now,
        party=area,
        first=first_row(page),
        count=ROWS_PER_PAGE,
        days=None if as_list else (days.from_at, days.to_at),
    )
    shown = lease_rows(organization, now, party=area, among=asked_for.ids) if asked_for.ids else []
    quotes = quotes_of(organization, now, party=area)
    manages = area == "tenant" and may_manage(request)
    context: dict[str, Any] = {
        "area": area,
        "as_list": as_list,
        "sub": _("What you hold, and from when to when. Times are UTC.")
        if area == "tenant"
        else _("What is let, to whom, and which prices stand. Times are UTC."),
        "kpis": _kpis(sums, now, locale),
        "choices": [
            Choice(_("Calendar"), days.address(path), current=not as_list),
            Choice(_("List"), days.address(path, view="list"), current=as_list),
        ],
        "day_choices": day_choices(path, days),
        "previous_url": days.address(path, move=-days.count),
        "next_url": days.address(path, move=days.count),
        "suspended": suspension_notices(organization) if area == "tenant" else [],
        "quotes": [_quote(quote, area, locale) for quote in quotes],
        "manages": manages,
        "new_url": reverse("tenant-lease-new") if manages else "",
        "states": state_legend()[:3],
        "empty": None if shown else _nothing(area, manages=manages, filtered=bool(sums.count)),
        "table": _table(shown, area, locale),
        "pagination": pagination(path, days.query("list" if as_list else ""), page, asked_for.count),
    }
    if not as_list and shown:
        context["occupancy"] = draw_occupancy(
            calendar(shown, area, locale),
            window=chart_window(days, now),
            locale=locale,
            head=_("Lease"),
            label=_("Leases by contract. Use the arrow keys to read one at a time, Enter to open a lease."),
        )
    return render(request, "billing/leases.html", context)


def _kpis(sums: LeaseSums, now: datetime, locale: str) -> tuple[Kpi, ...]:
    return (
        Kpi(
            _("Running"),
            number(sums.running),
            foot=gpus_words(sums.held_permille) if sums.running else _("nothing is held"),
        ),
        Kpi(
            _("Reserved"),
            number(sums.reserved),
            foot=_("from %(at)s") % {"at": moment(sums.next_from_at, UTC, locale=locale, year=False)}
            if sums.next_from_at
            else _("nothing ahead"),
        ),
        Kpi(
            _("Next end"),
            moment(sums.next_end_at, UTC, locale=locale, year=False) if sums.next_end_at else _("none set"),
            foot=_left(sums.next_end_at - now) if sums.next_end_at else "",
        ),
    )


def _lease_kpis(row: LeaseRow, now: datetime, locale: str) -> tuple[Kpi, ...]:
    left = "" if row.to_at is None or row.state == "ended" else _left(row.to_at - max(now, row.from_at))
    return (
        Kpi(_("Holds"), gpus_words(row.share_permille), foot=held_words(row.accelerator_model, row.parts)),
        Kpi(_("GPU-hours so far"), number(Decimal(row.gpu_ms_held) / GPU_MS_PER_HOUR, digits=1), unit="h", foot=left),
        Kpi(_("Charged so far"), money(row.charged, row.currency, locale=locale), foot=price_words(row, locale)),
    )


def _left(span: timedelta) -> str:
    days, hours = span.days, span.seconds // 3_600
    if days:
        return ngettext("%(count)s day left", "%(count)s days left", days) % {"count": days}
    return ngettext("%(count)s hour left", "%(count)s hours left", hours) % {"count": hours}


def quoted_words(quote: Quote) -> str:
    """Return what a price is of: 8 × H100 80GB HBM3, 2 × ¼ × H100 80GB HBM3."""
    model = short_model(quote.accelerator_model)
    if quote.kind == SliceKind.FRACTION and quote.share_permille is None:
        parts = _("%(model)s · in parts") % {"model": model}
        return f"{quote.count} × {parts}"
    return names_of(model, [Part(quote.kind, quote.profile, quote.share_permille or 0)] * quote.count)


def _quote(quote: Quote, area: Area, locale: str) -> dict[str, Any]:
    contract = quote.contract
    return {
        "id": quote.id,
        "number": quote.number,
        "what": quoted_words(quote),
        "contract": contract.number,
        "other": contract.provider.name if area == "tenant" else contract.tenant.name,
        "time": f"{moment(quote.from_at, UTC, locale=locale, year=False)} {DASH} "
        f"{moment(quote.to_at, UTC, locale=locale, year=False)}",
        "price": f"{unit_price(quote.price_per_gpu_hour, contract.currency, locale=locale)}/h",
        "amount": money(quote.amount, contract.currency, locale=locale),
        "expires": moment(quote.expires_at, UTC, locale=locale, year=False),
    }


def _table(rows: list[LeaseRow], area: Area, locale: str) -> Table:
    headings = (
        Heading(_("Lease")),
        Heading(_("Provider") if area == "tenant" else _("Tenant")),
        Heading(_("Contract")),
        Heading(_("Holds")),
        Heading(_("From")),
        Heading(_("To")),
        Heading(_("Rate"), numeric=True),
        Heading(_("Charged so far"), numeric=True),
        Heading(_("State")),
    )
    return Table(
        _("Leases"),
        headings,
        tuple(
            Row(
                Cell(row.ref, lease_url(area, row.ref)),
                (
                    Cell(row.provider if area == "tenant" else row.tenant),
                    Cell(row.contract),
                    Cell(holds_words(row)),
                    Cell(moment(row.from_at, UTC, locale=locale, year=False)),
                    Cell(moment(row.to_at, UTC, locale=locale, year=False) if row.to_at else _("no end set")),
                    Cell(price_words(row, locale)),
                    Cell(money(row.charged, row.currency, locale=locale)),
                    Cell(running_words(row)),
                ),
            )
            for row in rows
        ),
    )


def _nothing(area: Area, *, manages: bool, filtered: bool) -> Empty:
    if filtered:
        return Empty(_("No lease in these days"), _("Look at other days, or at the list."), icon="cal")
    if area == "provider":
        return Empty(_("Nothing is let yet"), _("Leases show here once they are reserved."), icon="cal")
    ask = Action(_("Request a lease"), reverse("tenant-lease-new"), icon="plus", primary=True) if manages else None
    return Empty(_("No leases"), _("Ask what is free and reserve it: nothing is held before you do."), ask, icon="cal")

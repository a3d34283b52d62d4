"""One lease as its provider sees it: terms, what is held, and what was charged so far."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from billing.leasing import hold_lease_over
from billing.pages.lease_chart import held_words
from billing.pages.lease_forms import EndForm, OutageForm
from billing.pages.lease_outages import card_names, keep_outage, outage_context, outage_form, say_outage_refused
from billing.pages.leases import available_kpis, lease_said, step_row
from billing.pages.occupancy_chart import gpus_words, state_of, state_words
from billing.pages.periods import with_query
from billing.queries.lease_list import lease_of, steps_of
from billing.queries.leases import AllocationRow, LeaseDetail, lease_detail
from billing.share_stating import By
from clusters.occupancy import unix_second
from metering.fleet_figures import utilisation_while_held
from metering.pages.node_lines import node_url, slice_words
from portal.charts import Column, Fact, Number, Series, column_table, stacked_columns
from portal.figures import DASH, axis, day, moment, money, number, share, unit_price
from portal.locales import active_locale
from portal.parts import Kpi, Pill, PillTone
from portal.shell import Crumb
from tenants.acting import person_acting
from tenants.models import Organization
from tenants.problems import Problem
from tenants.roles import MANAGE_LEASES, READ_FLEET, READ_INVOICES, allows
from tenants.scoping import acting_membership, provider_page
from tenants.telling import refusal

METERED_VIEW = timedelta(hours=24)
DAYS_SHOWN = 31
GPU_MS_PER_HOUR = 3_600_000
SECONDS_PER_HOUR = 3600
WHOLE_PERMILLE = 1000
TONES: dict[str, PillTone] = {"running": "good", "reserved": "info", "ended": ""}


@dataclass(frozen=True, slots=True)
class AllocationLine:
    """One row of the allocations' table, in words."""

    row: AllocationRow
    url: str
    part: str
    share: str
    hours: str
    state: Pill


@require_safe
@provider_page(READ_FLEET)
def provider_lease(request: HttpRequest, organization: Organization, *, ref: str) -> HttpResponse:
    """Show one lease; what it earned is for those who may read invoices."""
    return _page(request, organization, ref)


@require_POST
@provider_page(MANAGE_LEASES)
def provider_lease_hold_over(request: HttpRequest, organization: Organization, *, ref: str) -> HttpResponse:
    """Record that a lease whose end has come is still held, and show it."""
    lease = lease_of(organization, ref)
    if lease is None or lease.contract.provider_id != organization.pk:
        raise Http404
    form = _hold_form(request.POST, lease.contract.time_zone)
    if form.is_valid():
        by = person_acting(request).name
        try:
            hold_lease_over(lease=lease, to_at=form.cleaned_data["at"], by=by, now=datetime.now(UTC))
        except Problem as refused:
            with timezone.override(lease.contract.time_zone):
                form.add_error("at", refusal(refused))
        else:
            messages.success(request, _("The time past its end is billed at the holdover rate."))
            return redirect("provider-lease", ref=ref)
    return _page(request, organization, ref, form)


@require_POST
@provider_page(MANAGE_LEASES)
def provider_lease_outage(request: HttpRequest, organization: Organization, *, ref: str) -> HttpResponse:
    """State an outage of a lease, and show it."""
    now = datetime.now(UTC)
    detail = lease_detail(organization, ref, now)
    if detail is None:
        raise Http404
    form = outage_form(request.POST, detail, now)
    if form.is_valid():
        try:
            is_new = keep_outage(form, detail.term, By(organization, person_acting(request).name), now)
        except Problem as refused:
            with timezone.override(detail.time_zone):
                say_outage_refused(form, refused)
        else:
            kept = _("Kept. It takes off what the terms say for its cause.")
            messages.success(request, kept if is_new else _("It was stated already."))
            return redirect("provider-lease", ref=ref)
    return _page(request, organization, ref, outage=form)


def _hold_form(data: Mapping[str, Any] | None, zone: str) -> EndForm:
    form = EndForm(data, zone=zone, prefix="hold", auto_id="hold-%s")
    form.fields["at"].label = _("Held until")
    return form


def _page(
    request: HttpRequest,
    organization: Organization,
    ref: str,
    refused: EndForm | None = None,
    *,
    outage: OutageForm | None = None,
) -> HttpResponse:
    now = datetime.now(UTC)
    locale = active_locale()
    lease = lease_detail(organization, ref, now)
    if lease is None:
        raise Http404
    membership = acting_membership(request)
    with_money = membership is not None and allows(membership.role, READ_INVOICES)
    used = utilisation_while_held(
        provider=organization, from_at=now - METERED_VIEW, to_at=now, accelerator_ids=lease.accelerator_ids
    )
    state = state_of(lease.from_at, lease.to_at, now)
    context = {
        "lease": lease,
        "sub": _subtitle(lease, locale),
        "pill": Pill(state_words(state), TONES[state]),
        "kpis": (
            *_kpis(lease, used, now, locale, with_money=with_money),
            *available_kpis(organization, ref, now, locale),
        ),
        "with_money": with_money,
        "rate": _rate(lease, locale),
        "steps": [step_row(step, lease.time_zone, locale) for step in steps_of(lease.term)],
        "said": lease_said(organization, ref, locale) if with_money else (),
        "from_words": moment(lease.from_at, ZoneInfo(lease.time_zone), locale=locale),
        "to_words": moment(lease.to_at, ZoneInfo(lease.time_zone), locale=locale) if lease.to_at else _("no end set"),
        "allocations": [_line(row, now) for row in lease.allocations],
        "left_out": lease.allocation_count - len(lease.allocations),
        "occupancy_url": _occupancy_url(lease),
        "crumbs": (
            Crumb(_("Fleet"), reverse("provider-fleet")),
            Crumb(_("Occupancy"), reverse("provider-occupancy")),
            Crumb(lease.ref),
        ),
        "hold": refused or (_hold_form(None, lease.time_zone) if state == "ended" and _manages(request) else None),
        "outage": outage or (outage_form(None, lease, now) if lease.from_at < now and _manages(request) else None),
        **outage_context(lease.term, now, locale, card_names(lease)),
        **(_charged(lease, locale) if with_money and lease.days else {}),
    }
    return render(request, "billing/lease.html", context, status=422 if refused or outage else 200)


def _manages(request: HttpRequest) -> bool:
    membership = acting_membership(request)
    return membership is not None and allows(membership.role, MANAGE_LEASES)


def _subtitle(lease: LeaseDetail, locale: str) -> str:
    zone = ZoneInfo(lease.time_zone)
    start = moment(lease.from_at, zone, locale=locale)
    end = moment(lease.to_at, zone, locale=locale) if lease.to_at else _("no end set")
    return f"{lease.tenant} · {lease.contract} · {start} {DASH} {end}"


def _rate(lease: LeaseDetail, locale: str) -> str:
    if lease.price_per_gpu_hour is not None:
        agreed = unit_price(lease.price_per_gpu_hour, lease.currency, locale=locale)
        return _("%(price)s per GPU-hour, agreed") % {"price": agreed}
    if lease.book_price is None:
        return _("no price in force")
    words = {
        "price": unit_price(lease.book_price.price_per_gpu_hour, lease.currency, locale=locale),
        "book": lease.book_price.book,
        "version": lease.book_price.version,
    }
    return _("%(price)s per GPU-hour, %(book)s v%(version)s") % words


def _kpis(lease: LeaseDetail, used: Decimal | None, now: datetime, locale: str, *, with_money: bool) -> tuple[Kpi, ...]:
    price = lease.price_per_gpu_hour
    if price is None and lease.book_price is not None:
        price = lease.book_price.price_per_gpu_hour
    held = Kpi(
        _("GPU-hours so far"),
        number(Decimal(lease.held_gpu_ms) / GPU_MS_PER_HOUR, digits=1),
        unit="h",
        foot=_hours_foot(lease, now),
    )
    charged = Kpi(
        _("Charged so far"),
        money(lease.charged, lease.currency, locale=locale),
        foot=_("up to %(at)s") % {"at": moment(lease.charged_to_at, UTC, locale=locale, year=False)}
        if lease.charged_to_at
        else _("nothing charged yet"),
    )
    return (
        *((charged,) if with_money else ()),
        held,
        Kpi(_("Holds"), gpus_words(lease.share_permille), foot=held_words(lease.accelerator_model, lease.parts)),
        Kpi(
            _("Rate"),
            unit_price(price, lease.currency, locale=locale) if price is not None else DASH,
            unit=_("/ GPU-h") if price is not None else "",
            foot=_("agreed in the contract") if lease.price_per_gpu_hour is not None else _("price book"),
        ),
        Kpi(
            _("Utilised while leased"),
            share(used, digits=0).removesuffix("%") if used is not None else DASH,
            unit="%" if used is not None else "",
            foot=_("mean of the last 24 h") if used is not None else _("nothing sampled in 24 h"),
        ),
    )


def _hours_foot(lease: LeaseDetail, now: datetime) -> str:
    if lease.from_at > now:
        return _("not begun")
    if lease.to_at is None:
        return _("runs until it is ended")
    if lease.to_at <= now:
        return _("over")
    left = int((lease.to_at - now).total_seconds())
    days, hours = left // 86_400, left % 86_400 // SECONDS_PER_HOUR
    if days:
        return ngettext("%(count)s day left", "%(count)s days left", days) % {"count": days}
    return ngettext("%(count)s hour left", "%(count)s hours left", hours) % {"count": hours}


def _line(row: AllocationRow, now: datetime) -> AllocationLine:
    state = state_of(row.from_at, row.to_at, now)
    until = min(row.to_at or now, now)
    seconds = max(unix_second(until) - unix_second(row.from_at), 0)
    hours = Decimal(seconds * row.share_permille) / GPU_MS_PER_HOUR
    return AllocationLine(
        row=row,
        url=node_url(row.cluster, row.node),
        part=slice_words(row.kind, row.profile, row.label, row.share_permille) or _("whole card"),
        share=share(Decimal(row.share_permille) / WHOLE_PERMILLE, digits=0 if row.share_permille % 10 == 0 else 1),
        hours=number(hours, digits=1),
        state=Pill(state_words(state), TONES[state], small=True),
    )


def _charged(lease: LeaseDetail, locale: str) -> dict[str, Any]:
    """The last days that were charged, as a chart and a table."""
    shown = lease.days[-DAYS_SHOWN:]
    every = max(len(shown) // 8, 1)
    series = (Series("charged", _("Charged"), "c-gpu"),)
    columns = []
    for place, charged in enumerate(shown):
        words = money(charged.amount, lease.currency, locale=locale)
        hours = number(charged.gpu_seconds / SECONDS_PER_HOUR, digits=1)
        facts = (Fact(_("Charged"), words, "c-gpu"), Fact(_("GPU-hours"), hours))
        label = day(charged.day, "MMMd", locale) if (len(shown) - 1 - place) % every == 0 else ""
        last = place == len(shown) - 1 and (lease.to_at is None or charged.day < lease.to_at.date())
        state = "partial" if last else "measured"
        columns.append(
            Column(
                label,
                day(charged.day, "MMMEd", locale),
                {"charged": charged.amount},
                facts,
                state=state,  # type: ignore[arg-type]  # one of two literals
                weekend=charged.day.weekday() >= 5,
            )
        )

    def written(value: Number) -> str:
        return money(value, lease.currency, locale=locale)

    return {
        "charged_chart": stacked_columns(
            columns,
            series,
            label=_("Charged per day. Use the arrow keys to read one day at a time."),
            form=lambda value: axis(value, locale=locale, currency=lease.currency),
            height_px=170,
        ),
        "charged_table": column_table(
            columns,
            series,
            caption=_("Charged per day"),
            head=_("Day (%(zone)s)") % {"zone": lease.time_zone},
            form=written,
        ),
        "charged_note": ngettext("the last %(count)s day", "the last %(count)s days", len(shown))
        % {"count": len(shown)},
    }


def _occupancy_url(lease: LeaseDetail) -> str:
    """The timeline of the lease's cluster from the day before it begins."""
    first = lease.from_at.astimezone(UTC).date() - timedelta(days=1)
    cluster = lease.allocations[0].cluster if lease.allocations else ""
    return with_query(reverse("provider-occupancy"), {"cluster": cluster, "from": first.isoformat()})

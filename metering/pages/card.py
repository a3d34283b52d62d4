"""One card of a provider's fleet: how busy it is, what it draws, how it is, and who held it when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_safe

from metering.attention import findings_of
from metering.card_detail import HOLDERS_MAX, HoldSpan, holders_of
from metering.node_detail import CardHour, NodeDetail, node_detail
from metering.pages.durations import lasted
from metering.pages.files import csv_file
from metering.pages.fleet_strip import gpus, shown_findings
from metering.pages.hour_charts import HourFigures, hour_charts
from metering.pages.node_health import health_lines
from metering.pages.node_lines import MILLIWATTS, PERCENT, is_fresh, node_url, slice_words, state_pill
from portal.figures import DASH, energy, moment, number, share, watts
from portal.locales import active_locale
from portal.parts import Kpi, Pill
from portal.shell import Crumb
from tenants.roles import READ_FLEET
from tenants.scoping import provider_page

if TYPE_CHECKING:
    from uuid import UUID

    from metering.fleet import FleetAccelerator
    from tenants.models import Organization

WHOLE_PERMILLE = 1000
MIB_PER_GIB = 1024
CSV_HEAD = ("slice", "profile", "share_permille", "tenant", "from_utc", "to_utc")


@dataclass(frozen=True, slots=True)
class HolderLine:
    """One row of who held the card."""

    slice: str
    tenant: str
    from_at: str
    to_at: str
    lasted: str
    pill: Pill


@require_safe
@provider_page(READ_FLEET)
def provider_card(
    request: HttpRequest, organization: Organization, *, cluster: str, node: str, card_id: UUID
) -> HttpResponse:
    """Show one card of a provider."""
    now = datetime.now(UTC)
    locale = active_locale()
    detail, found = _find(organization, cluster, node, card_id, now)
    hours = detail.card_hours.get(found.id, ())
    findings = shown_findings(findings_of(provider=organization, now=now, node_id=detail.node.id), now, locale)
    health = {found.id: detail.health[found.id]} if found.id in detail.health else {}
    context: dict[str, Any] = {
        "name": _name(found),
        "sub": " · ".join([found.model, detail.node.name, detail.cluster.name]),
        "pill": _pill(detail, found, now, locale),
        "card": found,
        "kpis": _kpis(detail, found, now, locale),
        "findings": findings,
        "charts": hour_charts(_hours(detail, hours), locale) if hours else None,
        "health": health_lines([found], health, locale),
        "holders": [_holder(one, now, locale) for one in holders_of(provider=organization, card_id=found.id)],
        "node_url": node_url(detail.cluster.slug, detail.node.name),
        "csv_url": reverse("provider-card-holders-csv", args=[detail.cluster.slug, detail.node.name, found.id]),
        "crumbs": (
            Crumb(_("Fleet"), reverse("provider-fleet")),
            Crumb(detail.cluster.name, reverse("provider-cluster", args=[detail.cluster.slug])),
            Crumb(detail.node.name, node_url(detail.cluster.slug, detail.node.name)),
            Crumb(_name(found)),
        ),
    }
    return render(request, "metering/provider_card.html", context)


@require_safe
@provider_page(READ_FLEET)
def provider_card_holders_csv(
    request: HttpRequest,  # noqa: ARG001  a view's signature
    organization: Organization,
    *,
    cluster: str,
    node: str,
    card_id: UUID,
) -> HttpResponse:
    """Give who held the card as a file, with the rows of the page."""
    _detail, found = _find(organization, cluster, node, card_id, datetime.now(UTC))
    rows = (
        (
            one.label or one.kind, one.profile, one.share_permille, one.tenant, one.from_at.isoformat(),
            one.to_at.isoformat() if one.to_at else "",
        )
        for one in holders_of(provider=organization, card_id=found.id, limit=HOLDERS_MAX)
    )  # fmt: skip
    return csv_file(f"holders-{found.uuid}.csv", CSV_HEAD, rows)


def _find(
    organization: Organization, cluster: str, node: str, card: UUID, now: datetime
) -> tuple[NodeDetail, FleetAccelerator]:
    """Return a card and the node it stands in. Raises Http404."""
    detail = node_detail(provider=organization, cluster_slug=cluster, name=node, now=now)
    found = next((one for one in detail.node.accelerators if one.id == card), None) if detail else None
    if detail is None or found is None:
        raise Http404
    return detail, found


def _name(card: FleetAccelerator) -> str:
    return f"GPU {card.position}"


def _pill(detail: NodeDetail, card: FleetAccelerator, now: datetime, locale: str) -> Pill:
    if card.retired_at is not None:
        return Pill(_("out of service since %(at)s") % {"at": moment(card.retired_at, UTC, locale=locale)}, "bad")
    return state_pill(detail.node, now, locale)


def _kpis(detail: NodeDetail, card: FleetAccelerator, now: datetime, locale: str) -> tuple[Kpi, ...]:
    used = card.utilisation_percent_mean
    read_at = card.last_read_at
    last_read = _("last read %(at)s") % {"at": moment(read_at, UTC, locale=locale, year=False)} if read_at else ""
    fresh = card.power_mw if is_fresh(card, now) else None
    drawn, _space, unit = watts(Decimal(fresh) / MILLIWATTS if fresh is not None else None).partition(" ")
    kwh, _space, kwh_unit = energy(card.energy_mj).partition(" ")
    return (
        _held_kpi(detail, card),
        Kpi(
            _("Utilised"),
            share(Decimal(used) / PERCENT, digits=0).removesuffix("%") if used is not None else DASH,
            unit="%" if used is not None else "",
            foot=_("mean of the last 24 h") if used is not None else _("nothing sampled in 24 h"),
        ),
        Kpi(_("Drawing"), drawn, unit=unit, foot=last_read),
        Kpi(_("Energy"), kwh, unit=kwh_unit, foot=_("in the last 24 h")),
        _memory_kpi(card),
    )


def _held_kpi(detail: NodeDetail, card: FleetAccelerator) -> Kpi:
    held = [hold for hold in detail.holds.get(card.id, ()) if hold.tenant]
    permille = min(sum(hold.share_permille for hold in held), WHOLE_PERMILLE)
    tenants = len({hold.tenant for hold in held})
    words = ngettext("by %(count)s tenant", "by %(count)s tenants", tenants) % {"count": tenants}
    return Kpi(
        _("Held now"), gpus(Decimal(permille) / WHOLE_PERMILLE), unit="/ 1", foot=words if tenants else _("free")
    )


def _memory_kpi(card: FleetAccelerator) -> Kpi:
    if card.memory_used_mib_max is None:
        return Kpi(_("Memory used"), DASH, foot=_("nothing sampled in 24 h"))
    total = f"/ {number(Decimal(card.memory_mib) / MIB_PER_GIB, digits=0)} GiB" if card.memory_mib else "GiB"
    used = number(Decimal(card.memory_used_mib_max) / MIB_PER_GIB, digits=0)
    return Kpi(_("Memory used"), used, unit=total, foot=_("most in the last 24 h"))


def _hours(detail: NodeDetail, hours: tuple[CardHour, ...]) -> list[HourFigures]:
    return [HourFigures(at, one.utilisation, one.power_mw) for at, one in zip(detail.hours, hours, strict=True)]


def _holder(one: HoldSpan, now: datetime, locale: str) -> HolderLine:
    if one.from_at > now:
        pill = Pill(_("booked"), "info", small=True)
    elif one.to_at is None or one.to_at > now:
        pill = Pill(_("holds it now"), "good", small=True)
    else:
        pill = Pill(_("over"), small=True)
    return HolderLine(
        slice=slice_words(one.kind, one.profile, one.label, one.share_permille) or _("whole card"),
        tenant=one.tenant,
        from_at=moment(one.from_at, UTC, locale=locale),
        to_at=moment(one.to_at, UTC, locale=locale) if one.to_at else _("no end set"),
        lasted=lasted(max((one.to_at or now), one.from_at) - one.from_at),
        pill=pill,
    )

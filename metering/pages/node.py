"""One node of a provider's fleet: its cards, engines and meters, gaps, and chain of batches."""

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods

from metering.attention import findings_of
from metering.fleet import SEALED_BY_SERVER, FleetAccelerator, FleetNode
from metering.fleet_figures import free_permille_of
from metering.node_detail import CardHour, HoldNow, MeterReading, NodeDetail, node_detail
from metering.pages.coverage import SilenceLine, clock_facts, coverage_strip, coverage_words, silence_line
from metering.pages.durations import lasted
from metering.pages.fleet_strip import gpus, shown_findings
from metering.pages.hour_charts import HourFigures, hour_charts, shares_of, strip
from metering.pages.node_health import health_lines
from metering.pages.node_key import key_context, revoked_here
from metering.pages.node_lines import (
    MILLIWATTS,
    Gauge,
    card_words,
    gauge,
    is_fresh,
    mean_used,
    metered_words,
    power_words,
    skew_pill,
    slice_words,
    state_pill,
)
from metering.pages.witness_words import quantity_words
from portal.figures import DASH, energy, moment, number, share, watts
from portal.locales import active_locale
from portal.parts import Kpi, Pill
from portal.shell import Crumb
from tenants.models import Organization
from tenants.roles import READ_FLEET
from tenants.scoping import provider_page

HASH_SHOWN = 12
WHOLE_PERMILLE = 1000


@dataclass(frozen=True, slots=True)
class Holding:
    """A slice of a card and who has it, in words."""

    slice: str
    tenant: str
    span: str


@dataclass(frozen=True, slots=True)
class CardLine:
    """One row of the cards' table."""

    card: FleetAccelerator
    holdings: tuple[Holding, ...]
    memory: str
    used: Gauge
    used_strip: SafeString
    power: str
    power_strip: SafeString
    energy: str
    retired: str


@dataclass(frozen=True, slots=True)
class EndpointLine:
    """An inference server with its meters."""

    url: str
    engine: str
    models: tuple[str, ...]
    meters: tuple[tuple[str, MeterReading], ...]
    """With what each counts, in words."""
    last_read: str


@require_http_methods(["GET", "HEAD", "POST"])
@provider_page(READ_FLEET)
def provider_node(request: HttpRequest, organization: Organization, *, cluster: str, node: str) -> HttpResponse:
    """Show one node of a provider; a POST revokes its key."""
    now = datetime.now(UTC)
    locale = active_locale()
    detail = node_detail(provider=organization, cluster_slug=cluster, name=node, now=now)
    if detail is None:
        raise Http404
    form, done = revoked_here(request, organization, detail.node)
    if done:
        messages.success(request, _("The key is revoked: nothing that it signs is taken in any more."))
        return redirect("provider-node", cluster=cluster, node=node)
    findings = findings_of(provider=organization, now=now, node_id=detail.node.id)
    shown = shown_findings(findings, now, locale)
    context: dict[str, Any] = {
        "detail": detail,
        "node": detail.node,
        "pill": state_pill(detail.node, now, locale),
        "sub": _subtitle(detail),
        "kpis": _kpis(detail, now, locale),
        "findings": shown,
        "one_model": len({card.model for card in detail.node.accelerators}) == 1,
        "cards": [_card_line(detail, card, now, locale) for card in detail.node.accelerators],
        "sampled": bool(detail.card_hours),
        "health": health_lines(detail.node.accelerators, detail.health, locale),
        "charts": hour_charts(_hours(detail), locale),
        "endpoints": _endpoints(detail, locale),
        "gaps": [(gap, lasted(gap.to_at - gap.from_at)) for gap in detail.gaps],
        "chain": detail.chain,
        "watch": _watch(detail, now, locale) if detail.node.enrolled_at else None,
        "hash_shown": f":{HASH_SHOWN}",
        "occupancy_url": f"{reverse('provider-occupancy')}?{urlencode({'cluster': detail.cluster.slug})}",
        "crumbs": (
            Crumb(_("Fleet"), reverse("provider-fleet")),
            Crumb(detail.cluster.name, reverse("provider-cluster", args=[detail.cluster.slug])),
            Crumb(detail.node.name),
        ),
        **key_context(request, organization, detail.node, form),
    }
    return render(request, "metering/provider_node.html", context, status=422 if form.is_bound else 200)


def _subtitle(detail: NodeDetail) -> str:
    node = detail.node
    parts = [detail.cluster.name, card_words(node) or _("no GPUs known")]
    if node.agent_version.startswith(SEALED_BY_SERVER):
        source = node.agent_version.partition(": ")[2]
        parts.append(_("collector %(source)s, not signed by a node") % {"source": source})
    elif node.agent_version:
        parts.append(_("agent %(version)s") % {"version": node.agent_version})
    if detail.driver_version:
        parts.append(_("driver %(version)s") % {"version": detail.driver_version})
    return " · ".join(parts)


def _kpis(detail: NodeDetail, now: datetime, locale: str) -> tuple[Kpi, ...]:
    node = detail.node
    in_service = [card for card in node.accelerators if card.retired_at is None]
    used = mean_used(in_service)
    free = Decimal(sum(_free_permille(detail.holds.get(card.id, ())) for card in in_service)) / WHOLE_PERMILLE
    drawn, _space, unit = power_words(node, now).partition(" ")
    kwh, _space, kwh_unit = energy(node.energy_mj).partition(" ")
    read = [card.last_read_at for card in in_service if card.last_read_at is not None]
    return (
        Kpi(
            _("Free now"),
            gpus(free),
            unit=f"/ {len(in_service)}",
            foot=ngettext("%(count)s endpoint", "%(count)s endpoints", len(node.endpoints))
            % {"count": len(node.endpoints)},
        ),
        Kpi(
            _("Utilised"),
            share(used, digits=0).removesuffix("%") if used is not None else DASH,
            unit="%" if used is not None else "",
            foot=_("mean of the last 24 h") if used is not None else _("nothing sampled in 24 h"),
        ),
        Kpi(
            _("Drawing"),
            drawn,
            unit=unit,
            foot=_("last read %(at)s") % {"at": moment(max(read), UTC, locale=locale, year=False)} if read else "",
        ),
        Kpi(_("Energy"), kwh, unit=kwh_unit, foot=_("in the last 24 h")),
        Kpi(
            _("Metered to"),
            f"{node.metered_to_at:%H:%M:%S}" if node.metered_to_at else DASH,
            unit="UTC" if node.metered_to_at else "",
            foot=_clock_words(node) or metered_words(node, now, locale),
        ),
    )


def _free_permille(holds: tuple[HoldNow, ...]) -> int:
    held = sum(hold.share_permille for hold in holds if hold.tenant)
    return free_permille_of(sum(hold.share_permille for hold in holds), held)


def _clock_words(node: FleetNode) -> str:
    """How far the node's clock is off, as its last batch showed; empty where it was not told."""
    if node.clock_skew_ms is None:
        return ""
    skew = skew_pill(node.clock_skew_ms)
    return skew.text if skew else _("clock right to a second")


def _hours(detail: NodeDetail) -> list[HourFigures]:
    """The node hour by hour: the mean of its cards' utilisation, the sum of their power."""
    figures = []
    for place, at in enumerate(detail.hours):
        hours = [known[place] for known in detail.card_hours.values()]
        used = [hour.utilisation for hour in hours if hour.utilisation is not None]
        power = [hour.power_mw for hour in hours if hour.power_mw is not None]
        mean = sum(used, Decimal(0)) / len(used) if used else None
        figures.append(HourFigures(at, mean, sum(power) if power else None))
    return figures


def _card_line(detail: NodeDetail, card: FleetAccelerator, now: datetime, locale: str) -> CardLine:
    hours = detail.card_hours.get(card.id, (CardHour(None, None),) * len(detail.hours))
    fresh = card.power_mw if is_fresh(card, now) else None
    used = card.utilisation_percent_mean
    return CardLine(
        card=card,
        holdings=tuple(_holding(hold, locale) for hold in detail.holds.get(card.id, ())),
        memory=_memory(card),
        used=gauge(Decimal(used) / 100 if used is not None else None),
        used_strip=strip([hour.utilisation for hour in hours], "u-hi"),
        power=watts(Decimal(fresh) / MILLIWATTS if fresh is not None else None),
        power_strip=strip(shares_of([hour.power_mw for hour in hours]), "c-energy"),
        energy=energy(card.energy_mj),
        retired=moment(card.retired_at, UTC, locale=locale) if card.retired_at else "",
    )


def _holding(hold: HoldNow, locale: str) -> Holding:
    name = slice_words(hold.kind, hold.profile, hold.label, hold.share_permille)
    if not hold.tenant:
        return Holding(name, "", "")
    if hold.to_at is None:
        return Holding(name, hold.tenant, _("no end set"))
    return Holding(name, hold.tenant, _("until %(at)s") % {"at": moment(hold.to_at, UTC, locale=locale, year=False)})


def _memory(card: FleetAccelerator) -> str:
    if card.memory_mib is None:
        return DASH
    total = number(Decimal(card.memory_mib) / 1024, digits=0)
    if card.memory_used_mib_max is None:
        return f"{total} GiB"
    return f"{number(Decimal(card.memory_used_mib_max) / 1024, digits=0)} / {total} GiB"


def _endpoints(detail: NodeDetail, locale: str) -> list[EndpointLine]:
    lines = []
    for url, engine, models in detail.node.endpoints:
        meters = tuple(meter for meter in detail.meters if meter.url == url)
        read = [meter.read_at for meter in meters if meter.read_at is not None]
        last = moment(max(read), UTC, locale=locale, year=False) if read else _("never")
        said = tuple((quantity_words(meter.quantity), meter) for meter in meters)
        lines.append(EndpointLine(url, engine, models, said, last))
    return lines


@dataclass(frozen=True, slots=True)
class Watch:
    """How completely the node was watched, what its clock does, and when it was not heard."""

    strip: SafeString
    words: str
    pill: Pill
    clock: tuple[tuple[str, str], ...]
    silences: list[SilenceLine]


def _watch(detail: NodeDetail, now: datetime, locale: str) -> Watch:
    shares = [known for _hour, known in detail.covered]
    words, pill = coverage_words(shares)
    return Watch(
        strip=coverage_strip([hour for hour, _known in detail.covered], shares),
        words=words,
        pill=pill,
        clock=tuple(clock_facts(detail.clock, locale)),
        silences=[silence_line(one, now, locale) for one in detail.silences],
    )

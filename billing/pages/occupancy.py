"""A provider's occupancy: who holds which card when, what stands free, and what is booked."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import pgettext
from django.views.decorators.http import require_safe

from billing.pages.occupancy_chart import (
    CATEGORY_TONES,
    Metered,
    chart_node,
    holdings_table,
    state_legend,
    tenant_legend,
    tenant_tones,
)
from billing.pages.occupancy_window import DAY, DAYS_OFFERED, ShownWindow, UnreadableWindow, read_window
from billing.pages.periods import with_query
from billing.queries.occupancy import NodeRow, occupancy_view
from billing.queries.occupancy_sums import FloorSums, floor_sums, nodes_in_view
from metering.attention import Attention, Finding, attention_of
from metering.fleet import fleet_of
from metering.fleet_figures import ClusterFigures, FleetFigures, cluster_figures, total_of, utilisation_while_held
from metering.pages.fleet_strip import attention_kpi, drawing_kpi, free_kpi
from portal.charts import Tone, Window, draw_occupancy
from portal.figures import DASH, day, number, share, span
from portal.locales import active_locale
from portal.parts import Choice, Empty, Kpi, Pagination
from portal.shell import Crumb
from tenants.models import Organization
from tenants.roles import READ_FLEET
from tenants.scoping import provider_page

METERED_VIEW = timedelta(hours=24)
NODES_PER_PAGE = 12
GPU_MS_PER_HOUR = 3_600_000


@dataclass(frozen=True, slots=True)
class Floor:
    """What the page knows before it is put in words; `nodes` are those of this page."""

    organization: Organization
    window: ShownWindow
    clusters: tuple[ClusterFigures, ...]
    chosen: ClusterFigures | None
    sums: FloorSums
    nodes: tuple[NodeRow, ...]
    attention: Attention
    now: datetime
    locale: str

    @property
    def figures(self) -> FleetFigures:
        """The figures of what is shown."""
        return self.chosen.figures if self.chosen else total_of(self.clusters)


@require_safe
@provider_page(READ_FLEET)
def provider_occupancy(request: HttpRequest, organization: Organization) -> HttpResponse:
    """Show who holds a provider's cards over some days."""
    floor = _read(request, organization)
    tones = tenant_tones(floor.sums.holders)
    metered = _metered(floor, tones)
    window = floor.window
    drawn = Window(window.from_at, window.to_at, floor.now, UTC)
    context = {
        "window": window,
        "sub": _subtitle(floor),
        "kpis": _kpis(floor),
        "choices": _choices(request.path, window),
        "clusters": floor.clusters,
        "kept": {name: value for name, value in window.query().items() if name != "cluster"},
        "previous_url": _moved(request.path, window, -window.days),
        "next_url": _moved(request.path, window, window.days),
        "today_url": "" if window.is_default else _around_today(request.path, window),
        "occupancy": draw_occupancy(
            [chart_node(node, metered) for node in floor.nodes],
            window=drawn,
            locale=floor.locale,
            head=_("GPU"),
            label=_("Leases per GPU. Use the arrow keys to read one at a time, Enter to open a lease."),
        ),
        "table": holdings_table(floor.nodes, metered),
        "legend": tenant_legend(tones, floor.sums.holder_count - len(tones)),
        "states": state_legend(),
        "pagination": _pagination(request.path, floor),
        "empty": _nothing(floor),
        "crumbs": _crumbs(floor),
    }
    return render(request, "billing/occupancy.html", context)


def _read(request: HttpRequest, organization: Organization) -> Floor:
    now = datetime.now(UTC)
    try:
        window = read_window(request.GET.dict(), now)
    except UnreadableWindow as error:
        raise Http404 from error
    from_at, to_at = window.from_at, window.to_at
    clusters = cluster_figures(provider=organization, now=now, from_at=now - METERED_VIEW, shown_from=from_at)
    chosen = next((cluster for cluster in clusters if cluster.slug == window.cluster), None)
    if window.cluster and chosen is None:
        raise Http404
    places = (chosen,) if chosen else clusters
    sums = floor_sums(organization, places, from_at, to_at, now=now, holders=len(CATEGORY_TONES))
    first = (window.page - 1) * NODES_PER_PAGE
    if window.page > 1 and first >= sums.nodes:
        raise Http404
    shown = nodes_in_view(organization, places, from_at, first=first, count=NODES_PER_PAGE)
    return Floor(
        organization=organization,
        window=window,
        clusters=clusters,
        chosen=chosen,
        sums=sums,
        nodes=occupancy_view(organization, from_at, to_at, node_ids=shown).nodes,
        attention=attention_of(provider=organization, now=now, worst=1, cluster_slug=window.cluster, node_ids=shown),
        now=now,
        locale=active_locale(),
    )


def _metered(floor: Floor, tones: Mapping[UUID, tuple[str, Tone]]) -> Metered:
    fleet = fleet_of(
        provider=floor.organization,
        from_at=floor.now - METERED_VIEW,
        to_at=floor.now,
        node_ids=[node.id for node in floor.nodes],
        gauges_only=True,
    )
    findings: dict[UUID, list[Finding]] = defaultdict(list)
    for finding in floor.attention.of_nodes:
        findings[finding.node_id].append(finding)
    return Metered(
        nodes={node.id: (cluster, node) for cluster in fleet for node in cluster.nodes},
        findings=findings,
        tones={tenant: tone for tenant, (_name, tone) in tones.items()},
        now=floor.now,
        locale=floor.locale,
    )


def _kpis(floor: Floor) -> tuple[Kpi, ...]:
    occupancy = floor.sums.occupancy
    booked = Decimal(occupancy.fraction.numerator) / occupancy.fraction.denominator
    hours = {
        "held": number(Decimal(occupancy.held_gpu_ms) / GPU_MS_PER_HOUR),
        "capacity": number(Decimal(occupancy.capacity_gpu_ms) / GPU_MS_PER_HOUR),
    }
    # The last day in view that has been metered, at most.
    until = min(floor.window.to_at, floor.now)
    since = max(floor.window.from_at, until - METERED_VIEW)
    known = floor.figures if (since, until) == (floor.now - METERED_VIEW, floor.now) else None
    used = (
        utilisation_while_held(
            provider=floor.organization, from_at=since, to_at=until, cluster_slug=floor.window.cluster, known=known
        )
        if since < until
        else None
    )
    return (
        Kpi(
            _("Booked"),
            share(booked).removesuffix("%") if occupancy.capacity_gpu_ms else DASH,
            unit="%" if occupancy.capacity_gpu_ms else "",
            foot=_("%(held)s of %(capacity)s GPU-hours") % hours,
        ),
        Kpi(
            _("Utilised while leased"),
            share(used, digits=0).removesuffix("%") if used is not None else DASH,
            unit="%" if used is not None else "",
            foot=_("mean of 24 h in view") if used is not None else _("nothing sampled in view"),
        ),
        free_kpi(floor.figures, _next_reservation(floor.sums.next_from_at, floor.locale)),
        drawing_kpi(floor.figures),
        attention_kpi(floor.attention, floor.now, floor.locale),
    )


def _next_reservation(at: datetime | None, locale: str) -> str:
    """Say when the next holding in view begins; empty where none is booked."""
    return _("next reserved from %(day)s") % {"day": day(at.astimezone(UTC).date(), "MMMd", locale)} if at else ""


def _subtitle(floor: Floor) -> str:
    days = span(floor.window.first, floor.window.last, floor.locale)
    place = floor.chosen.name if floor.chosen else _("all clusters")
    return _("%(days)s · %(place)s · times are UTC") % {"days": days, "place": place}


def _choices(path: str, window: ShownWindow) -> list[Choice]:
    words = {1: pgettext("span of time", "Day"), 7: _("Week"), 14: _("2 weeks")}
    return [
        Choice(words[days], with_query(path, window.query(days=days, page=window.page)), current=days == window.days)
        for days in DAYS_OFFERED
    ]


def _moved(path: str, window: ShownWindow, days: int) -> str:
    return with_query(path, window.query(first=window.first + days * DAY, page=window.page))


def _around_today(path: str, window: ShownWindow) -> str:
    query = window.query(page=window.page)
    query.pop("from", None)
    return with_query(path, query)


def _pagination(path: str, floor: Floor) -> Pagination | None:
    count, page = floor.sums.nodes, floor.window.page
    if count <= NODES_PER_PAGE:
        return None
    first = (page - 1) * NODES_PER_PAGE
    words = {"first": number(first + 1), "last": number(first + len(floor.nodes)), "count": number(count)}
    return Pagination(
        _("Nodes %(first)s to %(last)s of %(count)s") % words,
        previous_url=with_query(path, floor.window.query(page=page - 1)) if page > 1 else "",
        next_url=with_query(path, floor.window.query(page=page + 1)) if first + len(floor.nodes) < count else "",
    )


def _nothing(floor: Floor) -> Empty | None:
    if floor.nodes:
        return None
    return Empty(
        _("No GPUs yet"),
        _("GPUs show here once a node is enrolled or known by inventory. The fleet page says how to enrol one."),
        icon="chip",
    )


def _crumbs(floor: Floor) -> Sequence[Crumb]:
    fleet = Crumb(_("Fleet"), reverse("provider-fleet"))
    if floor.chosen is None:
        return fleet, Crumb(_("Occupancy"))
    cluster = Crumb(floor.chosen.name, reverse("provider-cluster", args=[floor.chosen.slug]))
    return fleet, cluster, Crumb(_("Occupancy"))

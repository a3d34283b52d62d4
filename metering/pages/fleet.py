"""A provider's fleet and each cluster of it: what is in service, what it does now, what needs attention."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from clusters.models import Node
from metering.attention import attention_of
from metering.fleet import fleet_of
from metering.fleet_figures import ClusterFigures, cluster_figures, cluster_hours, total_of
from metering.node_hours import covered, last_hours
from metering.pages.coverage import coverage_strip
from metering.pages.fleet_making import cluster_form, made_token, may_make
from metering.pages.fleet_strip import FINDINGS_SHOWN, shown_findings, strip
from metering.pages.hour_charts import HourFigures, hour_charts
from metering.pages.node_lines import NOT_DRAWN, NodeLine, node_line
from metering.pages.node_paging import node_pagination
from portal.figures import energy, number, share, watts
from portal.locales import active_locale
from portal.paging import read_page
from portal.shell import Crumb
from tenants.models import Organization
from tenants.roles import READ_FLEET
from tenants.scoping import provider_page

VIEW = timedelta(hours=24)
NODES_PER_PAGE = 25
SEARCH_CHARS_MAX = 100
MILLIWATTS = 1000


@dataclass(frozen=True, slots=True)
class ClusterCard:
    """A cluster with those of its nodes that are on this page."""

    cluster: ClusterFigures
    url: str
    facts: str
    lines: tuple[NodeLine, ...]


@require_http_methods(["GET", "HEAD", "POST"])
@provider_page(READ_FLEET)
def provider_fleet(request: HttpRequest, organization: Organization) -> HttpResponse:
    """Show the clusters of a provider with their nodes and cards; a POST adds a cluster."""
    form, made = cluster_form(request, organization)
    if made is not None:
        return redirect("provider-cluster", cluster=made.slug)
    now = datetime.now(UTC)
    locale = active_locale()
    clusters = cluster_figures(provider=organization, now=now, from_at=now - VIEW)
    attention = attention_of(provider=organization, now=now, worst=FINDINGS_SHOWN)
    figures = total_of(clusters)
    context = {
        "kpis": strip(figures, attention, clusters=len(clusters), now=now, locale=locale),
        "figures": figures,
        "clusters": clusters,
        "findings": shown_findings(attention.findings, now, locale),
        "more_findings": attention.count - len(attention.findings),
        "form": form if may_make(request) else None,
        "crumbs": (Crumb(_("Fleet")),),
        **_nodes(request, organization, clusters, now, locale),
        **_enrolment(clusters[0].slug if clusters else ""),
    }
    return render(request, "metering/provider_fleet.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@provider_page(READ_FLEET)
def provider_cluster(request: HttpRequest, organization: Organization, *, cluster: str) -> HttpResponse:
    """Show one cluster of a provider, with its last day hour by hour; a POST makes an enrolment token, shown once."""
    token = made_token(request, organization, cluster)
    now = datetime.now(UTC)
    locale = active_locale()
    found = cluster_figures(provider=organization, now=now, from_at=now - VIEW, cluster_slug=cluster)
    if not found:
        raise Http404
    row = found[0]
    attention = attention_of(provider=organization, now=now, worst=FINDINGS_SHOWN, cluster_slug=cluster)
    hours = cluster_hours(cluster_id=row.id, now=now)
    context = {
        "row": row,
        "kpis": strip(row.figures, attention, clusters=1, now=now, locale=locale),
        "figures": row.figures,
        "findings": shown_findings(attention.findings, now, locale),
        "more_findings": attention.count - len(attention.findings),
        "charts": hour_charts([HourFigures(*hour) for hour in hours], locale),
        "sampled": any(hour[1] is not None or hour[2] is not None for hour in hours),
        "occupancy_url": f"{reverse('provider-occupancy')}?{urlencode({'cluster': row.slug})}",
        "deployments_url": f"{reverse('provider-deployments')}?{urlencode({'cluster': row.slug})}",
        "crumbs": (Crumb(_("Fleet"), reverse("provider-fleet")), Crumb(row.name)),
        **_nodes(request, organization, found, now, locale, cluster_slug=cluster),
        **_enrolment(row.slug),
        "may_make": may_make(request),
        **token,
    }
    return render(request, "metering/provider_cluster.html", context, status=201 if token else 200)


def _nodes(
    request: HttpRequest,
    organization: Organization,
    clusters: tuple[ClusterFigures, ...],
    now: datetime,
    locale: str,
    *,
    cluster_slug: str = "",
) -> dict[str, Any]:
    """A page of nodes, in the cards of their clusters; without a search clusters without nodes are shown too."""
    search = request.GET.get("q", "").strip()[:SEARCH_CHARS_MAX]
    nodes = found_nodes(organization, cluster_slug, search)
    page = read_page(request.GET.get("page", ""))
    count = nodes.count()
    if page > 1 and (page - 1) * NODES_PER_PAGE >= count:
        raise Http404
    first = (page - 1) * NODES_PER_PAGE
    ids: list[UUID] = list(nodes[first : first + NODES_PER_PAGE].values_list("id", flat=True))
    seen = {one.id: one for one in fleet_of(provider=organization, from_at=now - VIEW, to_at=now, node_ids=ids)}
    covers = _covers(ids, now)
    cards = []
    for cluster in clusters:
        metered = seen.get(cluster.id)
        nodes_here = metered.nodes if metered else ()
        lines = tuple(
            node_line(metered, node, now, locale, covers.get(node.id, NOT_DRAWN)) for node in nodes_here if metered
        )
        if lines or (cluster.figures.nodes == 0 and not search and page == 1):
            cards.append(ClusterCard(cluster, reverse("provider-cluster", args=[cluster.slug]), _facts(cluster), lines))
    return {
        "cards": cards,
        "search": search,
        "node_count": count,
        "pagination": node_pagination(request.path, {"q": search}, page, count, NODES_PER_PAGE),
    }


def _covers(ids: list[UUID], now: datetime) -> dict[UUID, SafeString]:
    """The last hours of nodes drawn, for those of which something was expected."""
    hours = last_hours(now)
    known = covered(node_ids=ids, hours=hours)
    return {node_id: coverage_strip(hours, [of.get(hour) for hour in hours]) for node_id, of in known.items()}


def found_nodes(organization: Organization, cluster_slug: str, search: str) -> QuerySet[Node]:
    """Return a provider's nodes, of one cluster where one is named, that a search finds; in the order of the page."""
    nodes = Node.objects.filter(cluster__provider=organization)
    if cluster_slug:
        nodes = nodes.filter(cluster__slug=cluster_slug)
    if search:
        with_card = Q(accelerators__uuid__icontains=search) | Q(accelerators__serial__iexact=search)
        nodes = nodes.filter(Q(name__icontains=search) | with_card).distinct()
    return nodes.order_by("cluster__name", "cluster_id", "name", "id")


def _facts(cluster: ClusterFigures) -> str:
    """What stands beside a cluster's name; what nobody metered is left out."""
    figures = cluster.figures
    parts = [_("%(count)s GPUs") % {"count": number(figures.in_service)}]
    if figures.utilisation is not None:
        parts.append(_("%(share)s utilised") % {"share": share(figures.utilisation, digits=0)})
    if figures.power_mw is not None:
        parts.append(watts(figures.power_mw // MILLIWATTS))
    if figures.energy_mj is not None:
        parts.append(_("%(energy)s in 24 h") % {"energy": energy(figures.energy_mj)})
    return " · ".join(parts)


def _enrolment(cluster_slug: str) -> dict[str, str]:
    """What the commands that enrol a node name."""
    return {"server": settings.PUBLIC_URL.rstrip("/"), "cluster_slug": cluster_slug}

"""A provider's nodes as a file: those that the fleet's page shows with the same search, on all its pages."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from django.views.decorators.http import require_safe

from metering.fleet import FleetCluster, FleetNode, fleet_of
from metering.pages.fleet import SEARCH_CHARS_MAX, found_nodes
from tenants.listing.csv_files import csv_answer
from tenants.roles import READ_FLEET
from tenants.scoping import provider_page

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.db.models import QuerySet
    from django.http import HttpRequest, StreamingHttpResponse

    from clusters.models import Node
    from tenants.models import Organization

VIEW: Final = timedelta(hours=24)
NODES_AT_ONCE: Final = 100
HEAD: Final = (
    "cluster", "node", "agent", "enrolled_utc", "revoked_utc", "metered_to_utc", "gpu", "model", "uuid", "serial",
    "retired_utc", "last_read_utc", "utilisation_percent_24h", "power_mw", "memory_mib", "energy_mj_24h",
)  # fmt: skip


@require_safe
@provider_page(READ_FLEET)
def provider_fleet_csv(request: HttpRequest, organization: Organization) -> StreamingHttpResponse:
    """Write a row for every GPU, and one for a node without any; what nobody metered is empty, never zero."""
    now = datetime.now(UTC)
    search, cluster = request.GET.get("q", "").strip()[:SEARCH_CHARS_MAX], request.GET.get("cluster", "")
    nodes = found_nodes(organization, cluster, search)
    return csv_answer(f"fleet-{organization.slug}.csv", HEAD, _all_rows(organization, nodes, now))


def _all_rows(organization: Organization, nodes: QuerySet[Node], now: datetime) -> Iterator[tuple[object, ...]]:
    """Yield the rows of nodes in their order, read some nodes at a time."""
    ids = list(nodes.values_list("id", flat=True))
    for first in range(0, len(ids), NODES_AT_ONCE):
        some = ids[first : first + NODES_AT_ONCE]
        clusters = fleet_of(provider=organization, from_at=now - VIEW, to_at=now, node_ids=some)
        seen = {node.id: (cluster, node) for cluster in clusters for node in cluster.nodes}
        for node_id in some:
            if node_id in seen:
                yield from _rows(*seen[node_id])


def _rows(cluster: FleetCluster, node: FleetNode) -> Iterator[tuple[object, ...]]:
    about = (
        cluster.name, node.name, node.agent_version, _at(node.enrolled_at), _at(node.revoked_at),
        _at(node.metered_to_at),
    )  # fmt: skip
    if not node.accelerators:
        yield (*about, *[""] * (len(HEAD) - len(about)))
    for card in node.accelerators:
        figures = (card.utilisation_percent_mean, card.power_mw, card.memory_mib, card.energy_mj)
        yield (
            *about, card.position, card.model, card.uuid, card.serial, _at(card.retired_at), _at(card.last_read_at),
            *("" if figure is None else figure for figure in figures),
        )  # fmt: skip


def _at(instant: datetime | None) -> str:
    return instant.isoformat() if instant is not None else ""

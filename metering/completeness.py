"""How far usage is known: per node, per queue of events, and for what an organization looks at."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Literal

from django.db import connection
from django.db.models import Q
from django.db.models.functions import Now

from clusters.models import Allocation, Binding, Node
from metering.control_models import GatewaySource
from metering.event_calls import newest_counted, waiting_events
from metering.models import Quality, RollupCursor, UsageHour, Witness
from tenants.limits.reader import within_own

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime
    from uuid import UUID

    from django.db.models import QuerySet
    from django.http import HttpRequest

    from tenants.models import Organization

LATE_AFTER: Final = timedelta(minutes=5)
RETIRED_AFTER: Final = timedelta(hours=48)
"""A source that told nothing for so long, and sent nothing since, is not waited for."""
FreshnessState = Literal["fresh", "late", "never"]


def reported_to(node_ids: Collection[UUID]) -> dict[UUID, datetime | None]:
    """Return for each node the instant before which everything it saw is in usage hours; None: nothing yet."""
    rolled = dict(RollupCursor.objects.filter(node_id__in=node_ids).values_list("node_id", "rolled_to_at"))
    return {node_id: rolled.get(node_id) for node_id in node_ids}


def pending_events(
    *, before: datetime, deployment_ids: Collection[UUID] = (), tenant: Organization | None = None
) -> int:
    """Return how many events of these deployments, or of a tenant, from before an instant wait to be rolled up."""
    tenant_id = tenant.id if tenant else None
    return waiting_events(before=before, deployment_ids=deployment_ids, tenant_id=tenant_id)


@dataclass(frozen=True, slots=True)
class SourceReach:
    """How far a gateway's source has sent everything; `complete_to_at` is None for one that never says."""

    reporter: str
    source: str
    complete_to_at: datetime | None


def source_reaches(
    *, deployment_ids: Collection[UUID], tenant: Organization, from_at: datetime, to_at: datetime
) -> list[SourceReach]:
    """Return the sources that report events of some deployments of a tenant over a window, by name; two queries.

    They are those that did near its end, and those of the tenant that still told how far they are then.
    """
    return reaches_of([(deployment_ids, tenant.id)], from_at=from_at, to_at=to_at)[0]


def reaches_of(
    asked: Sequence[tuple[Collection[UUID], UUID]], *, from_at: datetime, to_at: datetime
) -> list[list[SourceReach]]:
    """Do `source_reaches` for many, each some deployments and their tenant's id, in their order; two queries."""
    near_at = max(from_at, to_at - RETIRED_AFTER)
    sent: dict[UUID, set[tuple[UUID | None, str | None, str]]] = defaultdict(set)
    rows = (
        UsageHour.objects.exclude(quality=Quality.CONTROL)
        .filter(
            deployment_id__in={one for ids, _ in asked for one in ids},
            witness=Witness.GATEWAY,
            from_at__gte=near_at,
            from_at__lt=to_at,
        )
        .values_list("deployment_id", "meter__reporter_id", "meter__reporter__slug", "meter__source")
        .distinct()
    )
    for deployment_id, reporter_id, slug, source in rows:
        sent[deployment_id].add((reporter_id, slug, source))
    still_at = to_at - RETIRED_AFTER
    told = list(
        GatewaySource.objects.filter(
            Q(reporter_id__in={tenant_id for _, tenant_id in asked}, told_at__gte=still_at)
            | Q(reporter_id__in={reporter for keys in sent.values() for reporter, *_ in keys})
        ).values_list("reporter_id", "reporter__slug", "source", "complete_to_at", "told_at")
    )
    found: list[list[SourceReach]] = []
    for deployment_ids, tenant_id in asked:
        reach: dict[tuple[UUID | None, str | None, str], datetime | None] = {
            key: None for deployment_id in deployment_ids for key in sent.get(deployment_id, ())
        }
        for reporter_id, slug, source, complete_to_at, told_at in told:
            key = (reporter_id, slug, source)
            if key in reach or (reporter_id == tenant_id and told_at >= still_at):
                reach[key] = complete_to_at
        reaches = [SourceReach(key[1] or "", key[2], at) for key, at in reach.items()]
        found.append(sorted(reaches, key=lambda one: (one.reporter, one.source)))
    return found


def told_sources(organization: Organization) -> list[SourceReach]:
    """Return how far the sources that an organization reports for itself told they are, by name; one query."""
    rows = GatewaySource.objects.filter(reporter=organization).order_by("source")
    return [
        SourceReach(slug, source, at)
        for slug, source, at in rows.values_list("reporter__slug", "source", "complete_to_at")
    ]


def expected_nodes() -> QuerySet[Node]:
    """Return every node that should report now: it has an agent, and its key was not revoked."""
    return Node.objects.filter(public_key__isnull=False, revoked_at__isnull=True)


def nodes_of(organization: Organization) -> QuerySet[Node]:
    """Return the nodes that should report for an organization: its own, and those that serve it now."""
    now = Now()
    serving = (
        Binding.objects.filter(Q(to_at__isnull=True) | Q(to_at__gt=now), from_at__lte=now)
        .filter(deployment__tenant=organization)
        .values("endpoint__node_id")
    )
    held = (
        Allocation.objects.filter(Q(to_at__isnull=True) | Q(to_at__gt=now), from_at__lte=now)
        .filter(tenant=organization)
        .values("slice__accelerator__node_id")
    )
    return expected_nodes().filter(Q(cluster__provider=organization) | Q(id__in=serving) | Q(id__in=held))


_SERVING: Final = """
        SELECT endpoint.node_id FROM clusters_binding binding
        JOIN clusters_deployment deployment ON deployment.id = binding.deployment_id
        JOIN clusters_endpoint endpoint ON endpoint.id = binding.endpoint_id
        WHERE deployment.tenant_id = %(organization)s AND binding.from_at <= statement_timestamp()
        AND (binding.to_at IS NULL OR binding.to_at > statement_timestamp())
"""
_HELD: Final = """
        SELECT card.node_id FROM clusters_allocation held
        JOIN clusters_slice slice ON slice.id = held.slice_id
        JOIN clusters_accelerator card ON card.id = slice.accelerator_id
        WHERE held.tenant_id = %(organization)s AND held.from_at <= statement_timestamp()
        AND (held.to_at IS NULL OR held.to_at > statement_timestamp())
"""
_FRESHNESS: Final = """
    SELECT count(*), min(rolled.rolled_to_at),
        count(*) FILTER (
            WHERE coalesce(rolled.rolled_to_at < statement_timestamp() - make_interval(secs => %(late_s)s), true)
        )
    FROM clusters_node node
    JOIN clusters_cluster cluster ON cluster.id = node.cluster_id
    LEFT JOIN metering_rollupcursor rolled ON rolled.node_id = node.id
    WHERE node.public_key IS NOT NULL AND node.revoked_at IS NULL AND
"""
AMONG_ALL: Final = f"""{_FRESHNESS} (
        cluster.provider_id = %(organization)s OR node.id IN ({_SERVING}) OR node.id IN ({_HELD})
    )
"""
"""Of `nodes_of`: how many, the one furthest behind, and how many are late. Every page asks; as text it costs a fifth
of what the same costs as a query of Django's, which is made anew each time. For a provider, whose own nodes are most of
those there are: all are looked through.
"""
ONE_BY_ONE: Final = f"""{_FRESHNESS} node.id = ANY (ARRAY(
        SELECT own.id FROM clusters_node own JOIN clusters_cluster its ON its.id = own.cluster_id
        WHERE its.provider_id = %(organization)s
        UNION ALL {_SERVING}
        UNION ALL {_HELD}
    ))
"""  # noqa: S608  of the parts above
"""The same for anybody else, who uses some: each is looked up, however many there are."""


def freshness(organization: Organization) -> tuple[FreshnessState, datetime | None]:
    """Return whether usage is known as far as it should be, and up to when: the node that is furthest behind says.

    Without nodes the newest hour of usage events says. Late is known by the database's clock.
    """
    own = within_own(organization.pk, "how far nodes that an organization has or uses have reported, and no more")
    statement = AMONG_ALL if organization.is_provider else ONE_BY_ONE
    with own, connection.cursor() as cursor:
        cursor.execute(statement, {"organization": organization.id, "late_s": LATE_AFTER.total_seconds()})
        every, metered_to, behind = cursor.fetchone()
    if metered_to is not None:
        return ("late" if behind else "fresh", metered_to)
    if every:
        return ("never", None)
    newest = newest_counted(organization.id)
    return ("fresh", newest) if newest else ("never", None)


def freshness_in(request: HttpRequest, organization: Organization) -> tuple[FreshnessState, datetime | None]:
    """Do the same, looked up once a request: the frame of every page says it, and what some pages draw goes by it."""
    told: dict[UUID, tuple[FreshnessState, datetime | None]] = request.__dict__.setdefault("_freshness", {})
    if organization.id not in told:
        told[organization.id] = freshness(organization)
    return told[organization.id]

"""How far usage is known: per node, per queue of events, and for what an organization looks at."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final, Literal

from django.db.models import Min, Q
from django.db.models.functions import Now

from clusters.models import Allocation, Binding, Node
from metering.models import EventQueue, RollupCursor, UsageEvent

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime
    from uuid import UUID

    from django.db.models import QuerySet

    from tenants.models import Organization

LATE_AFTER: Final = timedelta(minutes=5)
FreshnessState = Literal["fresh", "late", "never"]


def reported_to(node_ids: Collection[UUID]) -> dict[UUID, datetime | None]:
    """Return for each node the instant before which everything it saw is in usage hours; None: nothing yet."""
    rolled = dict(RollupCursor.objects.filter(node_id__in=node_ids).values_list("node_id", "rolled_to_at"))
    return {node_id: rolled.get(node_id) for node_id in node_ids}


def pending_events(
    *, before: datetime, deployment_ids: Collection[UUID] = (), tenant: Organization | None = None
) -> int:
    """Return how many events of these deployments, or of a tenant, from before an instant wait to be rolled up."""
    waiting = EventQueue.objects.filter(event__occurred_at__lt=before)
    which = Q(event__deployment_id__in=deployment_ids)
    if tenant is not None:
        which |= Q(event__tenant=tenant)
    return waiting.filter(which).count()


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


def freshness(organization: Organization) -> tuple[FreshnessState, datetime | None]:
    """Return whether usage is known as far as it should be, and up to when: the node that is furthest behind says.

    Without nodes the newest usage event says. Late is known by the database's clock.
    """
    nodes = nodes_of(organization)
    behind = nodes.filter(Q(rollup_cursor__rolled_to_at__lt=Now() - LATE_AFTER) | Q(rollup_cursor__rolled_to_at=None))
    metered_to = nodes.aggregate(at=Min("rollup_cursor__rolled_to_at"))["at"]
    if metered_to is not None:
        return ("late" if behind.exists() else "fresh", metered_to)
    if nodes.exists():
        return ("never", None)
    newest = UsageEvent.objects.filter(tenant=organization).order_by("-occurred_at").values_list("occurred_at").first()
    return ("fresh", newest[0]) if newest else ("never", None)

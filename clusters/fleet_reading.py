"""What of the fleet an organization may read: a provider all of its own, a tenant what it holds and what it uses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db.models import Prefetch, Q

from clusters.models import Accelerator, Allocation, Binding, Cluster, Deployment, Endpoint, Node, Slice

if TYPE_CHECKING:
    from datetime import datetime

    from django.db.models import QuerySet

    from clusters.models import AllocationQuerySet, DeploymentQuerySet
    from tenants.models import Organization


def clusters_of(organization: Organization, now: datetime) -> QuerySet[Cluster]:
    """Return a provider's clusters, and those on which a tenant holds something."""
    held = _held(organization, now).values("slice__accelerator__node__cluster")
    return Cluster.objects.filter(Q(provider=organization) | Q(pk__in=held)).select_related("provider")


def fleet_nodes(organization: Organization, now: datetime) -> QuerySet[Node]:
    """Return a provider's nodes, and those on which a tenant holds something."""
    held = _held(organization, now).values("slice__accelerator__node")
    found = Node.objects.filter(Q(cluster__provider=organization) | Q(pk__in=held))
    return found.select_related("cluster__provider")


def accelerators_of(organization: Organization, now: datetime) -> QuerySet[Accelerator]:
    """Return a provider's cards, and those of which a tenant holds a part."""
    held = _held(organization, now).values("slice__accelerator")
    found = Accelerator.objects.filter(Q(node__cluster__provider=organization) | Q(pk__in=held))
    return found.select_related("node__cluster")


def slices_of(organization: Organization, now: datetime) -> QuerySet[Slice]:
    """Return a provider's slices, and those that a tenant holds."""
    held = _held(organization, now).values("slice")
    found = Slice.objects.filter(Q(accelerator__node__cluster__provider=organization) | Q(pk__in=held))
    return found.select_related("accelerator__node__cluster")


def allocations_of(organization: Organization, now: datetime) -> AllocationQuerySet:  # noqa: ARG001  as its neighbours
    """Return what an organization holds and held, and who holds and held what of its own."""
    found = Allocation.objects.for_org(organization)
    return found.select_related("slice__accelerator__node__cluster", "tenant")


def endpoints_of(organization: Organization, now: datetime) -> QuerySet[Endpoint]:  # noqa: ARG001  as its neighbours
    """Return the inference servers on a provider's nodes, and those that a tenant's deployments use or used."""
    used = Binding.objects.filter(deployment__tenant=organization).values("endpoint")
    found = Endpoint.objects.filter(Q(node__cluster__provider=organization) | Q(pk__in=used))
    return found.select_related("node__cluster")


def deployments_of(organization: Organization, now: datetime) -> DeploymentQuerySet:  # noqa: ARG001  as its neighbours
    """Return the deployments that an organization provides or uses, with what they are bound to."""
    found = Deployment.objects.for_org(organization)
    bindings = Prefetch("bindings", queryset=Binding.objects.order_by("from_at", "pk"))
    return found.select_related("provider", "tenant").prefetch_related(bindings)


def _held(organization: Organization, now: datetime) -> AllocationQuerySet:
    """What an organization holds now or has booked."""
    return Allocation.objects.filter(Q(to_at__isnull=True) | Q(to_at__gt=now), tenant=organization)

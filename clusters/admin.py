"""The fleet in the operator's back office, read only."""

from django.contrib import admin

from clusters.models import Accelerator, Allocation, Cluster, Deployment, Endpoint, Node
from tenants.back_office import ReadOnly


@admin.register(Cluster)
class ClusterAdmin(ReadOnly):
    """Providers' sites."""

    list_display = ["name", "provider", "country"]


@admin.register(Node)
class NodeAdmin(ReadOnly):
    """Servers."""

    list_display = ["name", "cluster", "agent_version", "enrolled_at", "revoked_at"]
    list_filter = ["cluster"]


@admin.register(Accelerator)
class AcceleratorAdmin(ReadOnly):
    """Cards."""

    list_display = ["uuid", "model", "node", "position", "last_seen_at", "retired_at"]


@admin.register(Allocation)
class AllocationAdmin(ReadOnly):
    """Who holds which slice when."""

    list_display = ["slice", "tenant", "from_at", "to_at"]


@admin.register(Endpoint)
class EndpointAdmin(ReadOnly):
    """Inference servers."""

    list_display = ["url", "node", "engine", "served_models", "last_seen_at"]


@admin.register(Deployment)
class DeploymentAdmin(ReadOnly):
    """What attributes usage to tenants."""

    list_display = ["name", "tenant", "provider", "from_at", "to_at"]

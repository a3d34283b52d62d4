"""Rows of the API of the fleet."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clusters.models import Accelerator, Allocation, Cluster, Deployment, Endpoint, Node, Slice


def cluster_row(row: Cluster) -> dict[str, object]:
    """Return a cluster as an answer."""
    return {
        "id": str(row.pk),
        "slug": row.slug,
        "name": row.name,
        "country": row.country,
        "provider": row.provider.slug,
        "created_at": _instant(row.created_at),
    }


def node_row(row: Node) -> dict[str, object]:
    """Return a node as an answer."""
    return {
        "id": str(row.pk),
        "name": row.name,
        "cluster": row.cluster.slug,
        "provider": row.cluster.provider.slug,
        "agent_version": row.agent_version,
        "driver_version": row.driver_version,
        "enrolled_at": _instant(row.enrolled_at),
        "revoked_at": _instant(row.revoked_at),
        "created_at": _instant(row.created_at),
    }


def accelerator_row(row: Accelerator) -> dict[str, object]:
    """Return a card as an answer."""
    return {
        "id": str(row.pk),
        "uuid": row.uuid,
        "node": row.node.name,
        "cluster": row.node.cluster.slug,
        "model": row.model,
        "memory_mib": row.memory_mib,
        "position": row.position,
        "first_seen_at": _instant(row.first_seen_at),
        "last_seen_at": _instant(row.last_seen_at),
        "retired_at": _instant(row.retired_at),
    }


def slice_row(row: Slice) -> dict[str, object]:
    """Return a slice as an answer."""
    return {
        "id": str(row.pk),
        "accelerator_id": str(row.accelerator_id),
        "node": row.accelerator.node.name,
        "cluster": row.accelerator.node.cluster.slug,
        "kind": row.kind,
        "label": row.label,
        "profile": row.profile,
        "share_permille": row.share_permille,
        "created_at": _instant(row.created_at),
        "retired_at": _instant(row.retired_at),
    }


def allocation_row(row: Allocation) -> dict[str, object]:
    """Return an allocation as an answer."""
    node = row.slice.accelerator.node
    return {
        "id": str(row.pk),
        "slice_id": str(row.slice_id),
        "accelerator_id": str(row.slice.accelerator_id),
        "node": node.name,
        "cluster": node.cluster.slug,
        "tenant": row.tenant.slug,
        "from_at": _instant(row.from_at),
        "to_at": _instant(row.to_at),
        "created_at": _instant(row.created_at),
    }


def endpoint_row(row: Endpoint) -> dict[str, object]:
    """Return an endpoint as an answer."""
    return {
        "id": str(row.pk),
        "node": row.node.name,
        "cluster": row.node.cluster.slug,
        "url": row.url,
        "engine": row.engine,
        "served_models": list(row.served_models),
        "first_seen_at": _instant(row.first_seen_at),
        "last_seen_at": _instant(row.last_seen_at),
    }


def deployment_row(row: Deployment) -> dict[str, object]:
    """Return a deployment as an answer."""
    return {
        "id": str(row.pk),
        "slug": row.slug,
        "name": row.name,
        "provider": row.provider.slug,
        "tenant": row.tenant.slug,
        "from_at": _instant(row.from_at),
        "to_at": _instant(row.to_at),
        "created_at": _instant(row.created_at),
        "bindings": [_binding(each) for each in row.bindings.all()],
    }


def _binding(row: Any) -> dict[str, object]:
    return {
        "endpoint_id": str(row.endpoint_id),
        "model": row.model,
        "from_at": _instant(row.from_at),
        "to_at": _instant(row.to_at),
    }


def _instant(at: datetime | None) -> str | None:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z") if at else None

"""Shapes of the API of the fleet: what is there, who holds it, and what runs on it."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from clusters.models import SliceKind
from tenants.closed_shapes import ClosedSerializer
from tenants.listing.answers import PagedSerializer

SLUG_CHARS_MAX = 63


class ClusterSerializer(serializers.Serializer[Any]):
    """A provider's site."""

    id = serializers.UUIDField()
    slug = serializers.CharField()
    name = serializers.CharField()
    country = serializers.CharField(help_text="ISO 3166-1 alpha-2")
    provider = serializers.CharField(help_text="slug")
    created_at = serializers.DateTimeField()


class ClustersSerializer(PagedSerializer):
    """Clusters, the oldest first."""

    clusters = ClusterSerializer(many=True)


class NewClusterSerializer(ClosedSerializer):
    """A cluster to make."""

    slug = serializers.SlugField(max_length=SLUG_CHARS_MAX)
    name = serializers.CharField(max_length=200)
    country = serializers.RegexField(r"^[A-Z]{2}$", help_text="ISO 3166-1 alpha-2")


class NodeSerializer(serializers.Serializer[Any]):
    """A server. Without `enrolled_at` it is known by inventory only."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    cluster = serializers.CharField(help_text="slug")
    provider = serializers.CharField(help_text="slug")
    agent_version = serializers.CharField()
    driver_version = serializers.CharField()
    enrolled_at = serializers.DateTimeField(allow_null=True)
    revoked_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()


class NodesSerializer(PagedSerializer):
    """Nodes, the oldest first."""

    nodes = NodeSerializer(many=True)


class AcceleratorSerializer(serializers.Serializer[Any]):
    """A physical card."""

    id = serializers.UUIDField()
    uuid = serializers.CharField(help_text="the vendor's")
    node = serializers.CharField(help_text="name")
    cluster = serializers.CharField(help_text="slug")
    model = serializers.CharField()
    memory_mib = serializers.IntegerField(allow_null=True)
    position = serializers.IntegerField(help_text="order on the node, from 0")
    first_seen_at = serializers.DateTimeField()
    last_seen_at = serializers.DateTimeField()
    retired_at = serializers.DateTimeField(allow_null=True)


class AcceleratorsSerializer(PagedSerializer):
    """Cards, the one that was seen first before the others."""

    accelerators = AcceleratorSerializer(many=True)


class SliceSerializer(serializers.Serializer[Any]):
    """What can be held: a whole card, or one partition of it."""

    id = serializers.UUIDField()
    accelerator_id = serializers.UUIDField()
    node = serializers.CharField(help_text="name")
    cluster = serializers.CharField(help_text="slug")
    kind = serializers.ChoiceField(choices=SliceKind.choices)
    label = serializers.CharField()  # type: ignore[assignment]  # DRF takes declared fields off the class
    profile = serializers.CharField(help_text="MIG profile")
    share_permille = serializers.IntegerField(help_text="1000 is the whole card")
    created_at = serializers.DateTimeField()
    retired_at = serializers.DateTimeField(allow_null=True)


class SlicesSerializer(PagedSerializer):
    """Slices, the oldest first."""

    slices = SliceSerializer(many=True)


class AllocationSerializer(serializers.Serializer[Any]):
    """Who holds a slice over `[from_at, to_at)`."""

    id = serializers.UUIDField()
    slice_id = serializers.UUIDField()
    accelerator_id = serializers.UUIDField()
    node = serializers.CharField(help_text="name")
    cluster = serializers.CharField(help_text="slug")
    tenant = serializers.CharField(help_text="slug")
    from_at = serializers.DateTimeField()
    to_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()


class AllocationsSerializer(PagedSerializer):
    """Allocations, the oldest first."""

    allocations = AllocationSerializer(many=True)


class EndpointOfNodeSerializer(serializers.Serializer[Any]):
    """An inference server, as its agent reported it."""

    id = serializers.UUIDField()
    node = serializers.CharField(help_text="name")
    cluster = serializers.CharField(help_text="slug")
    url = serializers.CharField()
    engine = serializers.CharField()
    served_models = serializers.ListField(child=serializers.CharField())
    first_seen_at = serializers.DateTimeField()
    last_seen_at = serializers.DateTimeField()


class EndpointsOfNodesSerializer(PagedSerializer):
    """Inference servers, the oldest first."""

    endpoints = EndpointOfNodeSerializer(many=True)


class BindingSerializer(serializers.Serializer[Any]):
    """A served model of an endpoint that a deployment uses over `[from_at, to_at)`."""

    endpoint_id = serializers.UUIDField()
    model = serializers.CharField()
    from_at = serializers.DateTimeField()
    to_at = serializers.DateTimeField(allow_null=True)


class DeploymentSerializer(serializers.Serializer[Any]):
    """What attributes endpoints and models to a tenant."""

    id = serializers.UUIDField()
    slug = serializers.CharField()
    name = serializers.CharField()
    provider = serializers.CharField(help_text="slug")
    tenant = serializers.CharField(help_text="slug")
    from_at = serializers.DateTimeField()
    to_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()
    bindings = BindingSerializer(many=True)


class DeploymentsSerializer(PagedSerializer):
    """Deployments, the oldest first."""

    deployments = DeploymentSerializer(many=True)


class NewBindingSerializer(ClosedSerializer):
    """A served model of an endpoint to be used."""

    endpoint_id = serializers.UUIDField(source="endpoint")
    model = serializers.CharField(max_length=200)


class NewDeploymentSerializer(ClosedSerializer):
    """A deployment to make; it begins at `from_at` and takes these models of these endpoints from then on."""

    tenant = serializers.SlugField(max_length=SLUG_CHARS_MAX)
    slug = serializers.SlugField(max_length=SLUG_CHARS_MAX, help_text="the tenant's name for it in addresses")
    name = serializers.CharField(max_length=200)
    from_at = serializers.DateTimeField()
    bindings = NewBindingSerializer(many=True, required=False, default=list)


class DeploymentEndSerializer(ClosedSerializer):
    """When a deployment ends, with what it is bound to."""

    to_at = serializers.DateTimeField(help_text="at most 62 days ago; never later than the end that it has")


class BindSerializer(NewBindingSerializer):
    """What a deployment takes from an instant on, until its end."""

    from_at = serializers.DateTimeField(help_text="not before the deployment, and at most 62 days ago")


class UnbindSerializer(NewBindingSerializer):
    """What a deployment gives up at an instant."""

    to_at = serializers.DateTimeField(help_text="at most 62 days ago")

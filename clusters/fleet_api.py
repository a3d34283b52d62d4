"""The API of the fleet: clusters, nodes, cards, slices, who holds them, and what runs on them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar, Final

from django.http import Http404
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import serializers, status
from rest_framework.response import Response
from rest_framework.views import APIView

from clusters import fleet_reading as reading
from clusters import fleet_rows as rows
from clusters import fleet_shapes as shapes
from clusters.making import make_cluster, make_deployment
from tenants.authentication import caller_of, organization_of, provider_of
from tenants.calls import once
from tenants.listing.answers import PAGE_PARAMETERS, ListView, list_answer, list_responses, page_by_key
from tenants.models import Organization
from tenants.not_named import NotNamed
from tenants.shaped import valid

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from uuid import UUID

    from django.db.models import QuerySet
    from django.http.response import HttpResponseBase
    from rest_framework.request import Request


READS: Final = {"GET": "fleet:read"}
ORDER: Final = ("pk",)
"""Ids are made in the order of time."""
FILTERS: Final = {
    "cluster": "only this cluster (slug)",
    "node": "only this node (name)",
    "tenant": "only this tenant (slug)",
}


class FilterSerializer(serializers.Serializer[Any]):
    """What a list may be narrowed to."""

    cluster = serializers.CharField(max_length=200, required=False)
    node = serializers.CharField(max_length=200, required=False)
    tenant = serializers.CharField(max_length=200, required=False)


class FleetListView(ListView):
    """A list of one kind of thing."""

    required_scopes: ClassVar[Mapping[str, str]] = READS
    plural: ClassVar[str]
    shape: ClassVar[type[serializers.Serializer[Any]]]
    lookups: ClassVar[Mapping[str, str]] = {}
    """Filters and the columns that they look at."""
    found: Callable[[Organization, datetime], QuerySet[Any]]
    row: Callable[[Any], dict[str, object]]

    def get(self, request: Request) -> HttpResponseBase:
        """Answer with the page that is asked for."""
        asked = FilterSerializer(data={name: request.query_params[name] for name in self._named(request)})
        asked.is_valid(raise_exception=True)
        chosen = {self.lookups[name]: value for name, value in asked.validated_data.items()}
        kind = type(self)
        paged = page_by_key(request, kind.found(organization_of(request), _now()).filter(**chosen), ORDER)
        return list_answer(request, self.plural, paged, self.shape, kind.row)

    def _named(self, request: Request) -> list[str]:
        return [name for name in self.lookups if name in request.query_params]


class FleetView(APIView):
    """One thing, by its id."""

    required_scopes: ClassVar[Mapping[str, str]] = READS
    of: ClassVar[type[FleetListView]]

    def get(self, request: Request, thing_id: UUID) -> Response:
        """Answer with it, where the caller may read it."""
        found = self.of.found(organization_of(request), _now()).filter(pk=thing_id).first()
        if found is None:
            raise Http404
        return Response(self.of.row(found))


def _listed(page: type[serializers.Serializer[Any]], plural: str, words: str, *filters: str) -> Any:
    """The schema of a list."""
    return extend_schema_view(
        get=extend_schema(
            operation_id=f"{plural}_list",
            tags=["fleet"],
            summary=f"List {plural}",
            description=words,
            parameters=[
                *(OpenApiParameter(name, str, description=FILTERS[name]) for name in filters),
                *PAGE_PARAMETERS,
            ],
            responses=list_responses(page),
        )
    )


def _one(shape: type[serializers.Serializer[Any]], plural: str, singular: str) -> Any:
    """The schema of a read of one."""
    return extend_schema_view(
        get=extend_schema(
            operation_id=f"{plural}_retrieve",
            tags=["fleet"],
            summary=f"Read {singular}",
            description=f"Read {singular} by its id, as the list shows it.",
            responses={200: shape},
        )
    )


@_listed(shapes.ClustersSerializer, "clusters", "List one's own clusters, and those on which one holds something.")
class ClustersView(FleetListView):
    """Clusters."""

    required_scopes = {**READS, "POST": "fleet:write"}
    plural, shape = "clusters", shapes.ClusterSerializer
    found, row = staticmethod(reading.clusters_of), staticmethod(rows.cluster_row)

    @extend_schema(
        operation_id="clusters_create",
        tags=["fleet"],
        summary="Make a cluster",
        request=shapes.NewClusterSerializer,
        responses={201: shapes.ClusterSerializer},
    )
    @once
    def post(self, request: Request) -> Response:
        """Make a cluster, for which enrolment tokens can then be made."""
        provider, given = provider_of(request), valid(shapes.NewClusterSerializer, request.data)
        made = make_cluster(provider=provider, actor=caller_of(request), now=_now(), **given)
        return Response(rows.cluster_row(made), status=status.HTTP_201_CREATED)


@_one(shapes.ClusterSerializer, "clusters", "a cluster")
class ClusterView(FleetView):
    """One cluster."""

    of = ClustersView


@_listed(shapes.NodesSerializer, "nodes", "List one's own nodes, and those on which one holds something.", "cluster")
class NodesView(FleetListView):
    """Nodes."""

    plural, shape = "nodes", shapes.NodeSerializer
    lookups = {"cluster": "cluster__slug"}
    found, row = staticmethod(reading.fleet_nodes), staticmethod(rows.node_row)


@_one(shapes.NodeSerializer, "nodes", "a node")
class NodeView(FleetView):
    """One node."""

    of = NodesView


@_listed(
    shapes.AcceleratorsSerializer,
    "accelerators",
    "List one's own cards, and those of which one holds a part.",
    "cluster",
    "node",
)
class AcceleratorsView(FleetListView):
    """Cards."""

    plural, shape = "accelerators", shapes.AcceleratorSerializer
    lookups = {"cluster": "node__cluster__slug", "node": "node__name"}
    found, row = staticmethod(reading.accelerators_of), staticmethod(rows.accelerator_row)


@_one(shapes.AcceleratorSerializer, "accelerators", "a card")
class AcceleratorView(FleetView):
    """One card."""

    of = AcceleratorsView


@_listed(shapes.SlicesSerializer, "slices", "List one's own slices, and those that one holds.", "cluster", "node")
class SlicesView(FleetListView):
    """Slices."""

    plural, shape = "slices", shapes.SliceSerializer
    lookups = {"cluster": "accelerator__node__cluster__slug", "node": "accelerator__node__name"}
    found, row = staticmethod(reading.slices_of), staticmethod(rows.slice_row)


@_one(shapes.SliceSerializer, "slices", "a slice")
class SliceView(FleetView):
    """One slice."""

    of = SlicesView


@_listed(
    shapes.AllocationsSerializer,
    "allocations",
    "List what one holds and held, and who holds and held what of one's own.",
    "cluster",
    "node",
    "tenant",
)
class AllocationsView(FleetListView):
    """Allocations."""

    plural, shape = "allocations", shapes.AllocationSerializer
    lookups = {
        "cluster": "slice__accelerator__node__cluster__slug",
        "node": "slice__accelerator__node__name",
        "tenant": "tenant__slug",
    }
    found, row = staticmethod(reading.allocations_of), staticmethod(rows.allocation_row)


@_one(shapes.AllocationSerializer, "allocations", "an allocation")
class AllocationView(FleetView):
    """One allocation."""

    of = AllocationsView


@_listed(
    shapes.EndpointsOfNodesSerializer,
    "endpoints",
    "List the inference servers on one's own nodes, and those that one's deployments use.",
    "cluster",
    "node",
)
class EndpointsView(FleetListView):
    """Inference servers."""

    plural, shape = "endpoints", shapes.EndpointOfNodeSerializer
    lookups = {"cluster": "node__cluster__slug", "node": "node__name"}
    found, row = staticmethod(reading.endpoints_of), staticmethod(rows.endpoint_row)


@_one(shapes.EndpointOfNodeSerializer, "endpoints", "an inference server")
class EndpointView(FleetView):
    """One inference server."""

    of = EndpointsView


@_listed(shapes.DeploymentsSerializer, "deployments", "List the deployments that one provides or uses.", "tenant")
class DeploymentsView(FleetListView):
    """Deployments."""

    required_scopes = {**READS, "POST": "fleet:write"}
    plural, shape = "deployments", shapes.DeploymentSerializer
    lookups = {"tenant": "tenant__slug"}
    found, row = staticmethod(reading.deployments_of), staticmethod(rows.deployment_row)

    @extend_schema(
        operation_id="deployments_create",
        tags=["fleet"],
        summary="Make a deployment",
        request=shapes.NewDeploymentSerializer,
        responses={201: shapes.DeploymentSerializer},
    )
    @once
    def post(self, request: Request) -> Response:
        """Attribute served models of one's own endpoints to a tenant from an instant on."""
        provider, given = provider_of(request), valid(shapes.NewDeploymentSerializer, request.data)
        tenant = Organization.objects.filter(slug=given.pop("tenant"), is_tenant=True).first()
        if tenant is None:
            raise NotNamed("tenant", "organizations")
        bound = [(each["endpoint"], each["model"]) for each in given.pop("bindings")]
        made = make_deployment(
            provider=provider, tenant=tenant, bound=bound, actor=caller_of(request), now=_now(), **given
        )
        row: Any = reading.deployments_of(provider, _now()).get(pk=made.pk)
        return Response(rows.deployment_row(row), status=status.HTTP_201_CREATED)


@_one(shapes.DeploymentSerializer, "deployments", "a deployment")
class DeploymentView(FleetView):
    """One deployment."""

    of = DeploymentsView


def _now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251  an entry point

"""Addresses of the clusters' API, below `/api/v1/`."""

from django.urls import path

from clusters import deploying_api, fleet_api
from clusters.api import EnrolmentTokensView, EnrolView, NodeKeysView, RevokeView

urlpatterns = [
    path("clusters", fleet_api.ClustersView.as_view(), name="api-clusters"),
    path("clusters/<uuid:thing_id>", fleet_api.ClusterView.as_view(), name="api-cluster"),
    path("nodes", fleet_api.NodesView.as_view(), name="api-nodes"),
    path("nodes/<uuid:thing_id>", fleet_api.NodeView.as_view(), name="api-node"),
    path("accelerators", fleet_api.AcceleratorsView.as_view(), name="api-accelerators"),
    path("accelerators/<uuid:thing_id>", fleet_api.AcceleratorView.as_view(), name="api-accelerator"),
    path("slices", fleet_api.SlicesView.as_view(), name="api-slices"),
    path("slices/<uuid:thing_id>", fleet_api.SliceView.as_view(), name="api-slice"),
    path("allocations", fleet_api.AllocationsView.as_view(), name="api-allocations"),
    path("allocations/<uuid:thing_id>", fleet_api.AllocationView.as_view(), name="api-allocation"),
    path("endpoints", fleet_api.EndpointsView.as_view(), name="api-endpoints"),
    path("endpoints/<uuid:thing_id>", fleet_api.EndpointView.as_view(), name="api-endpoint"),
    path("deployments", fleet_api.DeploymentsView.as_view(), name="api-deployments"),
    path("deployments/<uuid:thing_id>", fleet_api.DeploymentView.as_view(), name="api-deployment"),
    path("deployments/<uuid:thing_id>/end", deploying_api.EndDeploymentView.as_view(), name="api-deployment-end"),
    path("deployments/<uuid:thing_id>/bind", deploying_api.BindView.as_view(), name="api-deployment-bind"),
    path("deployments/<uuid:thing_id>/unbind", deploying_api.UnbindView.as_view(), name="api-deployment-unbind"),
    path("enrol", EnrolView.as_view(), name="api-enrol"),
    path("enrolment-tokens", EnrolmentTokensView.as_view(), name="api-enrolment-tokens"),
    path("nodes/<uuid:node_id>/keys", NodeKeysView.as_view(), name="api-keys-of-node"),
    path("nodes/<uuid:node_id>/revoke", RevokeView.as_view(), name="api-revoke-node"),
]

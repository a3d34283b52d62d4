"""Addresses of the clusters' API, below `/api/v1/`."""

from django.urls import path

from clusters.api import EnrolmentTokensView, EnrolView, NodeKeysView, RevokeView

urlpatterns = [
    path("enrol", EnrolView.as_view(), name="api-enrol"),
    path("enrolment-tokens", EnrolmentTokensView.as_view(), name="api-enrolment-tokens"),
    path("nodes/<uuid:node_id>/keys", NodeKeysView.as_view(), name="api-keys-of-node"),
    path("nodes/<uuid:node_id>/revoke", RevokeView.as_view(), name="api-revoke-node"),
]

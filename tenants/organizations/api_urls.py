"""Addresses of the API of organizations, below `/api/v1/`."""

from django.urls import path

from tenants.organizations import api

urlpatterns = [
    path("organizations", api.OrganizationsView.as_view(), name="api-organizations"),
    path("organizations/<uuid:organization_id>", api.OrganizationView.as_view(), name="api-organization"),
    path("organizations/<uuid:organization_id>/suspend", api.SuspendView.as_view(), name="api-organization-suspend"),
    path(
        "organizations/<uuid:organization_id>/reinstate", api.ReinstateView.as_view(), name="api-organization-reinstate"
    ),
    path("organizations/<uuid:organization_id>/fees", api.FeesView.as_view(), name="api-organization-fees"),
    path("organizations/<uuid:organization_id>/fee", api.FeeView.as_view(), name="api-organization-fee"),
]

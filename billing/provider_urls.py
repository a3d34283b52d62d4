"""The provider's pages of what its fleet is let for."""

from django.urls import path

from billing.pages import lease, occupancy

urlpatterns = [
    path("occupancy/", occupancy.provider_occupancy, name="provider-occupancy"),
    path("leases/<str:ref>/", lease.provider_lease, name="provider-lease"),
]

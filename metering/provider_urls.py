"""The provider's pages of its fleet."""

from django.urls import path

from metering.pages import fleet

urlpatterns = [
    path("fleet/", fleet.provider_fleet, name="provider-fleet"),
]

"""Addresses of what an organization says of itself, of a provider."""

from django.urls import path

from tenants.organizations import pages

urlpatterns = [path("organization/", pages.about["provider"], name="provider-organization")]

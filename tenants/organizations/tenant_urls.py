"""Addresses of what an organization says of itself, of a tenant."""

from django.urls import path

from tenants.organizations import pages

urlpatterns = [path("organization/", pages.about["tenant"], name="tenant-organization")]

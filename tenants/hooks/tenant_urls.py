"""Addresses of the pages of webhooks out, of a tenant."""

from django.urls import path

from tenants.hooks import pages

urlpatterns = [
    path("webhooks/", pages.tenant_webhooks, name="tenant-webhooks"),
    path("webhooks/<uuid:endpoint_id>/", pages.tenant_webhook, name="tenant-webhook"),
    path(
        "webhooks/<uuid:endpoint_id>/deliveries.csv",
        pages.tenant_deliveries_csv,
        name="tenant-webhook-deliveries-csv",
    ),
    path("webhooks/<uuid:endpoint_id>/act/", pages.tenant_act, name="tenant-webhook-act"),
    path("webhooks/deliveries/<uuid:delivery_id>/again/", pages.tenant_replay, name="tenant-webhook-replay"),
]

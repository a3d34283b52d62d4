"""Addresses of the pages of webhooks out, of a provider."""

from django.urls import path

from tenants.hooks import pages

urlpatterns = [
    path("webhooks/", pages.provider_webhooks, name="provider-webhooks"),
    path("webhooks/<uuid:endpoint_id>/", pages.provider_webhook, name="provider-webhook"),
    path(
        "webhooks/<uuid:endpoint_id>/deliveries.csv",
        pages.provider_deliveries_csv,
        name="provider-webhook-deliveries-csv",
    ),
    path("webhooks/<uuid:endpoint_id>/act/", pages.provider_act, name="provider-webhook-act"),
    path("webhooks/deliveries/<uuid:delivery_id>/again/", pages.provider_replay, name="provider-webhook-replay"),
]

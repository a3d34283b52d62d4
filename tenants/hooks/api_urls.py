"""Addresses of the API of webhooks out, below `/api/v1/`."""

from django.urls import path

from tenants.hooks import api, delivery_api

urlpatterns = [
    path("webhook-endpoints", api.EndpointsView.as_view(), name="api-webhook-endpoints"),
    path("webhook-endpoints/<uuid:endpoint_id>", api.EndpointView.as_view(), name="api-webhook-endpoint"),
    path("webhook-endpoints/<uuid:endpoint_id>/secret", api.SecretView.as_view(), name="api-webhook-secret"),
    path("webhook-endpoints/<uuid:endpoint_id>/turn-off", api.TurnOffView.as_view(), name="api-webhook-turn-off"),
    path("webhook-endpoints/<uuid:endpoint_id>/test", api.TestView.as_view(), name="api-webhook-test"),
    path("webhook-endpoints/<uuid:endpoint_id>/replay", api.ReplaySinceView.as_view(), name="api-webhook-replay-since"),
    path("webhook-deliveries", delivery_api.DeliveriesView.as_view(), name="api-webhook-deliveries"),
    path("webhook-deliveries/<uuid:delivery_id>", delivery_api.DeliveryView.as_view(), name="api-webhook-delivery"),
    path("webhook-deliveries/<uuid:delivery_id>/replay", delivery_api.ReplayView.as_view(), name="api-webhook-replay"),
]

"""Addresses of the API of API keys, below `/api/v1/`."""

from django.urls import path

from tenants.keys import api

urlpatterns = [
    path("api-keys", api.KeysView.as_view(), name="api-api-keys"),
    path("api-keys/<uuid:key_id>", api.KeyView.as_view(), name="api-api-key"),
    path("api-keys/<uuid:key_id>/rotate", api.RotateView.as_view(), name="api-api-key-rotate"),
]

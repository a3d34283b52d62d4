"""Addresses of the pages of API keys, of a provider."""

from django.urls import path

from tenants.keys import files, pages

urlpatterns = [
    path("keys/", pages.keys["provider"], name="provider-keys"),
    path("keys.csv", files.keys_csv["provider"], name="provider-keys-csv"),
    path("keys/<uuid:key_id>/", pages.key["provider"], name="provider-key"),
]

"""Addresses of the pages of API keys, of a tenant."""

from django.urls import path

from tenants.keys import files, pages

urlpatterns = [
    path("keys/", pages.keys["tenant"], name="tenant-keys"),
    path("keys.csv", files.keys_csv["tenant"], name="tenant-keys-csv"),
    path("keys/<uuid:key_id>/", pages.key["tenant"], name="tenant-key"),
]

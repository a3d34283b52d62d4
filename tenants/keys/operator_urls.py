"""Addresses of the pages of API keys, of the operator."""

from django.urls import path

from tenants.keys import files, pages

urlpatterns = [
    path("keys/", pages.keys["operator"], name="operator-keys"),
    path("keys.csv", files.keys_csv["operator"], name="operator-keys-csv"),
    path("keys/<uuid:key_id>/", pages.key["operator"], name="operator-key"),
]

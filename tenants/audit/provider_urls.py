"""Addresses of the audit log, of a provider."""

from django.urls import path

from tenants.audit import files, pages

urlpatterns = [
    path("audit/", pages.audit["provider"], name="provider-audit"),
    path("audit.csv", files.audit_csv["provider"], name="provider-audit-csv"),
]

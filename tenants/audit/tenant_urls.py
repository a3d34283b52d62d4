"""Addresses of the audit log, of a tenant."""

from django.urls import path

from tenants.audit import files, pages

urlpatterns = [
    path("audit/", pages.audit["tenant"], name="tenant-audit"),
    path("audit.csv", files.audit_csv["tenant"], name="tenant-audit-csv"),
]

"""Addresses of the audit log, of the operator."""

from django.urls import path

from tenants.audit import files, pages

urlpatterns = [
    path("audit/", pages.audit["operator"], name="operator-audit"),
    path("audit.csv", files.audit_csv["operator"], name="operator-audit-csv"),
]

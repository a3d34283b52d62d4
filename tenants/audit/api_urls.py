"""The address of the API of the audit log, below `/api/v1/`."""

from django.urls import path

from tenants.audit import api

urlpatterns = [path("audit", api.AuditView.as_view(), name="api-audit")]

"""The tenant's pages of how its usage was metered."""

from django.urls import path

from metering.pages import gaps, witnesses

urlpatterns = [
    path("witnesses/", witnesses.tenant_witnesses, name="tenant-witnesses"),
    path("witnesses.csv", witnesses.tenant_witnesses_csv, name="tenant-witnesses-csv"),
    path("witnesses/<uuid:alert>/seen/", witnesses.tenant_alert_seen, name="tenant-alert-seen"),
    path("gaps/", gaps.tenant_gaps, name="tenant-gaps"),
]

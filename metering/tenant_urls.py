"""The tenant's pages of how its usage was metered."""

from django.urls import path

from metering.pages import findings, gaps, hand_over, projects, substitutions, witnesses

urlpatterns = [
    path("projects/", projects.tenant_projects, name="tenant-projects"),
    path("projects.csv", projects.tenant_projects_csv, name="tenant-projects-csv"),
    path("projects/act/", projects.tenant_projects_act, name="tenant-projects-act"),
    path("witnesses/", witnesses.tenant_witnesses, name="tenant-witnesses"),
    path("witnesses.csv", witnesses.tenant_witnesses_csv, name="tenant-witnesses-csv"),
    path("witnesses/<uuid:alert>/seen/", witnesses.tenant_alert_seen, name="tenant-alert-seen"),
    path("witnesses/<uuid:alert>/hand-over/", hand_over.tenant_hand_over, name="tenant-hand-over"),
    path("gaps/", gaps.tenant_gaps, name="tenant-gaps"),
    path("gaps.csv", gaps.tenant_gaps_csv, name="tenant-gaps-csv"),
    path("findings/", findings.tenant_findings, name="tenant-findings"),
    path("findings.csv", findings.tenant_findings_csv, name="tenant-findings-csv"),
    path("substitutions/", substitutions.tenant_substitutions, name="tenant-substitutions"),
    path("substitutions.csv", substitutions.tenant_substitutions_csv, name="tenant-substitutions-csv"),
]

"""Addresses of the metering API, below `/api/v1/`."""

from django.urls import path

from metering.api import UsageView, batches
from metering.control_api import AlertSeenView, AlertsView, CompletenessView, CompleteView, GapsView, ResidualsView
from metering.events_api import EventsView
from metering.findings_api import FindingsView, SubstitutionsView
from metering.health_api import FleetHealthView
from metering.keys_api import chain, node_keys
from metering.projects_api import ProjectsView, ProjectView, UsageKeysView, UsageKeyView
from metering.reporting_api import ReportersView

urlpatterns = [
    path("batches", batches, name="api-batches"),
    path("chain", chain, name="api-chain"),
    path("node-keys", node_keys, name="api-node-keys"),
    path("events", EventsView.as_view(), name="api-events"),
    path("events/complete", CompleteView.as_view(), name="api-events-complete"),
    path("usage", UsageView.as_view(), name="api-usage"),
    path("usage/findings", FindingsView.as_view(), name="api-usage-findings"),
    path("usage/gaps", GapsView.as_view(), name="api-usage-gaps"),
    path("usage/substitutions", SubstitutionsView.as_view(), name="api-usage-substitutions"),
    path("usage/completeness", CompletenessView.as_view(), name="api-usage-completeness"),
    path("usage/alerts", AlertsView.as_view(), name="api-usage-alerts"),
    path("usage/alerts/<uuid:alert_id>/acknowledge", AlertSeenView.as_view(), name="api-usage-alert-acknowledge"),
    path("fleet/health", FleetHealthView.as_view(), name="api-fleet-health"),
    path("projects", ProjectsView.as_view(), name="api-projects"),
    path("projects/<str:slug>", ProjectView.as_view(), name="api-project"),
    path("usage/keys", UsageKeysView.as_view(), name="api-usage-keys"),
    path("usage/keys/<uuid:key_id>", UsageKeyView.as_view(), name="api-usage-key"),
    path("usage/reporters", ReportersView.as_view(), name="api-usage-reporters"),
    path("usage/residuals", ResidualsView.as_view(), name="api-usage-residuals"),
]

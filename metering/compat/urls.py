"""Addresses of the compatible inputs, below `/compat/`: each begins where its program's setting ends."""

from django.urls import path

from metering.compat.api import lago, litellm, openmeter, openmeter_meters, otlp, prometheus, subjects

urlpatterns = [
    path("openmeter/api/v1/events", openmeter.events, name="compat-openmeter-events"),
    path("openmeter/api/v1/meters", openmeter_meters.meters, name="compat-openmeter-meters"),
    path("openmeter/api/v1/meters/<str:id_or_slug>", openmeter_meters.meter, name="compat-openmeter-meter"),
    path("openmeter/api/v1/meters/<str:id_or_slug>/query", openmeter_meters.query, name="compat-openmeter-query"),
    path("lago/api/v1/events", lago.events, name="compat-lago-events"),
    path("lago/api/v1/events/batch", lago.batch, name="compat-lago-batch"),
    path("lago/api/v1/events/<str:transaction_id>", lago.event, name="compat-lago-event"),
    path("lago/api/v1/customers/<str:external_id>/current_usage", lago.usage, name="compat-lago-usage"),
    path("litellm/logs", litellm.logs, name="compat-litellm-logs"),
    path("prometheus/api/v1/write", prometheus.remote_write, name="compat-prometheus-write"),
    path("otlp/v1/metrics", otlp.metrics, name="compat-otlp-metrics"),
    path("subjects", subjects.subjects, name="compat-subjects"),
]

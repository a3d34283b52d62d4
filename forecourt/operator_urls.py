"""The operator's pages of the installation itself."""

from django.urls import path

from forecourt import pipeline

urlpatterns = [
    path("", pipeline.operator_pipeline, name="operator-pipeline"),
    path("steps.csv", pipeline.operator_steps_csv, name="operator-steps-csv"),
    path("steps/<slug:kind>/<uuid:step_id>/retry/", pipeline.operator_step_retry, name="operator-step-retry"),
]

"""Addresses of the clusters' API, below `/api/v1/`."""

from django.urls import path

from clusters.api import EnrolmentTokensView, EnrolView

urlpatterns = [
    path("enrol", EnrolView.as_view(), name="api-enrol"),
    path("enrolment-tokens", EnrolmentTokensView.as_view(), name="api-enrolment-tokens"),
]

"""Addresses of the API of how members sign in, below `/api/v1/`."""

from django.urls import path

from tenants.accounts.sign_on_api import SignOnView

urlpatterns = [path("sign-on", SignOnView.as_view(), name="api-sign-on")]

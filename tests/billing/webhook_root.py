"""The root of addresses for tests of webhooks, as `forecourt.urls` places them."""

from django.urls import include, path

urlpatterns = [path("webhooks/", include("billing.webhook_urls"))]

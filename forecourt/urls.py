"""Every address of the installation."""

from django.conf.urls.i18n import urlpatterns as language_urls
from django.contrib import admin
from django.urls import include, path

from forecourt import health, home

urlpatterns = [
    path("", home.home, name="home"),
    path("health/live", health.live, name="health-live"),
    path("health/ready", health.ready, name="health-ready"),
    path("", include("portal.urls")),
    path("i18n/", include(language_urls)),
    path("admin/", admin.site.urls),
    path("t/", include("billing.tenant_urls")),
    path("p/", include("metering.provider_urls")),
    path("p/", include("billing.provider_urls")),
    path("webhooks/", include("billing.webhook_urls")),
    path("api/", include("forecourt.api_urls")),
]

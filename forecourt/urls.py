"""Every address of the installation."""

from django.conf.urls.i18n import urlpatterns as language_urls
from django.contrib import admin
from django.urls import include, path

from forecourt import handbook, health, home, metrics
from tenants.accounts.pages import back_office_sign_in

urlpatterns = [
    path("", home.home, name="home"),
    path("as/<slug:slug>/", home.act_as, name="act-as"),
    path("health/live", health.live, name="health-live"),
    path("health/ready", health.ready, name="health-ready"),
    path("metrics", metrics.metrics, name="metrics"),
    path("docs/", handbook.contents, name="handbook"),
    path("docs/pictures/<str:name>", handbook.picture, name="handbook-picture"),
    path("docs/<slug:name>/", handbook.show_page, name="handbook-page"),
    path("", include("portal.urls")),
    path("", include("tenants.accounts.urls")),
    path("i18n/", include(language_urls)),
    path("admin/login/", back_office_sign_in, name="back-office-sign-in"),
    path("admin/", admin.site.urls),
    path("", include("tenants.members.urls")),
    path("t/", include("tenants.members.tenant_urls")),
    path("t/", include("tenants.keys.tenant_urls")),
    path("t/", include("tenants.organizations.tenant_urls")),
    path("p/", include("tenants.organizations.provider_urls")),
    path("o/", include("tenants.organizations.operator_urls")),
    path("t/", include("tenants.audit.tenant_urls")),
    path("p/", include("tenants.members.provider_urls")),
    path("p/", include("tenants.keys.provider_urls")),
    path("p/", include("tenants.audit.provider_urls")),
    path("o/", include("tenants.members.operator_urls")),
    path("o/", include("tenants.keys.operator_urls")),
    path("o/", include("tenants.audit.operator_urls")),
    path("t/", include("tenants.accounts.tenant_urls")),
    path("p/", include("tenants.accounts.provider_urls")),
    path("o/", include("tenants.accounts.operator_urls")),
    path("t/", include("tenants.hooks.tenant_urls")),
    path("p/", include("tenants.hooks.provider_urls")),
    path("t/", include("billing.tenant_urls")),
    path("t/", include("metering.tenant_urls")),
    path("p/", include("metering.provider_urls")),
    path("p/", include("billing.provider_urls")),
    path("o/", include("forecourt.operator_urls")),
    path("o/", include("billing.operator_urls")),
    path("webhooks/", include("billing.webhook_urls")),
    path("api/", include("forecourt.api_urls")),
    path("compat/", include("metering.compat.urls")),
]

handler400 = "forecourt.errors.bad_request"
handler403 = "forecourt.errors.permission_denied"
handler404 = "forecourt.errors.not_found"
handler500 = "forecourt.errors.server_error"

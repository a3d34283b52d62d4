"""The addresses that the admin needs, and no others."""

from django.contrib import admin
from django.urls import include, path

from forecourt import handbook

urlpatterns = [
    path("admin/", admin.site.urls),
    path("docs/", handbook.contents, name="handbook"),
    path("", include("portal.urls")),
    path("", include("tenants.accounts.urls")),
    path("i18n/", include("django.conf.urls.i18n")),
]

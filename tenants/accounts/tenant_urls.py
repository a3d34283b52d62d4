"""The tenant's page of how its people sign in."""

from django.urls import path

from tenants.accounts.sign_on_pages import sign_on_settings

urlpatterns = [path("sign-on/", sign_on_settings["tenant"], name="tenant-sign-on")]

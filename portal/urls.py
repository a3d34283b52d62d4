"""The addresses of the look's own pages."""

from django.urls import path

from portal import pages

app_name = "portal"
urlpatterns = [
    path("theme/", pages.theme, name="theme"),
    path("help/shortcuts/", pages.shortcuts, name="shortcuts"),
]

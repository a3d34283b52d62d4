"""The addresses of the look's own pages."""

from django.urls import path

from portal import pages

app_name = "portal"
urlpatterns = [
    path("sign-in/", pages.SignIn.as_view(), name="sign-in"),
    path("sign-out/", pages.SignOut.as_view(), name="sign-out"),
    path("theme/", pages.theme, name="theme"),
    path("help/shortcuts/", pages.shortcuts, name="shortcuts"),
]

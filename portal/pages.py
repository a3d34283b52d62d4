"""The pages that belong to the look itself: signing in and out, the theme, the keyboard help."""

from django import forms
from django.conf import settings
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView, LogoutView
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET, require_POST

from portal.shell import THEME_COOKIE, THEME_COOKIE_AGE_S, theme_of


class SignInForm(AuthenticationForm):
    """E-mail address and password; one message for every refusal, so that it never tells who has an
    account.
    """

    username = forms.EmailField(
        label=_("E-mail"),
        widget=forms.EmailInput(attrs={"autocomplete": "username", "autofocus": True, "maxlength": 254}),
    )
    error_messages = {
        "invalid_login": _("This e-mail address and password do not go together. Check both and try again."),
        "inactive": _("This e-mail address and password do not go together. Check both and try again."),
    }


class SignIn(LoginView):
    """Signs a person in by e-mail address and password."""

    template_name = "portal/sign_in.html"
    authentication_form = SignInForm
    redirect_authenticated_user = True


class SignOut(LogoutView):
    """Signs out, by POST only, and leads to where ``LOGOUT_REDIRECT_URL`` says."""


@require_POST
def theme(request: HttpRequest) -> HttpResponse:
    """Remembers light, dark or the system's own theme in a cookie, and goes back to where the reader was."""
    chosen = theme_of(request.POST.get("theme", ""))
    back = request.POST.get("next", "")
    safe = url_has_allowed_host_and_scheme(back, {request.get_host()}, require_https=request.is_secure())
    response = redirect(back if safe else "/")
    response.set_cookie(
        THEME_COOKIE,
        chosen,
        max_age=THEME_COOKIE_AGE_S,
        samesite="Lax",
        secure=settings.SESSION_COOKIE_SECURE,
    )
    return response


@require_GET
def shortcuts(request: HttpRequest) -> HttpResponse:
    """The keyboard help as a page, for readers without scripts and for links."""
    return render(request, "portal/shortcuts.html")

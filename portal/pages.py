"""The pages that belong to the look itself: the theme, the keyboard help."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_GET, require_POST

from portal.shell import THEME_COOKIE, THEME_COOKIE_AGE_S, theme_of


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

"""Pages of people who are signed in, and what those are told whose session ended while a form was open."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Concatenate, ParamSpec
from urllib.parse import urlsplit, urlunsplit

from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest
    from django.http.response import HttpResponseBase

P = ParamSpec("P")
READING = ("GET", "HEAD", "OPTIONS")


def signed_in(
    view: Callable[Concatenate[HttpRequest, P], HttpResponseBase],
) -> Callable[Concatenate[HttpRequest, P], HttpResponseBase]:
    """Let only somebody in who is signed in; others are led to the door, and from there to the page they asked for.

    Whoever sent a form learns there that nothing was done and nothing is kept, and is led back to the page that the
    form stands on: the address that takes it may have no page.
    """

    @wraps(view)
    def page(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        if request.user.is_authenticated:
            return view(request, *args, **kwargs)
        if request.method in READING:
            return redirect_to_login(request.get_full_path())
        words = _("You were signed out before this was sent. Nothing was done, and what you typed is not kept.")
        messages.warning(request, words)
        return redirect_to_login(_page_before(request))

    return page


def _page_before(request: HttpRequest) -> str:
    """Return the page of ours that a form was sent from, else the first page."""
    said: str = request.META.get("HTTP_REFERER", "")
    if not url_has_allowed_host_and_scheme(said, {request.get_host()}, require_https=request.is_secure()):
        return "/"
    parts = urlsplit(said)
    return urlunsplit(("", "", parts.path or "/", parts.query, ""))

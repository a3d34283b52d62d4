"""Sessions that an organization's provider vouched for, and what they do not reach."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any

from allauth.account.internal.flows.login import get_authentication_records
from django.shortcuts import render

from tenants.scoping import VOUCHED_KEY
from tenants.sign_on_models import SignOnProvider
from tenants.signed_in import signed_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest, HttpResponse
    from django.http.response import HttpResponseBase

    from tenants.models import User

NOWHERE = "nowhere"


def vouched_for(request: HttpRequest, person: User) -> str | None:
    """Return the id of the organization whose provider vouched for who signs in now; None where none did.

    A provider that is gone by now vouched for nothing: `NOWHERE` opens no organization.
    """
    providers = [
        one.get("provider") for one in get_authentication_records(request, person) if one["method"] == "socialaccount"
    ]
    if not providers:
        return None
    found = SignOnProvider.objects.filter(pk=providers[-1]).first()
    return str(found.organization_id) if found else NOWHERE


def own_sign_in(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponseBase]:
    """Let only a session in that a person began with what is theirs; others get 403 and what to do."""

    @signed_in
    @wraps(view)
    def page(request: HttpRequest, /, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if VOUCHED_KEY in request.session:
            return render(request, "account/not_by_sign_on.html", status=403)
        return view(request, *args, **kwargs)

    return page

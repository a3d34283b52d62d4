"""In whose name a person reads the portal, and what their role lets them see."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Concatenate, ParamSpec

from django.conf import settings
from django.http import Http404
from django.middleware.csrf import rotate_token
from django.shortcuts import redirect, render

from tenants.models import Membership, Organization, User
from tenants.roles import NotAllowed, allows
from tenants.second_steps import lacks_second_step
from tenants.signed_in import signed_in
from tenants.who_asks import memberships_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest, HttpResponseBase

P = ParamSpec("P")
SESSION_KEY = "organization"
LAST_COOKIE = "organization"
"""In a browser: the id of the organization that was switched to last, which a session begins with."""
LAST_COOKIE_AGE_S = 31_536_000
VOUCHED_KEY = "vouched_for_organization"
"""In a session that an organization's provider vouched for: the one organization that it opens."""
SET_UP = "mfa_index"
"""Where a member without a second step is led to, who reads on as an organization that asks for one."""


def acting_membership(request: HttpRequest) -> Membership | None:
    """Return the membership in whose name the request reads.

    It is the one chosen in the session, else the one that this browser switched to last, else the first.

    Looked up once per request.
    """
    if not hasattr(request, "_acting_membership"):
        person = request.user
        found = memberships_of(person) if isinstance(person, User) else []
        vouched = request.session.get(VOUCHED_KEY)
        if vouched is not None:
            found = [one for one in found if str(one.organization_id) == vouched]
        chosen = request.session.get(SESSION_KEY) or request.COOKIES.get(LAST_COOKIE)
        request._acting_membership = next(  # type: ignore[attr-defined]
            (one for one in found if str(one.organization_id) == chosen), found[0] if found else None
        )
        request._memberships = found  # type: ignore[attr-defined]
    membership: Membership | None = request._acting_membership  # type: ignore[attr-defined]
    return membership


def memberships_in(request: HttpRequest) -> list[Membership]:
    """Return all memberships of the person who made the request."""
    acting_membership(request)
    memberships: list[Membership] = request._memberships  # type: ignore[attr-defined]
    return memberships


def choose_organization(request: HttpRequest, slug: str) -> Membership:
    """Read on as the organization `slug`. Raises Http404 for one that the person is not a member of.

    A form that is open in another tab was filled in for the organization left: it is refused, not done for this one.
    """
    for membership in memberships_in(request):
        if membership.organization.slug == slug:
            if membership != acting_membership(request):
                rotate_token(request)
            request.session[SESSION_KEY] = str(membership.organization_id)
            request._acting_membership = membership  # type: ignore[attr-defined]
            return membership
    raise Http404


def keep_last(response: HttpResponseBase, organization: Organization) -> None:
    """Let the browser's next session begin with this organization, for whoever is a member of it."""
    response.set_cookie(
        LAST_COOKIE,
        str(organization.pk),
        max_age=LAST_COOKIE_AGE_S,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )


def tenant_page(
    permission: str,
) -> Callable[
    [Callable[Concatenate[HttpRequest, Organization, P], HttpResponseBase]],
    Callable[Concatenate[HttpRequest, P], HttpResponseBase],
]:
    """Give the view the acting organization, which must be a tenant (else 404) whose role allows this (else 403)."""
    return _page(permission, lambda organization: organization.is_tenant)


def provider_page(
    permission: str,
) -> Callable[
    [Callable[Concatenate[HttpRequest, Organization, P], HttpResponseBase]],
    Callable[Concatenate[HttpRequest, P], HttpResponseBase],
]:
    """Give the view the acting organization, which must be a provider (else 404) whose role allows this (else 403)."""
    return _page(permission, lambda organization: organization.is_provider)


def operator_page(
    permission: str,
) -> Callable[
    [Callable[Concatenate[HttpRequest, Organization, P], HttpResponseBase]],
    Callable[Concatenate[HttpRequest, P], HttpResponseBase],
]:
    """Give the view the acting organization, which must be the operator (else 404), by role (else 403)."""
    return _page(permission, lambda organization: organization.is_operator)


def _page(
    permission: str, is_kind: Callable[[Organization], bool]
) -> Callable[
    [Callable[Concatenate[HttpRequest, Organization, P], HttpResponseBase]],
    Callable[Concatenate[HttpRequest, P], HttpResponseBase],
]:
    def decorate(
        view: Callable[Concatenate[HttpRequest, Organization, P], HttpResponseBase],
    ) -> Callable[Concatenate[HttpRequest, P], HttpResponseBase]:
        @signed_in
        @wraps(view)
        def page(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
            if "\0" in request.path or "%00" in request.META.get("QUERY_STRING", ""):
                raise Http404  # No text of the database has such a character: nothing is found by it.
            membership = acting_membership(request)
            if membership is None or not is_kind(membership.organization):
                raise Http404
            if membership.organization.suspended_at is not None and not membership.organization.is_operator:
                return render(
                    request,
                    "tenants/suspended.html",
                    {"because": membership.organization.suspended_because},
                    status=403,
                )
            if VOUCHED_KEY not in request.session and lacks_second_step(membership.user, membership.organization):
                return redirect(SET_UP)
            if not allows(membership.role, permission):
                raise NotAllowed(permission)
            return view(request, membership.organization, *args, **kwargs)

        return page

    return decorate

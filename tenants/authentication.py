"""Who calls the API: a program with a key, in the name of one organization, within the key's scopes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from django.utils import timezone
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed, NotFound
from rest_framework.permissions import BasePermission

from tenants.api_keys import find_key, require_network
from tenants.problems import Problem
from tenants.remote_addresses import address_of

if TYPE_CHECKING:
    from rest_framework.request import Request
    from rest_framework.views import APIView

    from tenants.models import ApiKey, Organization

CREDENTIALS_PARTS = 2


OPEN_TO_SUSPENDED = ("events:write",)
"""What programs of an organization that is kept out may go on with: usage that is not taken in is lost for good."""


class OrganizationSuspended(Problem):
    """The operator keeps the organization out."""

    status = 403
    code = "organization_suspended"
    title = "The organization is suspended"


@dataclass(frozen=True)
class Program:
    """The caller behind an API key; stands where DRF expects a user."""

    key: ApiKey
    is_authenticated: ClassVar[bool] = True
    is_anonymous: ClassVar[bool] = False

    @property
    def organization(self) -> Organization:
        """The organization in whose name the program acts."""
        return self.key.organization


class ApiKeyAuthentication(BaseAuthentication):
    """`Authorization: Bearer fk_…`. A wrong key is 401; none leaves the caller unknown."""

    def authenticate(self, request: Request) -> tuple[Program, ApiKey] | None:
        """Return the program and its key, or None without credentials."""
        parts = get_authorization_header(request).split()
        if not parts or parts[0].lower() != b"bearer":
            return None
        if len(parts) != CREDENTIALS_PARTS:
            raise AuthenticationFailed("Expected: Authorization: Bearer fk_…", code="not_authenticated")
        address = address_of(request._request)
        key = find_key(parts[1].decode("ascii", "replace"), timezone.now(), address)
        if key is None:
            raise AuthenticationFailed("This API key is unknown, revoked or expired.", code="key_invalid")
        require_network(key, address)
        return Program(key), key

    def authenticate_header(self, request: Request) -> str:  # noqa: ARG002  DRF passes it
        """Name the scheme in a 401 answer."""
        return 'Bearer realm="Forecourt"'


class HasScope(BasePermission):
    """The key must carry the scope that the view names for the method in `required_scopes`."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Say whether the key may call this view with this method."""
        key: Any = request.auth
        if key is None:
            return False
        scope = view.required_scopes.get("GET" if request.method == "HEAD" else request.method)  # type: ignore[attr-defined]  # every view of the API has it
        if key.organization.suspended_at is not None and scope not in OPEN_TO_SUSPENDED:
            raise OrganizationSuspended(f"The operator keeps {key.organization.name} out. Ask the operator why.")
        self.message = f"This key lacks the scope {scope!r}." if scope else "This method is not offered here."
        return scope is not None and scope in key.scopes


def organization_of(request: Request) -> Organization:
    """Return the organization that the authenticated program acts for."""
    program: object = request.user
    assert isinstance(program, Program), "only after HasScope let the call through"
    return program.organization


def provider_of(request: Request) -> Organization:
    """Return the calling organization; to one that is no provider there is nothing at the address, and it says so."""
    organization = organization_of(request)
    if not organization.is_provider:
        raise NotFound("This is of providers, and your organization is none.")
    return organization


def operator_of(request: Request) -> Organization:
    """Return the operator, which the authenticated program must act for; to any other it says that it is another."""
    organization = organization_of(request)
    if not organization.is_operator:
        raise NotFound("This is of the operator, and your organization is another one.")
    return organization


def key_prefix_of(request: Request) -> str:
    """Return the public beginning of the key that the authenticated program calls with."""
    program: object = request.user
    assert isinstance(program, Program), "only after HasScope let the call through"
    return str(program.key.prefix)


def caller_of(request: Request) -> str:
    """Return how rows and entries name the authenticated program: by its key."""
    return f"key {key_prefix_of(request)}"

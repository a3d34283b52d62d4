"""Who acts: the person behind a page, or the program behind a call of the API."""

from __future__ import annotations

from typing import TYPE_CHECKING

from portal.punctuation import between
from tenants.actors import Actor
from tenants.authentication import Program
from tenants.models import ApiKey, Membership, Role, User
from tenants.scoping import acting_membership, operator_page, provider_page, tenant_page

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from django.http import HttpRequest
    from django.http.response import HttpResponseBase
    from rest_framework.request import Request

    from tenants.models import Organization

KEYS = ("key", "API key")
"""What records write before the first characters of a key."""
SIDES = {"tenant": tenant_page, "provider": provider_page, "operator": operator_page}
"""Where pages that every organization has are shown; their names begin with it."""


def person_acting(request: HttpRequest) -> Actor:
    """Return who acts on a page, within the organization that they act for."""
    membership = acting_membership(request)
    assert membership is not None, "only within a page of an organization"
    assert isinstance(request.user, User)
    return Actor(membership.organization, request.user.email, membership.role)


def program_acting(request: Request) -> Actor:
    """Return who acts in a call of the API that HasScope let through."""
    program: object = request.user
    assert isinstance(program, Program), "only after HasScope let the call through"
    return Actor(program.organization, f"API key {program.key.prefix}", Role.ADMIN, frozenset(program.key.scopes))


def named_actors(organization: Organization, actors: Collection[str]) -> dict[str, str]:
    """Return how each actor of a record is said to an organization; two queries.

    Its own people and keys by their names and its own; others as they were recorded: by address, or by the key's
    first characters.
    """
    people = Membership.objects.filter(organization=organization, user__email__in=actors)
    keys = ApiKey.objects.for_org(organization).filter(prefix__in=[each.rpartition(" ")[2] for each in actors])
    own = dict(people.values_list("user__email", "user__name"))
    names = dict(keys.values_list("prefix", "name"))
    said = {}
    for each in actors:
        before, _space, prefix = each.rpartition(" ")
        name = own.get(each) or (names.get(prefix) if before in KEYS else None)
        said[each] = f"{name}{between('comma')}{organization.name}" if name else each
    return said


def on_every_side(
    permission: str, page: Callable[..., HttpResponseBase], guard: Callable[..., Callable[..., HttpResponseBase]]
) -> dict[str, Callable[..., HttpResponseBase]]:
    """Return a page for each side, which is given the request, who acts and the side; `guard` limits its methods."""

    def view_of(side: str) -> Callable[..., HttpResponseBase]:
        def view(request: HttpRequest, organization: Organization, /, **arguments: object) -> HttpResponseBase:  # noqa: ARG001  who acts has it
            return page(request, person_acting(request), side, **arguments)

        return guard(SIDES[side](permission)(view))

    return {side: view_of(side) for side in SIDES}

"""Who calls the API of agreements, and which contract the call names."""

from typing import Any
from uuid import UUID

from django.http import Http404
from rest_framework.request import Request

from billing.agreements.drafting import Actor
from billing.models import Contract
from billing.queries.agreements import contract_of
from tenants.authentication import organization_of


def actor_of(request: Request) -> Actor:
    """Return the organization that a program acts for, with the program's name."""
    program: Any = request.user
    return Actor(organization_of(request), f"{program.key.name} ({program.key.prefix})"[:254])


def asked_contract(request: Request, contract_id: UUID) -> Contract:
    """Return a contract of the caller's. Raises Http404 for any other."""
    found = contract_of(organization_of(request), contract_id)
    if found is None:
        raise Http404
    return found

"""Scopes that a form offers to providers alone: to a tenant's key their operations answer 404, and others' do not."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from django.urls import resolve, reverse

from tenants.api_keys import OF_PROVIDERS, OF_PROVIDERS_AND_OPERATORS
from tests.isolation.addresses import ADDRESSES, Address

SOME_ID = "0198c5a0-0000-7000-8000-000000000000"
OF_THE_OWN_ORGANIZATION = "organizations:write"
"""Its addresses are called with others' ids alone; a tenant changes itself by it."""


def scope_of(address: Address) -> str | None:
    named = {name: SOME_ID if "{" in value else value for name, value in address.arguments.items()}
    found: Any = resolve(reverse(address.name, kwargs=named)).func
    return getattr(getattr(found, "view_class", None), "required_scopes", {}).get(address.method.upper())


def test_what_is_offered_to_providers_alone_is_nothing_to_tenants() -> None:
    statuses: dict[str, dict[str, set[int]]] = defaultdict(lambda: {"tenant key": set(), "provider key": set()})
    for address in ADDRESSES:
        scope = scope_of(address) if address.name.startswith("api-") else None
        for caller in ("tenant key", "provider key") if scope else ():
            statuses[str(scope)][caller].add(address.expected[caller])
    nothing = {one for one, seen in statuses.items() if seen["tenant key"] == {404} and seen["provider key"] != {404}}
    assert nothing - {OF_THE_OWN_ORGANIZATION} == OF_PROVIDERS | OF_PROVIDERS_AND_OPERATORS

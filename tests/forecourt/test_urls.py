"""Every address has a name of its own, a method that fits, and the frame's links lead somewhere."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from forecourt.shell import ITEM_OF_PAGE

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGES_FOR_READING = ("tenant-", "provider-")


def patterns(found: list[Any], before: str = "") -> Iterator[tuple[str, URLPattern]]:
    for one in found:
        if isinstance(one, URLResolver) and one.namespace != "admin":
            yield from patterns(one.url_patterns, before + str(one.pattern))
        elif isinstance(one, URLPattern):
            yield before + str(one.pattern), one


def site() -> list[tuple[str, URLPattern]]:
    return list(patterns(get_resolver().url_patterns))


def test_every_address_has_a_name_of_its_own() -> None:
    names = Counter(pattern.name for _, pattern in site())
    assert None not in names
    assert [name for name, count in names.items() if count > 1] == []


def test_pages_end_with_a_slash_and_the_api_does_not() -> None:
    for address, pattern in site():
        if address.startswith("api/"):
            assert not address.endswith("/"), address
        elif str(pattern.name).startswith(PAGES_FOR_READING) and "." not in address:
            assert address.endswith("/"), address


def test_the_frames_items_are_pages() -> None:
    names = {pattern.name for _, pattern in site()}
    assert set(ITEM_OF_PAGE) <= names


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("home", "/"),
        ("tenant-usage", "/t/usage/"),
        ("provider-fleet", "/p/fleet/"),
        ("account_login", "/sign-in/"),
        ("stripe-webhook", "/webhooks/stripe"),
        ("api-usage", "/api/v1/usage"),
        ("api-docs", "/api/docs"),
        ("api-schema", "/api/v1/schema"),
        ("health-ready", "/health/ready"),
    ],
)
def test_addresses_that_others_know_stay(name: str, address: str) -> None:
    assert reverse(name) == address


@pytest.mark.django_db
def test_a_page_for_reading_takes_no_post(client: Client) -> None:
    for name in ("home", "health-live", "health-ready", "api-docs", "portal:shortcuts"):
        assert client.post(reverse(name)).status_code == 405, name

"""Where a request comes from: believed of the proxy that ends https, and of nobody else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.test import RequestFactory

from tenants.remote_addresses import address_of

if TYPE_CHECKING:
    from pytest_django import Settings


def seen(forwarded: str | None, peer: str = "10.0.0.1") -> str:
    headers = {} if forwarded is None else {"X-Forwarded-For": forwarded}
    return address_of(RequestFactory().get("/", headers=headers, REMOTE_ADDR=peer))


@pytest.mark.parametrize("forwarded", [None, "", "203.0.113.9", "203.0.113.9, 198.51.100.7"])
def test_without_a_proxy_the_peer_counts_whatever_is_written(settings: Settings, forwarded: str | None) -> None:
    settings.SECURE_SSL_REDIRECT = False
    assert seen(forwarded) == "10.0.0.1"


@pytest.mark.parametrize(
    ("forwarded", "address"),
    [
        (None, "10.0.0.1"),
        ("", "10.0.0.1"),
        (" ", "10.0.0.1"),
        ("203.0.113.9", "203.0.113.9"),
        ("198.51.100.7, 203.0.113.9", "203.0.113.9"),
        ("127.0.0.1,  2001:db8::7 ", "2001:db8::7"),
        ("203.0.113.9, ", "10.0.0.1"),
    ],
)
def test_behind_a_proxy_what_it_saw_counts_and_not_what_the_caller_wrote_before_it(
    settings: Settings, forwarded: str | None, address: str
) -> None:
    settings.SECURE_SSL_REDIRECT = True
    assert seen(forwarded) == address

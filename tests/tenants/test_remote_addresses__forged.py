"""Where a request comes from: only what the own proxy wrote is believed, and only where there is one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.test import RequestFactory

from tenants.remote_addresses import address_of

if TYPE_CHECKING:
    from pytest_django import Settings


def seen(forwarded: str | None, remote: str = "10.0.0.1") -> str:
    headers = {} if forwarded is None else {"X-Forwarded-For": forwarded}
    return address_of(RequestFactory(REMOTE_ADDR=remote).get("/", headers=headers))


@pytest.mark.parametrize("forwarded", [None, "1.2.3.4", "1.2.3.4, 5.6.7.8", "", "nonsense"])
def test_without_a_proxy_a_header_proves_nothing(settings: Settings, forwarded: str | None) -> None:
    settings.SECURE_SSL_REDIRECT = False
    assert seen(forwarded) == "10.0.0.1"


@pytest.mark.parametrize(
    ("forwarded", "address"),
    [
        (None, "10.0.0.1"),
        ("203.0.113.7", "203.0.113.7"),
        ("1.2.3.4, 203.0.113.7", "203.0.113.7"),
        ("1.2.3.4,203.0.113.7", "203.0.113.7"),
        ("1.2.3.4, 5.6.7.8,  203.0.113.7 ", "203.0.113.7"),
        ("2001:db8::1, 2001:db8::2", "2001:db8::2"),
        ("1.2.3.4, ", "10.0.0.1"),
        ("", "10.0.0.1"),
    ],
)
def test_behind_a_proxy_the_last_word_is_its_own(settings: Settings, forwarded: str | None, address: str) -> None:
    settings.SECURE_SSL_REDIRECT = True
    assert seen(forwarded) == address


@pytest.mark.parametrize("written", ["127.0.0.1", "10.0.0.1", "203.0.113.9", "' OR 1=1 --"])
def test_nobody_chooses_their_own_address(settings: Settings, written: str) -> None:
    settings.SECURE_SSL_REDIRECT = True
    assert seen(f"{written}, 203.0.113.7") == "203.0.113.7"

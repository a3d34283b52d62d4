"""Browsers are named as their owners know them."""

from __future__ import annotations

import pytest

from tenants.accounts.browsers import browser_and_system

MAC = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko)"
LINUX = "Mozilla/5.0 (X11; Linux x86_64)"
WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)"
PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)"
ANDROID = "Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 (KHTML, like Gecko)"


@pytest.mark.parametrize(
    ("header", "named"),
    [
        (f"{LINUX} Gecko/20100101 Firefox/133.0", ("Firefox", "Linux")),
        (f"{WINDOWS} Chrome/131.0.0.0 Safari/537.36", ("Chrome", "Windows")),
        (f"{WINDOWS} Chrome/131.0.0.0 Safari/537.36 Edg/131.0.0.0", ("Edge", "Windows")),
        (f"{MAC} Version/18.1 Safari/605.1.15", ("Safari", "macOS")),
        (f"{PHONE} Version/18.0 Mobile/15E148 Safari/604.1", ("Safari", "iPhone")),
        (f"{ANDROID} Chrome/131.0.0.0 Mobile Safari/537.36", ("Chrome", "Android")),
        ("curl/8.5.0", ("curl", "")),
        ("", ("", "")),
    ],
)
def test_a_header_is_read(header: str, named: tuple[str, str]) -> None:
    assert browser_and_system(header) == named

"""Addresses of the provider's own rooms: name, what each caller gets, method, arguments, body."""

from __future__ import annotations

from typing import Any, Final

from tests.isolation.callers import OWN_PROVIDER

PROVIDER_ADDRESSES: Final[tuple[tuple[str, dict[str, int], str, dict[str, str], dict[str, Any]], ...]] = (
    ("provider-overview", OWN_PROVIDER, "get", {}, {}),
)

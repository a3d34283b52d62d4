"""Addresses of the documentation: the same for everyone."""

from __future__ import annotations

from typing import Any

from tests.isolation.callers import everyone

HANDBOOK_ADDRESSES: tuple[tuple[str, dict[str, int], str, dict[str, str], dict[str, Any]], ...] = (
    ("handbook", everyone(200), "get", {}, {}),
    ("handbook-page", everyone(200), "get", {"name": "concepts"}, {}),
    ("handbook-page", everyone(404), "get", {"name": "nowhere"}, {}),
    ("handbook-picture", everyone(200), "get", {"name": "ledgers.svg"}, {}),
)

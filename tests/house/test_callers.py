"""Rows name the program that wrote them by the beginning of its key, as `caller_of` gives it, and by no repr."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]
APPS = ("billing", "clusters", "metering", "tenants", "forecourt")


def test_no_address_of_the_api_writes_a_program_as_text() -> None:
    files = [path for app in APPS for path in (ROOT / app).rglob("*api*.py")]
    assert len(files) > 60
    assert [str(path.relative_to(ROOT)) for path in files if "str(request.user)" in path.read_text()] == []

"""What tests of the words of this app need."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.utils.translation import trans_real

import tenants
from portal.catalogue import compile_catalogue

CATALOGUE = Path(tenants.__file__).parent / "locale" / "zh_Hans" / "LC_MESSAGES" / "django.po"


@pytest.fixture(scope="session")
def built_words() -> None:
    """The app's Chinese words compiled, as `forecourt setup` does it; words that were read before are read again."""
    compiled = CATALOGUE.with_suffix(".mo")
    if not compiled.exists() or compiled.stat().st_mtime < CATALOGUE.stat().st_mtime:
        compile_catalogue(CATALOGUE)
        trans_real._translations.clear()  # type: ignore[attr-defined]  # the stubs leave it out

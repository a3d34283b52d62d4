"""In place of pytest-playwright's fixture of the same name, which is written in a way that pytest 9 warns of."""

import pytest


@pytest.fixture(scope="session")
def base_url() -> str:
    """Every test names the address that it opens."""
    return ""

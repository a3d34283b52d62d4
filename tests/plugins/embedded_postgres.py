"""Gives a test run one embedded PostgreSQL, shared by all xdist workers, where DATABASE_URL is unset.

Loaded by `-p tests.plugins.embedded_postgres` it starts before settings are read; loaded by a conftest,
after that, and then it puts the URL into them before the first connection.
"""

import os
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import dj_database_url
import pytest
from django.conf import settings

STOP_TIMEOUT_S = 60
OWN_SERVER = "TESTS_OWN_DATABASE_SERVER"
"""In the environment where the server is the run's own."""
# For tests only; a real installation's key is generated or given.
TEST_SECRET_KEY = "only-for-tests-0123456789-abcdefghijklmnopqrstuvwxyz-ABCDEFGH"
_server = pytest.StashKey[subprocess.Popen[str]]()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None]:
    """Start the server before any other plugin reads settings."""
    _ensure(early_config)
    return (yield)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Start the server now if a conftest loaded this plugin; xdist's workers inherit the URL."""
    if _ensure(config) and settings.configured:
        settings.DATABASES["default"].update(dj_database_url.parse(os.environ["DATABASE_URL"], engine="tenants.limits"))


def _ensure(config: pytest.Config) -> bool:
    os.environ.setdefault("FORECOURT_SECRET_KEY", TEST_SECRET_KEY)
    if "DATABASE_URL" in os.environ:
        return False
    os.environ["DATABASE_URL"] = _start(config)
    os.environ[OWN_SERVER] = "1"
    return True


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the server; also after Ctrl-C."""
    server = config.stash.get(_server, None)
    if server is not None:
        server.communicate(timeout=STOP_TIMEOUT_S)
        del os.environ["DATABASE_URL"], os.environ[OWN_SERVER]


def _start(config: pytest.Config) -> str:
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.plugins.database_process"],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    config.stash[_server] = server
    assert server.stdout is not None
    url = server.stdout.readline().strip()
    if not url:
        raise pytest.UsageError("The embedded PostgreSQL for the tests did not start; its reason is above.")
    return url

"""One world for all tests of a module that only look at it, and a server for their browsers.

Making the world takes longer than most of these tests; a module that changes what others read makes its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import modify_settings
from pytest_django.live_server_helper import LiveServer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_django import DjangoDbBlocker

HOST = "localhost"


@pytest.fixture(scope="module")
def lasting_rows(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Rows that are written stay until the module's end, and then the database is empty."""
    with django_db_blocker.unblock():
        yield
        call_command("flush", verbosity=0, interactive=False)
        # Beside a browser's event loop Django gives another connection than the one that drops the test database.
        connection.close()


@pytest.fixture(scope="module")
def lasting_server(lasting_rows: None) -> Iterator[LiveServer]:
    """A server over those rows."""
    with modify_settings(ALLOWED_HOSTS={"append": HOST}):
        server = LiveServer(HOST)
        yield server
        server.stop()

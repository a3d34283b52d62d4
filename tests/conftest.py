"""Fixtures every test may use: the database, and the cast of people."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.contrib.contenttypes.management import create_contenttypes
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.db.models.signals import post_migrate
from django.utils import translation
from hypothesis import settings as hypothesis_settings

from tests.kept import kept
from tests.plugins.quick_flush import flush_quickly

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_django import DjangoDbBlocker

    from tests.factories import Cast

pytest_plugins = [
    "tests.plugins.quiet_garbage",
    "tests.plugins.embedded_postgres",
    "tests.plugins.migrated_database",
    "tests.plugins.made_look",
    "tests.plugins.browser",
    "tests.plugins.kept_world",
    "tests.plugins.kept_signals",
    "tests.plugins.plain_client",
    "tests.plugins.plain_locals",
    "tests.plugins.quick_logs",
    "tests.plugins.lasting_world",
    "tests.plugins.measured_parts",
    "tests.plugins.measured_processes",
    "tests.plugins.standing_connection",
    "tests.plugins.long_first",
    "tests.plugins.few_messages",
    "tests.plugins.told_shapes",
    "tests.plugins.forked_workers",
    "tests.plugins.asked_fixtures",
]

# The same examples in every run, however busy the machine is; `make faults`, `fuzz` and `second` look further.
hypothesis_settings.register_profile("steady", deadline=None, derandomize=True)
hypothesis_settings.load_profile("steady")


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Let test databases be emptied between transactional tests: the guards against TRUNCATE are put aside there.

    The guards themselves are proved by tests that switch them on again. Permissions and content types, which nobody
    here reads, are not made anew each time either: that took most of the time between two such tests.
    """
    post_migrate.disconnect(dispatch_uid="django.contrib.auth.management.create_permissions")
    post_migrate.disconnect(create_contenttypes)
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute("SELECT tgrelid::regclass::text, tgname FROM pg_trigger WHERE tgname LIKE '%\\_no\\_truncate'")
        for table, trigger in cursor.fetchall():
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER {trigger}")
        flush_quickly(connection)
    yield
    # A thread of a test that is still ending may keep the database from being dropped.
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        connection.close()


def pytest_runtest_setup() -> None:
    """Start every test in the default language and with no ids of content types.

    A request leaves the language that it answered in to its thread; an id that was made within a test that was rolled
    back is not there in the next. This is no fixture: making two for every test took longer than what they do.
    """
    translation.deactivate()
    ContentType.objects.clear_cache()


@kept
def cast() -> Cast:
    """Alice and bob of one tenant, charlie of another, and a provider's petra: see `tests.factories.Cast`."""
    from tests.factories import make_cast

    return make_cast()

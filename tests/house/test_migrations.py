"""One line of migrations an app, and a database of the time before they were put together goes on as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

if TYPE_CHECKING:
    from django.db.migrations import Migration

APPS = ("tenants", "clusters", "metering", "billing")


def firsts(loader: MigrationLoader) -> list[Migration]:
    """The migrations that stand for earlier ones."""
    return [one for key, one in loader.disk_migrations.items() if key[0] in APPS and one.replaces]


def waiting() -> list[tuple[str, str]]:
    """What `migrate` would do now."""
    executor = MigrationExecutor(connection)
    return [(one.app_label, one.name) for one, _ in executor.migration_plan(executor.loader.graph.leaf_nodes())]


def test_each_app_has_one_start_and_one_end() -> None:
    loader = MigrationLoader(None, ignore_no_migrations=True)
    assert {one.app_label for one in firsts(loader)} == set(APPS)
    ends = [app for app, _ in loader.graph.leaf_nodes() if app in APPS]
    assert sorted(ends) == sorted(APPS)


@pytest.mark.django_db
def test_a_database_that_took_every_step_is_there_already() -> None:
    recorder = MigrationRecorder(connection)
    for first in firsts(MigrationLoader(connection)):
        recorder.record_unapplied(first.app_label, first.name)
        for app, name in first.replaces:
            recorder.record_applied(app, name)
    assert waiting() == []

"""Migrates once for all xdist workers of a run: the first that needs a database makes one, and every worker copies it.

Only on the run's own server; where DATABASE_URL is somebody's, each worker migrates its own database.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import psycopg
import pytest
from django.conf import settings
from psycopg import sql

from tests.plugins.embedded_postgres import OWN_SERVER

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT: Final = Path(__file__).parents[2]
NAME: Final = "forecourt_migrated"
LOCK: Final = 7_206_501_842
MIGRATE: Final = (
    sys.executable,
    "manage.py",
    "migrate",
    "--skip-checks",
    "--verbosity",
    "0",
    "--settings",
    "tests.settings",
)
NOT_PASSED_ON: Final = ("COVERAGE_PROCESS_CONFIG", "COVERAGE_PROCESS_START")
"""Measuring what migrations run would double their time; what counts is run by the tests."""


@pytest.fixture(scope="session")
def django_db_modify_db_settings(request: pytest.FixtureRequest, django_db_modify_db_settings: None) -> None:
    """Let a worker's test database begin as a copy."""
    if hasattr(request.config, "workerinput") and OWN_SERVER in os.environ:
        made = make_migrated(os.environ["DATABASE_URL"])
        settings.DATABASES["default"].setdefault("TEST", {})["TEMPLATE"] = made


def make_migrated(database_url: str, name: str = NAME, command: Sequence[str] = MIGRATE) -> str:
    """Return the name of the migrated database on the server of `database_url`; made unless it is there.

    Whoever comes while it is being made waits. `command` migrates the database that its DATABASE_URL names.
    """
    draft = f"{name}_draft"
    with psycopg.connect(url_of(database_url, "postgres"), autocommit=True) as connection:
        # Given back when the connection ends, however that happens.
        connection.execute("SELECT pg_advisory_lock(%s)", [LOCK])
        if not connection.execute("SELECT FROM pg_database WHERE datname = %s", [name]).rowcount:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(draft)))
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(draft)))
            environ = {key: value for key, value in os.environ.items() if key not in NOT_PASSED_ON}
            environ["DATABASE_URL"] = url_of(database_url, draft)
            subprocess.run(command, cwd=ROOT, env=environ, check=True)
            rename = sql.SQL("ALTER DATABASE {} RENAME TO {}")
            connection.execute(rename.format(sql.Identifier(draft), sql.Identifier(name)))
    return name


def url_of(database_url: str, name: str) -> str:
    """`database_url` with another database; the folder of a Unix socket stands before it as the host."""
    return f"{database_url.rpartition('/')[0]}/{name}"

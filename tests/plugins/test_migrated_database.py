"""However many ask for the migrated database, it is made once, and nobody gets half of one."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING

import psycopg
import pytest

from tests.plugins.migrated_database import make_migrated, url_of

if TYPE_CHECKING:
    from collections.abc import Iterator

MAKE_A_TABLE = """
import os, psycopg
with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
    connection.execute("CREATE TABLE made AS SELECT 7 AS number")
"""
FAIL_HALFWAY = MAKE_A_TABLE + "raise SystemExit(3)"


@pytest.fixture
def name() -> Iterator[str]:
    """A name for databases of this test's own."""
    found = f"migrated_once_{os.getpid()}"
    yield found
    with closing(psycopg.connect(url_of(os.environ["DATABASE_URL"], "postgres"), autocommit=True)) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {found}")
        connection.execute(f"DROP DATABASE IF EXISTS {found}_draft")


def test_the_first_who_asks_makes_it_and_the_others_wait_for_it(name: str) -> None:
    url = os.environ["DATABASE_URL"]
    command = (sys.executable, "-c", MAKE_A_TABLE)
    with ThreadPoolExecutor(4) as threads:
        asked = [threads.submit(make_migrated, url, name, command) for _ in range(4)]
        # A second making would fail at the table that is there already.
        assert [each.result() for each in asked] == [name] * 4
    with psycopg.connect(url_of(url, name)) as connection:
        assert connection.execute("SELECT number FROM made").fetchall() == [(7,)]


def test_one_that_failed_halfway_is_made_anew(name: str) -> None:
    url = os.environ["DATABASE_URL"]
    with pytest.raises(subprocess.CalledProcessError):
        make_migrated(url, name, (sys.executable, "-c", FAIL_HALFWAY))
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        psycopg.connect(url_of(url, name))
    assert make_migrated(url, name, (sys.executable, "-c", MAKE_A_TABLE)) == name

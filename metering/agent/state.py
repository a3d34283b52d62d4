"""The state folder: who this node is, and the lock that lets one agent run in it."""

import fcntl
import os
from pathlib import Path
from typing import Final

import msgspec

from metering.agent.keys import give_to_owner, write_durably

IDENTITY_FILE: Final = "node.json"
SPOOL_FILE: Final = "spool.sqlite3"
LOCK_FILE: Final = "agent.lock"
SYSTEM_STATE_DIR: Final = Path("/var/lib/forecourt-agent")


class NotEnrolled(Exception):
    """The state folder names no node."""


class AlreadyRunning(Exception):
    """Another agent holds the state folder."""


class StateUnusable(Exception):
    """The state folder cannot be made, written or read."""


class IdentityCallFailed(Exception):
    """The server did not do what this node asked about its identity: see `metering.agent.rekey`."""


class Identity(msgspec.Struct, frozen=True):
    """Which node this is, and whose server meters it."""

    server: str
    node: str
    cluster: str


def default_state_dir() -> Path:
    """`/var/lib/forecourt-agent` where that can be written, else the user's own state folder."""
    existing = SYSTEM_STATE_DIR if SYSTEM_STATE_DIR.exists() else SYSTEM_STATE_DIR.parent
    if os.access(existing, os.W_OK):
        return SYSTEM_STATE_DIR
    return Path.home() / ".local/state/forecourt-agent"


def prepare(state_dir: Path) -> None:
    """Make the folder, private to its owner. Raises StateUnusable."""
    try:
        state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as refused:
        raise StateUnusable(f"{state_dir}: {refused.strerror}; expected a folder that can be written") from refused
    if not os.access(state_dir, os.W_OK | os.X_OK):
        raise StateUnusable(f"{state_dir} cannot be written by this user; expected a folder that can")


def load_identity(state_dir: Path) -> Identity:
    """Who this node is. Raises NotEnrolled, StateUnusable."""
    path = state_dir / IDENTITY_FILE
    try:
        return msgspec.json.decode(path.read_bytes(), type=Identity)
    except FileNotFoundError as absent:
        raise NotEnrolled(
            f"{state_dir} holds no enrolled node; run: forecourt agent enroll --server URL --token T"
        ) from absent
    except (OSError, msgspec.MsgspecError) as broken:
        raise StateUnusable(f"{path}: {broken}; expected what `forecourt agent enroll` wrote") from broken


def save_identity(state_dir: Path, identity: Identity) -> None:
    """Write who this node is, durably. Raises OSError."""
    write_durably(state_dir / IDENTITY_FILE, msgspec.json.encode(identity) + b"\n")


class StateLock:
    """Held while an agent runs; the kernel lets go of it when the process ends, however it ends."""

    def __init__(self, state_dir: Path) -> None:
        self._path = state_dir / LOCK_FILE
        self._descriptor = -1

    def __enter__(self) -> "StateLock":
        """Take the lock. Raises AlreadyRunning."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        give_to_owner(self._path)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as held:
            holder = os.read(descriptor, 32).decode("ascii", "replace").strip() or "unknown"
            os.close(descriptor)
            raise AlreadyRunning(
                f"an agent (process {holder}) already runs on {self._path.parent}; stop it or use another --state-dir"
            ) from held
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        self._descriptor = descriptor
        return self

    def __exit__(self, *_: object) -> None:
        """Let go."""
        os.close(self._descriptor)

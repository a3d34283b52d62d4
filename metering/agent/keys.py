"""The node's Ed25519 key: made on the node, never leaves it.

While a new key is being registered it lies beside the old one, so that at no instant the key that the server trusts
could be lost: whichever of the two that is, `KeyRing` finds it.
"""

import base64
import binascii
import contextlib
import os
import stat
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

KEY_FILE: Final = "node.key"
PENDING_FILE: Final = "node.key.next"


class KeyUnusable(Exception):
    """The key file exists and cannot be used: readable by others, or not a key."""


def load_or_create(state_dir: Path) -> Ed25519PrivateKey:
    """The node's key; made, and on disk, before this returns for the first time. Raises KeyUnusable,
    OSError."""
    path = state_dir / KEY_FILE
    if not path.exists():
        _create(path)
    return load(state_dir)


def load_or_create_pending(state_dir: Path) -> Ed25519PrivateKey:
    """The key that shall take the present one's place; on disk when this returns. Raises KeyUnusable, OSError."""
    path = state_dir / PENDING_FILE
    if not path.exists():
        _create(path)
    return _load(path)


def load_pending(state_dir: Path) -> Ed25519PrivateKey | None:
    """The key that is being registered, None if there is none. Raises KeyUnusable."""
    path = state_dir / PENDING_FILE
    try:
        return _load(path)
    except FileNotFoundError:
        return None


def promote(state_dir: Path) -> None:
    """Put the new key in the place of the old one, durably: the server trusts it now. Raises OSError."""
    (state_dir / PENDING_FILE).replace(state_dir / KEY_FILE)
    _sync(state_dir)


def load(state_dir: Path) -> Ed25519PrivateKey:
    """The existing key. Raises KeyUnusable, FileNotFoundError."""
    return _load(state_dir / KEY_FILE)


class KeyRing:
    """The key that an agent signs with; another command may change it while the agent runs."""

    def __init__(self, state_dir: Path) -> None:
        """Load the key. Raises KeyUnusable, FileNotFoundError."""
        self._state_dir = state_dir
        self._pending = False
        self.key = load(state_dir)

    def try_another(self) -> bool:
        """After a signature was refused: take the key that lies on disk now, or the one that is being registered.

        False if there is none but the refused one.
        """
        try:
            present, pending = load(self._state_dir), load_pending(self._state_dir)
        except (KeyUnusable, OSError):
            return False
        refused = public_key_b64(self.key)
        for key, is_pending in ((present, False), (pending, True)):
            if key is not None and public_key_b64(key) != refused and (is_pending or not self._pending):
                self.key, self._pending = key, is_pending
                return True
        # Both were refused: back to the present one, which a person will have to look at.
        self.key, self._pending = present, False
        return False

    def trusted(self) -> None:
        """The server took what the key signed: a key that was being registered is the node's own from now on."""
        if self._pending:
            self._pending = False
            with contextlib.suppress(OSError):
                promote(self._state_dir)


def _load(path: Path) -> Ed25519PrivateKey:
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        raise KeyUnusable(f"{path} has mode {mode:04o}, others can read it; expected 0600")
    try:
        return Ed25519PrivateKey.from_private_bytes(base64.b64decode(path.read_bytes().strip(), validate=True))
    except (binascii.Error, ValueError) as broken:
        raise KeyUnusable(f"{path} is not a node key: {broken}; expected base64 of 32 bytes") from broken


def public_key_b64(key: Ed25519PrivateKey) -> str:
    """Base64 of the 32 raw bytes of the public half, as enrolment sends it."""
    return base64.b64encode(key.public_key().public_bytes_raw()).decode("ascii")


def _create(path: Path) -> None:
    secret = base64.b64encode(Ed25519PrivateKey.generate().private_bytes_raw())
    write_durably(path, secret + b"\n")


def write_durably(path: Path, content: bytes) -> None:
    """Write a private file (mode 0600) that is either wholly there or not at all, also after a power cut."""
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.write(descriptor, content)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    give_to_owner(partial)
    partial.replace(path)
    _sync(path.parent)


def give_to_owner(path: Path) -> None:
    """Give a file to whom its folder belongs, where root made it: the agent runs as that account and must use it still.

    A stop hook's `flush`, or a person's `rotate-key` with sudo, would lock the agent out of its own state otherwise. No
    link is followed, so that the account cannot have another's file given to it. Raises OSError.
    """
    if os.geteuid() != 0:
        return
    owner, made = path.parent.stat(), path.lstat()
    if made.st_uid == 0 and owner.st_uid != 0:
        os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)


def _sync(folder: Path) -> None:
    directory = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)

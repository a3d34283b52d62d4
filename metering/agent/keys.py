"""The node's Ed25519 key: made on the node, never leaves it."""

import base64
import binascii
import os
import stat
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

KEY_FILE: Final = "node.key"


class KeyUnusable(Exception):
    """The key file exists and cannot be used: readable by others, or not a key."""


def load_or_create(state_dir: Path) -> Ed25519PrivateKey:
    """The node's key; made, and on disk, before this returns for the first time. Raises KeyUnusable,
    OSError."""
    path = state_dir / KEY_FILE
    if not path.exists():
        _create(path)
    return load(state_dir)


def load(state_dir: Path) -> Ed25519PrivateKey:
    """The existing key. Raises KeyUnusable, FileNotFoundError."""
    path = state_dir / KEY_FILE
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
    partial.replace(path)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)

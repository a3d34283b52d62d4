"""Archive files: one part of a table as compressed text beside a manifest that says what it is.

`NAME.copy.zst` is PostgreSQL's COPY text in UTF-8, compressed by zstd; `NAME.json` names its columns, span, count of
rows, keys and checksums, and is written last: a file without it is not finished. Both can be read without this program:
`zstd -dc NAME.copy.zst | psql -c "COPY table FROM STDIN"`.
"""

from __future__ import annotations

import hashlib
import os
import re
from typing import TYPE_CHECKING, Final

import msgspec
import zstandard

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

FORMAT: Final = "forecourt-archive-1"
LEVEL: Final = 6
READ_BYTES: Final = 1 << 20
LINE_BYTES_MAX: Final = 64 << 20
"""A row that is longer is no row of ours."""
ESCAPES: Final = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}


class ArchiveDamaged(Exception):
    """An archive is not what its manifest says; the message names the file and the difference."""


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an archive file holds. Instants are RFC 3339; `from_at` null: since ever."""

    format: str
    table: str
    partition: str
    from_at: str | None
    to_at: str
    columns: list[str]
    rows: int
    file: str
    file_bytes: int
    file_sha256: str
    text_bytes: int
    text_sha256: str
    written_at: str
    keys: list[tuple[str, str]]


class Contents(msgspec.Struct, frozen=True):
    """What a file was found to hold."""

    rows: int
    file_bytes: int
    file_sha256: str
    text_bytes: int
    text_sha256: str


def write_text(path: Path, chunks: Iterable[bytes | memoryview]) -> Contents:
    """Compress COPY text into a new file and on to the disk, and read it back. Raises ArchiveDamaged, OSError.

    The file appears under its name only when it is whole.
    """
    draft = path.with_name(f"{path.name}.part")
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    text, length, rows = hashlib.sha256(), 0, 0
    compressor = zstandard.ZstdCompressor(level=LEVEL, write_checksum=True)
    with draft.open("wb") as file:
        with compressor.stream_writer(file, closefd=False) as writer:
            for chunk in chunks:
                part = bytes(chunk)
                text.update(part)
                length += len(part)
                # A line end inside a value is escaped: each one here ends a row.
                rows += part.count(b"\n")
                writer.write(part)
        file.flush()
        os.fsync(file.fileno())
    found = read_contents(draft)
    if (found.rows, found.text_bytes, found.text_sha256) != (rows, length, text.hexdigest()):
        raise ArchiveDamaged(f"{draft}: read back {found.rows} rows, {found.text_sha256}; written were {rows}")
    draft.rename(path)
    _sync_folder(path.parent)
    return found


def write_manifest(path: Path, manifest: Manifest) -> None:
    """Write the manifest beside its file, and on to the disk."""
    target = manifest_path(path)
    draft = target.with_name(f"{target.name}.part")
    with draft.open("wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(manifest)))
        file.flush()
        os.fsync(file.fileno())
    draft.rename(target)
    _sync_folder(path.parent)


def manifest_path(path: Path) -> Path:
    """Return where the manifest of `NAME.copy.zst` is."""
    return path.with_name(path.name.removesuffix(".copy.zst") + ".json")


def read_manifest(path: Path) -> Manifest:
    """Return the manifest of an archive file. Raises ArchiveDamaged."""
    try:
        manifest = msgspec.json.decode(manifest_path(path).read_bytes(), type=Manifest)
    except (OSError, msgspec.MsgspecError) as broken:
        raise ArchiveDamaged(f"{manifest_path(path)}: {broken}") from broken
    if manifest.format != FORMAT or manifest.file != path.name:
        raise ArchiveDamaged(f"{manifest_path(path)}: is of {manifest.format} {manifest.file}")
    return manifest


def check_file(path: Path) -> Manifest:
    """Read a whole archive file and compare it with its manifest. Raises ArchiveDamaged."""
    manifest, found = read_manifest(path), read_contents(path)
    for name in Contents.__struct_fields__:
        if getattr(found, name) != getattr(manifest, name):
            raise ArchiveDamaged(f"{path}: {name} is {getattr(found, name)}; expected {getattr(manifest, name)}")
    return manifest


def read_contents(path: Path) -> Contents:
    """Read a whole file. Raises ArchiveDamaged where it cannot be read."""
    text, length, rows = hashlib.sha256(), 0, 0
    for chunk in read_text(path):
        text.update(chunk)
        length += len(chunk)
        rows += chunk.count(b"\n")
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Contents(rows, path.stat().st_size, digest, length, text.hexdigest())


def read_text(path: Path) -> Iterator[bytes]:
    """Yield the text in pieces of bounded size. Raises ArchiveDamaged."""
    try:
        with path.open("rb") as file, zstandard.ZstdDecompressor().stream_reader(file) as reader:
            while chunk := reader.read(READ_BYTES):
                yield chunk
    except (OSError, zstandard.ZstdError) as broken:
        raise ArchiveDamaged(f"{path}: {broken}") from broken


def read_rows(path: Path, columns: list[str]) -> Iterator[dict[str, bytes | None]]:
    """Yield each row by its columns' names, values as PostgreSQL writes them, None for NULL. Raises ArchiveDamaged."""
    rest = b""
    for chunk in read_text(path):
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            values = line.split(b"\t")
            if len(values) != len(columns):
                raise ArchiveDamaged(f"{path}: a row of {len(values)} values; expected {len(columns)}")
            yield dict(zip(columns, map(_value, values), strict=True))
        if len(rest) > LINE_BYTES_MAX:
            raise ArchiveDamaged(f"{path}: a row of more than {LINE_BYTES_MAX} bytes")


def _value(text: bytes) -> bytes | None:
    if text == rb"\N":
        return None
    return re.sub(rb"\\(.)", lambda found: ESCAPES.get(found[1], found[1]), text) if b"\\" in text else text


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

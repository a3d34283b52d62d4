"""Proving archived batches from their file alone: every body's hash, its node's signature, and the chain."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from metering.archive_files import ArchiveDamaged, check_file, read_rows
from metering.wire import FIRST_PREV_HASH, batch_hash, verify

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

FINDINGS_MAX: Final = 100
NEEDED: Final = ("node_id", "seq", "hash", "prev_hash", "signature", "body")


@dataclass
class Evidence:
    """What was found in archives read one after the other; `wrong` names at most FINDINGS_MAX batches."""

    batches: int = 0
    nodes: int = 0
    wrong: list[str] = field(default_factory=list)
    _ends: dict[str, tuple[int, str]] = field(default_factory=dict)

    def look_at(self, row: dict[str, bytes | None], keys: dict[str, list[tuple[int, int, bytes]]]) -> None:
        """Check one batch against its own bytes, its node's key, and the batch before."""
        node, seq, digest, prev_hash, signature, body = (_text(row[name], name) for name in NEEDED)
        number = int(seq)
        content = bytes.fromhex(body.removeprefix("\\x"))
        self.batches += 1
        before = self._ends.get(node)
        self.nodes += before is None
        self._ends[node] = (number, digest)
        if batch_hash(content) != digest:
            self._say(node, seq, "its bytes are not those of its hash")
        elif not any(verify(key, content, signature) for key in _keys_at(keys.get(node, []), number)):
            self._say(node, seq, "its signature is not the node's")
        if before is not None and (number, prev_hash) != (before[0] + 1, before[1]):
            self._say(node, seq, f"does not follow batch {before[0]}")
        elif number == 1 and prev_hash != FIRST_PREV_HASH:
            self._say(node, seq, "is the first and follows another one")

    def _say(self, node: str, seq: str, what: str) -> None:
        if len(self.wrong) < FINDINGS_MAX:
            self.wrong.append(f"batch {seq} of node {node}: {what}")


def prove_batches(paths: Sequence[Path]) -> Evidence:
    """Check archives of batches, given in the order of their time, so that chains are followed from one to the next.

    Raises ArchiveDamaged where a file is not what its manifest says.
    """
    evidence = Evidence()
    for path in paths:
        manifest = check_file(path)
        missing = set(NEEDED) - set(manifest.columns)
        if missing:
            raise ArchiveDamaged(f"{path}: holds no batches; columns {sorted(missing)} are missing")
        keys = _read_keys(manifest.keys)
        for row in read_rows(path, manifest.columns):
            evidence.look_at(row, keys)
    return evidence


def _read_keys(pairs: Iterable[tuple[str, str]]) -> dict[str, list[tuple[int, int, bytes]]]:
    """Turn `("NODE FIRST_SEQ VERSION", hex)` into each node's keys, the newest first."""
    keys: dict[str, list[tuple[int, int, bytes]]] = {}
    for name, key in pairs:
        node, first_seq, version = name.split(" ")
        keys.setdefault(node, []).append((int(first_seq), int(version), bytes.fromhex(key)))
    return {node: sorted(found, reverse=True) for node, found in keys.items()}


def _keys_at(keys: list[tuple[int, int, bytes]], seq: int) -> list[bytes]:
    """The key that was in force for a number: the newest whose first number is not after it."""
    return [key for first_seq, _, key in keys if first_seq <= seq][:1]


def _text(value: bytes | None, name: str) -> str:
    if value is None:
        raise ArchiveDamaged(f"a batch without {name}")
    return value.decode()

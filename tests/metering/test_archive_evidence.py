"""Proving archived batches from their file alone: each kind of forgery is named, what is whole is not."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from metering.archive_evidence import FINDINGS_MAX, NEEDED, prove_batches
from metering.archive_files import FORMAT, ArchiveDamaged, Manifest, write_manifest, write_text
from metering.wire import FIRST_PREV_HASH, batch_hash, sign

if TYPE_CHECKING:
    from pathlib import Path

ONE, OTHER = (Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32) for number in (1, 2))
Row = dict[str, str]


@dataclass
class Chain:
    """A node whose batches are made one after the other."""

    node: str = "node-1"
    seq: int = 0
    last: str = FIRST_PREV_HASH
    rows: list[Row] = field(default_factory=list)

    def add(self, count: int, key: Ed25519PrivateKey = ONE) -> Chain:
        for _ in range(count):
            self.seq += 1
            body = f"{self.node} batch {self.seq}".encode()
            row = {"node_id": self.node, "seq": str(self.seq), "hash": batch_hash(body), "prev_hash": self.last}
            self.rows.append({**row, "signature": sign(key, body), "body": rf"\\x{body.hex()}"})
            self.last = row["hash"]
        return self


def named(node: str, first_seq: int, version: int, key: Ed25519PrivateKey) -> tuple[str, str]:
    return f"{node} {first_seq} {version}", key.public_key().public_bytes_raw().hex()


KEYS = [named("node-1", 1, 1, ONE), named("node-2", 1, 1, ONE)]


def archived(
    folder: Path, rows: list[Row], *, keys: list[tuple[str, str]] | None = None, columns: tuple[str, ...] = NEEDED
) -> Path:
    path = folder / f"batches.{len(list(folder.iterdir()))}.copy.zst"
    lines = ["\t".join(row[name] for name in columns) + "\n" for row in rows]
    found = write_text(path, [line.encode() for line in lines])
    manifest = Manifest(
        format=FORMAT,
        table="metering_batch",
        partition="metering_batch_2026_03",
        from_at=None,
        to_at="2026-04-01T00:00:00+00:00",
        columns=list(columns),
        file=path.name,
        written_at="2027-04-01T00:00:00+00:00",
        keys=KEYS if keys is None else keys,
        **msgspec.structs.asdict(found),
    )
    write_manifest(path, manifest)
    return path


def test_whole_chains_are_proved_from_one_file_to_the_next(tmp_path: Path) -> None:
    one, two = Chain().add(4), Chain("node-2").add(2)
    first = archived(tmp_path, [*one.rows[:3], *two.rows])
    found = prove_batches([first, archived(tmp_path, one.rows[3:])])
    assert (found.batches, found.nodes, found.wrong) == (6, 2, [])


def test_a_chain_may_begin_in_the_middle_where_older_archives_are_not_given(tmp_path: Path) -> None:
    assert prove_batches([archived(tmp_path, Chain().add(4).rows[2:])]).wrong == []


def test_other_bytes_than_those_of_the_hash_are_named(tmp_path: Path) -> None:
    rows = Chain().add(3).rows
    rows[1]["body"] = rf"\\x{b'forged'.hex()}"
    assert prove_batches([archived(tmp_path, rows)]).wrong == [
        "batch 2 of node node-1: its bytes are not those of its hash"
    ]


def test_a_forger_who_mends_the_hash_has_no_signature(tmp_path: Path) -> None:
    rows = Chain().add(2).rows
    rows[1] |= {"body": rf"\\x{b'forged'.hex()}", "hash": batch_hash(b"forged")}
    assert prove_batches([archived(tmp_path, rows)]).wrong == [
        "batch 2 of node node-1: its signature is not the node's"
    ]


def test_a_node_without_a_key_proves_nothing(tmp_path: Path) -> None:
    found = prove_batches([archived(tmp_path, Chain().add(1).rows, keys=[])])
    assert found.wrong == ["batch 1 of node node-1: its signature is not the node's"]


def test_each_batch_is_checked_with_the_key_that_was_in_force(tmp_path: Path) -> None:
    keys = [named("node-1", 1, 1, ONE), named("node-1", 3, 2, OTHER)]
    changed = Chain().add(2).add(2, OTHER).rows
    assert prove_batches([archived(tmp_path, changed, keys=keys)]).wrong == []
    # A key that was given up signs nothing any more, and the next one nothing before its time.
    kept = Chain().add(1, OTHER).add(1).add(1).rows
    assert prove_batches([archived(tmp_path, kept, keys=keys)]).wrong == [
        f"batch {seq} of node node-1: its signature is not the node's" for seq in (1, 3)
    ]


def test_a_batch_that_is_left_out_or_repeated_breaks_the_chain(tmp_path: Path) -> None:
    rows = Chain().add(4).rows
    left_out = prove_batches([archived(tmp_path, [rows[0], *rows[2:]])])
    assert left_out.wrong == ["batch 3 of node node-1: does not follow batch 1"]
    repeated = prove_batches([archived(tmp_path, [*rows[:2], rows[1]])])
    assert repeated.wrong == ["batch 2 of node node-1: does not follow batch 2"]


def test_a_batch_of_the_right_number_that_follows_another_one_is_named(tmp_path: Path) -> None:
    rows = Chain().add(2).rows
    rows[1]["prev_hash"] = "ab" * 32
    assert prove_batches([archived(tmp_path, rows)]).wrong == ["batch 2 of node node-1: does not follow batch 1"]


def test_the_first_batch_follows_none(tmp_path: Path) -> None:
    rows = Chain(last="ab" * 32).add(1).rows
    found = prove_batches([archived(tmp_path, rows)])
    assert found.wrong == ["batch 1 of node node-1: is the first and follows another one"]


def test_only_so_many_findings_are_kept_but_all_are_counted(tmp_path: Path) -> None:
    rows = Chain().add(FINDINGS_MAX + 5, OTHER).rows
    found = prove_batches([archived(tmp_path, rows)])
    assert (len(found.wrong), found.batches) == (FINDINGS_MAX, FINDINGS_MAX + 5)


def test_an_archive_of_other_rows_is_refused(tmp_path: Path) -> None:
    path = archived(tmp_path, Chain().add(1).rows, columns=("node_id", "seq", "body"))
    with pytest.raises(ArchiveDamaged, match=r"holds no batches; columns \['hash', 'prev_hash', 'signature'\]"):
        prove_batches([path])


def test_a_batch_with_something_left_empty_is_refused(tmp_path: Path) -> None:
    rows = Chain().add(1).rows
    rows[0]["signature"] = r"\N"
    with pytest.raises(ArchiveDamaged, match="a batch without signature"):
        prove_batches([archived(tmp_path, rows)])


def test_a_file_that_was_changed_is_not_read(tmp_path: Path) -> None:
    path = archived(tmp_path, Chain().add(2).rows)
    path.write_bytes(archived(tmp_path, Chain().add(1).rows).read_bytes())
    with pytest.raises(ArchiveDamaged, match="expected"):
        prove_batches([path])

"""Archive files: what was written is what is read, and every damage is found."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from metering.archive_files import (
    FORMAT,
    ArchiveDamaged,
    Manifest,
    check_file,
    manifest_path,
    read_rows,
    write_manifest,
    write_text,
)

if TYPE_CHECKING:
    from pathlib import Path

ROWS = [rb"1" + b"\t" + rb"\\x0a5c" + b"\t" + rb"a\tb\nc\\d", rb"2" + b"\t" + rb"\N" + b"\t"]


def written(folder: Path, rows: list[bytes] = ROWS) -> tuple[Path, Manifest]:
    path = folder / "facts" / "facts_2026_03.1.copy.zst"
    found = write_text(path, [row + b"\n" for row in rows])
    manifest = Manifest(
        format=FORMAT,
        table="facts",
        partition="facts_2026_03",
        from_at=None,
        to_at="2026-04-01T00:00:00+00:00",
        columns=["id", "body", "text"],
        file=path.name,
        written_at="2027-04-01T00:00:00+00:00",
        keys=[],
        **msgspec.structs.asdict(found),
    )
    write_manifest(path, manifest)
    return path, manifest


def test_rows_come_back_as_they_were(tmp_path: Path) -> None:
    path, manifest = written(tmp_path)
    assert check_file(path) == manifest
    assert manifest.rows == 2
    assert list(read_rows(path, manifest.columns)) == [
        {"id": b"1", "body": rb"\x0a5c", "text": b"a\tb\nc\\d"},
        {"id": b"2", "body": None, "text": b""},
    ]
    assert not list(path.parent.glob("*.part"))


def test_an_empty_part_is_an_archive_too(tmp_path: Path) -> None:
    path, manifest = written(tmp_path, [])
    assert check_file(path).rows == 0
    assert list(read_rows(path, manifest.columns)) == []


@pytest.mark.parametrize("place", [0, 20, -5])
def test_a_changed_byte_is_found(tmp_path: Path, place: int) -> None:
    path, _ = written(tmp_path)
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)
    with pytest.raises(ArchiveDamaged):
        check_file(path)


def test_a_file_cut_off_missing_or_without_manifest_is_damaged(tmp_path: Path) -> None:
    path, _ = written(tmp_path)
    whole = path.read_bytes()
    path.write_bytes(whole[:-9])
    with pytest.raises(ArchiveDamaged):
        check_file(path)
    path.unlink()
    with pytest.raises(ArchiveDamaged):
        check_file(path)
    path.write_bytes(whole)
    manifest_path(path).unlink()
    with pytest.raises(ArchiveDamaged, match="json"):
        check_file(path)


def test_another_whole_file_under_the_name_is_damaged(tmp_path: Path) -> None:
    path, manifest = written(tmp_path)
    path.unlink()
    write_text(path, [ROWS[0] + b"\n"])
    with pytest.raises(ArchiveDamaged, match="rows is 1; expected 2"):
        check_file(path)
    write_manifest(path, msgspec.structs.replace(manifest, format="something-else"))
    with pytest.raises(ArchiveDamaged, match="something-else"):
        check_file(path)


def test_a_row_of_other_width_is_damaged(tmp_path: Path) -> None:
    path, _ = written(tmp_path)
    with pytest.raises(ArchiveDamaged, match="3 values; expected 2"):
        list(read_rows(path, ["id", "body"]))

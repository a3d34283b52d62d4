"""Keeping tables small: nothing leaves the database that is not whole in the archive, or that somebody needs."""

from __future__ import annotations

from datetime import datetime, timedelta
from io import StringIO
from typing import TYPE_CHECKING

import msgspec
import pytest
from django.core.management import CommandError, call_command

from metering.archive_evidence import prove_batches
from metering.archive_files import ArchiveDamaged, read_manifest, read_text, write_manifest, write_text
from metering.models import Batch, PartitionArchive
from metering.partition_plans import BATCHES
from metering.partition_tables import parts_of
from metering.partitions import months_after
from metering.retention import HOLD_STANDS, CannotRestore, Kept, keep_table, restore_archive, state_hold
from tests.metering.fleet import NOON, NOON_MS, FakeAgent, column, make_agent, meter, roll_up

if TYPE_CHECKING:
    from pathlib import Path

    from tests.factories import Cast

PART = "metering_batch_2026_03"
MARCH_ENDS = datetime(2026, 4, 1, tzinfo=NOON.tzinfo)
DROP_AT = months_after(MARCH_ENDS, BATCHES.keep_months)
ARCHIVE_AT = months_after(MARCH_ENDS, BATCHES.keep_months - 1)


@pytest.fixture
def agent(cast: Cast) -> FakeAgent:
    """A node with three batches of March and one of April, rolled up."""
    agent = make_agent(cast.provider)
    for number in range(3):
        agent.ship(column(meter(), [number], [NOON_MS + 10_000 * number], first_seq=number + 1), now=NOON)
    agent.ship(column(meter(), [9], [NOON_MS + 90_000], first_seq=4), now=MARCH_ENDS + timedelta(hours=1))
    roll_up(agent.node)
    return agent


def keep(folder: Path, now: datetime, *, needed_from_at: datetime | None = None) -> Kept:
    state_hold(name="billing", needed_from_at=needed_from_at or now, now=now)
    return keep_table(plan=BATCHES, directory=folder, now=now)


def file_of(folder: Path) -> Path:
    return folder / PartitionArchive.objects.get(partition=PART).file


def names() -> list[str]:
    return [part.name for part in parts_of(BATCHES)]


def test_a_part_is_archived_then_a_month_later_dropped_and_its_file_proves_every_batch(
    agent: FakeAgent, tmp_path: Path
) -> None:
    assert PART in keep(tmp_path, NOON).made
    assert keep(tmp_path, ARCHIVE_AT - timedelta(seconds=1)).archived == ()
    kept = keep(tmp_path, ARCHIVE_AT)
    assert (kept.archived, kept.dropped, kept.blocked) == ((PART,), (), ())
    assert Batch.objects.count() == 4
    kept = keep(tmp_path, DROP_AT)
    assert PART in kept.dropped
    assert list(Batch.objects.values_list("seq", flat=True)) == [4]
    evidence = prove_batches([file_of(tmp_path)])
    assert (evidence.batches, evidence.nodes, evidence.wrong) == (3, 1, [])
    assert PART not in names()
    again = keep(tmp_path, DROP_AT)
    assert (again.archived, again.dropped) == ((), ())
    agent.ship(column(meter(), [10], [NOON_MS + 100_000], first_seq=5), now=DROP_AT)
    assert Batch.objects.count() == 2


def test_what_was_dropped_can_be_restored_for_a_while(agent: FakeAgent, tmp_path: Path) -> None:
    keep(tmp_path, NOON)
    before = list(Batch.objects.order_by("seq").values())
    keep(tmp_path, DROP_AT)
    path = file_of(tmp_path)
    assert restore_archive(path=path, now=DROP_AT) == 3
    assert list(Batch.objects.order_by("seq").values()) == before
    with pytest.raises(CannotRestore):
        restore_archive(path=path, now=DROP_AT)
    assert "restored" in dict(keep(tmp_path, DROP_AT + timedelta(days=29)).blocked)[PART]
    assert PART in keep(tmp_path, DROP_AT + timedelta(days=30)).dropped


def test_what_an_open_period_or_a_silent_holder_may_need_stays(agent: FakeAgent, tmp_path: Path) -> None:
    keep(tmp_path, NOON)
    kept = keep_table(plan=BATCHES, directory=tmp_path, now=DROP_AT)
    assert "billing has not said lately" in dict(kept.blocked)[PART]
    assert (
        "billing needs everything since 2026-03-31"
        in dict(keep(tmp_path, DROP_AT, needed_from_at=MARCH_ENDS - timedelta(days=1)).blocked)[PART]
    )
    state_hold(name="an auditor", needed_from_at=NOON, now=DROP_AT)
    assert "an auditor needs" in dict(keep(tmp_path, DROP_AT).blocked)[PART]
    state_hold(name="an auditor", needed_from_at=None, now=DROP_AT)
    later = DROP_AT + HOLD_STANDS + timedelta(seconds=1)
    assert "an auditor has not said lately" in dict(keep(tmp_path, later).blocked)[PART]
    state_hold(name="an auditor", needed_from_at=None, now=later)
    assert PART in keep(tmp_path, later).dropped


def test_a_batch_that_is_not_rolled_up_stays(cast: Cast, tmp_path: Path) -> None:
    agent = make_agent(cast.provider)
    agent.ship(column(meter(), [1, 2], [NOON_MS, NOON_MS + 10_000]), now=NOON)
    keep(tmp_path, NOON)
    assert dict(keep(tmp_path, DROP_AT).blocked)[PART] == "some of its rows are not worked on yet"
    roll_up(agent.node)
    assert PART in keep(tmp_path, DROP_AT).dropped


def test_a_damaged_or_exchanged_archive_keeps_the_rows(agent: FakeAgent, tmp_path: Path) -> None:
    keep(tmp_path, NOON)
    keep(tmp_path, ARCHIVE_AT)
    path = file_of(tmp_path)
    whole, manifest = path.read_bytes(), read_manifest(path)
    path.write_bytes(whole[:-1])
    assert "damaged" in dict(keep(tmp_path, DROP_AT).blocked)[PART]
    path.unlink()
    found = write_text(path, [b"1\n"])
    write_manifest(path, msgspec.structs.replace(manifest, **msgspec.structs.asdict(found)))
    assert "another file" in dict(keep(tmp_path, DROP_AT).blocked)[PART]
    path.write_bytes(whole)
    write_manifest(path, manifest)
    assert PART in keep(tmp_path, DROP_AT).dropped


def test_a_row_that_came_after_the_archive_makes_another_one(agent: FakeAgent, tmp_path: Path) -> None:
    keep(tmp_path, NOON)
    keep(tmp_path, ARCHIVE_AT)
    late = make_agent(agent.node.cluster.provider, "late")
    late.ship(column(meter(), [1], [NOON_MS]), now=NOON)
    roll_up(late.node)
    assert "4 rows and its archive 3" in dict(keep(tmp_path, DROP_AT).blocked)[PART]
    kept = keep(tmp_path, DROP_AT + timedelta(minutes=10))
    assert (PART in kept.archived, PART in kept.dropped) == (True, True)
    assert PartitionArchive.objects.get(partition=PART).rows == 4


def test_a_folder_that_cannot_be_written_loses_nothing(agent: FakeAgent, tmp_path: Path) -> None:
    keep(tmp_path, NOON)
    (tmp_path / "metering_batch").write_text("a file where the folder should be")
    with pytest.raises(OSError, match="metering_batch"):
        keep(tmp_path, DROP_AT)
    assert Batch.objects.count() == 4
    assert not PartitionArchive.objects.exists()


@pytest.mark.parametrize(
    ("column_name", "changed", "finding"),
    [
        ("body", rb"\\x00", "bytes are not those of its hash"),
        ("signature", b"QUJD", "signature is not the node's"),
        ("prev_hash", b"ab" * 32, "follow"),
        ("seq", b"7", "follow"),
    ],
)
def test_a_forged_batch_in_an_archive_is_found(
    agent: FakeAgent, tmp_path: Path, column_name: str, changed: bytes, finding: str
) -> None:
    keep(tmp_path, NOON)
    keep(tmp_path, ARCHIVE_AT)
    path = file_of(tmp_path)
    manifest = read_manifest(path)
    lines = b"".join(read_text(path)).splitlines()
    row = lines[1].split(b"\t")
    row[manifest.columns.index(column_name)] = changed
    lines[1] = b"\t".join(row)
    path.unlink()
    found = write_text(path, [line + b"\n" for line in lines])
    write_manifest(path, msgspec.structs.replace(manifest, **msgspec.structs.asdict(found)))
    assert finding in " ".join(prove_batches([path]).wrong)


def test_an_archive_without_evidence_is_no_archive_of_batches(agent: FakeAgent, tmp_path: Path) -> None:
    keep(tmp_path, NOON)
    keep(tmp_path, ARCHIVE_AT)
    path = file_of(tmp_path)
    write_manifest(path, msgspec.structs.replace(read_manifest(path), columns=["id"]))
    with pytest.raises(ArchiveDamaged, match="holds no batches"):
        prove_batches([path])


def test_the_commands_prove_and_restore(agent: FakeAgent, tmp_path: Path) -> None:
    keep(tmp_path, NOON)
    keep(tmp_path, DROP_AT)
    path, said = file_of(tmp_path), StringIO()
    call_command("verify_archive", str(path), stdout=said)
    call_command("restore_archive", str(path), stdout=said)
    assert "3 batches of 1 nodes: hashes, signatures and chains hold" in said.getvalue()
    assert "3 rows are back" in said.getvalue()
    with pytest.raises(CommandError, match="not the archive of a part that was dropped"):
        call_command("restore_archive", str(path))
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(SystemExit):
        call_command("verify_archive", str(path), stderr=said)

"""The spool: on disk when it says so, gapless, bounded, oldest evidence kept."""

import os
import signal
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from metering.agent.epochs import MeterState, PartState
from metering.agent.spool import (
    GaugeEntry,
    Limits,
    RegisterEntry,
    SealedBatch,
    Spool,
    SpoolBroken,
    key_text,
    read_fill,
)
from metering.wire import MeterKey, Outcome
from tests.metering import batches

NOW = 1_795_000_000_000
ROOMY = Limits(bytes_max=1 << 30, age_ms_max=86_400_000)


def state(value: int, epoch: str = "e1") -> MeterState:
    return MeterState("m", epoch, 0, "boot", "p", "", None, "none", {"only": PartState(value)}, NOW)


def entry(value: int | None, *, key: MeterKey | None = None, epoch: str = "e1", at_ms: int = NOW) -> RegisterEntry:
    return RegisterEntry(key or batches.meter(), state(value or 0, epoch), value, at_ms)


def store(spool: Spool, *entries: RegisterEntry, at_ms: int = NOW, **more: object) -> bool:
    gauges = more.get("gauges", [])
    outcomes = more.get("outcomes", [])
    assert isinstance(gauges, list)
    assert isinstance(outcomes, list)
    return spool.store(registers=entries, gauges=gauges, outcomes=outcomes, read_at_ms=at_ms, memory="{}")


def rows(path: Path, query: str) -> list[tuple[object, ...]]:
    db = sqlite3.connect(path)
    try:
        return db.execute(query).fetchall()
    finally:
        db.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "spool.sqlite3"


def test_readings_get_a_gapless_seq_per_meter_across_epochs(path: Path) -> None:
    spool = Spool(path, ROOMY)
    output = batches.meter("output")
    store(spool, entry(5), entry(1, key=output))
    store(spool, entry(6), entry(None, key=output))
    store(spool, entry(2, epoch="e2"), entry(3, key=output))
    spool.close()
    query = (
        "SELECT meters.key, readings.seq, epochs.epoch, readings.value FROM readings"
        " JOIN epochs ON epochs.id = readings.epoch JOIN meters ON meters.id = epochs.meter ORDER BY readings.id"
    )
    found = rows(path, query)
    assert [row[1:] for row in found if row[0] == key_text(batches.meter())] == [
        (1, "e1", 5),
        (2, "e1", 6),
        (3, "e2", 2),
    ]
    assert [row[1:] for row in found if row[0] == key_text(output)] == [(1, "e1", 1), (2, "e1", 3)]


def test_states_come_back_after_a_restart_also_those_without_a_reading(path: Path) -> None:
    spool = Spool(path, ROOMY)
    store(spool, entry(5))
    store(spool, RegisterEntry(batches.meter(), state(9, "e3"), None, NOW))
    spool.close()
    again = Spool(path, ROOMY)
    assert again.load_states() == {key_text(batches.meter()): state(9, "e3")}
    store(again, entry(10))
    again.close()
    assert rows(path, "SELECT seq FROM readings ORDER BY id") == [(1,), (2,)]


def test_the_file_is_private_durable_and_in_wal_mode(path: Path) -> None:
    spool = Spool(path, ROOMY)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with spool.transaction() as db:
        assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert db.execute("PRAGMA synchronous").fetchone() == (2,)
    spool.close()


def test_a_transaction_that_fails_leaves_nothing_and_the_next_one_works(path: Path) -> None:
    spool = Spool(path, ROOMY)

    def fail() -> None:
        with spool.transaction() as db:
            db.execute("INSERT INTO meta (name, content) VALUES ('a', 'b')")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert spool.get_meta("a") is None
    broken = RegisterEntry(batches.meter("output"), state(1), 2**70, NOW)
    with pytest.raises(OverflowError):
        store(spool, entry(5), broken)
    assert spool.load_states() == {}
    store(spool, entry(5))
    store(spool, entry(6))
    spool.close()
    assert rows(path, "SELECT seq FROM readings ORDER BY id") == [(1,), (2,)]


def test_the_same_outcome_is_counted_in_one_row_with_its_last_detail(path: Path) -> None:
    spool = Spool(path, ROOMY)
    for at_ms, detail in ((NOW, "first"), (NOW + 10, "last")):
        store(spool, outcomes=[Outcome("endpoint", "http://e", at_ms, "timeout", detail, 2)], at_ms=at_ms)
    spool.note([Outcome("endpoint", "http://e", NOW, "refused", "", 1)])
    spool.close()
    assert rows(path, "SELECT reason, at_ms, detail, count FROM outcomes ORDER BY reason") == [
        ("refused", NOW, "", 1),
        ("timeout", NOW + 10, "last", 4),
    ]


def test_details_of_foreign_pages_are_cut_and_made_printable(path: Path) -> None:
    spool = Spool(path, ROOMY)
    spool.note([Outcome("endpoint", "http://e", NOW, "malformed", "\0\n\ud800é" + "x" * 600, 1)])
    spool.close()
    ((detail,),) = rows(path, "SELECT detail FROM outcomes")
    assert isinstance(detail, str)
    assert len(detail) == 512
    assert detail.isprintable()
    assert detail.startswith("\\u0000\\n\\ud800")


def test_when_it_is_too_old_the_newest_is_refused_and_said(path: Path) -> None:
    spool = Spool(path, Limits(bytes_max=1 << 30, age_ms_max=1_000))
    gauge = GaugeEntry("GPU-1", "power_mw", None, NOW)
    assert store(spool, entry(5), gauges=[gauge])
    assert store(spool, entry(6), at_ms=NOW + 1_000)
    assert not store(spool, entry(7), entry(None), gauges=[gauge], at_ms=NOW + 1_001)
    assert not store(spool, at_ms=NOW + 1_002)
    assert spool.get_meta("metered_to_ms") == str(NOW + 1_002)
    spool.close()
    assert rows(path, "SELECT value FROM readings ORDER BY id") == [(5,), (6,)]
    assert rows(path, "SELECT reason, count FROM outcomes") == [("spool_full", 3)]


def test_a_refused_reading_takes_no_seq_and_is_remembered_nowhere(path: Path) -> None:
    spool = Spool(path, Limits(bytes_max=1 << 30, age_ms_max=1_000))
    spool.store(registers=[entry(5)], gauges=[], outcomes=[], read_at_ms=NOW, memory="before")
    spool.store(registers=[entry(6)], gauges=[], outcomes=[], read_at_ms=NOW + 2_000, memory="refused")
    assert spool.get_meta("memory") == "before"
    assert spool.load_states()[key_text(batches.meter())] == state(5)
    with spool.transaction() as db:
        db.execute("DELETE FROM readings")
    assert store(spool, entry(7), at_ms=NOW + 3_000)
    spool.close()
    assert rows(path, "SELECT seq, value FROM readings") == [(2, 7)]


def test_when_it_is_too_large_the_newest_is_refused_and_room_is_used_again(path: Path) -> None:
    spool = Spool(path, Limits(bytes_max=200_000, age_ms_max=86_400_000))
    stored = 0
    while store(spool, *[entry(value) for value in range(200)]):
        stored += 1
        assert stored < 1_000
    assert spool.fill().bytes_used > 200_000
    assert path.stat().st_size < 1_000_000
    with spool.transaction() as db:
        db.execute("DELETE FROM readings")
    assert store(spool, entry(1))
    spool.close()


def put_batch(spool: Spool, seq: int, body: bytes = b"body") -> None:
    with spool.transaction() as db:
        db.execute("INSERT INTO batches VALUES (?, ?, ?, ?, ?, ?)", (seq, body, f"h{seq}", f"h{seq - 1}", 3, NOW + seq))


def test_batches_leave_from_the_head_when_acknowledged(path: Path) -> None:
    spool = Spool(path, ROOMY)
    assert spool.head() is None
    for seq in (4, 5, 6):
        put_batch(spool, seq, b"body %d" % seq)
    assert spool.head() == SealedBatch(4, b"body 4", "h4", "h3", 3)
    assert spool.batch(6) == SealedBatch(6, b"body 6", "h6", "h5", 3)
    assert spool.batch(9) is None
    spool.acknowledge(5)
    head = spool.head()
    assert head is not None
    assert head.seq == 6
    spool.close()


def test_how_full_it_is_can_be_seen_from_outside_without_writing(path: Path) -> None:
    spool = Spool(path, ROOMY)
    store(spool, entry(5), at_ms=NOW + 9)
    put_batch(spool, 1)
    fill = spool.fill()
    assert (fill.pending_readings, fill.batches, fill.oldest_ms) == (1, 1, NOW)
    assert read_fill(path) == fill
    spool.close()
    with pytest.raises(SpoolBroken):
        read_fill(path.with_name("absent"))
    assert not path.with_name("absent").exists()


def test_a_file_that_is_no_spool_is_broken_and_left_alone(path: Path) -> None:
    path.write_bytes(b"this is not a database, it is a text of some length")
    with pytest.raises(SpoolBroken, match=path.name):
        Spool(path, ROOMY)
    assert path.read_bytes().startswith(b"this is not")


def test_a_full_disk_is_broken_and_mends_itself(path: Path) -> None:
    spool = Spool(path, ROOMY)
    store(spool, entry(5))
    with spool.transaction() as db:
        (pages,) = db.execute("PRAGMA page_count").fetchone()
        # SQLite's own bound behaves as a full disk does: SQLITE_FULL.
    spool._db.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(SpoolBroken, match="full"):
        store(spool, *[entry(value) for value in range(5_000)])
    spool._db.execute("PRAGMA max_page_count = 1000000")
    assert store(spool, entry(6))
    spool.close()
    assert rows(path, "SELECT seq, value FROM readings") == [(1, 5), (2, 6)]


def test_old_epochs_are_forgotten_and_those_in_use_kept(path: Path) -> None:
    spool = Spool(path, ROOMY)
    store(spool, entry(5, epoch="old"))
    with spool.transaction() as db:
        db.execute("DELETE FROM readings")
    store(spool, entry(6, epoch="new"))
    spool.forget_old_epochs()
    store(spool, entry(7, epoch="old"))
    spool.close()
    assert rows(path, "SELECT epoch FROM epochs ORDER BY epoch") == [("new",), ("old",)]


WRITER = """
import sys, pathlib
sys.path.insert(0, sys.argv[2])
from tests.metering import batches
from tests.metering.agent.test_spool import ROOMY, Spool, entry, store
spool = Spool(pathlib.Path(sys.argv[1]), ROOMY)
value = int(spool.get_meta("metered_to_ms") or 0)
while True:
    value += 1
    store(spool, entry(value), entry(value, key=batches.meter("output")), at_ms=value)
    print(value, flush=True)
"""


def test_whatever_was_stored_before_a_kill_is_there_after_it(path: Path) -> None:
    root = str(Path(__file__).parents[3])
    told = 0
    for _ in range(3):
        with subprocess.Popen([sys.executable, "-c", WRITER, str(path), root], stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            for _ in range(25):
                told = int(writer.stdout.readline())
            os.kill(writer.pid, signal.SIGKILL)
            rest = writer.stdout.read().split(b"\n")
            told = max([told, *[int(line) for line in rest[:-1] if line]])
    (count,) = rows(path, "SELECT count(*) FROM readings")[0]
    assert isinstance(count, int)
    # Each tick is one transaction: both meters or none, and nothing that was told is missing.
    assert count % 2 == 0
    assert told <= count // 2 <= told + 3
    query = "SELECT epochs.meter, seq FROM readings JOIN epochs ON epochs.id = readings.epoch ORDER BY 1, 2"
    seqs = rows(path, query)
    assert [seq for meter, seq in seqs if meter == 1] == list(range(1, count // 2 + 1))
    assert [seq for meter, seq in seqs if meter == 2] == list(range(1, count // 2 + 1))

"""The chain is mended without throwing anything away, and what is left out is told."""

from pathlib import Path

import pytest

from metering.agent.mend import SET_ASIDE_MAX, rebase, set_aside, take_back, write_older
from metering.agent.seal import WIRE_META, seal
from metering.agent.spool import Spool
from metering.wire import FIRST_PREV_HASH, Batch, batch_hash, decode_batch
from metering.wire_keys import ChainEnd
from tests.metering import batches
from tests.metering.agent.test_seal import context
from tests.metering.agent.test_spool import NOW, ROOMY, entry, store


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spool", ROOMY)


def fill(spool: Spool, count: int, start: int = 0) -> None:
    for number in range(start, start + count):
        at_ms = NOW + 10 * (number + 1)
        store(spool, entry(number, at_ms=at_ms), at_ms=at_ms)
        seal(spool, context(at_ms))


def sealed(spool: Spool) -> list[Batch]:
    with spool.transaction() as db:
        rows = db.execute("SELECT seq, body, hash, prev_hash FROM batches ORDER BY seq").fetchall()
    found = [decode_batch(body, "zstd") for _, body, _, _ in rows]
    assert [(batch.seq, batch.prev_hash) for batch in found] == [(seq, prev) for seq, _, _, prev in rows]
    assert [digest for _, _, digest, _ in rows] == [batch_hash(body) for _, body, _, _ in rows]
    return found


def kept(spool: Spool) -> list[tuple[int, str]]:
    with spool.transaction() as db:
        return db.execute("SELECT seq, reason FROM set_aside ORDER BY id").fetchall()


def values(found: list[Batch]) -> list[int]:
    return [value for batch in found for column in batch.registers for value in column.values]


def test_later_batches_close_up_in_order_and_the_one_set_aside_is_kept(spool: Spool) -> None:
    fill(spool, 4)
    before = sealed(spool)
    assert set_aside(spool, 1, "batch_malformed", NOW) == 3
    after = sealed(spool)
    assert [batch.seq for batch in after] == [1, 2, 3]
    assert after[0].prev_hash == FIRST_PREV_HASH
    assert values(after) == values(before)[1:]
    assert kept(spool) == [(1, "batch_malformed")]
    # The chain goes on from there, and says what is missing.
    fill(spool, 1, start=4)
    (last,) = sealed(spool)[3:]
    assert (last.seq, last.prev_hash) == (4, sealed_hash(spool, 3))
    assert [(one.reason, one.detail) for one in last.outcomes] == [
        ("batch_set_aside", "batch 1 of 1 readings: batch_malformed")
    ]


def sealed_hash(spool: Spool, seq: int) -> str:
    batch = spool.batch(seq)
    assert batch is not None
    return batch.hash


def test_a_single_batch_is_replaced_by_the_next(spool: Spool) -> None:
    fill(spool, 1)
    assert set_aside(spool, 1, "batch_too_large", NOW) == 0
    assert sealed(spool) == []
    fill(spool, 1, start=1)
    assert [batch.seq for batch in sealed(spool)] == [1]
    assert set_aside(spool, 7, "batch_malformed", NOW) == 0
    assert len(kept(spool)) == 1


def test_a_later_batch_that_cannot_be_read_is_set_aside_too(spool: Spool) -> None:
    fill(spool, 4)
    with spool.transaction() as db:
        db.execute("UPDATE batches SET body = ? WHERE seq = 3", (b"rot",))
    assert set_aside(spool, 2, "batch_malformed", NOW) == 1
    assert [batch.seq for batch in sealed(spool)] == [1, 2]
    assert values(sealed(spool)) == [0, 3]
    assert kept(spool) == [(2, "batch_malformed"), (3, "unreadable")]


def test_only_the_newest_that_were_set_aside_are_kept(spool: Spool) -> None:
    for number in range(SET_ASIDE_MAX + 3):
        fill(spool, 1, start=number)
        set_aside(spool, 1, "batch_malformed", NOW)
    assert len(kept(spool)) == SET_ASIDE_MAX


def test_the_chain_goes_on_at_the_servers_end_with_numbers_that_nobody_had(spool: Spool) -> None:
    fill(spool, 2)
    store(spool, entry(50, at_ms=NOW + 100), at_ms=NOW + 100)
    end = ChainEnd(batches.NODE, 41, "a" * 64, 1_000)
    assert rebase(spool, end, NOW) == (2, 3)
    assert rebase(spool, end, NOW) == (0, 0)
    assert sealed(spool) == []
    store(spool, entry(60, at_ms=NOW + 200), entry(70, key=batches.meter("output"), at_ms=NOW + 200), at_ms=NOW + 200)
    seal(spool, context(NOW + 200))
    (batch,) = sealed(spool)
    assert (batch.seq, batch.prev_hash) == (41, "a" * 64)
    assert [column.first_seq for column in batch.registers] == [1_000, 1_000]
    assert [reason for _, reason in kept(spool)] == ["chain_rejoined", "chain_rejoined"]


def test_batches_that_an_older_server_cannot_read_are_written_anew_in_its_version(spool: Spool) -> None:
    fill(spool, 1)
    spool.set_meta(WIRE_META, "2")
    fill(spool, 3, start=1)
    before = sealed(spool)
    assert [batch.version for batch in before] == [1, 2, 2, 2]
    assert write_older(spool, 1, NOW) == 0
    assert sealed(spool) == before
    assert write_older(spool, 2, NOW) == 3
    after = sealed(spool)
    assert [batch.version for batch in after] == [1, 1, 1, 1]
    assert (after[0], values(after)) == (before[0], values(before))
    # The chain goes on in the older version, until a server says another.
    fill(spool, 1, start=4)
    last = sealed(spool)[-1]
    assert (last.seq, last.version, last.prev_hash) == (5, 1, sealed_hash(spool, 4))
    assert kept(spool) == [(2, "older_wire")]
    assert write_older(spool, 9, NOW) == 0


def test_a_batch_that_the_server_has_as_it_was_before_is_gone_on_after(spool: Spool) -> None:
    spool.set_meta(WIRE_META, "2")
    fill(spool, 3)
    taken = sealed_hash(spool, 1)
    write_older(spool, 1, NOW)
    assert take_back(spool, 2, NOW) is False
    assert take_back(spool, 1, NOW) is True
    after = sealed(spool)
    assert [(batch.seq, batch.version) for batch in after] == [(2, 1), (3, 1)]
    assert after[0].prev_hash == taken
    assert values(after) == [1, 2]
    assert take_back(spool, 1, NOW) is False


def test_a_batch_set_aside_leaves_the_later_ones_in_their_version(spool: Spool) -> None:
    fill(spool, 2)
    spool.set_meta(WIRE_META, "2")
    fill(spool, 1, start=2)
    set_aside(spool, 1, "batch_malformed", NOW)
    assert [batch.version for batch in sealed(spool)] == [1, 2]

"""Mending the spool's chain where it cannot simply be sent on: what no server will take, and what no server waits for.

Nothing is thrown away: the bytes go to a table of the spool's own, and what is left out is told as an outcome. Since
registers are cumulative, readings left out cost resolution and no token.
"""

import sqlite3
from typing import Final

import msgspec

from metering.agent.seal import WIRE_META
from metering.agent.spool import FIRST_READING_SEQ, Spool, get_meta, put_meta, store_outcome
from metering.wire import BatchRefused, Outcome, WireVersion, batch_hash, decode_batch, encode_batch
from metering.wire_keys import ChainEnd

OLDER_WIRE: Final = "older_wire"
SET_ASIDE_MAX: Final = 64
"""So many of the newest batches that were set aside are kept to be looked at."""


def set_aside(spool: Spool, seq: int, reason: str, at_ms: int) -> int:
    """Take batch `seq`, which the server holds for no batch at all, out of the chain and number the later ones anew.

    Only for a batch that the server refused for its content, so that it has neither it nor a later one. Returns how
    many later batches were made anew. Raises SpoolBroken.
    """
    with spool.transaction() as db:
        row = db.execute("SELECT body, prev_hash, readings FROM batches WHERE seq = ?", (seq,)).fetchone()
        if row is None:
            return 0
        body, prev_hash, readings = row
        _keep(db, seq, body, reason, at_ms)
        made = _number_anew(db, after_seq=seq, next_seq=seq, prev_hash=prev_hash, at_ms=at_ms)
        detail = f"batch {seq} of {readings} readings: {reason}"
        store_outcome(db, Outcome("spool", "", at_ms, "batch_set_aside", detail, 1))
    return made


def write_older(spool: Spool, seq: int, at_ms: int) -> int:
    """Write batch `seq` and all later ones in the first version of the wire, and seal so from now on.

    For a batch that the server refused for its version. Its bytes are kept: a newer server may have taken them and
    its answer may be lost, which `take_back` mends. Returns how many batches were written anew: none if this one is of
    the first version already. Raises SpoolBroken.
    """
    with spool.transaction() as db:
        row = db.execute("SELECT body, prev_hash FROM batches WHERE seq = ?", (seq,)).fetchone()
        if row is None or decode_batch(row[0], "zstd").version == 1:
            return 0
        put_meta(db, WIRE_META, "1")
        _keep(db, seq, row[0], OLDER_WIRE, at_ms)
        return _number_anew(db, after_seq=seq - 1, next_seq=seq, prev_hash=row[1], at_ms=at_ms, version=1)


def take_back(spool: Spool, seq: int, at_ms: int) -> bool:
    """Go on after batch `seq` as it was before `write_older`, because the server has those bytes and no others.

    False if it was never written anew. Raises SpoolBroken.
    """
    with spool.transaction() as db:
        row = db.execute("SELECT body FROM set_aside WHERE seq = ? AND reason = ?", (seq, OLDER_WIRE)).fetchone()
        if row is None:
            return False
        db.execute("DELETE FROM set_aside WHERE seq = ? AND reason = ?", (seq, OLDER_WIRE))
        db.execute("DELETE FROM batches WHERE seq <= ?", (seq,))
        _number_anew(db, after_seq=seq, next_seq=seq + 1, prev_hash=batch_hash(row[0]), at_ms=at_ms)
    return True


def _number_anew(
    db: sqlite3.Connection,
    *,
    after_seq: int,
    next_seq: int,
    prev_hash: str,
    at_ms: int,
    version: WireVersion | None = None,
) -> int:
    """Make the batches after a number anew, as a chain from `next_seq` on; return how many there are."""
    made = 0
    later = db.execute("SELECT seq, body FROM batches WHERE seq > ? ORDER BY seq", (after_seq,)).fetchall()
    for old_seq, body in later:
        try:
            batch = decode_batch(body, "zstd")
            changed = msgspec.structs.replace(
                batch, seq=next_seq, prev_hash=prev_hash, version=version or batch.version
            )
            anew = encode_batch(changed)
        except BatchRefused:
            _keep(db, old_seq, body, "unreadable", at_ms)
            continue
        digest = batch_hash(anew)
        db.execute(
            "INSERT OR REPLACE INTO batches (seq, body, hash, prev_hash, readings, oldest_ms)"
            " SELECT ?, ?, ?, ?, readings, oldest_ms FROM batches WHERE seq = ?",
            (next_seq, anew, digest, prev_hash, old_seq),
        )
        next_seq, prev_hash, made = next_seq + 1, digest, made + 1
    db.execute("DELETE FROM batches WHERE seq >= ?", (next_seq,))
    put_meta(db, "last_seq", str(next_seq - 1))
    put_meta(db, "last_hash", prev_hash)
    return made


def rebase(spool: Spool, end: ChainEnd, at_ms: int) -> tuple[int, int]:
    """Go on at the end of the server's chain; what waits in this spool is set aside. Doing it twice changes nothing.

    Returns the numbers of batches and readings that are left out. Raises SpoolBroken.
    """
    with spool.transaction() as db:
        for seq, body in db.execute("SELECT seq, body FROM batches ORDER BY seq").fetchall():
            _keep(db, seq, body, "chain_rejoined", at_ms)
        (batches, sealed) = db.execute("SELECT count(*), coalesce(sum(readings), 0) FROM batches").fetchone()
        (pending,) = db.execute("SELECT count(*) FROM readings").fetchone()
        for table in ("batches", "readings", "gauges"):
            db.execute(f"DELETE FROM {table}")  # noqa: S608  names of our own
        put_meta(db, "last_seq", str(end.next_seq - 1))
        put_meta(db, "last_hash", end.prev_hash)
        first_seq = max(end.next_reading_seq, int(get_meta(db, FIRST_READING_SEQ) or 1))
        put_meta(db, FIRST_READING_SEQ, str(first_seq))
        db.execute("UPDATE meters SET next_seq = max(next_seq, ?)", (first_seq,))
        # The whole inventory goes along with the next batch: whether the server saw the last one is not known.
        put_meta(db, "inventory", "")
    return int(batches), int(sealed + pending)


def _keep(db: sqlite3.Connection, seq: int, body: bytes, reason: str, at_ms: int) -> None:
    db.execute("INSERT INTO set_aside (seq, body, reason, at_ms) VALUES (?, ?, ?, ?)", (seq, body, reason, at_ms))
    db.execute("DELETE FROM set_aside WHERE id <= (SELECT max(id) FROM set_aside) - ?", (SET_ASIDE_MAX,))

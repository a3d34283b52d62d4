"""The spool: everything read and not yet acknowledged, on disk before anything is sent.

SQLite in WAL mode with `synchronous=FULL`: a committed tick survives `kill -9` and a power cut. One tick is
one transaction (readings, meter states, outcomes), one sealing is one transaction (readings out, batch in),
so after a crash at any point each reading is in exactly one place and `seq` has no gap.

Bounded in bytes and hours: when full, the oldest evidence stays and the newest readings are refused,
counted as an outcome. A refused register reading costs resolution and no token, since registers are
cumulative.
"""

import json
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from metering.agent.epochs import MeterState
from metering.agent.keys import give_to_owner
from metering.wire import STRING_CHARS_MAX, GaugeQuantity, MeterKey, Outcome

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, content TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS meters (
    id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, subject_id TEXT NOT NULL, state TEXT NOT NULL,
    next_seq INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS epochs (
    id INTEGER PRIMARY KEY, meter INTEGER NOT NULL, epoch TEXT NOT NULL, started_ms INTEGER, proof TEXT NOT
    NULL, UNIQUE (meter, epoch)
);
CREATE TABLE IF NOT EXISTS readings (
    id INTEGER PRIMARY KEY AUTOINCREMENT, epoch INTEGER NOT NULL, seq INTEGER NOT NULL, value INTEGER NOT
    NULL, read_at_ms INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS gauges (
    id INTEGER PRIMARY KEY AUTOINCREMENT, accelerator TEXT NOT NULL, quantity TEXT NOT NULL, value INTEGER,
    read_at_ms INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS outcomes (
    subject TEXT NOT NULL, subject_id TEXT NOT NULL, reason TEXT NOT NULL, at_ms INTEGER NOT NULL,
    detail TEXT NOT NULL, count INTEGER NOT NULL, PRIMARY KEY (subject, subject_id, reason)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS batches (
    seq INTEGER PRIMARY KEY, body BLOB NOT NULL, hash TEXT NOT NULL, prev_hash TEXT NOT NULL,
    readings INTEGER NOT NULL, oldest_ms INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS set_aside (
    id INTEGER PRIMARY KEY AUTOINCREMENT, seq INTEGER NOT NULL, body BLOB NOT NULL, reason TEXT NOT NULL,
    at_ms INTEGER NOT NULL
);
"""
FIRST_READING_SEQ: Final = "first_reading_seq"
"""Meta: the number of a new meter's first reading, above all that a lost spool may have shipped."""
_PAGES_RESERVED: Final = 64
"""Pages kept free for outcomes and states when readings are already refused."""


class SpoolBroken(Exception):
    """The spool cannot be read or written: a full disk, a lost volume, a corrupt file."""


@dataclass(frozen=True, slots=True)
class RegisterEntry:
    """One register reading to store, with the meter's state after it. `value` None stores the state alone."""

    key: MeterKey
    state: MeterState
    value: int | None
    read_at_ms: int


@dataclass(frozen=True, slots=True)
class GaugeEntry:
    """One gauge sample to store."""

    accelerator: str
    quantity: GaugeQuantity
    value: int | None
    read_at_ms: int


@dataclass(frozen=True, slots=True)
class Limits:
    """How much unacknowledged evidence is kept."""

    bytes_max: int
    age_ms_max: int


@dataclass(frozen=True, slots=True)
class SealedBatch:
    """A batch ready to send: its bytes never change."""

    seq: int
    body: bytes
    hash: str
    prev_hash: str
    readings: int


@dataclass(frozen=True, slots=True)
class Fill:
    """How full the spool is."""

    pending_readings: int
    batches: int
    bytes_used: int
    oldest_ms: int | None
    set_aside: int = 0


class Spool:
    """One connection behind one lock, shared by the reading loop and the shipper. All methods may raise SpoolBroken."""

    def __init__(self, path: Path, limits: Limits) -> None:
        self._lock = threading.RLock()
        self.limits = limits
        self._meters: dict[str, int] = {}
        self._epochs: dict[tuple[int, str], int] = {}
        try:
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)
            path.chmod(0o600)
            give_to_owner(path)  # SQLite gives its other files to whom this one belongs
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.execute("PRAGMA cache_size=-1024")
            self._db.executescript(_SCHEMA)
        except (sqlite3.Error, OSError) as broken:
            raise SpoolBroken(f"{path}: {broken}") from broken

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing, on disk when it ends."""
        with self._lock:
            try:
                self._db.execute("BEGIN IMMEDIATE")
                yield self._db
                self._db.execute("COMMIT")
            except BaseException as failed:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                # What the caches learned may be rolled back with the rest.
                self._meters.clear()
                self._epochs.clear()
                if isinstance(failed, sqlite3.Error):
                    raise SpoolBroken(str(failed)) from failed
                raise

    def forget_old_epochs(self) -> None:
        """Drop epochs without pending readings. Only for the one process that writes, before it does."""
        with self.transaction() as db:
            db.execute("DELETE FROM epochs WHERE id NOT IN (SELECT epoch FROM readings)")
            self._epochs.clear()

    def load_states(self) -> dict[str, MeterState]:
        """The last state of every meter, by its key as text (`key_text`)."""
        with self.transaction() as db:
            rows = db.execute("SELECT key, state FROM meters").fetchall()
        return {key: msgspec.json.decode(state, type=MeterState) for key, state in rows}

    def store(
        self,
        *,
        registers: Sequence[RegisterEntry],
        gauges: Sequence[GaugeEntry],
        outcomes: Iterable[Outcome],
        read_at_ms: int,
        memory: str,
    ) -> bool:
        """Put one tick on disk, with what the reader wants to remember after it (`memory`).

        False if the spool is full and the readings were refused, which is counted as an outcome.
        """
        with self.transaction() as db:
            room = self._has_room(db, read_at_ms)
            if room:
                self._store_registers(db, registers)
                db.executemany(
                    "INSERT INTO gauges (accelerator, quantity, value, read_at_ms) VALUES (?, ?, ?, ?)",
                    [(entry.accelerator, entry.quantity, entry.value, entry.read_at_ms) for entry in gauges],
                )
                # A memory of pages whose meters were refused would prove series absent that were there.
                put_meta(db, "memory", memory)
            for outcome in outcomes:
                store_outcome(db, outcome)
            if not room:
                refused = sum(entry.value is not None for entry in registers) + len(gauges)
                store_outcome(
                    db,
                    Outcome("spool", "", read_at_ms, "spool_full", "newest readings refused", max(refused, 1)),
                )
            put_meta(db, "metered_to_ms", str(read_at_ms))
        return room

    def _has_room(self, db: sqlite3.Connection, now_ms: int) -> bool:
        used = _used_bytes(db)
        if used > self.limits.bytes_max:
            return False
        oldest_ms = _oldest_ms(db)
        return oldest_ms is None or now_ms - oldest_ms <= self.limits.age_ms_max

    def _store_registers(self, db: sqlite3.Connection, entries: Sequence[RegisterEntry]) -> None:
        for entry in entries:
            meter = self._meter_id(db, entry)
            state = msgspec.json.encode(entry.state).decode()
            if entry.value is None:
                db.execute("UPDATE meters SET state = ? WHERE id = ?", (state, meter))
                continue
            epoch = self._epoch_id(db, meter, entry.state)
            (seq,) = db.execute(
                "UPDATE meters SET state = ?, next_seq = next_seq + 1 WHERE id = ? RETURNING next_seq - 1",
                (state, meter),
            ).fetchone()
            db.execute(
                "INSERT INTO readings (epoch, seq, value, read_at_ms) VALUES (?, ?, ?, ?)",
                (epoch, seq, entry.value, entry.read_at_ms),
            )

    def _meter_id(self, db: sqlite3.Connection, entry: RegisterEntry) -> int:
        key = key_text(entry.key)
        if key not in self._meters:
            first_seq = int(get_meta(db, FIRST_READING_SEQ) or 1)
            db.execute(
                "INSERT OR IGNORE INTO meters (key, subject_id, state, next_seq) VALUES (?, ?, ?, ?)",
                (key, entry.key.subject_id, msgspec.json.encode(entry.state).decode(), first_seq),
            )
            (self._meters[key],) = db.execute("SELECT id FROM meters WHERE key = ?", (key,)).fetchone()
        return self._meters[key]

    def _epoch_id(self, db: sqlite3.Connection, meter: int, state: MeterState) -> int:
        key = (meter, state.epoch)
        if key not in self._epochs:
            db.execute(
                "INSERT OR IGNORE INTO epochs (meter, epoch, started_ms, proof) VALUES (?, ?, ?, ?)",
                (meter, state.epoch, state.started_ms, state.proof),
            )
            (self._epochs[key],) = db.execute("SELECT id FROM epochs WHERE meter = ? AND epoch = ?", key).fetchone()
        return self._epochs[key]

    def note(self, outcomes: Iterable[Outcome]) -> None:
        """Put outcomes on disk that belong to no tick."""
        with self.transaction() as db:
            for outcome in outcomes:
                store_outcome(db, outcome)

    def fill(self) -> Fill:
        """How full the spool is now."""
        with self.transaction() as db:
            return _fill(db)

    def head(self) -> SealedBatch | None:
        """The oldest batch that is not acknowledged."""
        return self._batch("SELECT seq, body, hash, prev_hash, readings FROM batches ORDER BY seq LIMIT 1", ())

    def batch(self, seq: int) -> SealedBatch | None:
        """The unacknowledged batch of that number."""
        return self._batch("SELECT seq, body, hash, prev_hash, readings FROM batches WHERE seq = ?", (seq,))

    def _batch(self, query: str, parameters: tuple[int, ...]) -> SealedBatch | None:
        with self.transaction() as db:
            row = db.execute(query, parameters).fetchone()
        return None if row is None else SealedBatch(*row)

    def acknowledge(self, seq: int) -> None:
        """Forget every batch up to `seq`: the server holds them."""
        with self.transaction() as db:
            db.execute("DELETE FROM batches WHERE seq <= ?", (seq,))

    def get_meta(self, name: str) -> str | None:
        """A remembered text, None if there is none."""
        with self.transaction() as db:
            return get_meta(db, name)

    def set_meta(self, name: str, content: str) -> None:
        """Remember a text."""
        with self.transaction() as db:
            put_meta(db, name, content)


def read_fill(path: Path) -> Fill:
    """How full a spool is, without writing to it: another process may be its owner. Raises SpoolBroken."""
    with _beside(path) as db:
        return _fill(db)


def read_meta(path: Path, name: str) -> str | None:
    """A remembered text of a spool that another process may own. Raises SpoolBroken."""
    with _beside(path) as db:
        return get_meta(db, name)


@contextmanager
def _beside(path: Path) -> Iterator[sqlite3.Connection]:
    try:
        db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
        try:
            yield db
        finally:
            db.close()
    except sqlite3.Error as broken:
        raise SpoolBroken(f"{path}: {broken}") from broken


def _fill(db: sqlite3.Connection) -> Fill:
    (pending,) = db.execute("SELECT count(*) FROM readings").fetchone()
    (batches,) = db.execute("SELECT count(*) FROM batches").fetchone()
    (known,) = db.execute("SELECT count(*) FROM sqlite_master WHERE name = 'set_aside'").fetchone()
    # A spool that an older agent made gets the table when a newer one opens it.
    (set_aside,) = db.execute("SELECT count(*) FROM set_aside").fetchone() if known else (0,)
    return Fill(pending, batches, _used_bytes(db), _oldest_ms(db), set_aside)


def key_text(key: MeterKey) -> str:
    """A meter's key as text: equal texts are equal keys."""
    return msgspec.json.encode(key, order="deterministic").decode()


def get_meta(db: sqlite3.Connection, name: str) -> str | None:
    """A remembered text inside a transaction, None if there is none."""
    row = db.execute("SELECT content FROM meta WHERE name = ?", (name,)).fetchone()
    return None if row is None else str(row[0])


def put_meta(db: sqlite3.Connection, name: str, content: str) -> None:
    """Remember a text inside a transaction."""
    db.execute("INSERT OR REPLACE INTO meta (name, content) VALUES (?, ?)", (name, content))


def store_outcome(db: sqlite3.Connection, outcome: Outcome) -> None:
    """Add to the count of the same outcome, so that an engine down for a day is one row with its last detail."""
    db.execute(
        "INSERT INTO outcomes (subject, subject_id, reason, at_ms, detail, count) VALUES (?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (subject, subject_id, reason) DO UPDATE SET at_ms = excluded.at_ms,"
        " detail = excluded.detail, count = count + excluded.count",
        (
            outcome.subject,
            outcome.subject_id[:STRING_CHARS_MAX],
            outcome.reason,
            outcome.at_ms,
            _printable(outcome.detail)[:STRING_CHARS_MAX],
            outcome.count,
        ),
    )


def _printable(text: str) -> str:
    """Details quote foreign pages: control characters and lone surrogates are shown, not carried."""
    return text if text.isprintable() else json.dumps(text)[1:-1]


def _used_bytes(db: sqlite3.Connection) -> int:
    (pages,) = db.execute("PRAGMA page_count").fetchone()
    (free,) = db.execute("PRAGMA freelist_count").fetchone()
    (page_bytes,) = db.execute("PRAGMA page_size").fetchone()
    return int(max(pages - free - _PAGES_RESERVED, 0) * page_bytes)


def _oldest_ms(db: sqlite3.Connection) -> int | None:
    oldest = db.execute(
        "SELECT (SELECT oldest_ms FROM batches ORDER BY seq LIMIT 1),"
        " (SELECT read_at_ms FROM readings ORDER BY id LIMIT 1),"
        " (SELECT read_at_ms FROM gauges ORDER BY id LIMIT 1)"
    ).fetchone()
    known = [int(instant) for instant in oldest if instant is not None]
    return min(known) if known else None

"""The rows of usage events: keys inserted and compared, calls stored, conflicts kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from uuid import UUID

import numpy as np
from django.db import IntegrityError, connection
from psycopg.types.numeric import Int4

from metering.event_columns import NOBODY, NUMBERS, instant_us
from metering.event_items import COUNT_FIELDS
from metering.event_keys import KEY_BYTES
from metering.event_marks import QUANTITIES, text_of
from metering.event_models import EventConflict
from metering.event_pack import pack
from tenants.limits.prepared import run_prepared

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from metering.event_columns import OwnedColumns

VALUE: Final = f"V{KEY_BYTES}"
_COLUMN: Final = (("bytes", ">i4"), ("value", VALUE))
COPY_KEYS: Final = "COPY metering_eventkey (key, content, call) FROM STDIN (FORMAT binary)"
# PostgreSQL's binary format: signature, flags, no extension; rows of three 16-byte columns; the end.
COPY_HEAD: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
COPY_ROW: Final = np.dtype([("columns", ">i2"), *((f"{kind}{at}", of) for at in range(3) for kind, of in _COLUMN)])
COPY_END: Final = b"\xff\xff"
INSERT_KEYS: Final = """
    INSERT INTO metering_eventkey (key, content, call)
    SELECT key, content, %s::uuid FROM unnest(%s::uuid[], %s::uuid[]) AS given (key, content)
    ON CONFLICT (key) DO NOTHING RETURNING key
"""
EXISTING: Final = "SELECT key, content FROM metering_eventkey WHERE key = ANY(%s::uuid[])"
# One statement: what waits is there exactly if the call is.
INSERT_CALL: Final = """
    WITH stored AS (
        INSERT INTO metering_eventcall
            (id, reporter_id, received_at, events, first_at, last_at, tenants, deployments, body)
        VALUES ($1, $2, $3, $4, $5, $6, $7::uuid[], $8::uuid[], $9)
        RETURNING id, received_at, events
    )
    INSERT INTO metering_waitingevents (call, received_at, events) SELECT id, received_at, events FROM stored
"""


class KeyKnown(Exception):
    """At least one of the keys is stored already."""


def copy_keys(call: UUID, contents: Mapping[bytes, bytes]) -> None:
    """Insert `{key: content}` for a call, all of them new: half as much work for the database as asking it which are.

    Waits for other transactions that are inserting one of them. Keys are inserted in order, so that two callers with
    the same events never wait for each other. Raises KeyKnown, which the transaction must be left with.
    """
    ordered = sorted(contents)
    rows = np.empty(len(ordered), COPY_ROW)
    rows["columns"] = 3
    columns = (b"".join(ordered), b"".join(map(contents.__getitem__, ordered)), call.bytes)
    for at, column in enumerate(columns):
        rows[f"bytes{at}"] = KEY_BYTES
        rows[f"value{at}"] = np.frombuffer(column, VALUE)
    try:
        # Django leaves the driver's errors of a COPY as they are.
        with connection.cursor() as cursor, connection.wrap_database_errors, cursor.copy(COPY_KEYS) as copy:
            copy.write(COPY_HEAD + rows.tobytes() + COPY_END)
    except IntegrityError as known:
        raise KeyKnown from known


def insert_keys(call: UUID, contents: Mapping[bytes, bytes]) -> set[bytes]:
    """Insert `{key: content}` for a call where the key is new; return the keys that are.

    Waits, and inserts in order, as `copy_keys`.
    """
    ordered = sorted(contents)
    arrays = [_array(ordered), _array(contents[key] for key in ordered)]
    with connection.cursor() as cursor:
        cursor.execute(INSERT_KEYS, [call, *arrays])
        return {key.bytes for (key,) in cursor.fetchall()}


def stored_contents(keys: Iterable[bytes]) -> dict[bytes, bytes]:
    """Return `{key: content}` of those keys that are stored."""
    with connection.cursor() as cursor:
        cursor.execute(EXISTING, [_array(keys)])
        return {key.bytes: content.bytes for key, content in cursor.fetchall()}


def _array(values: Iterable[bytes]) -> str:
    """Return a literal of 16-byte values as an array of UUIDs: the driver's own takes most of the time of a call."""
    return "{" + b"".join(values).hex(",", 16) + "}"


def insert_call(*, call: UUID, reporter_id: UUID, events: OwnedColumns, now: datetime) -> None:
    """Store the new events of a call, and that they wait for being rolled up."""
    deployments = {owner.deployment_id for owner in events.owners} - {NOBODY}
    tenants = {owner.tenant_id for owner in events.owners}
    bounds = [instant_us(int(at)) for at in (events.occurred_us.min(), events.occurred_us.max())]
    run_prepared(
        INSERT_CALL,
        [call, reporter_id, now, Int4(len(events)), *bounds, list(tenants), list(deployments), pack(events)],
    )


def keep_conflicts(*, reporter_id: UUID, events: OwnedColumns, contents: Mapping[int, bytes], now: datetime) -> None:
    """Keep other content under known ids as evidence, `{place: content}`; the same again is not kept twice."""
    EventConflict.objects.bulk_create(
        [
            EventConflict(
                reporter_id=reporter_id,
                source=events.owners[events.owner[place]].source,
                event_id=events.ids[place],
                content_sha256=content,
                content=_said(events, place),
                received_at=now,
            )
            for place, content in contents.items()
        ],
        ignore_conflicts=True,
    )


def _said(events: OwnedColumns, place: int) -> dict[str, object]:
    owner = events.owners[events.owner[place]]
    said = dict(zip(NUMBERS, events.numbers[place].tolist(), strict=True))
    return {
        "tenant": str(owner.tenant_id),
        "deployment": owner.named,
        "model": owner.model,
        "occurred_at": instant_us(int(events.occurred_us[place])).isoformat(),
        "key": events.labels[events.label[place]],
        "samples": said["samples"],
        "aborted": bool(said["aborted"]),
        **{name: str(said[name]) for name in COUNT_FIELDS},
        **{name: str(said[name]) for name in QUANTITIES if said[name]},
        **({"marks": text_of(said["marks"])} if said["marks"] else {}),
    }

"""What an event is known again by: the key of its name, and the digest of what it says. Pure.

Both are the first 128 bits of a SHA-256. Two different names among 10^12 have the same key with a probability below
10^-14, and nobody can look for one: that takes 2^64 hashes, and the reporter's id is in the key.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Final
from uuid import UUID

import numpy as np

from metering.event_columns import FIRST_NUMBERS, instant_us

if TYPE_CHECKING:
    from metering.event_columns import Ints, OwnedColumns

KEY_BYTES: Final = 16


def key_of(reporter_id: UUID, source: str, event_id: str) -> bytes:
    """Return the key of one event; no text of an event has a NUL character in it."""
    return sha256(reporter_id.bytes + source.encode() + b"\0" + event_id.encode()).digest()[:KEY_BYTES]


def keys_of(reporter_id: UUID, events: OwnedColumns) -> list[bytes]:
    """Return the key of each event."""
    heads = [reporter_id.bytes + one.source.encode() + b"\0" for one in events.owners]
    return [
        sha256(heads[owner] + event_id.encode()).digest()[:KEY_BYTES]
        for owner, event_id in zip(events.owner.tolist(), events.ids, strict=True)
    ]


def contents_of(events: OwnedColumns) -> list[bytes]:
    """Return the digest of what each event says, whatever its spelling.

    The deployment counts as it was named: where an event without a name was attributed may change.
    """
    heads = [one.tenant_id.bytes + f"{one.named}\0{one.model}\0".encode() for one in events.owners]
    labels = [label.encode() + b"\0" for label in events.labels]
    first, later = np.split(events.numbers, [len(FIRST_NUMBERS)], axis=1)
    rows = _bytes_of(np.column_stack((events.occurred_us, first)))
    # What has nothing of what came later keeps the digest that it always had.
    for place in np.flatnonzero(later.any(axis=1)).tolist():
        rows[place] += later[place].astype("<i8").tobytes()
    return [
        sha256(heads[owner] + labels[label] + row).digest()[:KEY_BYTES]
        for owner, label, row in zip(events.owner.tolist(), events.label.tolist(), rows, strict=True)
    ]


def _bytes_of(numbers: Ints) -> list[bytes]:
    little = numbers.astype("<i8", order="C")
    rows: list[bytes] = little.view(f"V{little.itemsize * little.shape[1]}").ravel().tolist()
    return rows


def first_contents_of(events: OwnedColumns) -> list[bytes]:
    """Return the digests as they were made of events that were stored a row each, and whose keys were taken over."""
    return [
        sha256(_first_content(events, place).encode()).digest()[:KEY_BYTES] for place in range(len(events.occurred_us))
    ]


def _first_content(events: OwnedColumns, place: int) -> str:
    owner = events.owners[events.owner[place]]
    occurred_at = instant_us(int(events.occurred_us[place])).isoformat()
    *counts, samples, aborted = events.numbers[place, : len(FIRST_NUMBERS)].tolist()
    later = events.numbers[place, len(FIRST_NUMBERS) :]
    label = events.labels[events.label[place]]
    content = f"{owner.tenant_id}\0{owner.named}\0{owner.model}\0{label}\0{occurred_at}\0{tuple(counts)}"
    if later.any():
        return f"{content}\0{samples}\0{bool(aborted)}\0{later.tolist()}"
    return content if samples == 1 and not aborted else f"{content}\0{samples}\0{bool(aborted)}"

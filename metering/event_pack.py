"""The stored form of a call's usage events: columns of the smallest integers that hold them, compressed. Pure.

The format number leads, so that what was stored years ago stays readable. Ids are packed apart within: rolling up reads
everything else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np
import zstandard

from metering.event_columns import FIRST_NUMBERS, NUMBERS, Owned, OwnedColumns

if TYPE_CHECKING:
    from metering.event_columns import Ints

FORMAT: Final = 2
FIRST_FORMAT: Final = 1
"""What was packed before events had marks and quantities beside tokens."""
FORMATS: Final = {len(FIRST_NUMBERS): FIRST_FORMAT, len(NUMBERS): FORMAT}
"""Format by how many numbers an event has."""
UNPACKED_BYTES_MAX: Final = 64 << 20
"""No call is larger when unpacked: 10,000 events of 6 texts of 200 characters and 6 numbers are less."""
ZSTD_LEVEL: Final = 1
WIDTHS: Final = ("<u1", "<u2", "<u4")

Column = tuple[str, int, bytes]
"""Type of an item, what to add to each, little-endian items."""


class UnknownFormat(Exception):
    """The bytes were packed by a later version of this program, or are damaged."""


class Packed(msgspec.Struct, frozen=True, array_like=True):
    """What is compressed."""

    format: int
    owners: list[Owned]
    labels: list[str]
    owner: Column
    label: Column
    occurred_us: Column
    numbers: list[Column]
    ids: bytes


_encoder = msgspec.msgpack.Encoder()
_packed = msgspec.msgpack.Decoder(Packed)
_ids = msgspec.msgpack.Decoder(tuple[str, ...])


def pack(events: OwnedColumns) -> bytes:
    """Return the stored form of at least one event."""
    assert len(events) == len(events.ids) > 0
    # Events that were taken over from rows of the first release have its numbers only.
    packed = Packed(
        FORMATS[events.numbers.shape[1]],
        list(events.owners),
        list(events.labels),
        _column(events.owner),
        _column(events.label),
        _column(events.occurred_us),
        [_column(column) for column in events.numbers.T],
        _encoder.encode(events.ids),
    )
    return zstandard.ZstdCompressor(ZSTD_LEVEL).compress(_encoder.encode(packed))


def unpack(body: bytes, *, with_ids: bool = True) -> OwnedColumns:
    """Return events from their stored form; without their ids where these are not needed.

    Raises UnknownFormat.
    """
    try:
        packed = _packed.decode(zstandard.ZstdDecompressor().decompress(body, UNPACKED_BYTES_MAX))
    except (msgspec.MsgspecError, zstandard.ZstdError) as broken:
        raise UnknownFormat(f"Stored events cannot be read: {broken}") from broken
    if packed.format not in FORMATS.values():
        raise UnknownFormat(f"Stored events have format {packed.format}; known are {FIRST_FORMAT} to {FORMAT}.")
    numbers = [_ints(column) for column in packed.numbers]
    if FORMATS.get(len(numbers)) != packed.format:
        raise UnknownFormat(f"Stored events of format {packed.format} have {len(numbers)} numbers.")
    nothing = np.zeros(len(numbers[0]), dtype=np.int64)
    return OwnedColumns(
        _ids.decode(packed.ids) if with_ids else (),
        tuple(packed.owners),
        _ints(packed.owner),
        tuple(packed.labels),
        _ints(packed.label),
        _ints(packed.occurred_us),
        np.stack([*numbers, *(nothing for _ in range(len(NUMBERS) - len(numbers)))], axis=1),
    )


def _column(values: Ints) -> Column:
    base = int(values.min())
    rest = values - base
    top = int(rest.max())
    width = next((width for width in WIDTHS if top <= np.iinfo(width).max), "<i8")
    return width, base, rest.astype(width).tobytes()


def _ints(column: Column) -> Ints:
    width, base, items = column
    if width not in (*WIDTHS, "<i8"):
        raise UnknownFormat(f"Stored events have items of type {width[:8]!r}.")
    return np.frombuffer(items, width).astype(np.int64) + base

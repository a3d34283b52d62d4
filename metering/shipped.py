"""The last number of every meter that a node has shipped: what tells a repeated reading when it arrives. Pure.

A node numbers the readings of a meter 1, 2, 3 … across epochs. Kept as one small value beside the node's chain, so
that ingest needs no row per meter.
"""

import hashlib
from functools import lru_cache

import msgspec

from metering.wire import MeterKey

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(dict[int, int])


def read_shipped(stored: bytes) -> dict[int, int]:
    """Return `{meter's digest: last number}`."""
    return _decoder.decode(stored) if stored else {}


def write_shipped(shipped: dict[int, int]) -> bytes:
    """Return the value to store."""
    return _encoder.encode(shipped)


def meter_digest(meter: MeterKey) -> int:
    """Return 64 bits that stand for a meter within its node."""
    text = f"{meter.subject}\0{meter.subject_id}\0{meter.engine}\0{meter.model}\0{meter.quantity}"
    if meter.labels:
        text = "\0".join((text, *(part for pair in sorted(meter.labels.items()) for part in pair)))
    return _digest(text)


@lru_cache(maxsize=65_536)
def _digest(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")

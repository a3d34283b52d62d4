"""Inflating one whole gzip member within a limit, so that no bomb is ever unpacked. Pure."""

import zlib


class NotGzip(Exception):
    """The bytes are not one whole gzip member."""


class InflatesTooLarge(Exception):
    """The member holds more than the limit; `limit` in bytes."""

    def __init__(self, limit: int) -> None:
        """Say the limit."""
        super().__init__(f"The body inflates to more than {limit} bytes.")
        self.limit = limit


def gunzip(body: bytes, limit: int) -> bytes:
    """Return what a gzip member holds, `limit` bytes at most; no more than one byte beyond it is ever inflated.

    Raises NotGzip, InflatesTooLarge.
    """
    inflater = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    try:
        text = inflater.decompress(body, limit + 1)
    except zlib.error as broken:
        raise NotGzip(str(broken)) from broken
    if len(text) > limit:
        raise InflatesTooLarge(limit)
    if not inflater.eof:
        raise NotGzip("truncated gzip data")
    if inflater.unused_data:
        raise NotGzip("data after the gzip member")
    return text

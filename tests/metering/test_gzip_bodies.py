"""One whole gzip member is inflated, and never beyond the limit."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib

import pytest

from metering.gzip_bodies import InflatesTooLarge, NotGzip, gunzip


@pytest.mark.parametrize("size", [0, 1, 99, 100])
def test_a_member_up_to_the_limit_is_inflated(size: int) -> None:
    assert gunzip(gzip.compress(b"x" * size), 100) == b"x" * size


def test_one_byte_more_is_refused_with_the_limit() -> None:
    with pytest.raises(InflatesTooLarge) as refused:
        gunzip(gzip.compress(b"x" * 101), 100)
    assert (refused.value.limit, str(refused.value)) == (100, "The body inflates to more than 100 bytes.")


def test_a_bomb_takes_no_more_memory_than_the_limit() -> None:
    bomb = gzip.compress(b"\0" * (16 << 20), 1)
    tracemalloc.start()
    with pytest.raises(InflatesTooLarge):
        gunzip(bomb, 100_000)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 1_000_000


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "truncated gzip data"),
        (gzip.compress(b"text")[:-1], "truncated gzip data"),
        (gzip.compress(b"text") + b"more", "data after the gzip member"),
        (gzip.compress(b"text") * 2, "data after the gzip member"),
        (zlib.compress(b"text"), "incorrect header check"),
        (b"[]", "incorrect header check"),
    ],
)
def test_what_is_not_one_whole_member_is_refused(body: bytes, why: str) -> None:
    with pytest.raises(NotGzip, match=why):
        gunzip(body, 100)

"""Every decoder reads what is well-formed and refuses what is spoilt in its own words: `make fuzz` in short."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.targets import TARGETS

NAMES = sorted(TARGETS)


def spoilt(seed: bytes, draw: random.Random) -> bytes:
    """A copy with some of its bytes changed, left out, doubled or put elsewhere."""
    data = bytearray(seed)
    for _ in range(draw.randrange(1, 6)):
        at = draw.randrange(len(data) + 1)
        to = min(len(data), at + draw.randrange(1, 20))
        match draw.randrange(4):
            case 0:
                data[at:to] = draw.randbytes(to - at)
            case 1:
                del data[at:to]
            case 2:
                data[at:at] = data[at:to] * draw.randrange(1, 40)
            case _:
                data[at:to] = draw.choice((b"-1", b"1e400", b"null", b"\0", b"9" * 25, b"[[", b"\\u0000", b"NaN"))
    return bytes(data)


@pytest.mark.parametrize("name", NAMES)
def test_seeds_are_read(name: str) -> None:
    target = TARGETS[name]
    assert target.seeds
    assert all(target.take(seed) for seed in target.seeds)


@pytest.mark.parametrize("name", NAMES)
def test_spoilt_seeds_are_read_or_refused(name: str) -> None:
    target, draw = TARGETS[name], random.Random(name)
    for _ in range(500):
        target.take(spoilt(draw.choice(target.seeds), draw))


@settings(max_examples=60, deadline=None)
@given(data=st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    for name in NAMES:
        TARGETS[name].take(data)

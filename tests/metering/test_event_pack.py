"""The stored form of events: what goes in comes out, however large or strange, and later formats are refused."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

import msgspec
import numpy as np
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from metering.event_columns import FIRST_NUMBERS, NOBODY, NUMBERS, Owned, OwnedColumns
from metering.event_pack import UnknownFormat, pack, unpack
from tests.examples import examples

TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)
OWNERS = st.builds(Owned, TEXTS, TEXTS, st.uuids(), st.uuids() | st.just(NOBODY), TEXTS)
NUMBER = st.integers(0, 300) | st.integers(0, 10**8) | st.integers(-(2**40), 2**62)


@st.composite
def owned_columns(draw: st.DrawFn) -> OwnedColumns:
    owners = tuple(draw(st.lists(OWNERS, min_size=1, max_size=3)))
    labels = tuple(draw(st.lists(TEXTS, min_size=1, max_size=3)))
    count = draw(st.integers(1, 6))

    def column(values: st.SearchStrategy[int]) -> list[int]:
        return draw(st.lists(values, min_size=count, max_size=count))

    return OwnedColumns(
        tuple(draw(st.lists(TEXTS, min_size=count, max_size=count))),
        owners,
        np.array(column(st.integers(0, len(owners) - 1))),
        labels,
        np.array(column(st.integers(0, len(labels) - 1))),
        np.array(column(NUMBER)),
        np.array([column(NUMBER) for _ in NUMBERS]).T,
    )


@pytest.mark.unmeasured
@settings(max_examples=examples(25))
@given(owned_columns())
def test_what_is_packed_is_unpacked(events: OwnedColumns) -> None:
    found = unpack(pack(events))
    assert (found.ids, found.owners, found.labels) == (events.ids, events.owners, events.labels)
    for name in ("owner", "label", "occurred_us", "numbers"):
        assert getattr(found, name).tolist() == getattr(events, name).tolist()
    without = unpack(pack(events), with_ids=False)
    assert (without.ids, len(without)) == ((), len(events))


def thousand() -> OwnedColumns:
    owner = Owned("gateway-1", "sample-model", UUID(int=1), UUID(int=2), "")
    noise = np.random.default_rng(7)
    numbers = np.zeros((1_000, len(NUMBERS)), dtype=np.int64)
    numbers[:, : len(FIRST_NUMBERS)] = noise.integers(0, 5_000, (1_000, len(FIRST_NUMBERS)))
    return OwnedColumns(
        tuple(f"request-{number}" for number in range(1_000)),
        (owner,),
        np.zeros(1_000, dtype=np.int64),
        ("",),
        np.zeros(1_000, dtype=np.int64),
        1_773_144_000_000_000 + noise.integers(0, 3_600_000_000, 1_000),
        numbers,
    )


def test_a_thousand_events_take_few_bytes_each() -> None:
    """Seven numbers of two bytes, an instant of four, an id of which three digits are new."""
    assert len(pack(thousand())) < 24 * 1_000


def test_what_was_packed_before_marks_is_read_as_having_none() -> None:
    events = thousand()
    first = replace(events, numbers=events.numbers[:, : len(FIRST_NUMBERS)])
    members = msgspec.msgpack.decode(zstandard.ZstdDecompressor().decompress(pack(first)))
    assert (members[0], len(members[6])) == (1, len(FIRST_NUMBERS))
    assert unpack(pack(first)).numbers.tolist() == events.numbers.tolist()


def test_some_of_the_events_are_chosen_with_all_that_belongs_to_them() -> None:
    events = thousand()
    which = np.arange(1_000) % 3 == 0
    chosen = events.chosen(which)
    assert chosen.ids == events.ids[::3]
    assert chosen.numbers.tolist() == events.numbers[::3].tolist()
    assert unpack(pack(chosen)).occurred_us.tolist() == events.occurred_us[::3].tolist()


def repacked(**changes: object) -> bytes:
    members = msgspec.msgpack.decode(zstandard.ZstdDecompressor().decompress(pack(thousand())))
    for place, value in changes.items():
        members[int(place.removeprefix("at_"))] = value
    return zstandard.ZstdCompressor().compress(msgspec.msgpack.encode(members))


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "cannot be read"),
        (b"nonsense", "cannot be read"),
        (pack(thousand())[:-9], "cannot be read"),
        (zstandard.ZstdCompressor().compress(b"\xc1"), "cannot be read"),
        (repacked(at_0=3), "have format 3; known are 1 to 2"),
        (repacked(at_0=1), "of format 1 have 12 numbers"),
        (repacked(at_6=[]), "of format 2 have 0 numbers"),
        (repacked(at_3=("<f8", 0, b"")), "items of type '<f8'"),
    ],
    ids=["empty", "nonsense", "cut", "no msgpack", "later", "too many numbers", "no numbers", "floats"],
)
def test_what_cannot_be_read_is_said(body: bytes, said: str) -> None:
    with pytest.raises(UnknownFormat, match=said):
        unpack(body)

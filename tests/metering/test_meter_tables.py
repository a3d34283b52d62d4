"""Tables are made once, and as many are remembered as there is room for meters."""

from __future__ import annotations

import pytest

from metering.meter_tables import KnownTables


def test_a_table_is_made_once_while_there_is_room_and_the_least_used_is_forgotten() -> None:
    made: list[bytes] = []

    def make(table: bytes) -> list[int]:
        made.append(table)
        return list(table)

    known = KnownTables(make, meters_max=5)
    for table in (b"ab", b"cd", b"ab", b"ef", b"ab", b"cd"):
        assert known.get(table) == list(table)
    assert made == [b"ab", b"cd", b"ef", b"cd"]
    assert len(known) == 4


def test_what_is_larger_than_all_the_room_is_made_each_time() -> None:
    known = KnownTables(list, meters_max=2)
    assert [known.get(b"abc"), known.get(b"abc")] == [list(b"abc")] * 2
    assert len(known) == 0


def test_what_is_refused_is_not_remembered() -> None:
    def refuse(table: bytes) -> list[int]:
        raise ValueError(table)

    known = KnownTables(refuse)
    for _ in range(2):
        with pytest.raises(ValueError, match="x"):
            known.get(b"x")
    assert len(known) == 0

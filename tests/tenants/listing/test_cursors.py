"""A cursor is one word that stands for a place, and no other word does."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenants.listing.cursors import CURSOR_CHARS_MAX, WrongCursor, read_cursor, scalar, write_cursor

SCALARS = st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_characters="\0"), max_size=20)


def word_of(document: object) -> str:
    return urlsafe_b64encode(json.dumps(document).encode()).decode()


@given(st.lists(SCALARS, max_size=4).map(tuple))
def test_a_place_is_read_as_it_was_written(place: tuple[str | int | bool | None, ...]) -> None:
    word = write_cursor(place)
    assert read_cursor(word) == place
    assert word == "".join(letter for letter in word if letter.isalnum() or letter in "-_")


@given(st.text(max_size=40))
def test_any_other_word_is_refused_or_is_a_place(word: str) -> None:
    try:
        place = read_cursor(word)
    except WrongCursor:
        return
    assert all(value is None or isinstance(value, str | int) for value in place)


@pytest.mark.parametrize(
    "word",
    [
        "%%%",
        word_of({"at": 1}),
        word_of([[1]]),
        word_of([1.5]),
        word_of(["a\0b"]),
        "A" * (CURSOR_CHARS_MAX + 1),
        urlsafe_b64encode(b"[" * 900).decode()[:CURSOR_CHARS_MAX],
    ],
)
def test_what_was_never_written_is_no_cursor(word: str) -> None:
    with pytest.raises(WrongCursor):
        read_cursor(word)


@given(st.lists(st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=8))])), min_size=2, max_size=2))
def test_instants_sort_as_text_as_they_do_in_time(both: list[datetime]) -> None:
    one, other = both
    if one.year > 999 < other.year:
        said, said_other = str(scalar(one)), str(scalar(other))
        assert (said < said_other) == (one < other)
        assert (said == said_other) == (one == other)


def test_values_of_sort_keys_have_one_writing_each() -> None:
    assert scalar(UUID(int=10)) == "00000000-0000-0000-0000-00000000000a"
    assert scalar(date(2026, 3, 1)) == "2026-03-01"
    assert scalar(Decimal("1E+3")) == "1000"
    assert scalar(None) is None
    assert scalar(True) is True
    with pytest.raises(AssertionError):
        scalar(1.5)

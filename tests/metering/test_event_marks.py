"""Marks of requests: a set is one number and one text, whatever the order they are named in."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from metering.event_marks import GIVEN_MARKS, MARK_SETS, MARKS, TEXT_CHARS_MAX, bits_of, marks_in, text_of
from metering.models import UsageHour
from tests.examples import examples


@settings(max_examples=examples(25))
@given(st.permutations(MARKS).flatmap(lambda marks: st.integers(0, len(MARKS)).map(lambda count: marks[:count])))
def test_a_set_of_marks_is_one_number_and_one_text(marks: list[str]) -> None:
    text = text_of(bits_of(marks))
    assert text == "+".join(sorted(marks))
    assert marks_in(text) == set(marks)
    assert bits_of(marks_in(text)) == bits_of([*marks, *marks])


def test_every_set_has_its_own_text_and_fits_its_column() -> None:
    texts = {text_of(bits) for bits in range(MARK_SETS)}
    assert len(texts) == MARK_SETS
    column = UsageHour._meta.get_field("marks").max_length
    assert column is not None
    assert max(map(len, texts)) == TEXT_CHARS_MAX <= column
    assert set(GIVEN_MARKS) < set(MARKS)

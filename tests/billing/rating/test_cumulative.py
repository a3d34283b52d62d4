"""Booking by difference: a second run books nothing, and what is booked always sums to what is rated."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.rating.cumulative import Booked, DeltaKind, book, difference
from billing.rating.rated import RatedLine
from tests.billing.rating.made import token_line
from tests.examples import examples


def test_the_first_rating_books_every_line_whole() -> None:
    line = token_line("a", 1_000_000, price="2", share=Decimal(30))
    (delta,) = difference([line], {})
    assert (delta.kind, delta.line_key, delta.rated) == (DeltaKind.FIRST, "a", line)
    assert (delta.quantity, delta.base_amount, delta.amount) == (Decimal(1_000_000), Decimal(2), Decimal("0.6"))
    assert delta.quality_mix == {"A": Decimal(1_000_000)}


def test_rating_again_books_nothing() -> None:
    lines = [token_line("a", 7), token_line("b", 9)]
    booked = book({}, difference(lines, {}))
    assert difference(lines, booked) == ()
    assert difference(list(reversed(lines)), booked) == ()


def test_late_usage_is_an_addition() -> None:
    booked = book({}, difference([token_line("a", 25_000_000)], {}))
    (delta,) = difference([token_line("a", 26_000_000, mix={"A": 25_000_000, "E": 1_000_000})], booked)
    assert (delta.kind, delta.quantity, delta.amount) == (DeltaKind.ADDITION, Decimal(1_000_000), Decimal(1))
    assert delta.quality_mix == {"E": Decimal(1_000_000)}


def test_less_usage_is_a_negative_correction() -> None:
    booked = book({}, difference([token_line("a", 3_000_000)], {}))
    (delta,) = difference([token_line("a", 1_000_000)], booked)
    assert (delta.kind, delta.quantity, delta.amount) == (DeltaKind.CORRECTION, Decimal(-2_000_000), Decimal(-2))


def test_another_price_for_the_same_quantity_is_a_correction_of_the_amount() -> None:
    booked = book({}, difference([token_line("a", 1_000_000, price="3")], {}))
    (delta,) = difference([token_line("a", 1_000_000, price="2")], booked)
    assert (delta.kind, delta.quantity, delta.amount) == (DeltaKind.CORRECTION, Decimal(0), Decimal(-1))


def test_another_share_of_the_same_base_is_a_correction_of_the_amount() -> None:
    booked = book({}, difference([token_line("a", 1_000_000, share=Decimal(30))], {}))
    (delta,) = difference([token_line("a", 1_000_000, share=Decimal(20))], booked)
    assert (delta.quantity, delta.base_amount, delta.amount) == (Decimal(0), Decimal(0), Decimal("-0.1"))


def test_more_of_what_is_free_is_booked_as_a_quantity() -> None:
    booked = book({}, difference([token_line("a", 1, price="0")], {}))
    (delta,) = difference([token_line("a", 5, price="0")], booked)
    assert (delta.quantity, delta.amount) == (Decimal(4), Decimal(0))


def test_a_line_that_is_gone_is_taken_back() -> None:
    booked = book({}, difference([token_line("a", 1_000_000), token_line("b", 1)], {}))
    (delta,) = difference([token_line("b", 1)], booked)
    assert (delta.kind, delta.line_key, delta.rated) == (DeltaKind.WITHDRAWAL, "a", None)
    assert (delta.quantity, delta.amount) == (Decimal(-1_000_000), Decimal(-1))
    assert difference([token_line("b", 1)], book(booked, [delta])) == ()


def test_a_change_of_quality_alone_books_nothing() -> None:
    booked = book({}, difference([token_line("a", 10, mix={"E": 10})], {}))
    assert difference([token_line("a", 10)], booked) == ()


def test_two_lines_under_one_key_are_a_defect() -> None:
    with pytest.raises(AssertionError):
        difference([token_line("a", 1), token_line("a", 2)], {})


def test_amounts_as_a_database_gives_them_compare_by_value() -> None:
    booked = {"a": Booked(Decimal("5.000000"), Decimal("0.000005000000000000"), Decimal("0.000005000000000000"))}
    assert difference([token_line("a", 5)], booked) == ()


def test_large_amounts_keep_their_last_digit() -> None:
    line = token_line("a", 10**18 + 1, price="999999999.999999999999")
    booked = book({}, difference([line], {}))
    assert booked["a"].amount == line.amount
    (delta,) = difference([token_line("a", 10**18, price="999999999.999999999999")], booked)
    assert delta.amount == Decimal("-999.999999999999999999")


RUNS = st.lists(
    st.dictionaries(
        st.sampled_from("abcd"),
        st.builds(lambda n, p: (n, p), st.integers(0, 10**15), st.sampled_from(["0.123456789012", "3"])),
    ),
    min_size=1,
    max_size=5,
)


@settings(max_examples=examples(25))
@given(RUNS)
def test_after_any_runs_what_is_booked_is_the_last_rating(runs: list[dict[str, tuple[int, str]]]) -> None:
    booked: dict[str, Booked] = {}
    lines: list[RatedLine] = []
    for run in runs:
        lines = [token_line(key, tokens, price=price, share=Decimal("33.3333")) for key, (tokens, price) in run.items()]
        booked = book(booked, difference(lines, booked))
        assert difference(lines, booked) == ()
    by_key = {line.line_key: line for line in lines}
    for key, sums in booked.items():
        line = by_key.get(key)
        assert sums.amount == (line.amount if line else 0)
        assert sums.quantity == (line.quantity if line else 0)

"""No bill is below zero; what is really too much is handed on, and what only rounding made is not."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.rating.adjusting import amount_line
from billing.rating.below_zero import settle_below_zero
from billing.rating.inputs import RatingWindow
from billing.rating.lines import make_bill
from billing.rating.rated import Carry, Rated, RatedLine, TermKind
from tests.billing.rating.priced import FROM, TO
from tests.examples import examples

WINDOW = RatingWindow("USD", "UTC", FROM, TO, TO)
YEN = replace(WINDOW, currency="JPY")
BROUGHT, CARRIED, ROUNDED = "credit_brought_forward", "credit_carried_forward", "rounded_below_zero"


def amounts(*said: str) -> tuple[RatedLine, ...]:
    """Return lines that a bill rounds each by itself."""
    return tuple(
        amount_line(
            TermKind.DISCOUNT, "D-1", 1, about=(n,), rule=f"r{n}", amount=Decimal(amount), from_at=FROM, to_at=TO
        )
        for n, amount in enumerate(said)
    )


def settled(lines: tuple[RatedLine, ...], brought: str = "0", window: RatingWindow = WINDOW) -> Rated:
    return settle_below_zero("C-1", 3, window, lines, Decimal(brought))


def by_rule(rated: Rated) -> dict[str, Decimal]:
    return {line.rule: line.amount for line in rated.lines}


def test_nothing_is_added_where_nothing_is_taken_off() -> None:
    assert settled(amounts("5", "0.004")) == Rated()
    assert settled(()) == Rated()


def test_nothing_is_added_where_what_is_taken_off_is_no_more_than_what_is_owed() -> None:
    assert settled(amounts("5", "-5")) == Rated()


def test_what_was_brought_forward_is_taken_off_even_of_an_empty_bill_and_goes_on() -> None:
    rated = settled((), "7.25")
    assert by_rule(rated) == {BROUGHT: Decimal("-7.25"), CARRIED: Decimal("7.25")}
    assert rated.carries == (Carry("C-1", "credit_amount", Decimal("7.25")),)


def test_what_was_brought_forward_and_fits_is_used_up() -> None:
    rated = settled(amounts("10"), "7.25")
    assert by_rule(rated) == {BROUGHT: Decimal("-7.25")}
    assert rated.carries == ()


def test_lines_say_whose_they_are_and_when() -> None:
    brought, carried = settled((), "1").lines
    assert (brought.term_ref, brought.contract_version, brought.term_kind) == ("C-1", 3, TermKind.CREDIT)
    assert (carried.from_at, carried.to_at) == (FROM, TO)
    assert brought.quantity == -1
    assert carried.quantity == 1
    assert brought.line_key != carried.line_key


@pytest.mark.parametrize(
    ("lines", "carried", "rounded"),
    [
        (("0.4", "0.4", "-0.8"), None, 1),
        (("0.3", "-0.6"), None, 1),
        (("-1",), 1, None),
        (("0.4", "0.4", "-2.6"), 2, 1),
        (("-1.3", "-1.3"), 2, None),
    ],
)
def test_only_what_the_exact_amounts_are_below_zero_is_handed_on(
    lines: tuple[str, ...], carried: int | None, rounded: int | None
) -> None:
    """A hundred percent off lines of 0.4 yen is a line of -1 on lines of 0: no yen has come into being."""
    rated = settled(amounts(*lines), window=YEN)
    assert by_rule(rated).get(CARRIED) == carried
    assert by_rule(rated).get(ROUNDED) == rounded
    assert rated.carries == (() if carried is None else (Carry("C-1", "credit_amount", Decimal(carried)),))
    assert make_bill((*amounts(*lines), *rated.lines), "JPY").total == 0


@settings(max_examples=examples(25))
@given(
    st.lists(st.decimals(-50, 50, places=4), max_size=6),
    st.decimals(0, 20, places=0),
    st.sampled_from(["USD", "JPY", "BHD"]),
)
def test_never_below_zero_and_never_more_handed_on_than_there_was(
    said: list[Decimal], brought: Decimal, currency: str
) -> None:
    lines = amounts(*map(str, said))
    rated = settled(lines, str(brought), replace(WINDOW, currency=currency))
    before = make_bill(lines, currency).total - brought
    assert make_bill((*lines, *rated.lines), currency).total == max(before, Decimal(0))
    exact = sum(map(Fraction, said), Fraction(0)) - Fraction(brought)
    handed = sum((Fraction(carry.value) for carry in rated.carries), Fraction(0))
    assert 0 <= handed <= max(Fraction(0), -exact + 1)
    if exact >= 0:
        assert handed == 0

"""Amounts in Stripe's integers: exact both ways, and refused where Stripe has no integer for them."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.stripe_amounts import (
    HUNDREDTHS_OF_WHOLE_UNITS,
    MINIMUM_CHARGE_MINOR,
    THREE_DECIMAL,
    ZERO_DECIMAL,
    AmountNotRepresentable,
    chargeable,
    from_minor_units,
    minimum_charge_minor,
    minor_units,
    smallest_amount,
    told_minor_units,
)
from tests.examples import examples

CURRENCIES = sorted({"EUR", "USD", "HUF", "MXN"} | ZERO_DECIMAL | HUNDREDTHS_OF_WHOLE_UNITS | THREE_DECIMAL)


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [
        ("12.34", "EUR", 1234),
        ("12.3", "eur", 1230),
        ("-0.01", "USD", -1),
        ("0", "USD", 0),
        ("500", "JPY", 500),
        ("5", "UGX", 500),
        ("5", "ISK", 500),
        ("5.12", "KWD", 5120),
        ("5.120", "BHD", 5120),
        ("175", "HUF", 17_500),
        ("10000000000.01", "EUR", 1_000_000_000_001),
    ],
)
def test_worked_amounts(amount: str, currency: str, minor: int) -> None:
    assert minor_units(Decimal(amount), currency) == minor
    assert from_minor_units(minor, currency) == Decimal(amount)


@pytest.mark.parametrize(
    ("amount", "currency"),
    [
        ("0.001", "EUR"),
        ("0.5", "JPY"),
        ("5.5", "UGX"),
        ("0.01", "ISK"),
        ("5.124", "KWD"),
        ("NaN", "EUR"),
        ("-Infinity", "EUR"),
    ],
)
def test_what_stripe_has_no_integer_for_is_refused_not_rounded(amount: str, currency: str) -> None:
    with pytest.raises(AmountNotRepresentable, match=currency):
        minor_units(Decimal(amount), currency)


@settings(max_examples=examples(25))
@given(st.integers(-(10**15), 10**15), st.sampled_from(CURRENCIES))
def test_every_multiple_of_the_smallest_amount_goes_there_and_back(steps: int, currency: str) -> None:
    amount = steps * smallest_amount(currency)
    minor = minor_units(amount, currency)
    assert from_minor_units(minor, currency) == amount
    assert minor_units(-amount, currency) == -minor


@settings(max_examples=examples(25))
@given(st.lists(st.integers(-(10**9), 10**9), max_size=20), st.sampled_from(CURRENCIES))
def test_the_integers_of_lines_sum_to_the_integer_of_the_total(steps: list[int], currency: str) -> None:
    lines = [step * smallest_amount(currency) for step in steps]
    assert sum(minor_units(line, currency) for line in lines) == minor_units(sum(lines, Decimal(0)), currency)


@settings(max_examples=examples(25))
@given(st.integers(-(10**12), 10**12), st.sampled_from(sorted(THREE_DECIMAL)))
def test_three_decimal_amounts_end_in_zero(steps: int, currency: str) -> None:
    assert minor_units(steps * smallest_amount(currency), currency) % 10 == 0


@settings(max_examples=examples(25))
@given(st.integers(-(10**12), 10**12), st.sampled_from(sorted(HUNDREDTHS_OF_WHOLE_UNITS)))
def test_whole_unit_currencies_end_in_two_zeros(steps: int, currency: str) -> None:
    assert minor_units(steps * smallest_amount(currency), currency) % 100 == 0


def test_the_kinds_of_currency_do_not_overlap() -> None:
    assert not ZERO_DECIMAL & HUNDREDTHS_OF_WHOLE_UNITS
    assert not (ZERO_DECIMAL | HUNDREDTHS_OF_WHOLE_UNITS) & THREE_DECIMAL


@pytest.mark.parametrize(
    ("amount", "currency", "most"),
    [("5.124", "KWD", "5.12"), ("0.009", "KWD", "0"), ("5.12", "USD", "5.12"), ("5", "JPY", "5"), ("0", "BHD", "0")],
)
def test_of_what_stripe_cannot_take_whole_it_takes_the_most_below(amount: str, currency: str, most: str) -> None:
    found = chargeable(Decimal(amount), currency)
    assert found == Decimal(most)
    minor_units(found, currency)


@pytest.mark.parametrize(("currency", "minor"), [("EUR", 50), ("gbp", 30), ("JPY", 50), ("HUF", 17_500), ("KWD", None)])
def test_the_minimum_charge_is_data(currency: str, minor: int | None) -> None:
    assert minimum_charge_minor(currency) == minor


def test_every_minimum_is_an_amount_that_can_be_charged() -> None:
    for currency, minor in MINIMUM_CHARGE_MINOR.items():
        assert minor_units(from_minor_units(minor, currency), currency) == minor


@pytest.mark.parametrize(
    ("amount", "currency", "told"),
    [("-7", "USD", -700), ("5.124", "KWD", 5_124), ("5", "UGX", 500), ("1.005", "USD", 100), ("1.5", "JPY", 2)],
)
def test_what_is_only_told_is_rounded_and_never_refused(amount: str, currency: str, told: int) -> None:
    assert told_minor_units(Decimal(amount), currency) == told

"""Money: minor units, one rounding, exact products, splits that sum to the whole."""

import decimal
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.money import (
    CHARGE_DECIMALS,
    MINOR_DIGITS,
    UnknownCurrency,
    charge_of,
    exact_amount,
    exact_context,
    exact_sum,
    from_minor,
    largest_remainder,
    largest_remainder_units,
    minor_digits,
    round_to_minor,
    sum_of_fractions,
    to_charge,
    to_decimals,
    to_minor,
    token_amount,
)
from tests.examples import examples


@pytest.mark.parametrize(
    ("currency", "digits"), [("JPY", 0), ("KRW", 0), ("USD", 2), ("EUR", 2), ("BHD", 3), ("KWD", 3), ("CLF", 4)]
)
def test_a_currency_has_the_minor_digits_of_iso_4217(currency: str, digits: int) -> None:
    assert minor_digits(currency) == digits


def test_every_currency_is_listed_once_under_three_capitals() -> None:
    assert len(MINOR_DIGITS) == 159
    assert all(len(code) == 3 and code.isupper() for code in MINOR_DIGITS)
    assert set(MINOR_DIGITS.values()) == {0, 2, 3, 4}


@pytest.mark.parametrize("code", ["usd", "XTS", "", "DEM"])
def test_an_unknown_currency_is_refused_by_name(code: str) -> None:
    with pytest.raises(UnknownCurrency, match="ISO 4217"):
        minor_digits(code)


@pytest.mark.parametrize(
    ("amount", "currency", "rounded"),
    [
        ("0.125", "USD", "0.12"),
        ("0.135", "USD", "0.14"),
        ("-0.125", "USD", "-0.12"),
        ("0.1250000000000000000000000001", "USD", "0.13"),
        ("5.0064162", "USD", "5.01"),
        ("2.5", "JPY", "2"),
        ("3.5", "JPY", "4"),
        ("1.0005", "BHD", "1.000"),
        ("1.0015", "BHD", "1.002"),
        ("7", "USD", "7.00"),
    ],
)
def test_rounding_is_half_even_at_the_minor_unit(amount: str, currency: str, rounded: str) -> None:
    assert str(round_to_minor(Decimal(amount), currency)) == rounded


def test_a_fraction_without_end_is_rounded_from_itself_and_not_from_its_decimals() -> None:
    just_above_half = Fraction(1, 200) + Fraction(1, 3 * 10**30)
    assert round_to_minor(just_above_half, "USD") == Decimal("0.01")
    assert round_to_minor(to_charge(just_above_half), "USD") == Decimal("0.00")


def test_minor_units_convert_both_ways() -> None:
    assert to_minor(Decimal("12.34"), "USD") == 1_234
    assert to_minor(Decimal("-12.3"), "USD") == -1_230
    assert str(from_minor(1_230, "USD")) == "12.30"
    assert str(from_minor(5, "JPY")) == "5"
    assert str(from_minor(-5, "BHD")) == "-0.005"


def test_a_count_of_the_units_of_a_charge_is_written_as_a_charge_is() -> None:
    for amount in ("0", "1.5", "-0.000000000000000001", "123456789.123456789"):
        units = int(Fraction(amount) * 10**18)
        assert repr(charge_of(units)) == repr(to_charge(Decimal(amount)))


def test_an_amount_between_minor_units_is_refused() -> None:
    with pytest.raises(ValueError, match=r"12\.345 is no whole number"):
        to_minor(Decimal("12.345"), "USD")


def test_token_amounts_are_exact_at_any_size() -> None:
    assert token_amount(10**18, Decimal("0.10")) == Decimal(100_000_000_000)
    assert token_amount(10**18 + 1, Decimal("0.000000000001")) == Decimal("1.000000000000000001")
    assert token_amount(-3, Decimal("1.5")) == Decimal("-0.0000045")


def test_the_exact_context_refuses_floats_and_lost_digits() -> None:
    context = exact_context()
    with pytest.raises(decimal.Inexact):
        context.divide(Decimal(1), Decimal(3))
    with decimal.localcontext(context), pytest.raises(decimal.FloatOperation):
        Decimal(0.1)  # noqa: RUF032 - the float is what is refused
    with pytest.raises(decimal.DivisionByZero):
        context.divide(Decimal(1), Decimal(0))


def test_a_sum_keeps_digits_that_the_ambient_context_would_lose() -> None:
    large, small = Decimal(10) ** 20, Decimal("0.000000000000000001")
    assert large + small == large
    assert exact_sum([large, small]) == Decimal("100000000000000000000.000000000000000001")
    assert exact_sum([]) == 0


def test_a_charge_has_eighteen_decimals() -> None:
    assert str(to_charge(Fraction(1, 3))) == "0." + "3" * CHARGE_DECIMALS
    assert str(to_charge(Decimal("5.5"))) == "5.5" + "0" * 17
    assert str(to_decimals(Fraction(5, 2), 0)) == "2"


def test_an_amount_of_gpu_time_is_an_exact_fraction() -> None:
    amount = exact_amount(quantity=Decimal("0.119"), unit_price=Decimal("2.35"), units_per_price=3_600)
    assert amount == Fraction(27_965, 360_000_000)


@pytest.mark.parametrize(
    ("total", "weights", "parts"),
    [
        ("0.10", [1, 1, 1], ["0.04", "0.03", "0.03"]),
        ("-0.10", [1, 1, 1], ["-0.04", "-0.03", "-0.03"]),
        ("1.00", [1, 0, 3], ["0.25", "0.00", "0.75"]),
        ("0.05", [Decimal("0.1"), Decimal("0.9")], ["0.01", "0.04"]),
        ("0.00", [2, 5], ["0.00", "0.00"]),
    ],
)
def test_a_split_sums_to_the_whole(total: str, weights: list[int], parts: list[str]) -> None:
    assert largest_remainder(Decimal(total), weights, "USD") == tuple(Decimal(part) for part in parts)


@pytest.mark.parametrize("weights", [[], [0, 0], [1, -1], [3, -1]])
def test_a_split_without_sound_weights_is_refused(weights: list[int]) -> None:
    with pytest.raises(ValueError, match="weights"):
        largest_remainder_units(10, weights)


@settings(max_examples=examples(25))
@given(
    st.integers(-(10**20), 10**20),
    st.lists(st.integers(0, 10**12), min_size=1).filter(lambda weights: sum(weights) > 0),
)
def test_every_part_is_its_proportion_rounded_down_or_up(total: int, weights: list[int]) -> None:
    parts = largest_remainder_units(total, weights)
    assert sum(parts) == total
    for part, weight in zip(parts, weights, strict=True):
        assert abs(Fraction(part) - Fraction(total * weight, sum(weights))) < 1


@settings(max_examples=examples(25))
@given(st.fractions(), st.sampled_from(sorted(MINOR_DIGITS)))
def test_rounding_is_never_off_by_more_than_half_a_minor_unit(amount: Fraction, currency: str) -> None:
    rounded = round_to_minor(amount, currency)
    assert abs(Fraction(rounded) - amount) <= Fraction(1, 2 * 10 ** minor_digits(currency))
    assert from_minor(to_minor(rounded, currency), currency) == rounded
    assert round_to_minor(-amount, currency) == rounded.copy_negate()


@settings(max_examples=examples(25))
@given(
    st.integers(-(10**18), 10**18),
    st.decimals(min_value=0, max_value=10**12, places=12, allow_nan=False),
)
def test_a_token_amount_fits_a_charge_without_rounding(tokens: int, price: Decimal) -> None:
    amount = token_amount(tokens, price)
    assert to_charge(amount) == amount
    assert Fraction(amount) == exact_amount(quantity=tokens, unit_price=price, units_per_price=1_000_000)


@settings(max_examples=examples(25))
@given(
    total=st.integers(-(10**12), 10**12),
    weights=st.lists(st.fractions(0, 1000, max_denominator=997), min_size=1, max_size=8).filter(any),
)
def test_units_are_shared_out_as_fractions_would_share_them(total: int, weights: list[Fraction]) -> None:
    shares = [abs(total) * weight / sum(weights, Fraction(0)) for weight in weights]
    expected = [int(share) for share in shares]
    by_remainder = sorted(range(len(shares)), key=lambda index: (expected[index] - shares[index], index))
    for index in by_remainder[: abs(total) - sum(expected)]:
        expected[index] += 1
    sign = -1 if total < 0 else 1
    assert largest_remainder_units(total, weights) == tuple(sign * part for part in expected)


@settings(max_examples=examples(25))
@given(amount=st.fractions(-1000, 1000, max_denominator=10**6), decimals=st.integers(0, 6))
def test_rounding_is_that_of_python_half_even(amount: Fraction, decimals: int) -> None:
    halves = Fraction(round(amount * 10**decimals) * 2 + 1, 2 * 10**decimals)
    for one in (amount, -amount, halves, -halves):
        assert to_decimals(one, decimals) == Decimal(round(one * 10**decimals)).scaleb(-decimals)


@settings(max_examples=examples(100))
@given(st.lists(st.fractions(max_denominator=10**9)))
def test_a_sum_of_fractions_is_what_adding_one_by_one_gives(amounts: list[Fraction]) -> None:
    assert sum_of_fractions(iter(amounts)) == sum(amounts, Fraction(0))

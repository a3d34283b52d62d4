"""Rated lines: exact figures, prices with their unit, keys that never collide."""

from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from billing.money import CHARGE_DECIMALS, to_charge
from billing.rating.rated import (
    LINE_KEY_CHARS_MAX,
    Price,
    PriceUnit,
    Rated,
    RatedLine,
    TermKind,
    Unit,
    line_key,
    per_gpu_hour,
    per_mtok,
    per_period,
)
from tests.billing.rating.made import token_line
from tests.examples import examples


def test_a_line_has_its_base_and_what_is_owed_of_it() -> None:
    line = token_line("k", 22_361_870, price="0.60", share=Decimal(30))
    assert line.base_amount == Decimal("13.417122")
    assert line.amount == Decimal("4.0251366")
    assert line.exact == Fraction(line.amount)


def test_what_has_no_end_is_exact_until_it_is_stored() -> None:
    line = replace(token_line("k", 1), quantity=Decimal(1), unit=Unit.GPU_SECONDS, price=per_gpu_hour(Decimal(1)))
    assert line.exact == Fraction(1, 3_600)
    assert str(line.amount) == "0.000277777777777778"


@pytest.mark.parametrize(
    ("price", "unit", "units"),
    [
        (per_mtok(Decimal(2)), PriceUnit.PER_MTOK, 1_000_000),
        (per_gpu_hour(Decimal(2)), PriceUnit.PER_GPU_HOUR, 3_600),
        (per_period(Decimal(2), 82_800), PriceUnit.PER_PERIOD, 82_800),
    ],
)
def test_a_price_carries_what_it_is_for(price: object, unit: PriceUnit, units: int) -> None:
    assert (getattr(price, "unit", None), getattr(price, "units", None)) == (unit, units)


@pytest.mark.parametrize("bad", [Decimal("-0.01"), Decimal("NaN"), Decimal("Infinity")])
def test_a_price_below_zero_or_without_value_is_refused(bad: Decimal) -> None:
    with pytest.raises(AssertionError):
        per_mtok(bad)


def test_a_quality_mix_must_sum_to_its_quantity() -> None:
    with pytest.raises(AssertionError):
        token_line("k", 10, mix={"A": 9})


def test_ratings_add_up() -> None:
    one, two = Rated((token_line("a", 1_000_000),)), Rated((token_line("b", 500_000),))
    assert (one + two).exact_total == Fraction(3, 2)
    assert (one + two).lines == one.lines + two.lines
    assert Rated().exact_total == 0


def test_a_long_key_keeps_its_length_and_stays_its_own() -> None:
    first, second = line_key("S-1", "m" * 400), line_key("S-1", "m" * 401)
    assert len(first) == len(second) == LINE_KEY_CHARS_MAX
    assert first != second
    assert line_key("S-1", "m" * 400) == first


PARTS = st.lists(st.text(alphabet="ab|%7C5", max_size=5), min_size=1, max_size=4).filter(lambda p: any(p))


@settings(max_examples=examples(25))
@given(PARTS, PARTS)
def test_different_parts_give_different_keys(left: list[str], right: list[str]) -> None:
    assert (line_key(*left) == line_key(*right)) == (left == right)


@settings(max_examples=examples(25))
@given(
    quantity=st.decimals(min_value=-(10**12), max_value=10**12, places=6),
    price=st.decimals(min_value=0, max_value=10**4, places=8),
    units=st.sampled_from([1, 3, 3600, 1_000_000]),
    percent=st.decimals(min_value=0, max_value=100, places=3),
)
def test_an_amount_that_is_remembered_is_the_amount_worked_out(
    quantity: Decimal, price: Decimal, units: int, percent: Decimal
) -> None:
    line = RatedLine(
        line_key="k", term_kind=TermKind.TOKEN_SHARE, term_ref="T", contract_version=1, price_version_id=None,
        rule="r", model="m", token_class="input", quantity=quantity, unit=Unit.TOKENS,
        price=Price(price, PriceUnit.PER_MTOK, units), share_percent=percent, quality_mix={"A": quantity},
        from_at=datetime(2026, 3, 1, tzinfo=UTC), to_at=datetime(2026, 3, 2, tzinfo=UTC),
    )  # fmt: skip
    base = Fraction(quantity) * Fraction(price) / units
    exact = base * Fraction(percent) / 100
    for _ in range(2):
        assert (line.exact_base, line.exact) == (base, exact)
        assert (line.base_amount, line.amount) == (to_charge(base), to_charge(exact))
        # As many decimals as a charge has, however the quantity was written.
        assert line.amount.as_tuple().exponent == line.base_amount.as_tuple().exponent == -CHARGE_DECIMALS

"""Lists of prices of any kind: written, read back, made a version and flat again, without a price lost or changed."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.rating.price_lists import FACTOR, PriceKey, changes, prices_of, uniform_change, version_of
from billing.rating.price_rows import check_list, check_price, read_rows, rows_of
from billing.rating.quantities import QUANTITIES
from billing.rating.rated import PriceUnit
from billing.rating.wording import WrongWording
from metering.context_bands import CONTEXT_BANDS
from tests.billing.rating.made import START
from tests.examples import examples

MODELS = st.sampled_from(["small", "large", "vendor/model-1.5"])
COUNTED = st.sampled_from(list(QUANTITIES.values()))
MARKS = st.sampled_from(["batch", "priority", "off_peak"])
KEYS = st.one_of(
    st.builds(lambda row, model: PriceKey(row.price_unit, model, row.name), COUNTED, MODELS),
    st.builds(lambda model: PriceKey(PriceUnit.PER_GPU_HOUR, model), MODELS),
    st.builds(lambda kind: PriceKey(PriceUnit.PER_GB_MONTH, kind), MODELS),
    st.builds(lambda model, mark: PriceKey(FACTOR, model, mark), st.one_of(st.just(""), MODELS), MARKS),
)
PRICES = st.decimals(0, 10**6, places=12)


@st.composite
def lists(draw: st.DrawFn) -> dict[PriceKey, Decimal]:
    """Draw a list that can be rated by: long requests have a price only where short ones have one."""
    prices = draw(st.dictionaries(KEYS, PRICES, max_size=8))
    for key in sorted(prices):
        if key.unit == PriceUnit.PER_MTOK and draw(st.booleans()):
            over = draw(st.sampled_from(CONTEXT_BANDS[1:]))
            prices[PriceKey(key.unit, key.model, key.quantity, over)] = draw(PRICES)
    return prices


@settings(max_examples=examples(25))
@given(lists())
def test_a_list_is_read_back_from_its_rows(prices: dict[PriceKey, Decimal]) -> None:
    rows = rows_of(prices)
    assert len(rows) == len(prices)
    assert read_rows(rows, where="prices") == prices
    check_list(prices, where="prices")


@settings(max_examples=examples(25))
@given(lists())
def test_the_order_in_which_a_list_was_put_together_is_not_seen_in_its_rows(prices: dict[PriceKey, Decimal]) -> None:
    assert rows_of(dict(reversed(prices.items()))) == rows_of(prices)


@settings(max_examples=examples(25))
@given(lists())
def test_a_row_has_only_fields_that_say_something_and_one_price(prices: dict[PriceKey, Decimal]) -> None:
    for row in rows_of(prices):
        assert all(value not in (0, "") for value in row.values())
        assert len([name for name in row if name == "factor" or name.startswith("price_")]) == 1
        assert ("mark" in row) == ("factor" in row)


@settings(max_examples=examples(25))
@given(lists())
def test_a_list_is_a_version_and_comes_back(prices: dict[PriceKey, Decimal]) -> None:
    version = version_of("v", START, prices)
    assert prices_of(version) == prices
    assert (version.version_id, version.effective_at) == ("v", START)


@settings(max_examples=examples(25))
@given(lists(), lists())
def test_changes_say_everything_that_differs_and_nothing_else(
    before: dict[PriceKey, Decimal], after: dict[PriceKey, Decimal]
) -> None:
    found = changes(before, after)
    assert {change.key for change in found} == {
        key for key in {*before, *after} if (key in before, before.get(key)) != (key in after, after.get(key))
    }
    assert [change.key for change in found] == sorted(change.key for change in found)


@settings(max_examples=examples(25))
@given(lists(), lists())
def test_changes_back_are_the_changes_forth_turned_round(
    before: dict[PriceKey, Decimal], after: dict[PriceKey, Decimal]
) -> None:
    forth, back = changes(before, after), changes(after, before)
    assert [(each.key, each.before, each.after) for each in forth] == [
        (each.key, each.after, each.before) for each in back
    ]


@settings(max_examples=examples(25))
@given(
    st.dictionaries(KEYS, st.decimals("0.01", 100, places=2), min_size=1, max_size=6),
    st.integers(-99, 300).filter(bool),
)
def test_a_list_changed_as_a_whole_has_one_change(prices: dict[PriceKey, Decimal], percent: int) -> None:
    after = {key: price * (100 + percent) / 100 for key, price in prices.items()}
    assert uniform_change(changes(prices, after)) == Decimal(percent) / 100


@settings(max_examples=examples(25))
@given(lists().filter(bool), st.data())
def test_a_price_given_twice_is_refused_at_the_second(prices: dict[PriceKey, Decimal], data: st.DataObject) -> None:
    rows = rows_of(prices)
    again = data.draw(st.sampled_from(rows))
    with pytest.raises(WrongWording, match="given twice") as caught:
        read_rows([*rows, again], where="prices")
    assert caught.value.field == f"prices[{len(rows)}]"


@settings(max_examples=examples(25))
@given(KEYS, st.decimals("-1000000", "-0.000001", places=6))
def test_no_price_is_below_nothing(key: PriceKey, price: Decimal) -> None:
    with pytest.raises(WrongWording, match="at least 0"):
        check_price(key, price, where="prices")


@settings(max_examples=examples(25))
@given(KEYS, st.integers(1, 2_000_000))
def test_requests_are_told_apart_only_where_usage_is(key: PriceKey, over: int) -> None:
    long = PriceKey(key.unit, key.model, key.quantity, over)
    if key.unit == PriceUnit.PER_MTOK and over in CONTEXT_BANDS:
        check_price(long, Decimal(1), where="prices")
        return
    with pytest.raises(WrongWording, match="not told apart"):
        check_price(long, Decimal(1), where="prices")


@pytest.mark.parametrize("unit", [PriceUnit.PER_GPU_HOUR, PriceUnit.PER_GB_MONTH])
def test_what_is_held_takes_no_quantity(unit: PriceUnit) -> None:
    with pytest.raises(WrongWording, match="it takes no quantity"):
        check_price(PriceKey(unit, "H100", "output"), Decimal(1), where="prices")


@pytest.mark.parametrize("row", QUANTITIES.values(), ids=lambda row: str(row.name))
def test_a_quantity_is_priced_by_its_own_unit_only(row: object) -> None:
    name = getattr(row, "name", "")
    for unit in {other.price_unit for other in QUANTITIES.values()} - {QUANTITIES[name].price_unit}:
        with pytest.raises(WrongWording, match="it is the price of"):
            check_price(PriceKey(unit, "m", name), Decimal(1), where="prices")


@pytest.mark.parametrize(
    ("price", "allowed"),
    [("0", True), ("999999999999.999999999999", True), ("1000000000000", False), ("1E-12", True), ("1E-13", False)],
)
def test_the_ends_of_what_a_price_may_be(price: str, *, allowed: bool) -> None:
    key = PriceKey(PriceUnit.PER_GPU_HOUR, "H100")
    if allowed:
        assert read_rows(rows_of({key: Decimal(price)}), where="prices") == {key: Decimal(price)}
        return
    with pytest.raises(WrongWording, match="a price"):
        check_price(key, Decimal(price), where="prices")

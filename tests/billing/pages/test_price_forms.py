"""The forms of a price list: what is read of them, and what they refuse."""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

import pytest
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st

from billing.money import PRICE_DECIMALS_MAX
from billing.pages.price_forms import NEW_ROWS, BookForm, DraftForm, changed
from billing.rating.price_lists import FACTOR, PriceKey
from billing.rating.quantities import QUANTITIES
from billing.rating.rated import PriceUnit
from metering.context_bands import CONTEXT_BANDS

AT: Final = datetime(2026, 12, 1, tzinfo=UTC)
OUTPUT: Final = PriceKey(PriceUnit.PER_MTOK, "sample", "output")
INPUT: Final = PriceKey(PriceUnit.PER_MTOK, "sample", "input")
CARD: Final = PriceKey(PriceUnit.PER_GPU_HOUR, "H100")
BATCH: Final = PriceKey(FACTOR, "", "batch")
PRICES: Final = {OUTPUT: Decimal("1.10"), INPUT: Decimal("0.28"), CARD: Decimal(2), BATCH: Decimal("0.5")}


@pytest.fixture(autouse=True)
def _english() -> Iterator[None]:
    with translation.override("en"):
        yield


def form(changes: dict[str, str] | None = None, *, prices: dict[PriceKey, Decimal] | None = None) -> DraftForm:
    """The form as the editor posts it, with some fields changed."""
    shown = PRICES if prices is None else prices
    given = {f"price-{place}": f"{shown[key]}" for place, key in enumerate(sorted(shown))}
    data = {"effective_at": "2026-12-01T00:00", "revision": "3", **given, **(changes or {})}
    return DraftForm(data, prices=shown, effective_at=AT, revision=3)


def read(made: DraftForm) -> dict[PriceKey, Decimal]:
    assert made.is_valid(), made.errors
    prices: dict[PriceKey, Decimal] = made.cleaned_data["prices"]
    return prices


def name_of(key: PriceKey) -> str:
    return f"price-{sorted(PRICES).index(key)}"


def test_what_is_shown_is_read_back() -> None:
    made = form()
    assert read(made) == PRICES
    assert made.cleaned_data["revision"] == 3
    assert made.cleaned_data["effective_at"] == AT


def test_prices_are_offered_plainly_at_the_drafts_instant_in_utc() -> None:
    east = datetime.fromisoformat("2026-12-01T08:00:00+08:00")
    made = DraftForm(None, prices=PRICES, effective_at=east, revision=1)
    assert [(key, field.initial) for key, field in made.rows] == [
        (key, f"{PRICES[key].normalize():f}") for key in sorted(PRICES)
    ]
    assert made.initial["effective_at"] == datetime(2026, 12, 1)  # noqa: DTZ001  # the widget takes none
    assert len(made.new_rows) == NEW_ROWS


def test_every_field_of_the_table_says_what_it_is_of_to_those_who_hear_it() -> None:
    made = DraftForm(None, prices=PRICES, effective_at=AT, revision=1)
    labels = [field.field.widget.attrs["aria-label"] for _, field in made.rows]
    assert "sample: Output, per 1M tokens" in labels
    assert "All models: Batch, times the price" in labels
    assert len(set(labels)) == len(PRICES)


def test_an_emptied_field_takes_its_price_out() -> None:
    kept = {key: price for key, price in PRICES.items() if key != CARD}
    assert read(form({name_of(CARD): "  "})) == kept


def test_a_price_is_read_exactly_with_blanks_around_it() -> None:
    assert read(form({name_of(OUTPUT): " 0.000000000001 "}))[OUTPUT] == Decimal("0.000000000001")


def test_a_percentage_raises_prices_and_leaves_factors() -> None:
    found = read(form({"percent": "34"}))
    assert found == {OUTPUT: Decimal("1.474"), INPUT: Decimal("0.3752"), CARD: Decimal("2.68"), BATCH: Decimal("0.5")}


def test_a_percentage_is_of_the_new_figures() -> None:
    assert read(form({"percent": "-50", name_of(CARD): "3"}))[CARD] == Decimal("1.5")


@pytest.mark.parametrize("percent", ["-100.01", "1000.01", "much"])
def test_a_percentage_out_of_bounds_is_refused_at_its_field(percent: str) -> None:
    assert "percent" in form({"percent": percent}).errors


@pytest.mark.parametrize(("percent", "expected"), [("-100", "0"), ("1000", "22"), ("0", "2"), ("", "2")])
def test_the_bounds_of_a_percentage_are_within(percent: str, expected: str) -> None:
    assert read(form({"percent": percent}))[CARD] == Decimal(expected)


def test_each_offered_kind_of_price_can_be_added() -> None:
    made = DraftForm(None, prices={}, effective_at=AT, revision=1)
    choices = [value for value, _ in made.fields["new-what-0"].choices if value]  # type: ignore[attr-defined]
    assert len(choices) == len(QUANTITIES) + 2 + 3
    for value in choices:
        unit, _, quantity = value.partition("|")
        new = {"new-model-0": "other", "new-what-0": value, "new-price-0": "1.5"}
        assert read(form(new, prices={})) == {PriceKey(unit, "other", quantity): Decimal("1.5")}


@pytest.mark.parametrize("over", CONTEXT_BANDS[1:])
def test_a_price_of_long_requests_is_added_beside_the_short_ones(over: int) -> None:
    new = {"new-model-0": "sample", "new-what-0": "per_mtok|input", "new-over-0": f"{over}", "new-price-0": "0.56"}
    assert read(form(new)) == {**PRICES, PriceKey(PriceUnit.PER_MTOK, "sample", "input", over): Decimal("0.56")}


def test_a_row_of_which_nothing_but_the_kind_is_chosen_adds_nothing() -> None:
    assert read(form({"new-what-0": "per_mtok|input"})) == PRICES
    assert read(form({"new-model-0": "other"})) == PRICES


@pytest.mark.parametrize(
    ("changes", "field", "said"),
    [
        ({name_of(OUTPUT): "cheap"}, name_of(OUTPUT), "Enter a price. Example: 0.98"),
        ({name_of(OUTPUT): "-0.01"}, name_of(OUTPUT), "a price is at least 0"),
        ({name_of(OUTPUT): "NaN"}, name_of(OUTPUT), "a price is at least 0"),
        ({name_of(OUTPUT): "Infinity"}, name_of(OUTPUT), "a price is at least 0"),
        ({name_of(OUTPUT): "0.0000000000001"}, name_of(OUTPUT), "at most 12 decimals"),
        ({name_of(OUTPUT): "1000000000000"}, name_of(OUTPUT), "at most 12 digits"),
        ({name_of(OUTPUT): "1" * 41}, name_of(OUTPUT), "at most 40 characters"),
        ({"new-model-1": "m", "new-what-1": "per_image|images"}, "new-price-1", "Enter a price"),
        ({"new-what-2": "per_gpu_hour|", "new-price-2": "1"}, "new-price-2", "names what it is the price of"),
        ({"new-what-0": "per_moon|", "new-price-0": "1"}, "new-what-0", "Select a valid choice"),
        ({"new-model-0": "m" * 201, "new-what-0": "per_gb_month|"}, "new-model-0", "at most 200 characters"),
        (
            {"new-model-0": "H100", "new-what-0": "per_gpu_hour|", "new-price-0": "1"},
            "new-price-0",
            "This price is in the list already.",
        ),
        ({"effective_at": "soon"}, "effective_at", "Enter a valid date/time"),
        ({"revision": ""}, "revision", "required"),
    ],
)
def test_what_is_wrong_is_said_at_its_own_field_only(changes: dict[str, str], field: str, said: str) -> None:
    errors = form(changes).errors
    assert list(errors) == [field]
    assert said in " ".join(map(str, errors[field]))


def test_a_price_of_long_requests_alone_is_refused_for_the_whole_list() -> None:
    new = {"new-model-0": "m", "new-what-0": "per_mtok|input", "new-over-0": "200000", "new-price-0": "1"}
    [said] = form(new).non_field_errors()
    assert "none for shorter requests" in said
    assert "Example: " in said


@given(st.decimals(0, 10**6, places=6), st.decimals(-100, 1000, places=2))
def test_a_changed_price_is_the_exact_one_to_its_last_decimal(price: Decimal, percent: Decimal) -> None:
    found = changed(price, percent)
    exact = price.as_integer_ratio(), percent.as_integer_ratio()
    (n, d), (m, e) = exact
    off = abs(found.as_integer_ratio()[0] * 100 * d * e - n * (100 * e + m) * found.as_integer_ratio()[1])
    assert 2 * off * 10**PRICE_DECIMALS_MAX <= 100 * d * e * found.as_integer_ratio()[1]
    assert found >= 0


@given(st.decimals(0, 10**6, places=6))
def test_no_change_and_all_of_it(price: Decimal) -> None:
    assert changed(price, Decimal(0)) == price
    assert changed(price, Decimal(-100)) == 0
    assert changed(price, Decimal(100)) == 2 * price


@pytest.mark.parametrize("given_currency", ["usd", "EUR", "Cny"])
def test_a_currency_is_read_in_any_letter_case(given_currency: str) -> None:
    made = BookForm({"name": "Prices", "currency": given_currency})
    assert made.is_valid()
    assert made.cleaned_data == {"name": "Prices", "currency": given_currency.upper()}


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ({"name": "", "currency": "USD"}, "name"),
        ({"name": "n" * 201, "currency": "USD"}, "name"),
        ({"name": "Prices", "currency": "US"}, "currency"),
        ({"name": "Prices", "currency": "USDT"}, "currency"),
        ({"name": "Prices", "currency": "???"}, "currency"),
    ],
)
def test_a_book_without_a_name_or_currency_is_refused(data: dict[str, str], field: str) -> None:
    assert list(BookForm(data).errors) == [field]

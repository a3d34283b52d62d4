"""Which prices are in force for a contract; the plain rows of the table are worked cases (`t_price_rule_*`)."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.rating.book import PriceVersion, TokenClass
from billing.rating.price_lists import PriceKey, prices_of
from billing.rating.price_rows import PriceRow
from billing.rating.price_rules import (
    FLOAT,
    PriceLock,
    PricePin,
    PriceRule,
    RiseCap,
    contract_versions,
    row_id,
    takes_effect_at,
)
from billing.rating.rated import PriceUnit
from billing.rating.versions import version_in_force
from billing.rating.wording import Stretch, WrongWording, read_wording, write_wording
from tests.billing.rating.made import START, at
from tests.examples import examples

DAY = timedelta(days=1)
FOREVER = datetime.max.replace(tzinfo=UTC)
OUTPUT = PriceKey(PriceUnit.PER_MTOK, "sample", "output")
INPUT = PriceKey(PriceUnit.PER_MTOK, "sample", "input")
IDS = [str(UUID(int=number)) for number in range(1, 9)]


def listed(
    place: int, days: float, *, notice: float = 0, output: str | None = None, given_input: str | None = None
) -> PriceVersion:
    """A version in force so many days after START, announced so many days before."""
    prices = {TokenClass.OUTPUT: output, TokenClass.INPUT: given_input}
    return PriceVersion(
        IDS[place],
        START + days * DAY,
        {("sample", name): Decimal(price) for name, price in prices.items() if price is not None},
        announced_at=START + (days - notice) * DAY,
    )


def stretch(rule: PriceRule, from_days: float = 0, to_days: float | None = None, number: int = 1) -> Stretch[PriceRule]:
    return Stretch(number, START + from_days * DAY, FOREVER if to_days is None else START + to_days * DAY, rule)


def in_force(
    book: Sequence[PriceVersion], rules: Sequence[Stretch[PriceRule]], days: float, key: PriceKey = OUTPUT
) -> str | None:
    """The price of a moment."""
    moment = START + days * DAY
    found = contract_versions(book, rules, zone="UTC", from_at=moment, to_at=moment + timedelta(seconds=1))
    version = version_in_force(found, moment)
    price = None if version is None else prices_of(version).get(key)
    return None if price is None else f"{price.normalize():f}"


BOOK = [listed(0, -10, output="1.00"), listed(1, 10, notice=5, output="1.34")]


def test_the_price_of_a_moment_is_the_override_else_the_pinned_version_else_the_book() -> None:
    book = [listed(0, -10, output="1", given_input="2"), listed(1, 0, output="3", given_input="4")]
    pin = PricePin(price_version_id=UUID(IDS[0]))
    own = PriceRow(model="sample", quantity="output", price_per_mtok=Decimal(5))
    rules = [PriceRule(pin=pin, overrides=(own,)), PriceRule(pin=pin), FLOAT]
    found = [[in_force(book, [stretch(rule)], 1, key) for key in (OUTPUT, INPUT)] for rule in rules]
    assert found == [["5", "2"], ["1", "2"], ["3", "4"]]


def test_what_a_pinned_or_locked_version_does_not_price_follows_the_book() -> None:
    book = [listed(0, -10, output="1"), listed(1, 5, output="3", given_input="4")]
    for rule in (PriceRule(pin=PricePin(price_version_id=UUID(IDS[0]))), PriceRule(lock=PriceLock(from_at=START))):
        assert [in_force(book, [stretch(rule)], 6, key) for key in (OUTPUT, INPUT)] == ["1", "4"]


def test_a_rise_waits_for_its_notice_and_the_version_keeps_its_name() -> None:
    rules = [stretch(PriceRule(notice_days=30))]
    assert [in_force(BOOK, rules, days) for days in (9, 10, 34.99, 35)] == ["1", "1", "1", "1.34"]
    found = contract_versions(BOOK, rules, zone="UTC", from_at=START, to_at=START + 60 * DAY)
    assert [(each.version_id, each.effective_at) for each in found] == [(IDS[0], at(-240)), (IDS[1], START + 35 * DAY)]


def test_a_price_that_ends_waits_and_a_new_one_does_not() -> None:
    book = [listed(0, -10, output="1"), listed(1, 10, given_input="2")]
    rules = [stretch(PriceRule(notice_days=30))]
    assert [in_force(book, rules, 11, key) for key in (OUTPUT, INPUT)] == ["1", "2"]
    assert [in_force(book, rules, 41, key) for key in (OUTPUT, INPUT)] == [None, "2"]


def test_a_second_rise_waits_for_its_own_notice_while_the_first_comes() -> None:
    book = [*BOOK, listed(2, 20, notice=0, output="2.00")]
    rules = [stretch(PriceRule(notice_days=30))]
    assert [in_force(book, rules, days) for days in (21, 35, 49, 50)] == ["1", "1.34", "1.34", "2"]


def test_a_correction_downwards_before_the_rise_came_is_never_dearer() -> None:
    book = [*BOOK, listed(2, 20, notice=0, output="1.10")]
    rules = [stretch(PriceRule(notice_days=30))]
    assert [in_force(book, rules, days) for days in (21, 35, 50)] == ["1", "1.1", "1.1"]


def test_what_was_in_force_when_the_contract_was_agreed_needs_no_notice() -> None:
    rules = [stretch(PriceRule(notice_days=365), from_days=15)]
    assert in_force(BOOK, rules, 16) == "1.34"


def test_a_lock_ends_with_the_price_then_in_force() -> None:
    rules = [stretch(PriceRule(lock=PriceLock(from_at=START, to_at=START + 30 * DAY)))]
    assert [in_force(BOOK, rules, days) for days in (0, 29.99, 30)] == ["1", "1", "1.34"]
    assert [in_force(BOOK, [stretch(PriceRule(lock=PriceLock(from_at=START)))], days) for days in (11, 4_000)] == [
        "1",
        "1",
    ]


def capped(percent: str, from_days: float = 0) -> PriceRule:
    return PriceRule(rise_cap=RiseCap(percent_per_year=Decimal(percent), from_at=START + from_days * DAY))


def test_rises_within_a_year_never_pass_the_cap_together() -> None:
    book = [BOOK[0], listed(1, 10, output="1.04"), listed(2, 20, output="1.20"), listed(3, 30, output="0.50")]
    book.append(listed(4, 40, output="9"))
    found = [in_force(book, [stretch(capped("5"))], days) for days in (0, 10, 20, 30, 40, 365, 731)]
    assert found == ["1", "1.04", "1.05", "0.5", "1.05", "1.1025", "1.157625"]


def test_a_cap_that_is_agreed_with_the_rise_counts_from_the_price_before() -> None:
    rules = [stretch(FLOAT, 0, 10), stretch(capped("10", 10), 10, number=2)]
    assert [in_force(BOOK, rules, days) for days in (9, 10)] == ["1", "1.1"]


def test_a_capped_price_is_rounded_down_and_a_free_one_stays_free() -> None:
    book = [listed(0, -1, output="0.000000000003", given_input="0"), listed(1, 1, output="5", given_input="5")]
    assert [in_force(book, [stretch(capped("50"))], 2, key) for key in (OUTPUT, INPUT)] == ["0.000000000004", "0"]


def test_years_of_a_cap_count_in_the_contracts_zone_and_over_leap_days() -> None:
    begin = datetime(2028, 2, 29, 5, tzinfo=UTC)  # midnight in New York
    rule = PriceRule(rise_cap=RiseCap(percent_per_year=Decimal(10), from_at=begin))
    book = [
        PriceVersion(IDS[0], begin, {("sample", TokenClass.OUTPUT): Decimal(1)}),
        PriceVersion(IDS[1], begin + DAY, {("sample", TokenClass.OUTPUT): Decimal(2)}),
    ]
    found = contract_versions(
        book, [Stretch(1, begin, FOREVER, rule)], zone="America/New_York", from_at=begin, to_at=begin + 1_500 * DAY
    )
    assert [each.effective_at for each in found[2:]] == [
        datetime(year, 2, day, 5, tzinfo=UTC) for year, day in ((2029, 28), (2030, 28), (2031, 28), (2032, 29))
    ]


def test_an_override_needs_no_book() -> None:
    own = PriceRow(model="sample", quantity="output", price_per_mtok=Decimal(5))
    [version] = contract_versions([], [stretch(PriceRule(overrides=(own,)))], zone="UTC", from_at=START, to_at=at(1))
    assert (prices_of(version), row_id(version.version_id)) == ({OUTPUT: Decimal(5)}, "")
    lock = PriceRule(lock=PriceLock(from_at=START))
    assert contract_versions([], [stretch(lock)], zone="UTC", from_at=START, to_at=at(1)) == ()


def test_an_adjusted_version_names_the_row_that_it_comes_from_and_never_two_lists() -> None:
    own = PriceRow(model="sample", quantity="input", price_per_mtok=Decimal(5))
    rules = [stretch(PriceRule(overrides=(own,)), 0, 5), stretch(FLOAT, 5, number=2)]
    found = contract_versions(BOOK, rules, zone="UTC", from_at=START, to_at=START + 20 * DAY)
    assert [row_id(each.version_id) for each in found] == [IDS[0], IDS[0], IDS[1]]
    assert [each.version_id == row_id(each.version_id) for each in found] == [False, True, True]


@pytest.mark.parametrize(
    ("rule", "days"),
    [
        (FLOAT, 10),
        (PriceRule(notice_days=30), 35),
        (PriceRule(lock=PriceLock(from_at=START, to_at=START + 90 * DAY)), 90),
        (PriceRule(lock=PriceLock(from_at=START)), None),
        (PriceRule(overrides=(PriceRow(model="sample", quantity="output", price_per_mtok=Decimal(5)),)), None),
        (capped("0"), None),
    ],
)
def test_a_version_takes_effect_for_a_contract_when_a_price_of_it_changes(rule: PriceRule, days: int | None) -> None:
    found = takes_effect_at(BOOK, [stretch(rule)], IDS[1], zone="UTC", until=START + 1_000 * DAY)
    assert found == (None if days is None else START + days * DAY)


RIGHT: dict[str, Any] = {"kind": "price_rule"}


@pytest.mark.parametrize(
    ("document", "field", "said"),
    [
        ({"notice_days": -1}, "notice_days", "lies within"),
        ({"notice_days": "soon"}, "notice_days", "Expected `int`"),
        ({"notice": 3}, "", "unknown field `notice`"),
        ({"lock": {"from_at": "2026-12-01T00:00:00"}}, "lock.from_at", "offset"),
        (
            {"lock": {"from_at": "2026-12-01T00:00:00Z", "to_at": "2026-12-01T00:00:00Z"}},
            "lock.to_at",
            "ends after",
        ),
        ({"lock": {"from_at": "2026-12-01T00:00:00Z"}, "pin": {"price_version_id": IDS[0]}}, "pin", "not both"),
        (
            {"rise_cap": {"percent_per_year": "-1", "from_at": "2026-12-01T00:00:00Z"}},
            "rise_cap.percent_per_year",
            "lies within",
        ),
        ({"overrides": [{"model": "m", "quantity": "output"}]}, "overrides", "exactly one"),
        (
            {"overrides": [{"model": "m", "price_per_gpu_hour": "1", "price_per_gb_month": "1"}]},
            "overrides",
            "exactly one",
        ),
        (
            {"overrides": [{"model": "m", "quantity": "images", "price_per_mtok": "1"}]},
            "overrides[0].price_per_mtok",
            "'images' has no price per_mtok",
        ),
        (
            {"overrides": [{"model": "m", "quantity": "output", "price_per_mtok": "-1"}]},
            "overrides[0].price_per_mtok",
            "at least 0",
        ),
        (
            {"overrides": [{"model": "", "price_per_gpu_hour": "1"}]},
            "overrides[0].price_per_gpu_hour",
            "names what it is the price of",
        ),
        (
            {"overrides": [{"model": "m", "quantity": "output", "price_per_mtok": "1", "context_over": 7}]},
            "overrides[0].price_per_mtok",
            "not told apart at 7",
        ),
        ({"overrides": [{"model": "m", "factor": "2"}]}, "overrides[0].mark", "belongs to a factor"),
        ({"overrides": [{"model": "m", "price_per_gpu_hour": "1"}] * 2}, "overrides", "given twice"),
    ],
)
def test_a_rule_that_contradicts_itself_is_refused_with_field_reason_and_example(
    document: dict[str, Any], field: str, said: str
) -> None:
    with pytest.raises(WrongWording, match=said) as caught:
        read_wording(PriceRule, {**RIGHT, **document})
    assert caught.value.field.startswith(field)


def test_a_rule_is_a_document_and_comes_back() -> None:
    rule = PriceRule(
        notice_days=30,
        lock=PriceLock(from_at=START),
        rise_cap=RiseCap(percent_per_year=Decimal("4.5"), from_at=START),
        overrides=(PriceRow(model="", mark="batch", factor=Decimal("0.5")),),
    )
    assert read_wording(PriceRule, write_wording(rule)) == rule
    assert not rule.floats


PRICE = st.decimals("0.01", 9, places=2).map(str)
BOOKS = st.lists(
    st.tuples(st.integers(-20, 400), st.integers(0, 60), PRICE), min_size=1, max_size=6, unique_by=lambda one: one[0]
).map(lambda rows: [listed(place, days, notice=ahead, output=price) for place, (days, ahead, price) in enumerate(rows)])
MOMENTS = st.integers(0, 800)


@settings(max_examples=examples(25))
@given(BOOKS, MOMENTS)
def test_a_floating_contract_has_the_books_prices(book: list[PriceVersion], days: int) -> None:
    trivial = [stretch(PriceRule(rise_cap=RiseCap(percent_per_year=Decimal(1_000), from_at=START + 900 * DAY)))]
    for rules in ([], [stretch(FLOAT)], trivial):
        window = {"from_at": START, "to_at": START + days * DAY}
        versions = contract_versions(book, rules, zone="UTC", **window)
        found = version_in_force(versions, START + days * DAY - timedelta(seconds=1))
        expected = version_in_force(book, START + days * DAY - timedelta(seconds=1))
        assert days == 0 or (found and found.version_id) == (expected and expected.version_id)


@settings(max_examples=examples(25))
@given(BOOKS, MOMENTS, st.integers(0, 90))
def test_notice_never_makes_anything_dearer_than_the_book_or_what_was_paid(
    book: list[PriceVersion], days: int, notice: int
) -> None:
    rules = [stretch(PriceRule(notice_days=notice))]
    price, of_book = in_force(book, rules, days), in_force(book, [], days)
    started = [each for each in book if each.effective_at <= START + days * DAY]
    assert (price is None) == (of_book is None) == (not started)
    if price is not None and of_book is not None and min(each.effective_at for each in book) <= START:
        assert Decimal(price) <= max(
            Decimal(of_book),
            Decimal(in_force(book, rules, 0) or 0),
            *(each.token_prices["sample", TokenClass.OUTPUT] for each in started),
        )
        if notice == 0:
            assert price == of_book


@settings(max_examples=examples(25))
@given(BOOKS, MOMENTS, st.integers(0, 30))
def test_a_cap_holds_from_year_to_year_and_is_never_above_the_book(
    book: list[PriceVersion], days: int, percent: int
) -> None:
    rules = [stretch(capped(str(percent)))]
    price, of_book = in_force(book, rules, days), in_force(book, [], days)
    if price is not None and of_book is not None:
        assert Decimal(price) <= Decimal(of_book)
        first = in_force(book, rules, 0)
        if first is not None:
            years = Decimal(days // 365)
            assert Decimal(price) <= Decimal(first) * (1 + Decimal(percent) / 100) ** (years + 1)


@settings(max_examples=examples(25))
@given(BOOKS, st.integers(1, 400), st.integers(0, 60), st.integers(0, 60))
def test_a_window_read_in_parts_gives_the_same_prices(
    book: list[PriceVersion], days: int, notice: int, percent: int
) -> None:
    rule = PriceRule(notice_days=notice, rise_cap=RiseCap(percent_per_year=Decimal(percent), from_at=START))
    rules, end, middle = [stretch(rule)], START + days * DAY, START + days * DAY / 2
    whole = contract_versions(book, rules, zone="UTC", from_at=START, to_at=end)
    parts = [
        contract_versions(book, rules, zone="UTC", from_at=start, to_at=until)
        for start, until in ((START, middle), (middle, end))
    ]
    for moment, part in (
        (START, parts[0]),
        (middle - DAY / 4, parts[0]),
        (middle, parts[1]),
        (end - DAY / 4, parts[1]),
    ):
        one, other = version_in_force(whole, moment), version_in_force(part, moment)
        assert (one and prices_of(one)) == (other and prices_of(other))
        assert (one and one.version_id) == (other and other.version_id)

"""Versions of price books as rating takes them: those in force at some instant of a window, the earlier ones not."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing.models import PriceBook, PriceVersion, UnitPrice
from billing.price_versions import all_versions, load_versions, prices_by_version
from billing.rating.price_lists import PriceKey
from billing.rating.rated import PriceUnit
from tests.factories import EPOCH, make_organization, make_price_book, make_price_version
from tests.kept import kept

if TYPE_CHECKING:
    from pytest_django import DjangoAssertNumQueries

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


def book_with(*days: int) -> tuple[PriceBook, dict[int, str]]:
    """A book with a version from each of some days on."""
    book = make_price_book(make_organization(f"seller-{PriceBook.objects.count()}", is_provider=True))
    made = {
        day: str(
            make_price_version(book, number=number, effective_at=EPOCH + day * DAY, gpus={"H100": str(day + 1)}).pk
        )
        for number, day in enumerate(sorted(days), start=1)
    }
    return book, made


def days_of(book: PriceBook, from_at: datetime, to_at: datetime) -> list[int]:
    found = load_versions(book_ids=[book.pk], from_at=from_at, to_at=to_at).get(book.pk, ())
    return [(one.effective_at - EPOCH).days for one in found]


@kept
def book_and_made() -> tuple[PriceBook, dict[int, str]]:
    return book_with(0, 10, 20)


@pytest.mark.parametrize(
    ("from_day", "to_day", "days"),
    [
        (0, 1, [0]),
        (0, 10, [0]),
        (0, 11, [0, 10]),
        (9, 10, [0]),
        (10, 11, [10]),
        (11, 20, [10]),
        (11, 21, [10, 20]),
        (5, 40, [0, 10, 20]),
        (30, 40, [20]),
        (-5, 0, []),
        (-5, 1, [0]),
        (10, 10, [10]),
        (-1, -1, []),
    ],
)
def test_those_in_force_in_a_window_are_found_and_no_earlier_one(
    from_day: int, to_day: int, days: list[int], book_and_made: tuple[PriceBook, dict[int, str]]
) -> None:
    book, _made = book_and_made
    assert days_of(book, EPOCH + from_day * DAY, EPOCH + to_day * DAY) == days


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sets(st.integers(0, 12), max_size=5), st.integers(-2, 14), st.integers(0, 6))
def test_it_is_what_looking_at_every_instant_finds(starts: set[int], from_day: int, length: int) -> None:
    book, _made = book_with(*starts)
    instants = [from_day + part / 2 for part in range(2 * length or 1)]
    expected = {max(start for start in starts if start <= at) for at in instants if any(s <= at for s in starts)}
    assert days_of(book, EPOCH + from_day * DAY, EPOCH + (from_day + length) * DAY) == sorted(expected)


def test_every_version_ever_is_found_in_order_and_each_by_its_own_book() -> None:
    one, of_one = book_with(20, 0, 10)
    other, of_other = book_with(5)
    empty, _none = book_with()
    found = all_versions([one.pk, other.pk, empty.pk])
    assert [version.version_id for version in found[one.pk]] == [of_one[0], of_one[10], of_one[20]]
    assert [version.version_id for version in found[other.pk]] == [of_other[5]]
    assert empty.pk not in found
    assert all_versions([]) == {}


def test_prices_come_by_what_they_are_of_in_one_query(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    book, made = book_with(0)
    later = make_price_version(
        book,
        number=2,
        effective_at=EPOCH + DAY,
        tokens={("small", "input"): "0.25"},
        tiers={("small", "input", 200_000): "0.50"},
        gpus={"H100": "2.10"},
    )
    first = PriceVersion.objects.get(pk=made[0])
    UnitPrice.objects.create(
        version=later, unit="per_request", model="small", quantity="requests", price_per_unit="0.001"
    )
    UnitPrice.objects.create(version=later, unit="factor", quantity="batch", price_per_unit="0.5")
    with django_assert_num_queries(1):
        found = prices_by_version([first.pk, later.pk])
    assert found[first.pk] == {PriceKey(PriceUnit.PER_GPU_HOUR, "H100"): Decimal(1)}
    assert found[later.pk] == {
        PriceKey(PriceUnit.PER_GPU_HOUR, "H100"): Decimal("2.10"),
        PriceKey(PriceUnit.PER_MTOK, "small", "input"): Decimal("0.25"),
        PriceKey(PriceUnit.PER_MTOK, "small", "input", 200_000): Decimal("0.50"),
        PriceKey("per_request", "small", "requests"): Decimal("0.001"),
        PriceKey("factor", "", "batch"): Decimal("0.5"),
    }
    with django_assert_num_queries(0):
        assert prices_by_version([]) == {}


def test_a_version_without_prices_has_none() -> None:
    book = make_price_book(make_organization("seller", is_provider=True))
    version = make_price_version(book)
    assert prices_by_version([version.pk]) == {version.pk: {}}

"""What a book's models earned and cost: the margin page's own sums per unit, and the announced prices on them."""

from __future__ import annotations

from datetime import timedelta
from fractions import Fraction
from types import SimpleNamespace
from typing import Any
from typing import cast as typed

import pytest
from pytest_django import DjangoAssertNumQueries

from billing.margins import sum_day
from billing.models import PriceBook
from billing.queries.margin import Figures
from billing.queries.price_costs import PriceCost, price_costs
from tests.billing.costly import AT, Costly, enter, make_costly
from tests.billing.world import H100, MODEL
from tests.factories import Cast
from tests.kept import kept

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)
NOW = AT + 2 * DAY


def made(cast: Cast, *, costs: bool = True) -> tuple[Costly, PriceBook]:
    costly = make_costly(parties=(cast.provider, cast.tenant))
    if costs:
        enter(costly.cluster)
    sum_day(provider_id=cast.provider.id, day=AT.date(), now=NOW)
    assert costly.world.book is not None
    return costly, costly.world.book


def effect(**by_price: Fraction) -> Any:
    return SimpleNamespace(by_price={(MODEL, name, 0): amount for name, amount in by_price.items()})


costly_and_book = kept(made)


def test_tokens_are_priced_by_the_million_and_cards_by_the_hour(
    django_assert_num_queries: DjangoAssertNumQueries, costly_and_book: tuple[Costly, PriceBook]
) -> None:
    _costly, book = costly_and_book
    with django_assert_num_queries(3):
        found = price_costs(book, {MODEL, H100}, (), NOW)
    assert [(row.model, row.by_token) for row in found] == [(H100, False), (MODEL, True)]
    leased, served = found
    assert (leased.price, leased.units) == (Fraction(2), Fraction(24))
    assert (served.price, served.units) == (Fraction(10), Fraction(1))
    assert served.effect is None
    assert served.price_after is None
    for row in found:
        assert row.cost is not None
        assert row.price is not None
        assert row.cost * row.units == Fraction(row.figures.cost)
        assert row.margin_at(row.price) == 1 - row.cost / row.price


def test_announced_prices_are_put_on_what_was_earned(costly_and_book: tuple[Costly, PriceBook]) -> None:
    _costly, book = costly_and_book
    effects = [effect(input=Fraction(-3), output=Fraction(1)), effect(input=Fraction(-1))]
    leased, served = price_costs(book, {MODEL, H100}, typed(Any, effects), NOW)
    assert (served.effect, served.price_after) == (Fraction(-3), Fraction(7))
    assert (leased.effect, leased.price_after) == (Fraction(0), Fraction(2))


def test_without_costs_a_price_is_known_and_a_margin_is_not(cast: Cast) -> None:
    _costly, book = made(cast, costs=False)
    for row in price_costs(book, {MODEL, H100}, (), NOW):
        assert row.price
        assert row.cost is None
        assert row.margin_at(row.price) is None


def test_models_of_other_books_and_other_days_are_left_out(costly_and_book: tuple[Costly, PriceBook]) -> None:
    _costly, book = costly_and_book
    assert [row.model for row in price_costs(book, {MODEL}, (), NOW)] == [MODEL]
    assert price_costs(book, {MODEL, H100}, (), AT) == [], "the running day is not over"
    assert len(price_costs(book, {MODEL}, (), AT + 30 * DAY)) == 1
    assert price_costs(book, {MODEL}, (), AT + 31 * DAY) == []


def test_what_was_given_away_has_no_price(cast: Cast) -> None:
    nothing = PriceCost("m", True, Figures(), Fraction(0))
    assert (nothing.price, nothing.price_after, nothing.cost, nothing.margin_at(None)) == (None, None, None, None)

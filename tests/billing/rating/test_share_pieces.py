"""Usage becomes priced pieces: by the hour as by the day, once each, at the price of its marks and length."""

from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from billing.rating.book import PriceVersion, TokenClass
from billing.rating.inputs import RatingWindow, TermInput
from billing.rating.rated import UnpricedReason
from billing.rating.share_pieces import Piece, add, price_usage, take, whole_class
from billing.rating.share_rating import rate_share
from billing.rating.share_time import segments
from tests.billing.rating.share_made import (
    APRIL,
    BEFORE,
    MAY,
    MTOK,
    april,
    bases,
    by_rule,
    month,
    term,
    used,
    wording,
)
from tests.examples import examples


def pieces_of(found: TermInput, window: RatingWindow) -> list[Piece]:
    return price_usage(found, window, segments(found, window))[0]


def piece(tokens: int, **about: object) -> Piece:
    made = Piece(
        segment=0,
        day="2026-04-01",
        deployment="d1",
        model="sample",
        token_class="output",
        version_id="v1",
        context_over=0,
        marks="",
        price_per_mtok=Decimal(1),
        mix={"A": tokens},
        from_at=APRIL,
        to_at=APRIL,
    )
    return structs.replace(made, **about)


def test_hours_and_days_give_the_same_pieces() -> None:
    hours = [used(MTOK + hour, at=april(3, hour)) for hour in range(24)]
    day = structs.replace(used(sum(each.count for each in hours), at=april(3)), to_at=april(3, 23))
    assert pieces_of(term(wording(), *hours), month()) == pieces_of(term(wording(), day), month())


def test_days_are_those_of_the_zone_and_of_a_segment_that_begins_inside_one() -> None:
    changed = {APRIL: wording(), april(3, 12): wording(share_percent="10")}
    usage = [used(1, at=april(2, 23)), used(1, at=april(3, 11)), used(1, at=april(3, 12)), used(1, at=april(3, 23))]
    window = month(zone="Europe/Berlin")
    found = pieces_of(term(changed, *usage, window=window), window)
    assert [each.day for each in found] == ["2026-04-03", "2026-04-03T14:00:00+02:00", "2026-04-04"]
    assert [each.tokens for each in found] == [2, 1, 1]


def test_usage_outside_the_term_and_what_is_no_tokens_is_left_out() -> None:
    requests = structs.replace(used(9), quantity="requests")
    found = term(wording(), used(5, at=MAY), requests, used(0), used(3, at=april(20)), to_at=april(20))
    assert pieces_of(found, month()) == []


def test_a_request_is_excluded_once_by_the_first_rule_that_it_is_of() -> None:
    words = wording(exclusions=[{"rule": "failed_streams"}, {"rule": "tests"}])
    found = pieces_of(
        term(words, used(1, marks="failed+test"), used(2, marks="free"), used(4, marks="failed")), month()
    )
    assert {(each.rule, each.tokens) for each in found} == {("tests", 1), ("", 2), ("failed_streams", 4)}


def test_marks_that_the_book_has_factors_for_change_the_price() -> None:
    prices = {("sample", TokenClass.OUTPUT): Decimal(3), ("other", TokenClass.OUTPUT): Decimal(3)}
    factors = {("", "batch"): Decimal("0.5"), ("sample", "batch"): Decimal("0.4"), ("", "priority"): Decimal(2)}
    book = PriceVersion("v1", BEFORE, token_prices=prices, factors=factors)
    usage = [
        used(MTOK),
        used(MTOK, marks="batch"),
        used(MTOK, marks="batch+priority"),
        used(MTOK, marks="batch", model="other"),
        used(MTOK, marks="test"),
    ]
    rated = rate_share(term(wording(share_percent="100"), *usage), month(versions=[book]))
    assert sorted(line.price.amount for line in rated.lines) == [Decimal("1.2"), Decimal("1.5"), Decimal("2.4"), 3]
    assert rated.exact_total == Fraction("1.2") + Fraction("2.4") + Fraction("1.5") + 6
    assert len({line.line_key for line in rated.lines}) == len(rated.lines)


def test_cache_hits_without_a_price_of_their_own_are_excluded_at_the_price_of_input_of_their_length() -> None:
    classes = {("sample", TokenClass.INPUT): Decimal(1), ("sample", TokenClass.OUTPUT): Decimal(1)}
    tiers = {("sample", TokenClass.INPUT, 200_000): Decimal(2)}
    book = PriceVersion("v1", BEFORE, token_prices=classes, tier_prices=tiers)
    usage = [
        used(10 * MTOK, token_class="input"),
        used(4 * MTOK, token_class="cached_input"),
        structs.replace(used(10 * MTOK, token_class="input"), context_over=200_000),
        structs.replace(used(5 * MTOK, token_class="cached_input"), context_over=200_000),
    ]
    words = wording(exclusions=[{"rule": "cache_hits"}])
    found = bases(rate_share(term(words, *usage), month(versions=[book])))
    assert found == {"token_share_list_price": 30, "share_excluded_cache_hits": -14}
    plain = bases(rate_share(term(wording(), *usage), month(versions=[book])))
    assert plain == {"token_share_list_price": 30}


def test_the_price_in_force_counts() -> None:
    prices = [("v1", BEFORE, "1"), ("v2", april(10), "3")]
    book = [PriceVersion(name, at, token_prices={("sample", TokenClass.OUTPUT): Decimal(p)}) for name, at, p in prices]
    rated = rate_share(term(wording(), used(MTOK), used(MTOK, at=april(10))), month(versions=book))
    assert [(line.price_version_id, int(line.base_amount)) for line in rated.lines] == [("v1", 1), ("v2", 3)]


def test_usage_without_a_price_waits_and_owes_nothing() -> None:
    rated = rate_share(term(wording(), used(7, model="unheard-of"), used(MTOK)), month())
    assert [(each.model, int(each.quantity), each.reason) for each in rated.unpriced] == [
        ("unheard-of", 7, UnpricedReason.NO_PRICE)
    ]
    assert rated.exact_total == Fraction("0.3")
    empty = rate_share(term(wording(), used(7)), month(versions=()))
    assert [each.reason for each in empty.unpriced] == [UnpricedReason.NO_VERSION]
    assert empty.lines == ()


def test_a_transfer_price_needs_no_book() -> None:
    words = wording(
        base="transfer_price",
        transfer_prices=[{"model": "sample", "token_class": "output", "price_per_mtok": "0.4"}],
    )
    rated = rate_share(term(words, used(10 * MTOK)), month(versions=()))
    assert by_rule(rated) == {"token_share_transfer_price": Fraction("1.2")}
    assert rated.lines[0].price_version_id is None


@pytest.mark.parametrize(
    ("part", "whole"), [("cached_input", "input"), ("reasoning", "output"), ("cache_write", "cache_write")]
)
def test_parts_count_as_their_whole_class(part: str, whole: str) -> None:
    assert whole_class(part) == whole


@settings(max_examples=examples(25))
@given(st.lists(st.integers(0, 50), min_size=1, max_size=6), st.integers(0, 400))
def test_taking_moves_exactly_what_is_there(counts: list[int], tokens: int) -> None:
    before = [piece(count, mix={"A": count // 2, "E": count - count // 2}) for count in counts]
    after = take(before, range(len(before)), tokens, "why")
    assert sum(each.tokens for each in after) == sum(counts)
    taken = [each for each in after if each.rule]
    assert sum(each.tokens for each in taken) == min(tokens, sum(counts))
    assert all(each.rule == "why" for each in taken)


def test_what_is_least_sure_is_taken_first() -> None:
    kept, taken = take([piece(10, mix={"A": 6, "E": 4})], [0], 5, "why")
    assert (dict(kept.mix), dict(taken.mix)) == ({"A": 5}, {"E": 4, "A": 1})


def test_adding_spreads_as_what_is_there_and_adds_nothing_to_nothing() -> None:
    added = add([piece(30), piece(10)], [0, 1], 8, "why")[2:]
    assert [(each.tokens, each.rule, each.added) for each in added] == [(6, "why", True), (2, "why", True)]
    assert add([piece(0)], [0], 8, "why") == [piece(0)]
    assert add([piece(3)], [0], 0, "why") == [piece(3)]


def test_a_piece_is_worth_its_tokens() -> None:
    assert piece(1, price_per_mtok=Decimal("0.25")).amount == Fraction(1, 4_000_000)
    assert april(1) + timedelta(days=30) == MAY

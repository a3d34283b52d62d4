"""Long requests at their own prices: the whole request, every token once, and nothing changes without a tier."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from billing.rating.book import PriceVersion, TokenClass
from billing.rating.rated import Rated, UnpricedReason
from billing.rating.token_share import TokenShareTerms, UsageTotal, rate_token_share
from metering.context_bands import CONTEXT_BANDS, band_of
from tests.billing.rating.made import END, START, version
from tests.examples import examples

INPUT, CACHED, OUTPUT = TokenClass.INPUT, TokenClass.CACHED_INPUT, TokenClass.OUTPUT
BASE = {INPUT: "3", CACHED: "0.3", OUTPUT: "15"}
TIERED = version("v1", tokens=BASE, tiers={(INPUT, 200_000): "6", (OUTPUT, 200_000): "22.5", (INPUT, 512_000): "9"})


def total(token_class: TokenClass, tokens: int, over: int = 0) -> UsageTotal:
    return UsageTotal("d1", "sample", token_class, "v1", tokens, {"A": tokens}, START, END, over)


def rate(*totals: UsageTotal, book: PriceVersion = TIERED) -> Rated:
    return rate_token_share(TokenShareTerms("S-1", 2, Decimal(100), [book]), totals)


def test_the_whole_request_goes_at_the_price_of_its_tier() -> None:
    band = band_of(585_659)
    book = version("v1", tokens=BASE, tiers={(INPUT, 200_000): "6", (OUTPUT, 200_000): "22.5"})
    rated = rate(total(INPUT, 585_659, band), total(OUTPUT, 1_000, band), book=book)
    assert rated.exact_total == Fraction("585.659") * 6 / 1_000 + Fraction("0.0225")
    assert [(line.token_class, line.context_over, line.price.amount) for line in rated.lines] == [
        ("input", 200_000, Decimal(6)),
        ("output", 200_000, Decimal("22.5")),
    ]
    assert rated.lines[0].line_key == "token_share|S-1|2|d1|sample|input|v1|over_200k"


def test_bands_between_two_thresholds_are_one_tier() -> None:
    rated = rate(*(total(INPUT, 1, over) for over in CONTEXT_BANDS))
    assert [(line.context_over, line.quantity, line.price.amount) for line in rated.lines] == [
        (0, Decimal(3), Decimal(3)),
        (200_000, Decimal(3), Decimal(6)),
        (512_000, Decimal(2), Decimal(9)),
    ]


def test_a_class_without_a_price_in_the_tier_keeps_the_one_below() -> None:
    rated = rate(total(INPUT, 600_000, 512_000), total(CACHED, 100_000, 512_000), total(OUTPUT, 9, 512_000))
    assert {line.token_class: line.price.amount for line in rated.lines} == {
        "input": Decimal(9),
        "cached_input": Decimal("0.3"),
        "output": Decimal("22.5"),
    }
    assert {line.context_over for line in rated.lines} == {512_000}


def test_usage_of_unknown_length_goes_at_the_base_price_and_under_its_old_key() -> None:
    (line,) = rate(total(INPUT, 900_000)).lines
    assert (line.price.amount, line.context_over) == (Decimal(3), 0)
    assert line.line_key == "token_share|S-1|2|d1|sample|input|v1"


def test_cached_input_is_taken_from_the_input_of_its_own_tier() -> None:
    rated = rate(total(INPUT, 100), total(INPUT, 300_000, 272_000), total(CACHED, 250_000, 272_000))
    assert [(line.token_class, line.context_over, int(line.quantity)) for line in rated.lines] == [
        ("input", 0, 100),
        ("input", 200_000, 50_000),
        ("cached_input", 200_000, 250_000),
    ]


USAGE = st.lists(st.tuples(st.sampled_from(list(TokenClass)), st.integers(0, 10**9), st.sampled_from(CONTEXT_BANDS)))
BOOKS = st.tuples(
    st.dictionaries(st.sampled_from(list(TokenClass)), st.integers(0, 50).map(str)),
    st.dictionaries(
        st.tuples(st.sampled_from(list(TokenClass)), st.sampled_from(CONTEXT_BANDS[1:])), st.integers(0, 50).map(str)
    ),
).map(lambda made: version("v1", tokens=made[0], tiers=made[1]))


@settings(max_examples=examples(25))
@given(USAGE, BOOKS)
def test_every_token_of_every_tier_is_billed_once_or_waits(
    usage: list[tuple[TokenClass, int, int]], book: PriceVersion
) -> None:
    rated = rate(*(total(*each) for each in usage), book=book)
    waiting = [each for each in rated.unpriced if each.reason is not UnpricedReason.PART_EXCEEDS_WHOLE]
    wholes = sum(tokens for token_class, tokens, _ in usage if token_class not in {CACHED, TokenClass.REASONING})
    assert sum(line.quantity for line in rated.lines) + sum(each.quantity for each in waiting) == wholes
    for line in rated.lines:
        assert line.price.amount == book.price_per_mtok("sample", TokenClass(line.token_class), line.context_over)
    keys = [line.line_key for line in rated.lines]
    assert len(set(keys)) == len(keys)


@settings(max_examples=examples(25))
@given(USAGE)
def test_without_tiers_the_length_of_requests_changes_nothing(usage: list[tuple[TokenClass, int, int]]) -> None:
    plain = version("v1", tokens=BASE)
    apart = rate(*(total(*each) for each in usage), book=plain)
    together = rate(*(total(token_class, tokens) for token_class, tokens, _ in usage), book=plain)
    assert apart == together


@settings(max_examples=examples(25))
@given(USAGE, BOOKS, st.data())
def test_order_and_grouping_change_nothing(
    usage: list[tuple[TokenClass, int, int]], book: PriceVersion, data: st.DataObject
) -> None:
    totals = [total(*each) for each in usage]
    assert rate(*data.draw(st.permutations(totals)), book=book) == rate(*totals, book=book)

"""Token shares: every token priced once, nothing unpriced is free, nothing depends on order."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from billing.rating.book import PriceVersion, TokenClass
from billing.rating.rated import PriceUnit, Rated, TermKind, Unit, UnpricedReason
from billing.rating.token_share import TokenShareTerms, UsageTotal, rate_token_share
from tests.billing.rating.made import END, START, at, version
from tests.examples import examples

INPUT, CACHED, WRITE = TokenClass.INPUT, TokenClass.CACHED_INPUT, TokenClass.CACHE_WRITE
OUTPUT, REASONING = TokenClass.OUTPUT, TokenClass.REASONING
ALL_PRICED = version("v1", tokens={INPUT: "3", CACHED: "0.3", WRITE: "3.75", OUTPUT: "15", REASONING: "5"})
PLAIN = version("v1", tokens={INPUT: "3", OUTPUT: "15"})


def total(
    token_class: TokenClass,
    tokens: int,
    *,
    mix: Mapping[str, int] | None = None,
    version_id: str | None = "v1",
    usage_key: str = "d1",
    model: str = "sample",
) -> UsageTotal:
    return UsageTotal(usage_key, model, token_class, version_id, tokens, mix or {"A": tokens}, START, END)


def rate(*totals: UsageTotal, book: PriceVersion = PLAIN, share: str = "100") -> Rated:
    return rate_token_share(TokenShareTerms("S-1", 2, Decimal(share), [book]), totals)


def tokens_by_class(rated: Rated) -> dict[str, int]:
    return {line.token_class: int(line.quantity) for line in rated.lines}


def test_a_line_carries_everything_a_charge_needs() -> None:
    (line,) = rate(total(OUTPUT, 2_000_000, mix={"E": 500_000, "A": 1_500_000}), share="30").lines
    assert (line.term_kind, line.term_ref, line.contract_version) == (TermKind.TOKEN_SHARE, "S-1", 2)
    assert (line.rule, line.price_version_id) == ("token_share_list_price", "v1")
    assert (line.model, line.token_class, line.unit) == ("sample", "output", Unit.TOKENS)
    assert (line.price.amount, line.price.unit) == (Decimal(15), PriceUnit.PER_MTOK)
    assert (line.base_amount, line.amount, line.share_percent) == (Decimal(30), Decimal(9), Decimal(30))
    assert line.quality_mix == {"A": Decimal(1_500_000), "E": Decimal(500_000)}
    assert (line.from_at, line.to_at) == (START, END)
    assert line.line_key == "token_share|S-1|2|d1|sample|output|v1"


def test_cached_input_at_its_own_price_leaves_the_rest_of_the_input() -> None:
    rated = rate(total(CACHED, 17_817), total(INPUT, 17_903), book=ALL_PRICED)
    assert tokens_by_class(rated) == {"input": 86, "cached_input": 17_817}


def test_cached_input_without_a_price_is_input() -> None:
    assert tokens_by_class(rate(total(INPUT, 17_903), total(CACHED, 17_817))) == {"input": 17_903}


def test_reasoning_is_inside_the_output_with_or_without_a_price() -> None:
    usage = (total(OUTPUT, 482), total(REASONING, 448))
    assert tokens_by_class(rate(*usage)) == {"output": 482}
    assert tokens_by_class(rate(*usage, book=ALL_PRICED)) == {"output": 34, "reasoning": 448}


def test_cache_writes_stand_beside_the_input() -> None:
    rated = rate(total(INPUT, 3), total(WRITE, 12_304), total(OUTPUT, 550), book=ALL_PRICED)
    assert rated.exact_total == Fraction("0.054399")


def test_cache_writes_without_a_price_wait() -> None:
    rated = rate(total(INPUT, 3), total(WRITE, 12_304))
    assert tokens_by_class(rated) == {"input": 3}
    (waiting,) = rated.unpriced
    assert (waiting.token_class, waiting.quantity) == ("cache_write", Decimal(12_304))
    assert waiting.reason is UnpricedReason.NO_PRICE


def test_a_part_priced_without_its_whole_leaves_the_whole_waiting() -> None:
    rated = rate(total(INPUT, 100), total(CACHED, 40), book=version("v1", tokens={CACHED: "0.3"}))
    assert tokens_by_class(rated) == {"cached_input": 40}
    assert [(waiting.token_class, waiting.quantity) for waiting in rated.unpriced] == [("input", Decimal(60))]


@pytest.mark.parametrize("version_id", [None, "never-published"])
def test_usage_under_no_version_waits(version_id: str | None) -> None:
    rated = rate(total(INPUT, 5, version_id=version_id))
    assert rated.lines == ()
    (waiting,) = rated.unpriced
    assert (waiting.reason, waiting.quantity) == (UnpricedReason.NO_VERSION, Decimal(5))
    assert (waiting.term_ref, waiting.contract_version, waiting.model) == ("S-1", 2, "sample")


def test_no_tokens_make_no_line_and_no_alarm() -> None:
    assert rate(total(INPUT, 0), total(OUTPUT, 0, model="unheard-of")) == Rated()


def test_a_price_of_zero_is_a_price() -> None:
    rated = rate(total(INPUT, 5), book=version("v1", tokens={INPUT: "0"}))
    assert rated.unpriced == ()
    assert rated.lines[0].amount == 0


@pytest.mark.parametrize("book", [PLAIN, ALL_PRICED])
def test_more_of_a_part_than_of_its_whole_is_never_billed_above_the_whole(book: PriceVersion) -> None:
    rated = rate(total(INPUT, 100), total(CACHED, 130), book=book)
    assert sum(line.quantity for line in rated.lines) == 100
    (surplus,) = rated.unpriced
    assert (surplus.token_class, surplus.quantity) == ("cached_input", Decimal(30))
    assert surplus.reason is UnpricedReason.PART_EXCEEDS_WHOLE


def test_a_surplus_is_taken_from_the_least_certain_tokens() -> None:
    rated = rate(total(INPUT, 100), total(CACHED, 130, mix={"A": 90, "E": 25, "Q": 10, "X": 5}), book=ALL_PRICED)
    assert rated.lines[0].quality_mix == {"A": Decimal(90), "E": Decimal(5), "X": Decimal(5)}


def test_the_rest_of_a_whole_keeps_its_own_quality_mix() -> None:
    rated = rate(total(INPUT, 120, mix={"A": 100, "E": 20}), total(CACHED, 95, mix={"A": 90, "E": 5}), book=ALL_PRICED)
    assert rated.lines[0].quality_mix == {"A": Decimal(10), "E": Decimal(15)}


def test_a_part_of_other_quality_still_leaves_the_right_number() -> None:
    rated = rate(total(INPUT, 120, mix={"A": 100, "E": 20}), total(CACHED, 50, mix={"E": 50}), book=ALL_PRICED)
    assert rated.lines[0].quality_mix == {"A": Decimal(70)}


def test_versions_and_usage_keys_are_rated_apart() -> None:
    later = replace(ALL_PRICED, version_id="v2", effective_at=at(12))
    terms = TokenShareTerms("S-1", 1, Decimal(30), [PLAIN, later])
    rated = rate_token_share(
        terms,
        [
            total(INPUT, 10),
            total(CACHED, 4),
            total(INPUT, 20, version_id="v2"),
            total(CACHED, 5, version_id="v2"),
            total(INPUT, 7, usage_key="d2"),
        ],
    )
    assert [(line.price_version_id, line.token_class, int(line.quantity)) for line in rated.lines] == [
        ("v1", "input", 10),
        ("v2", "input", 15),
        ("v2", "cached_input", 5),
        ("v1", "input", 7),
    ]


def test_totals_of_one_class_add_up_and_span_their_time() -> None:
    early = structs.replace(total(INPUT, 3), to_at=at(1))
    late = structs.replace(total(INPUT, 4), from_at=at(5))
    (line,) = rate(late, early).lines
    assert (line.quantity, line.from_at, line.to_at) == (Decimal(7), START, END)


def test_a_share_may_differ_by_model_and_class() -> None:
    terms = TokenShareTerms(
        "S-1",
        1,
        Decimal(30),
        [PLAIN],
        share_percent_by={("sample", OUTPUT): Decimal(10)},
    )
    rated = rate_token_share(terms, [total(INPUT, 1), total(OUTPUT, 1)])
    assert [line.share_percent for line in rated.lines] == [Decimal(30), Decimal(10)]


@pytest.mark.parametrize("percent", ["-1", "100.0001"])
def test_a_share_outside_the_whole_is_refused(percent: str) -> None:
    with pytest.raises(AssertionError):
        TokenShareTerms("S-1", 1, Decimal(percent), [PLAIN])


CLASSES = st.fixed_dictionaries({each: st.integers(0, 10**9) for each in TokenClass})
BOOKS = st.dictionaries(st.sampled_from(list(TokenClass)), st.decimals(0, 100, places=6).map(str)).map(
    lambda prices: version("v1", tokens=prices)
)


@settings(max_examples=examples(25))
@given(CLASSES, BOOKS)
def test_every_token_is_billed_once_or_waits(counts: dict[TokenClass, int], book: PriceVersion) -> None:
    rated = rate(*(total(each, tokens) for each, tokens in counts.items()), book=book)
    waiting = [each for each in rated.unpriced if each.reason is not UnpricedReason.PART_EXCEEDS_WHOLE]
    surplus = sum(each.quantity for each in rated.unpriced if each not in waiting)
    wholes = counts[INPUT] + counts[OUTPUT] + counts[WRITE]
    assert sum(line.quantity for line in rated.lines) + sum(each.quantity for each in waiting) == wholes
    assert surplus == max(0, counts[CACHED] - counts[INPUT]) + max(0, counts[REASONING] - counts[OUTPUT])


@settings(max_examples=examples(25))
@given(
    st.lists(st.tuples(st.sampled_from(list(TokenClass)), st.integers(0, 10**12), st.sampled_from("AESQG"))),
    BOOKS,
    st.data(),
)
def test_order_and_grouping_of_totals_change_nothing(
    made: list[tuple[TokenClass, int, str]], book: PriceVersion, data: st.DataObject
) -> None:
    totals = [total(each, tokens, mix={quality: tokens}) for each, tokens, quality in made]
    assert rate(*data.draw(st.permutations(totals)), book=book) == rate(*totals, book=book)

"""A share's waterfall: gross is base and exclusions, nothing depends on order or on cuts, bounds hold."""

from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.money import CHARGE_DECIMALS
from billing.rating.availability import MeasuredAvailability
from billing.rating.cumulative import book, difference
from billing.rating.inputs import Used
from billing.rating.share_rating import rate_share, share_rating
from tests.billing.rating.share_made import APRIL, MTOK, april, by_rule, handed_on, month, term, used, wording
from tests.examples import examples

TIERS = [
    {"from_base_amount": "0", "to_base_amount": "100", "share_percent": "30"},
    {"from_base_amount": "100", "to_base_amount": "1000", "share_percent": "20"},
    {"from_base_amount": "1000", "share_percent": "10"},
]
EXCLUDING = [{"rule": "tests"}, {"rule": "free_tier"}, {"rule": "failed_streams"}, {"rule": "cache_hits"}]
PERCENTS = [{"rule": "taxes", "percent": "19"}, {"rule": "gateway_fees", "percent": "2.5"}]
TINY = Fraction(100, 10**CHARGE_DECIMALS)
"""Amounts of rows are rounded to 18 decimals each, so sums of them differ from exact ones by that little."""

usages = st.lists(
    st.builds(
        used,
        st.integers(0, 400 * MTOK),
        at=st.integers(0, 30 * 24 - 1).map(lambda hour: APRIL + timedelta(hours=hour)),
        model=st.sampled_from(["sample", "other"]),
        token_class=st.sampled_from(["input", "output"]),
        marks=st.sampled_from(["", "", "test", "failed+free", "batch", "interrupted"]),
        deployment=st.sampled_from(["d1", "d2"]),
        quality=st.sampled_from(["A", "E"]),
    ),
    max_size=8,
)
WORDINGS: list[dict[str, Any]] = [
    {},
    {"tiers": TIERS},
    {"share_by": [{"model": "other", "tiers": TIERS}, {"token_class": "input", "share_percent": "12.5"}]},
    {"exclusions": [*EXCLUDING, *PERCENTS], "tiers": TIERS, "cap": {"amount_per_span": "90"}},
    {"hybrid": {"rent_amount_per_span": "60"}, "tiers": TIERS},
    {
        "hybrid": {
            "rent_amount_per_span": "60",
            "breakpoint": "agreed",
            "breakpoint_base_amount_per_span": "200",
            "rent_credited": True,
        }
    },
    {"guarantee": {"amount_per_span": "50"}, "cap": {"amount_per_span": "70"}},
    {"interrupted_streams": "not_billed", "schedule": [{"from_month": 3, "share_percent": "11"}]},
]
wordings = st.sampled_from(WORDINGS)


def total(words: dict[str, Any], usage: list[Used], **about: Any) -> Fraction:
    return rate_share(term(wording(**words), *usage, **about), month()).exact_total


@settings(max_examples=examples(25))
@given(wordings, usages)
def test_base_and_exclusions_are_gross(words: dict[str, Any], usage: list[Used]) -> None:
    rating = share_rating(term(wording(**words), *usage), month())
    tokens = [line for line in rating.rated.lines if line.unit == "tokens"]
    shares = ("share_of_base", "share_tier_marginal", "share_tier_whole")
    excluded = [
        line for line in rating.rated.lines if line.rule.startswith("share_excluded_") and line.unit == "amount"
    ]
    gross = sum((line.exact_base for line in tokens if line.quantity > 0), Fraction(0))
    off = sum((line.exact_base for line in [*(row for row in tokens if row.quantity < 0), *excluded]), Fraction(0))
    base = sum((cell.base for cell in rating.cells), Fraction(0))
    assert abs(gross + off - base) <= TINY
    assert gross == Fraction(sum(each.count for each in usage), MTOK)
    tiered = sum((line.exact_base for line in rating.rated.lines if line.rule in shares), Fraction(0))
    assert tiered <= base + TINY


@settings(max_examples=examples(25))
@given(wordings, usages, st.randoms())
def test_order_changes_nothing(words: dict[str, Any], usage: list[Used], random: Any) -> None:
    shuffled = list(usage)
    random.shuffle(shuffled)
    assert rate_share(term(wording(**words), *usage), month()) == rate_share(term(wording(**words), *shuffled), month())


@settings(max_examples=examples(25))
@given(wordings, usages, st.integers(1, 9))
def test_splitting_usage_changes_nothing(words: dict[str, Any], usage: list[Used], parts: int) -> None:
    split = [
        used(
            each.count // parts + (part < each.count % parts),
            at=each.from_at,
            model=each.model,
            token_class=each.quantity,
            marks=each.marks,
            deployment=each.deployment,
            quality=each.quality,
        )
        for each in usage
        for part in range(parts)
    ]
    assert rate_share(term(wording(**words), *usage), month()) == rate_share(term(wording(**words), *split), month())


@settings(max_examples=examples(25))
@given(wordings, usages, st.integers(0, 300 * MTOK))
def test_more_usage_never_owes_less(words: dict[str, Any], usage: list[Used], more: int) -> None:
    assert total(words, [*usage, used(more)]) >= total(words, usage) - TINY


@settings(max_examples=examples(25))
@given(wordings, usages, st.integers(1, 30 * 24 - 1))
def test_the_same_wording_in_two_stretches_is_as_one(words: dict[str, Any], usage: list[Used], hour: int) -> None:
    words = {key: value for key, value in words.items() if key != "schedule"}
    cut = APRIL + timedelta(hours=hour)
    two = rate_share(term({APRIL: wording(**words), cut: wording(**words)}, *usage), month())
    assert abs(two.exact_total - total(words, usage)) <= TINY
    assert len({line.line_key for line in two.lines}) == len(two.lines)


@settings(max_examples=examples(25))
@given(wordings, usages, usages)
def test_a_second_run_books_nothing_and_late_usage_the_difference(
    words: dict[str, Any], usage: list[Used], late: list[Used]
) -> None:
    first = rate_share(term(wording(**words), *usage), month())
    booked = book({}, difference(first.lines, {}))
    assert difference(first.lines, booked) == ()
    second = rate_share(term(wording(**words), *usage, *late), month())
    after = book(booked, difference(second.lines, booked))
    assert abs(sum((Fraction(each.amount) for each in after.values()), Fraction(0)) - second.exact_total) <= TINY


@settings(max_examples=examples(25))
@given(usages, st.integers(0, 100), st.integers(100, 200), st.integers(0, 9))
def test_a_guarantee_and_a_cap_bound_what_is_owed(usage: list[Used], least: int, more: int, down: int) -> None:
    words = {"guarantee": {"amount_per_span": str(least + 1)}, "cap": {"amount_per_span": str(least + more)}}
    fact = MeasuredAvailability(held_gpu_ms=10, lost_gpu_ms=down)
    owed = total(words, usage, facts=[fact])
    assert Fraction((least + 1) * (10 - down), 10) - TINY <= owed <= least + more + TINY


@settings(max_examples=examples(25))
@given(st.lists(st.integers(0, 400 * MTOK), min_size=1, max_size=6))
def test_recouped_is_never_more_than_was_carried(periods: list[int]) -> None:
    words = wording(guarantee={"amount_per_span": "60", "shortfall": "owed_recoupable"})
    facts: tuple[Any, ...] = ()
    balance = Fraction(0)
    for tokens in periods:
        rated = rate_share(term(words, used(tokens), facts=facts), month())
        rows = by_rule(rated)
        recouped = -rows.get("share_guarantee_recouped", Fraction(0))
        assert 0 <= recouped <= balance + TINY
        balance += rows.get("share_guarantee_shortfall", Fraction(0)) - recouped
        facts = handed_on(rated)
        assert abs(sum((Fraction(fact.value) for fact in facts), Fraction(0)) - balance) <= TINY
        assert rated.exact_total >= 60 - TINY


@settings(max_examples=examples(25))
@given(st.lists(st.integers(0, 900 * MTOK), min_size=1, max_size=5))
def test_marginal_tiers_of_a_year_owe_for_parts_what_they_owe_for_the_sum(periods: list[int]) -> None:
    words = wording(tiers=TIERS, tier_period="lifetime")
    facts: tuple[Any, ...] = ()
    owed = Fraction(0)
    for tokens in periods:
        rated = rate_share(term(words, used(tokens), facts=facts), month())
        owed += rated.exact_total
        facts = handed_on(rated)
    assert owed == rate_share(term(words, used(sum(periods))), month()).exact_total


@pytest.mark.parametrize("at", [april(1), april(17, 5)])
def test_a_window_that_is_not_whole_tests_no_guarantee(at: datetime) -> None:
    words = wording(guarantee={"amount_per_span": "100"}, reserve={"percent": "10", "held_days": 5})
    draft = month(rated_to=april(20))
    rated = rate_share(term(words, used(10 * MTOK, at=at), window=draft), draft)
    assert by_rule(rated) == {"token_share_list_price": 3}
    assert rated.carries == ()


def test_a_term_that_is_not_in_the_window_owes_nothing() -> None:
    assert rate_share(term({}), month()).lines == ()


def test_rows_bear_the_contract_version_of_their_stretch() -> None:
    words = {APRIL: wording(), april(11): wording(share_percent="10")}
    rated = rate_share(term(words, used(MTOK), used(MTOK, at=april(11))), month())
    assert [(line.contract_version, int(line.share_percent)) for line in rated.lines] == [(1, 30), (2, 10)]
    assert rated.lines[0].line_key == "token_share|S-1|1|2026-04-01|sample|output|v1"

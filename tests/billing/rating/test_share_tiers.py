"""Tiers: parts of a base at their shares, positions that run through what is cut and carried."""

from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.rating.inputs import Carried
from billing.rating.share_rating import rate_share
from billing.rating.share_tiers import marginal
from billing.rating.share_words import ShareTier
from tests.billing.rating.share_made import APRIL, MTOK, april, by_rule, handed_on, month, term, used, wording
from tests.examples import examples

TIERS = [
    {"from_base_amount": "0", "to_base_amount": "100", "share_percent": "30"},
    {"from_base_amount": "100", "to_base_amount": "400", "share_percent": "20"},
    {"from_base_amount": "400", "share_percent": "10"},
]
PARTS = (
    ShareTier(from_base_amount=Decimal(0), to_base_amount=Decimal(100), share_percent=Decimal(30)),
    ShareTier(from_base_amount=Decimal(100), to_base_amount=Decimal(400), share_percent=Decimal(20)),
    ShareTier(from_base_amount=Decimal(400), share_percent=Decimal(10)),
)


def by_hand(total: Fraction) -> Fraction:
    """What 30 % of the first 100, 20 % of the next 300 and 10 % of the rest come to."""
    first = min(total, Fraction(100))
    next_300 = min(max(total - 100, Fraction(0)), Fraction(300))
    return (first * 30 + next_300 * 20 + (total - first - next_300) * 10) / 100


@settings(max_examples=examples(25))
@given(st.fractions(0, 1_000), st.fractions(0, 1_000))
def test_marginal_parts_are_those_by_hand(position: Fraction, base: Fraction) -> None:
    bands = marginal(PARTS, position, base)
    owed = sum((band.base * Fraction(band.share_percent) / 100 for band in bands), Fraction(0))
    assert owed == by_hand(position + base) - by_hand(position)
    assert sum((band.base for band in bands), Fraction(0)) == base


@settings(max_examples=examples(25))
@given(st.integers(0, 900 * MTOK))
def test_a_month_of_tiers_is_as_by_hand(tokens: int) -> None:
    assert rate_share(term(wording(tiers=TIERS), used(tokens)), month()).exact_total == by_hand(Fraction(tokens, MTOK))


@pytest.mark.parametrize(("tokens", "percent"), [(99, 30), (100, 20), (399, 20), (400, 10), (10_000, 10)])
def test_whole_tiers_are_at_the_tier_reached(tokens: int, percent: int) -> None:
    rated = rate_share(term(wording(tiers=TIERS, tier_mode="whole"), used(tokens * MTOK)), month())
    assert rated.exact_total == Fraction(tokens * percent, 100)


def test_whole_tiers_of_two_stretches_reach_one_tier_together() -> None:
    words = wording(tiers=TIERS, tier_mode="whole")
    usage = [used(60 * MTOK), used(60 * MTOK, at=april(20))]
    assert rate_share(term({APRIL: words, april(11): words}, *usage), month()).exact_total == 24


def test_whole_tiers_of_a_year_leave_closed_periods_as_they_were() -> None:
    words = wording(tiers=TIERS, tier_mode="whole", tier_period="contract_year")
    first = rate_share(term(words, used(60 * MTOK)), month())
    second = rate_share(term(words, used(60 * MTOK), facts=handed_on(first)), month())
    assert first.exact_total == 18
    assert second.exact_total == 12


def carried(**document: Any) -> dict[str, Decimal]:
    rated = rate_share(term(wording(**document), used(60 * MTOK), used(30 * MTOK, model="other")), month())
    return {carry.name: carry.value for carry in rated.carries}


def test_positions_are_carried_only_where_their_period_goes_on() -> None:
    assert carried(tiers=TIERS) == {}
    assert carried(tiers=TIERS, tier_period="contract_year") == {"tier_base_amount||": 90}
    rows = [{"model": "other", "tiers": TIERS}, {"model": "odd|name", "share_percent": "5"}]
    assert carried(share_by=rows, tier_period="lifetime") == {"tier_base_amount||": 60, "tier_base_amount|other|": 30}


def test_a_row_without_usage_keeps_its_position_and_names_may_hold_anything() -> None:
    rows = [{"model": "odd|50%", "tiers": TIERS}]
    words = wording(share_by=rows, tier_period="lifetime")
    facts = [Carried(name="tier_base_amount|odd%7C50%25|", value=Decimal(70))]
    rated = rate_share(term(words, used(MTOK), facts=facts), month())
    assert {carry.name: carry.value for carry in rated.carries} == {
        "tier_base_amount||": 1,
        "tier_base_amount|odd%7C50%25|": 70,
    }


def test_what_was_carried_into_a_new_contract_year_counts_no_more() -> None:
    words = wording(tiers=TIERS, tier_period="contract_year")
    facts = [Carried(name="tier_base_amount||", value=Decimal(100))]
    found = term(words, used(10 * MTOK), facts=facts, from_at=APRIL.replace(year=2025))
    assert rate_share(found, month()).exact_total == 3
    later = term(words, used(10 * MTOK), facts=facts, from_at=APRIL.replace(year=2025, day=2))
    assert by_rule(rate_share(later, month()))["share_tier_marginal"] == 2

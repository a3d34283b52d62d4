"""The base: percentages in their order, certified revenue spread as it was metered, and its check."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.rating.share_base import StatementCheck, check_statement
from billing.rating.share_facts import CertifiedRevenue
from billing.rating.share_rating import rate_share, share_rating
from tests.billing.rating.share_made import (
    APRIL,
    MARCH,
    MAY,
    MTOK,
    april,
    bases,
    by_rule,
    handed_on,
    month,
    term,
    used,
    wording,
)
from tests.examples import examples

CERTIFIED = {"base": "certified_revenue", "statements": {"due_days": 21}}
TIERS = [
    {"from_base_amount": "0", "to_base_amount": "100", "share_percent": "30"},
    {"from_base_amount": "100", "share_percent": "20"},
]


def certified(amount: str, *, earlier: bool = False) -> CertifiedRevenue:
    span = (MARCH, APRIL) if earlier else (APRIL, MAY)
    return CertifiedRevenue(statement="S", from_at=span[0], to_at=span[1], net_revenue_amount=Decimal(amount))


def test_taxes_come_before_fees_and_follow_tiers_too() -> None:
    words = wording(
        tiers=TIERS, exclusions=[{"rule": "gateway_fees", "percent": "10"}, {"rule": "taxes", "percent": "25"}]
    )
    found = bases(rate_share(term(words, used(250 * MTOK)), month()))
    assert found == {
        "token_share_list_price": 250,
        "share_excluded_taxes": -50,
        "share_excluded_gateway_fees": -20,
        "share_tier_marginal": 180,
    }


def test_certified_revenue_is_spread_over_shares_and_stretches_as_it_was_metered() -> None:
    words = wording(share_by=[{"model": "other", "share_percent": "50"}], **CERTIFIED)
    lower = wording(share_percent="10", **CERTIFIED)
    usage = [used(60 * MTOK), used(20 * MTOK, model="other"), used(20 * MTOK, at=april(20))]
    facts = [certified("200")]
    rating = share_rating(term({APRIL: words, april(11): lower}, *usage, facts=facts), month())
    assert [cell.base for cell in rating.cells] == [120, 40, 40]
    assert by_rule(rating.rated)["share_of_base"] == 36 + 20 + 4
    assert bases(rating.rated)["share_certified_difference"] == 100


def test_certified_revenue_of_a_month_without_tokens_is_shared_by_time() -> None:
    changed = {APRIL: wording(**CERTIFIED), april(11): wording(share_percent="15", **CERTIFIED)}
    rated = rate_share(term(changed, facts=[certified("90")]), month())
    assert by_rule(rated) == {"share_certified_difference": 0, "share_of_base": 9 + 9}


def test_a_base_that_becomes_certified_inside_a_month_is_both() -> None:
    changed = {APRIL: wording(), april(11): wording(**CERTIFIED)}
    usage = [used(10 * MTOK), used(20 * MTOK, at=april(11))]
    rated = rate_share(term(changed, *usage, facts=[certified("15")]), month())
    assert by_rule(rated) == {
        "token_share_list_price": 3,
        "share_certified_difference": 0,
        "share_of_base": Fraction("4.5"),
    }


def test_the_last_of_several_statements_counts() -> None:
    rated = rate_share(term(wording(**CERTIFIED), used(MTOK), facts=[certified("10"), certified("20")]), month())
    assert rated.exact_total == 6


@pytest.mark.parametrize(
    ("estimate", "whole", "owed"), [("metered", True, 3), ("history", True, 9), ("history", False, 3)]
)
def test_a_late_statement_is_estimated_at_the_end_of_its_period(estimate: str, whole: bool, owed: int) -> None:
    words = wording(base="certified_revenue", statements={"due_days": 21, "late_estimate": estimate})
    window = month() if whole else month(rated_to=april(20))
    march = month(MARCH, APRIL)
    stated = [certified("31", earlier=True)]
    before = rate_share(term(words, used(MTOK, at=MARCH), facts=stated, window=march), march)
    found = term(words, used(10 * MTOK), facts=handed_on(before), window=window)
    assert rate_share(found, window).exact_total == owed


def test_without_history_the_metered_worth_stands_in() -> None:
    words = wording(base="certified_revenue", statements={"due_days": 21, "late_estimate": "history"})
    assert rate_share(term(words, used(10 * MTOK)), month()).exact_total == 3


def test_a_statement_is_checked_against_what_was_metered() -> None:
    cells = share_rating(term(wording(**CERTIFIED), used(100 * MTOK)), month()).cells
    check = check_statement(cells, Decimal(96), Decimal(3))
    assert check.difference == check.percent == 4
    assert not check.is_within
    assert check_statement(cells, Decimal(97), Decimal(3)).is_within
    assert check_statement(cells, Decimal(104), Decimal(3)).difference == -4
    assert check_statement((), Decimal(0), Decimal(0)).is_within


@settings(max_examples=examples(25))
@given(st.decimals(0, 10**9, places=2), st.decimals(0, 10**9, places=2))
def test_a_check_is_between_nothing_and_everything(stated: Decimal, metered: Decimal) -> None:
    check = StatementCheck(Fraction(stated), Fraction(metered), Decimal(3))
    assert 0 <= check.percent <= 100
    assert (check.percent == 0) == (stated == metered)

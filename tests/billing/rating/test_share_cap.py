"""Caps: taken off as they are reached, over all the periods of their span, never more than is owed."""

from fractions import Fraction
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from billing.rating.inputs import Carried
from billing.rating.share_rating import rate_share
from tests.billing.rating.share_made import (
    APRIL,
    JULY,
    JUNE,
    MAY,
    MTOK,
    april,
    by_rule,
    handed_on,
    month,
    term,
    used,
    wording,
)
from tests.examples import examples

QUARTER = [(APRIL, MAY), (MAY, JUNE), (JUNE, JULY)]


def test_a_draft_is_capped_by_the_whole_month_and_not_by_the_days_gone() -> None:
    draft = month(rated_to=april(4))
    words = wording(cap={"amount_per_span": "30"})
    assert rate_share(term(words, used(90 * MTOK), window=draft), draft).exact_total == 27
    assert rate_share(term(words, used(200 * MTOK), window=draft), draft).exact_total == 30


def test_a_part_of_a_month_has_a_part_of_the_cap() -> None:
    words = wording(cap={"amount_per_span": "30"})
    assert rate_share(term(words, used(90 * MTOK), to_at=april(11)), month()).exact_total == 10
    changed = {APRIL: words, april(16): wording(cap={"amount_per_span": "60"})}
    assert rate_share(term(changed, used(900 * MTOK)), month()).exact_total == 45


def test_a_cap_that_was_amended_below_what_is_owed_takes_back_nothing_of_closed_periods() -> None:
    words = wording(cap={"amount_per_span": "91", "span": "quarter"})
    first = rate_share(term(words, used(300 * MTOK)), month())
    assert first.exact_total == 90
    lower = wording(cap={"amount_per_span": "1", "span": "quarter"})
    window = month(MAY, JUNE)
    usage = used(300 * MTOK, at=MAY)
    second = rate_share(term(lower, usage, facts=handed_on(first), window=window), window)
    assert second.exact_total == 0


@settings(max_examples=examples(25))
@given(st.lists(st.integers(0, 500), min_size=3, max_size=3))
def test_a_quarter_never_owes_more_than_its_cap_and_all_of_less(months: list[int]) -> None:
    words = wording(cap={"amount_per_span": "91", "span": "quarter"})
    facts: tuple[Carried, ...] = ()
    owed = Fraction(0)
    for (start, end), tokens in zip(QUARTER, months, strict=True):
        window = month(start, end)
        rated = rate_share(term(words, used(tokens * MTOK, at=start), facts=facts, window=window), window)
        assert rated.exact_total >= 0
        owed += rated.exact_total
        facts = handed_on(rated)
    assert abs(owed - min(Fraction(91), Fraction(sum(months) * 30, 100))) < Fraction(1, 10**15)
    assert facts == ()


def test_a_cap_holds_for_rent_guarantee_and_share_together() -> None:
    document: dict[str, Any] = {
        "hybrid": {"rent_amount_per_span": "50", "breakpoint": "none"},
        "guarantee": {"amount_per_span": "60"},
        "cap": {"amount_per_span": "70"},
    }
    assert rate_share(term(wording(**document), used(20 * MTOK)), month()).exact_total == 60
    assert by_rule(rate_share(term(wording(**document), used(100 * MTOK)), month()))["share_cap"] == -10

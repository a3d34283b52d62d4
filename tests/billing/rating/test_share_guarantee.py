"""Guarantees: tested where their span ends, prorated, and what falls short goes where the wording says."""

from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.rating.availability import MeasuredAvailability
from billing.rating.inputs import Carried, Fact, RatingWindow
from billing.rating.rated import Rated
from billing.rating.share_guarantee import availability
from billing.rating.share_rating import rate_share, share_rating
from tests.billing.rating.share_made import (
    APRIL,
    JUNE,
    MARCH,
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

MONTHS = [(APRIL, MAY), (MAY, JUNE)]


def rate(
    document: dict[str, Any], tokens: int, *facts: Fact, window: RatingWindow | None = None, **about: Any
) -> Rated:
    found = window or month()
    words = wording(**document)
    usage = used(tokens * MTOK, at=found.from_at)
    return rate_share(term(words, usage, facts=facts, window=found, **about), found)


@pytest.mark.parametrize(
    ("held", "lost", "owed"), [(1_000, 0, 90), (1_000, 100, 81), (1_000, 1_000, 30), (0, 0, 90), (3, 1, 60)]
)
def test_a_guarantee_holds_for_what_the_provider_delivered(held: int, lost: int, owed: int) -> None:
    fact = MeasuredAvailability(held_gpu_ms=held, lost_gpu_ms=lost)
    assert rate({"guarantee": {"amount_per_span": "90"}}, 100, fact).exact_total == owed
    whatever = {"guarantee": {"amount_per_span": "90", "prorated_by_availability": False}}
    assert rate(whatever, 100, fact).exact_total == 90


def test_availability_of_several_measurements_is_that_of_all_that_was_held() -> None:
    facts = [
        MeasuredAvailability(held_gpu_ms=300, lost_gpu_ms=100),
        MeasuredAvailability(held_gpu_ms=100, lost_gpu_ms=0),
    ]
    assert availability(term(wording(), facts=facts)) == Fraction(3, 4)


def test_a_month_that_the_term_began_in_is_prorated_by_the_second() -> None:
    assert rate({"guarantee": {"amount_per_span": "90"}}, 0, from_at=april(16)).exact_total == 45
    assert rate({"guarantee": {"amount_per_span": "90"}}, 0, to_at=april(11)).exact_total == 30


def test_an_amendment_counts_for_its_days() -> None:
    changed = {APRIL: {"amount_per_span": "30"}, april(11): {"amount_per_span": "60"}}
    words = {at: wording(guarantee=guarantee) for at, guarantee in changed.items()}
    assert rate_share(term(words), month()).exact_total == 10 + 40


def test_a_guarantee_that_is_amended_away_is_tested_for_its_days() -> None:
    words = {APRIL: wording(guarantee={"amount_per_span": "30"}), april(11): wording()}
    rated = rate_share(term(words, used(50 * MTOK, at=april(20))), month())
    assert by_rule(rated) == {"token_share_list_price": 15, "share_guarantee_shortfall": 10}


def test_a_quarter_that_was_amended_away_between_periods_is_tested_as_it_stood() -> None:
    facts = [
        Carried(name="guarantee_entitled_amount", value=Decimal(50)),
        Carried(name="guarantee_owed_amount", value=Decimal(30)),
    ]
    rated = rate({}, 10, *facts)
    assert by_rule(rated) == {"token_share_list_price": 3, "share_guarantee_shortfall": 20}
    assert rated.carries == ()


def test_a_quarter_is_tested_once_with_all_that_it_came_to() -> None:
    words = {"guarantee": {"amount_per_span": "91", "span": "quarter"}}
    facts: tuple[Carried, ...] = ()
    owed = []
    for start, end, tokens in ((APRIL, MAY, 200), (MAY, JUNE, 0), (JUNE, JUNE.replace(month=7), 10)):
        rated = rate(words, tokens, *facts, window=month(start, end))
        facts = handed_on(rated)
        owed.append(rated.exact_total)
    assert owed == [60, 0, 31]
    assert facts == ()


def test_a_term_that_ends_inside_a_quarter_is_tested_there() -> None:
    words = {"guarantee": {"amount_per_span": "91", "span": "quarter"}}
    rated = rate(words, 0, to_at=april(11))
    assert rated.exact_total == 10
    assert rated.carries == ()


def test_a_carried_shortfall_raises_the_next_and_shrinks_with_what_exceeds_it() -> None:
    words = {"guarantee": {"amount_per_span": "30", "shortfall": "carried"}}
    first = rate(words, 60)
    assert {carry.name: carry.value for carry in first.carries} == {"shortfall_amount": 12}
    second = rate(words, 120, *handed_on(first), window=month(MAY, JUNE))
    assert {carry.name: carry.value for carry in second.carries} == {"shortfall_amount": 6}
    third = rate(words, 150, *handed_on(second), window=month(MAY, JUNE))
    assert third.carries == ()
    assert third.exact_total == 45


def test_what_was_carried_is_owed_when_the_term_ends() -> None:
    words = {"guarantee": {"amount_per_span": "30", "shortfall": "carried"}}
    last = rate(words, 100, Carried(name="shortfall_amount", value=Decimal(12)), to_at=MAY)
    assert last.exact_total == 30 + 12
    gone = rate({}, 100, Carried(name="shortfall_amount", value=Decimal(12)), to_at=MAY)
    assert gone.exact_total == 30 + 12


def test_a_balance_waits_through_months_without_a_guarantee() -> None:
    facts = [Carried(name="recoupable_amount", value=Decimal(7)), Carried(name="shortfall_amount", value=Decimal(2))]
    rated = rate({}, 100, *facts)
    assert rated.exact_total == 30
    assert {carry.name: carry.value for carry in rated.carries} == {"recoupable_amount": 7, "shortfall_amount": 2}


def test_rent_counts_toward_the_guarantee() -> None:
    words = {"guarantee": {"amount_per_span": "90"}, "hybrid": {"rent_amount_per_span": "50", "breakpoint": "none"}}
    assert by_rule(rate(words, 100)) == {
        "token_share_list_price": 30,
        "share_base_rent": 50,
        "share_guarantee_shortfall": 10,
    }


def test_tests_say_what_was_entitled_and_what_followed() -> None:
    words = wording(guarantee={"amount_per_span": "90"})
    (test,) = share_rating(term(words, used(100 * MTOK)), month()).tests
    assert (int(test.entitled), int(test.owed), int(test.missing), test.is_over) == (90, 30, 60, True)
    assert (test.span.from_at, test.span.to_at) == (APRIL, MAY)
    draft = month(rated_to=april(11))
    (test,) = share_rating(term(words, window=draft), draft).tests
    assert (int(test.entitled), test.is_over) == (30, False)


@settings(max_examples=examples(25))
@given(st.lists(st.integers(0, 300), min_size=1, max_size=4), st.sampled_from(["owed", "owed_recoupable"]))
def test_every_month_owes_its_guarantee_and_never_more_than_share_and_guarantee(months: list[int], rule: str) -> None:
    words = {"guarantee": {"amount_per_span": "31", "shortfall": rule}}
    facts: tuple[Carried, ...] = ()
    for tokens in months:
        rated = rate(words, tokens, *facts)
        assert 31 <= rated.exact_total <= max(Fraction(31), Fraction(tokens * 30, 100))
        facts = handed_on(rated)


def test_a_period_before_the_term_hands_nothing_on() -> None:
    window = month(MARCH, APRIL)
    assert rate({"guarantee": {"amount_per_span": "62"}}, 0, window=window, from_at=MARCH).exact_total == 62

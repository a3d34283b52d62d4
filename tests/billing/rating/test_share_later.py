"""What comes later: statements trued up once, audits with their cost, reserves held and released."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.rating.inputs import Carried, Fact
from billing.rating.rated import Rated
from billing.rating.share_facts import AuditFinding, CertifiedRevenue
from billing.rating.share_later import STATED_PERIODS_MAX
from billing.rating.share_rating import rate_share
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

CERTIFIED = {"base": "certified_revenue", "statements": {"due_days": 21}}


def statement(amount: int, *, march: bool = True) -> CertifiedRevenue:
    span = (MARCH, APRIL) if march else (APRIL, MAY)
    return CertifiedRevenue(statement="S", from_at=span[0], to_at=span[1], net_revenue_amount=Decimal(amount))


def rate_march(document: dict[str, Any], tokens: int, *facts: Fact) -> Rated:
    window = month(MARCH, APRIL)
    return rate_share(term(wording(**document), used(tokens * MTOK, at=MARCH), facts=facts, window=window), window)


def test_a_statement_that_comes_later_is_trued_up_at_the_share_of_its_period_and_once() -> None:
    march = rate_march({**CERTIFIED}, 100)
    assert march.exact_total == 30
    lower = wording(share_percent="10", **CERTIFIED)
    april_rated = rate_share(term(lower, facts=(*handed_on(march), statement(110))), month())
    assert by_rule(april_rated) == {"share_true_up": 3}
    window = month(MAY, JUNE)
    again = term(lower, facts=(*handed_on(april_rated), statement(110)), window=window)
    assert rate_share(again, window).exact_total == 0


def test_a_correction_of_a_statement_is_trued_up_too_and_downward() -> None:
    march = rate_march({**CERTIFIED}, 100, statement(100))
    corrected = rate_share(term(wording(**CERTIFIED), facts=(*handed_on(march), statement(80))), month())
    assert by_rule(corrected) == {"share_true_up": -6}


def test_the_average_share_of_tiers_counts() -> None:
    tiers = [
        {"from_base_amount": "0", "to_base_amount": "50", "share_percent": "30"},
        {"from_base_amount": "50", "share_percent": "10"},
    ]
    march = rate_march({"tiers": tiers, **CERTIFIED}, 100)
    late = rate_share(term(wording(tiers=tiers, **CERTIFIED), facts=(*handed_on(march), statement(200))), month())
    assert by_rule(late) == {"share_true_up": 20}


@pytest.mark.parametrize(
    "document", [{"share_percent": "30"}, {"tiers": [{"from_base_amount": "0", "share_percent": "30"}]}]
)
def test_a_period_without_any_base_is_trued_up_at_its_first_share(document: dict[str, Any]) -> None:
    march = rate_march({**document, **CERTIFIED}, 0)
    late = rate_share(term(wording(**document, **CERTIFIED), facts=(*handed_on(march), statement(10))), month())
    assert late.exact_total == 3


def test_a_statement_of_a_period_that_was_never_carried_changes_nothing() -> None:
    assert rate_share(term(wording(**CERTIFIED), facts=[statement(500)]), month()).exact_total == 0


def test_statements_can_come_for_twelve_periods() -> None:
    facts: tuple[Carried, ...] = ()
    at = MARCH
    for _ in range(STATED_PERIODS_MAX + 3):
        window = month(at, at + timedelta(days=30))
        facts = handed_on(rate_share(term(wording(**CERTIFIED), used(MTOK, at=at), facts=facts, window=window), window))
        at = window.period_to_at
    assert len(facts) == 2 * STATED_PERIODS_MAX
    assert min(fact.name for fact in facts) == f"stated_base_amount|{(MARCH + timedelta(days=90)).isoformat()}"


@pytest.mark.parametrize(
    ("reported", "found", "rows"),
    [
        (96, 100, {"share_audit_difference": 4, "share_audit_cost": 7}),
        (97, 100, {"share_audit_difference": 3}),
        (100, 90, {"share_audit_difference": -10}),
        (100, 100, {}),
    ],
)
def test_the_cost_of_an_audit_shifts_beyond_the_tolerance(reported: int, found: int, rows: dict[str, int]) -> None:
    fact = AuditFinding(
        audit="A-1",
        from_at=MARCH,
        to_at=APRIL,
        found_at=april(9),
        reported_share_amount=Decimal(reported),
        found_share_amount=Decimal(found),
        cost_amount=Decimal(7),
    )
    assert by_rule(rate_share(term(wording(), facts=[fact]), month())) == rows
    window = month(MAY, JUNE)
    assert rate_share(term(wording(), facts=[fact], window=window), window).lines == ()


def reserved(tokens: int, *facts: Fact, days: int = 40, **about: Any) -> Rated:
    words = wording(reserve={"percent": "10", "held_days": days})
    return rate_share(term(words, used(tokens * MTOK), facts=facts, **about), month())


def test_a_reserve_is_held_at_the_end_and_released_when_its_days_are_over() -> None:
    held = reserved(100)
    assert by_rule(held) == {"token_share_list_price": 30, "share_reserve_held": -3}
    assert {carry.name: carry.value for carry in held.carries} == {"reserve_amount|2026-06-10T00:00:00+00:00": 3}
    due = Carried(name="reserve_amount|2026-04-30T00:00:00+00:00", value=Decimal(5))
    last_day_is_the_thirtieth = Carried(name="reserve_amount|2026-05-01T00:00:00+00:00", value=Decimal(4))
    later = Carried(name="reserve_amount|2026-05-02T00:00:00+00:00", value=Decimal(2))
    released = reserved(100, due, last_day_is_the_thirtieth, later)
    assert by_rule(released)["share_reserve_released"] == 9
    assert [carry.name for carry in released.carries] == [later.name, "reserve_amount|2026-06-10T00:00:00+00:00"]


def test_a_draft_releases_what_is_due_and_holds_nothing() -> None:
    draft = month(rated_to=april(11))
    words = wording(reserve={"percent": "10", "held_days": 5})
    due = Carried(name="reserve_amount|2026-04-10T00:00:00+00:00", value=Decimal(5))
    later = Carried(name="reserve_amount|2026-04-20T00:00:00+00:00", value=Decimal(2))
    rated = rate_share(term(words, used(100 * MTOK), facts=[due, later], window=draft), draft)
    assert by_rule(rated) == {"token_share_list_price": 30, "share_reserve_released": 5}
    assert rated.carries == ()


def test_the_last_period_holds_nothing_and_releases_all() -> None:
    later = Carried(name="reserve_amount|2026-09-01T00:00:00+00:00", value=Decimal(5))
    last = reserved(100, later, to_at=MAY)
    assert by_rule(last) == {"token_share_list_price": 30, "share_reserve_released": 5}
    assert last.carries == ()


@settings(max_examples=examples(25))
@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=6), st.integers(1, 100))
def test_all_that_is_held_comes_back(months: list[int], days: int) -> None:
    words = wording(reserve={"percent": "7.5", "held_days": days})
    facts: tuple[Carried, ...] = ()
    owed = Fraction(0)
    at = MARCH
    for place, tokens in enumerate(months):
        window = month(at, at + timedelta(days=30))
        end = window.period_to_at if place + 1 == len(months) else None
        found = term(words, used(tokens, at=at), facts=facts, window=window, to_at=end)
        rated = rate_share(found, window)
        owed += rated.exact_total
        facts = handed_on(rated)
        at = window.period_to_at
    assert facts == ()
    assert abs(owed - Fraction(sum(months) * 30, 100 * MTOK)) < Fraction(1, 10**15)


def test_two_reserves_released_at_one_instant_are_handed_on_together() -> None:
    """Held for 71 days and then, since an amendment, for 40: both until the tenth of June."""
    before = Carried(name="reserve_amount|2026-06-10T00:00:00+00:00", value=Decimal(5))
    assert {carry.name: carry.value for carry in reserved(100, before).carries} == {before.name: 8}


def test_a_statement_whose_share_came_to_nothing_still_counts_for_estimates() -> None:
    """Below the first tier's end the share is 0 %, but what was stated stays known from period to period."""
    stated = (
        Carried(name="stated_base_amount|2026-02-01T00:00:00+00:00", value=Decimal(280)),
        Carried(name="stated_seconds|2026-02-01T00:00:00+00:00", value=Decimal(28 * 86_400)),
    )
    words = wording(base="certified_revenue", statements={"due_days": 9, "late_estimate": "history"})
    rated = rate_share(term(words, used(100 * MTOK), facts=stated), month())
    assert by_rule(rated)["share_of_base"] == 90
    assert {fact.name: fact.value for fact in stated}.items() <= {c.name: c.value for c in rated.carries}.items()


def test_an_estimate_counts_what_is_stated_by_now() -> None:
    """February was estimated at 999 and is stated at 280 in April, in which no statement of April comes."""
    before = (
        Carried(name="stated_base_amount|2026-02-01T00:00:00+00:00", value=Decimal(999)),
        Carried(name="stated_share_percent|2026-02-01T00:00:00+00:00", value=Decimal(30)),
    )
    february = CertifiedRevenue(
        statement="february",
        from_at=datetime(2026, 2, 1, tzinfo=UTC),
        to_at=datetime(2026, 3, 1, tzinfo=UTC),
        net_revenue_amount=Decimal(280),
    )
    words = wording(base="certified_revenue", statements={"due_days": 9, "late_estimate": "history"})
    rated = rate_share(term(words, used(100 * MTOK), facts=(*before, february)), month())
    assert by_rule(rated)["share_of_base"] == 90
    assert by_rule(rated)["share_true_up"] == Decimal("-215.7")

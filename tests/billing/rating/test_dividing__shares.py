"""Shares of revenue and spot are divided where a percentage off changes, to the second, and come to the same."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.basis import PeriodBasis
from billing.basis import rate as rate_basis
from billing.evidence_formats import FIRST_DIVIDED
from billing.rating.discount import DiscountWording
from billing.rating.dividing import divided
from billing.rating.inputs import Fact, TermInput
from billing.rating.on_demand import SpotWording, TakenBack, rate_spot
from billing.rating.rated import TermKind
from billing.rating.share_facts import CertifiedRevenue, WitnessCounts
from billing.rating.share_lines import shared_out
from billing.rating.share_rating import rate_share
from billing.rating.share_time import segments, undivided
from billing.rating.wording import Stretch, read_wording
from clusters.occupancy import Hold
from tests.billing.rating.share_made import (
    APRIL,
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
from tests.billing.rating.test_share_rating import TINY, WORDINGS, usages
from tests.examples import examples

if TYPE_CHECKING:
    from billing.rating.inputs import Used
    from billing.rating.rated import Rated

NOON = april(16, 12)
MORE: list[dict[str, Any]] = [
    {"reserve": {"percent": "10", "held_days": 10}},
    {"base": "certified_revenue", "statements": {"due_days": 21}, "exclusions": [{"rule": "taxes", "percent": "19"}]},
    {"guarantee": {"amount_per_span": "50", "shortfall": "carried"}, "reserve": {"percent": "5", "held_days": 40}},
    {"hybrid": {"rent_amount_per_span": "60"}, "cap": {"amount_per_span": "80"}},
]
INSTANTS = st.sets(st.integers(1, 30 * 24 - 1).map(lambda hours: APRIL + timedelta(hours=hours)), max_size=3)
RECOUPABLE = {"amount_per_span": "50", "shortfall": "owed_recoupable"}


def off(*percents: str, cut_at: datetime = NOON) -> TermInput:
    """A discount of one percentage until an instant, and of another from it on."""
    edges = [APRIL, cut_at, MAY]
    stretches = tuple(
        Stretch(number, start, end, read_wording(DiscountWording, {"kind": "discount", "percent": percent}))
        for number, (start, end, percent) in enumerate(zip(edges[:-1], edges[1:], percents, strict=True), 1)
    )
    return TermInput("DC-1", "", APRIL, None, stretches)


def taken(found: TermInput, discount: TermInput) -> list[Fraction]:
    """What the discount's wordings take off a term."""
    lines = rate_basis(PeriodBasis("C-1", 1, month(), (found, discount))).lines
    return [
        sum((line.exact for line in lines if line.term_ref == "DC-1" and line.contract_version == version), Fraction(0))
        for version in (1, 2)
    ]


def parts_owed(rated: Rated, cut_at: datetime = NOON) -> list[Fraction]:
    """What is owed by the rows before an instant and by those from it on."""
    return [
        sum((line.exact for line in rated.lines if (line.from_at < cut_at) is early), Fraction(0))
        for early in (True, False)
    ]


@settings(max_examples=examples(60))
@given(st.sampled_from([*WORDINGS, *MORE]), usages, INSTANTS)
def test_a_share_that_is_divided_owes_the_same_and_hands_on_the_same(
    words: dict[str, Any], usage: list[Used], instants: set[datetime]
) -> None:
    facts: list[Fact] = [CertifiedRevenue(statement="ST-1", from_at=APRIL, to_at=MAY, net_revenue_amount=Decimal(120))]
    whole = term(wording(**words), *usage, facts=facts if words.get("base") == "certified_revenue" else ())
    once, apart = rate_share(whole, month()), rate_share(divided(whole, instants), month())
    assert abs(once.exact_total - apart.exact_total) <= TINY
    assert {each.name for each in once.carries} == {each.name for each in apart.carries}
    for one, other in zip(sorted(once.carries, key=str), sorted(apart.carries, key=str), strict=True):
        assert abs(one.value - other.value) <= TINY
    rules = {rule: amount for rule, amount in by_rule(once).items() if amount}
    for rule, amount in by_rule(apart).items():
        assert abs(amount - rules.pop(rule, Fraction(0))) <= TINY
    assert not rules
    assert len({line.line_key for line in apart.lines}) == len(apart.lines)
    reaching = [line for line in apart.lines for at in instants if line.from_at < at < line.to_at]
    assert {line.rule for line in reaching} <= {"share_certified_difference"}


def test_the_hours_of_one_day_go_by_the_percentage_of_their_own_time() -> None:
    usage = [used(30 * MTOK, at=april(16, 9)), used(50 * MTOK, at=NOON), used(20 * MTOK, at=april(17))]
    found = term(wording(share_percent="30"), *usage)
    assert taken(found, off("10", "20")) == [-Fraction(9, 10), -Fraction(21, 5)]
    before = PeriodBasis(
        "C-1", 1, month(), (found, off("10", "20")), discounts_divide=frozenset(map(TermKind, FIRST_DIVIDED))
    )
    lines = [line.exact for line in rate_basis(before).lines if line.term_ref == "DC-1"]
    assert lines == [-Fraction(24, 10), -Fraction(6, 5)]


@pytest.mark.parametrize(
    ("words", "early", "late", "first", "second"),
    [
        ({"tiers": [{"from_base_amount": "0", "to_base_amount": "40", "share_percent": "30"},
                    {"from_base_amount": "40", "share_percent": "10"}]}, 30, 30, 9, 5),
        ({"hybrid": {"rent_amount_per_span": "60"}}, 100, 300, 31 + 15, 29 + 45),
        ({"cap": {"amount_per_span": "30"}}, 60, 60, 18, 12),
        ({"cap": {"amount_per_span": "30"}}, 120, 60, 30, 0),
        ({"guarantee": {"amount_per_span": "60"}}, 0, 0, 31, 29),
        ({"reserve": {"percent": "10", "held_days": 90}}, 100, 300, 27, 81),
    ],
    ids=["tiers", "rent", "cap-late", "cap-early", "guarantee", "reserve"],
)  # fmt: skip
def test_each_part_owes_its_own(words: dict[str, Any], early: int, late: int, first: int, second: int) -> None:
    """Of 60.00 a month 31 of 60 half days are before the instant; what is above the cap comes off the latest."""
    usage = [used(early * MTOK, at=april(16, 11)), used(late * MTOK, at=NOON)]
    found = term(wording(**words), *usage)
    expected = [Fraction(first), Fraction(second)]
    assert parts_owed(rate_share(divided(found, [NOON]), month())) == [
        pytest.approx(each, abs=1e-15) for each in expected
    ]
    assert taken(found, off("10", "50")) == [
        pytest.approx(-expected[0] / 10, abs=1e-15),
        pytest.approx(-expected[1] / 2, abs=1e-15),
    ]


def test_what_is_recouped_comes_off_each_part_in_proportion() -> None:
    words = wording(guarantee=RECOUPABLE)
    window = month(MARCH, APRIL)
    facts = handed_on(rate_share(term(words, window=window), window))
    usage = [used(100 * MTOK, at=april(2)), used(300 * MTOK, at=april(20))]
    found = term(words, *usage, facts=facts)
    assert by_rule(rate_share(found, month()))["share_guarantee_recouped"] == -50
    assert parts_owed(rate_share(divided(found, [NOON]), month())) == [30 - Fraction(50, 4), 90 - Fraction(150, 4)]


def test_what_is_held_for_an_answer_is_worth_the_average_of_the_whole_not_of_the_part() -> None:
    tiers = [
        {"from_base_amount": "0", "to_base_amount": "40", "share_percent": "30"},
        {"from_base_amount": "40", "share_percent": "10"},
    ]
    counts = WitnessCounts(
        deployment="d1", model="sample", token_class="output", from_at=april(20), to_at=april(21),
        engine=40 * MTOK, gateway=50 * MTOK,
    )  # fmt: skip
    words = wording(tiers=tiers, outside_tolerance="hold_and_ask", tolerance_percent="2")
    found = term(words, used(30 * MTOK, at=april(2)), used(50 * MTOK, at=april(20)), facts=[counts])
    once, apart = rate_share(found, month()), rate_share(divided(found, [NOON]), month())
    [held] = [carry.value for carry in once.carries if carry.name.startswith("held_share_amount")]
    assert held == Decimal("2.142857142857142857")
    assert apart.carries == once.carries


def test_parts_of_a_segment_know_what_they_are_parts_of() -> None:
    steps = wording(schedule=[{"from_month": 3, "share_percent": "11"}])
    found = divided(term({APRIL: steps, april(21): wording()}, from_at=datetime.fromisoformat("2026-01-10T00:00Z")),
                    [april(10), NOON, april(21)])  # fmt: skip
    parts = segments(found, month())
    assert [(part.from_at, part.divided, part.whole) for part in parts] == [
        (APRIL, 0, 0),
        (april(10), 1, 1),
        (NOON, 2, 1),
        (april(21), 2, 2),
    ]
    assert [len(run) for run in undivided(parts)] == [1, 1, 2]


@given(st.fractions(-100, 100), st.lists(st.fractions(0, 9), min_size=1, max_size=4))
@settings(max_examples=examples(30))
def test_shared_out_the_parts_sum_to_the_amount_as_it_is_charged(amount: Fraction, weights: list[Fraction]) -> None:
    parts = shared_out(amount, weights)
    assert abs(sum(parts) - amount) <= Fraction(1, 2 * 10**18)
    assert all(part == 0 for part, weight in zip(parts[:-1], weights, strict=False) if not weight)


def spot(cut_at: datetime, **more: Any) -> TermInput:
    said = SpotWording(
        accelerator_model="card", price_per_gpu_hour=Decimal(2), notice_seconds=120, unkept_notice_free_seconds=7200
    )
    holds = (Hold("s1", 1000, april(15), cut_at + timedelta(hours=1), "c1", "card"),)
    return TermInput("SP-1", "", APRIL, None, (Stretch(1, APRIL, MAY, said),), holds=holds, **more)


def test_spot_is_divided_inside_a_day_and_an_unkept_notice_reaches_over_the_edge() -> None:
    back = TakenBack(slice_ref="s1", taken_at=NOON + timedelta(hours=1))
    found = spot(NOON, facts=(back,))
    once, apart = rate_spot(found, month()), rate_spot(divided(found, [NOON]), month())
    assert once.exact_total == apart.exact_total == 2 * (37 - 2)
    assert parts_owed(apart) == [2 * 35, 0]
    assert taken(found, off("10", "50")) == [-7, 0]
    kept = replace(found, facts=())
    assert taken(kept, off("10", "50")) == [-Fraction(72, 10), -1]
    assert len({line.line_key for line in apart.lines}) == len(apart.lines)


@settings(max_examples=examples(20))
@given(INSTANTS, st.integers(1, 200))
def test_spot_that_is_divided_comes_to_the_same(instants: set[datetime], hour: int) -> None:
    at = april(17) + timedelta(hours=hour)
    found = spot(at, facts=(TakenBack(slice_ref="s1", taken_at=at + timedelta(hours=1)),))
    once, apart = rate_spot(found, month()), rate_spot(divided(found, instants), month())
    assert once.exact_total == apart.exact_total
    assert not [line for line in apart.lines for edge in instants if line.from_at < edge < line.to_at]


def test_a_second_wording_that_begins_with_the_part_before_stays_its_own() -> None:
    found = spot(NOON)
    [stretch] = found.stretches
    two = replace(
        found,
        stretches=(
            replace(stretch, to_at=april(16)),
            replace(stretch, contract_version=2, from_at=april(16)),
        ),
    )
    lines = rate_spot(divided(two, [NOON]), month()).lines
    assert [(line.contract_version, int(line.quantity)) for line in lines] == [(1, 86_400), (2, 43_200), (2, 3_600)]

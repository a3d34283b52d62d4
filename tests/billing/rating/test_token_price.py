"""Prices by the unit: every unit priced once, in any order and grain; more use never makes the bill smaller."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import islice
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from billing.rating.book import TokenClass
from billing.rating.cumulative import book, difference
from billing.rating.inputs import RatingWindow, Used
from billing.rating.rated import UnpricedReason
from billing.rating.token_price import rate_token_price, token_price_cuts
from billing.rating.token_price_wording import TokenPriceWording
from tests.billing.rating.priced import (
    BOOK,
    FROM,
    MIDDLE,
    TO,
    USED,
    rate,
    table,
    term,
    used,
    wording,
    wordings,
)
from tests.examples import examples

PLAIN = wording()
USAGE = st.lists(USED, max_size=8)


@settings(max_examples=examples(25))
@given(USAGE, wordings(("graduated", "volume")), st.randoms(use_true_random=False))
def test_order_and_grain_of_usage_change_no_line(usage: list[Used], agreed: TokenPriceWording, random: Random) -> None:
    pieces = []
    for each in usage:
        first = each.count // 3
        pieces += [
            structs.replace(each, count=first, deployment="a"),
            structs.replace(each, count=each.count - first, deployment="b"),
        ]
    random.shuffle(pieces)
    assert rate(pieces, agreed) == rate(usage, agreed)


@settings(max_examples=examples(25))
@given(USAGE, wordings(), USED)
def test_more_use_never_makes_the_bill_smaller(usage: list[Used], agreed: TokenPriceWording, more: Used) -> None:
    assert rate([*usage, more], agreed).exact_total >= rate(usage, agreed).exact_total


@settings(max_examples=examples(25))
@given(USAGE, wordings(("graduated", "volume")))
def test_every_unit_is_on_one_line(usage: list[Used], agreed: TokenPriceWording) -> None:
    rated = rate(usage, agreed)
    assert not rated.unpriced
    for model in ("small", "large"):
        for quantity in ("input", "output"):
            counted = sum(each.count for each in usage if (each.model, each.quantity) == (model, quantity))
            lines = [line for line in rated.lines if (line.model, line.token_class) == (model, quantity)]
            assert sum(line.quantity for line in lines) == counted


@settings(max_examples=examples(25))
@given(USAGE, wordings(("graduated", "volume")), st.integers(1, 30 * 24))
def test_the_same_wording_in_two_stretches_gives_what_one_gives(
    usage: list[Used], agreed: TokenPriceWording, hours: int
) -> None:
    cut_at = FROM + timedelta(hours=hours)
    once, twice = rate(usage, agreed), rate(usage, agreed, agreed, cut_at=cut_at)
    assert once.carries == twice.carries
    assert once.exact_total == twice.exact_total


@settings(max_examples=examples(25))
@given(USAGE, wordings(("graduated", "volume")), USED)
def test_what_comes_late_is_booked_as_the_difference_and_only_once(
    usage: list[Used], agreed: TokenPriceWording, late: Used
) -> None:
    first, then = rate(usage, agreed), rate([*usage, late], agreed)
    booked = book({}, difference(first.lines, {}))
    deltas = difference(then.lines, booked)
    assert sum((Fraction(delta.amount) for delta in deltas), Fraction(0)) == then.exact_total - first.exact_total
    assert difference(then.lines, book(booked, deltas)) == ()


@settings(max_examples=examples(25))
@given(st.lists(st.integers(0, 60), min_size=1, max_size=6), st.sampled_from(["year", "life"]))
def test_periods_one_after_the_other_give_what_one_long_one_gives(counts: list[int], span: str) -> None:
    """A position that is carried is the same as one that never stopped."""
    agreed = wording(tiers=[table((25, "100"), (100, "50"), (None, "20"), span=span)])
    carried: dict[str, int] = {}
    total = Fraction(0)
    for count in counts:
        rated = rate([used("output", count)], agreed, carried=carried)
        carried = {carry.name: int(carry.value) for carry in rated.carries}
        total += rated.exact_total
    assert total == rate([used("output", sum(counts))], agreed).exact_total


@settings(max_examples=examples(25))
@given(USAGE)
def test_graduated_tiers_are_what_pricing_unit_by_unit_gives(usage: list[Used]) -> None:
    usage = [structs.replace(each, quantity="output", model="small") for each in usage]
    agreed = wording(tiers=[table((10, "100"), (35, "70"), (None, "10"))])
    factors = {"": Decimal(1), "batch": Decimal("0.5"), "priority": Decimal(2), "batch+priority": Decimal(1)}
    units = sorted((factors[each.marks] for each in usage for _ in range(each.count)), reverse=True)
    bounds = [Decimal(100)] * 10 + [Decimal(70)] * 25
    prices = [*islice(bounds, len(units)), *[Decimal(10)] * max(0, len(units) - 35)]
    expected = sum(
        (Fraction(unit * percent * 4 / 100) for unit, percent in zip(units, prices, strict=True)), Fraction(0)
    )
    assert rate(usage, agreed).exact_total == expected / 1_000_000


def test_usage_under_no_version_and_without_a_price_waits() -> None:
    (no_version,) = rate([used("output", 5)], PLAIN, book=None).unpriced
    (no_price,) = rate([used("output", 5, model="unknown")], PLAIN).unpriced
    assert (no_version.reason, no_price.reason) == (UnpricedReason.NO_VERSION, UnpricedReason.NO_PRICE)
    assert (no_price.model, no_price.token_class, int(no_price.quantity)) == ("unknown", "output", 5)


def test_a_surplus_of_a_part_is_billed_as_the_part_and_reported() -> None:
    rated = rate([used("input", 10), used("cached_input", 15)], PLAIN)
    (line,) = rated.lines
    assert (line.token_class, int(line.quantity)) == ("cached_input", 10)
    (surplus,) = rated.unpriced
    assert (surplus.reason, int(surplus.quantity)) == (UnpricedReason.PART_EXCEEDS_WHOLE, 5)


def test_what_is_agreed_not_to_be_billed_is_neither_billed_nor_missed() -> None:
    assert rate([used("steps", 7)], wording(not_billed=["steps"])) == rate([], PLAIN)
    assert rate([used("steps", 7)], PLAIN).unpriced


def test_requests_need_no_price_and_have_one_where_it_is_agreed() -> None:
    assert rate([used("requests", 7)], PLAIN) == rate([], PLAIN)
    price = {"model": "small", "quantity": "requests", "price": "0.01", "price_unit": "per_request"}
    assert rate([used("requests", 7)], wording(prices=[price])).exact_total == Fraction(7, 100)


def test_an_own_price_is_one_line_over_a_change_of_the_book() -> None:
    later = replace(BOOK, version_id="v2", effective_at=MIDDLE)
    price = {"model": "small", "quantity": "output", "price": "3", "price_unit": "per_mtok"}
    window = RatingWindow("USD", "UTC", FROM, TO, TO, (BOOK, later))
    usage = [used("output", 10), used("output", 20, at=MIDDLE), used("input", 1), used("input", 2, at=MIDDLE)]
    lines = rate_token_price(term(usage, wording(prices=[price])), window).lines
    assert [(line.token_class, line.price_version_id, int(line.quantity)) for line in lines] == [
        ("input", "v1", 1),
        ("input", "v2", 2),
        ("output", None, 30),
    ]


def test_a_year_begins_anew_inside_a_period() -> None:
    agreed = wording(tiers=[table((10, "100"), (None, "50"), span="year")])
    started = datetime(2025, 3, 11, tzinfo=UTC)
    usage = [used("output", 8), used("output", 8, at=datetime(2026, 3, 11, tzinfo=UTC))]
    about = replace(term(usage, agreed, carried={"tier_position|main|small|output": 5}), from_at=started)
    rated = rate_token_price(about, RatingWindow("USD", "UTC", FROM, TO, TO, (BOOK,)))
    assert sorted((int(line.quantity), int(line.price.amount)) for line in rated.lines) == [(3, 2), (5, 4), (8, 4)]
    assert [(carry.name, int(carry.value)) for carry in rated.carries] == [("tier_position|main|small|output", 8)]


def test_usage_is_cut_where_windows_and_years_begin() -> None:
    night = {"name": "night", "from_local": "22:00", "to_local": "06:00", "factor": "0.5", "days": ["sat"]}
    agreed = wording(off_peak=[night], tiers=[table((None, "50"), span="year")])
    cuts = token_price_cuts(
        agreed, datetime(2025, 3, 5, tzinfo=UTC), "Europe/Berlin", FROM, datetime(2026, 3, 9, tzinfo=UTC)
    )
    assert [at.isoformat() for at in cuts] == [
        "2026-03-01T05:00:00+00:00",
        "2026-03-05T00:00:00+00:00",
        "2026-03-07T21:00:00+00:00",
        "2026-03-08T05:00:00+00:00",
    ]
    assert token_price_cuts(PLAIN, FROM, "UTC", FROM, TO) == []


@pytest.mark.parametrize(("quality", "expected"), [("A", {"A": 4}), ("E", {"E": 4})])
def test_a_line_says_how_sure_its_units_are(quality: str, expected: dict[str, int]) -> None:
    (line,) = rate([used("output", 4, quality=quality)], PLAIN).lines
    assert dict(line.quality_mix) == expected


def test_the_surest_units_fill_the_first_tiers() -> None:
    agreed = wording(tiers=[table((5, "100"), (None, "50"))])
    rated = rate([used("output", 4, quality="E"), used("output", 3)], agreed)
    assert [dict(line.quality_mix) for line in rated.lines] == [{"A": 3, "E": 2}, {"E": 2}]


def test_a_factor_of_the_book_changes_with_it_where_the_price_is_the_contracts_own() -> None:
    own = wording(prices=[{"model": "small", "quantity": "output", "price": "8", "price_unit": "per_mtok"}])
    later = replace(BOOK, version_id="v2", effective_at=MIDDLE, factors={("", "batch"): Decimal("0.25")})
    usage = [used("output", 1_000_000, at=at, marks="batch") for at in (FROM, MIDDLE)]
    window = RatingWindow("USD", "UTC", FROM, TO, TO, (BOOK, later))
    rated = rate_token_price(term(usage, own), window)
    assert sorted(line.exact for line in rated.lines) == [2, 4]
    assert len({line.line_key for line in rated.lines}) == 2


def test_an_allowance_takes_the_dearest_units_of_the_period_whenever_they_were_used() -> None:
    agreed = wording(allowances=[{"name": "free", "quantities": ["input", "output"], "units_per_period": 10}])
    cheaper = replace(BOOK, version_id="v0", token_prices={("small", TokenClass.OUTPUT): Decimal("0.5")})
    dearer = replace(BOOK, version_id="v2", effective_at=MIDDLE)
    window = RatingWindow("USD", "UTC", FROM, TO, TO, (cheaper, dearer))
    rated = rate_token_price(term([used("output", 10), used("output", 10, at=MIDDLE)], agreed), window)
    assert rated.exact_total == 10 * Fraction("0.5") / 1_000_000


@pytest.mark.parametrize(
    ("more", "billed"),
    [
        # 1.0 × 40, then what is dearest: 0.4 × 4 × 1.5 and 1.6 × 4 at half, 0.4 × 4 at a quarter.
        ({"together": True}, "44.80"),
        # 40, and of the small model by itself 0.4 × 6 and 0.6 × 4 in full, 1.4 × 4 at half.
        ({}, "47.60"),
        # 3.4 million lie in the last tier: all of 40 + 2.40 + 8 at a quarter.
        ({"together": True, "mode": "volume"}, "12.60"),
        # By itself the large model stays in the first, the small one's 2.4 million lie in the second.
        ({"mode": "volume"}, "45.20"),
    ],
)
def test_tiers_together_and_priority_come_to_what_arithmetic_by_hand_does(more: dict[str, Any], billed: str) -> None:
    tiers = table((1_000_000, "100"), (3_000_000, "50"), (None, "25"), **more)
    agreed = wording(tiers=[tiers], multipliers=[{"mark": "priority", "factor": "1.5"}])
    usage = [
        used("output", 2_000_000),
        used("output", 400_000, marks="priority"),
        used("output", 1_000_000, model="large"),
    ]
    assert rate(usage, agreed).exact_total == Fraction(billed)


def test_priority_multiplies_the_prices_of_a_table_too() -> None:
    """0.4 × 8 × 1.5 first, since it is dearest, then 0.6 × 8, and 1.4 × 4 in the second tier."""
    tiers = {"tiers": [{"up_to": 1_000_000, "price": "8"}, {"price": "4"}], "price_unit": "per_mtok"}
    agreed = wording(tiers=[table((None, "100")) | tiers], multipliers=[{"mark": "priority", "factor": "1.5"}])
    usage = [used("output", 2_000_000), used("output", 400_000, marks="priority")]
    assert rate(usage, agreed).exact_total == Fraction("15.20")

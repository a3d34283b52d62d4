"""Hybrids: rent by the second, and a share above a breakpoint or against the rent."""

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.rating.share_rating import rate_share
from tests.billing.rating.share_made import APRIL, MTOK, april, by_rule, month, term, used, wording
from tests.examples import examples


def hybrid(breakpoint_kind: str, *, agreed: str | None = None, credited: bool = False) -> dict[str, Any]:
    document: dict[str, Any] = {
        "rent_amount_per_span": "60",
        "breakpoint": breakpoint_kind,
        "rent_credited": credited,
    }
    return {"hybrid": document if agreed is None else {**document, "breakpoint_base_amount_per_span": agreed}}


@pytest.mark.parametrize(
    ("document", "base", "owed"),
    [
        (hybrid("natural"), 100, 60),
        (hybrid("natural"), 200, 60),
        (hybrid("natural"), 300, 90),
        (hybrid("none"), 300, 150),
        (hybrid("none", credited=True), 100, 60),
        (hybrid("none", credited=True), 300, 90),
        (hybrid("agreed", agreed="100"), 50, 60),
        (hybrid("agreed", agreed="100"), 300, 120),
        (hybrid("agreed", agreed="100", credited=True), 300, 60),
        (hybrid("agreed", agreed="100", credited=True), 500, 120),
        (hybrid("agreed", agreed="100"), 0, 60),
    ],
)
def test_what_a_hybrid_owes(document: dict[str, Any], base: int, owed: int) -> None:
    assert rate_share(term(wording(**document), used(base * MTOK)), month()).exact_total == owed


def test_rent_runs_by_the_second_of_what_is_rated() -> None:
    draft = month(rated_to=april(11))
    rated = rate_share(term(wording(**hybrid("natural")), window=draft), draft)
    assert by_rule(rated) == {"share_base_rent": 20}
    year = {"hybrid": {"rent_amount_per_span": "365", "span": "year", "breakpoint": "none"}}
    assert rate_share(term(wording(**year)), month()).exact_total == 30


def test_stretches_with_and_without_a_hybrid_stand_by_themselves() -> None:
    changed = {APRIL: wording(**hybrid("natural")), april(16): wording()}
    usage = [used(50 * MTOK), used(100 * MTOK, at=april(16))]
    assert rate_share(term(changed, *usage), month()).exact_total == 30 + 30


@settings(max_examples=examples(25))
@given(st.integers(0, 500), st.integers(0, 500), st.integers(1, 29))
def test_a_breakpoint_is_of_the_period_whatever_amendments_cut_it(first: int, second: int, day: int) -> None:
    words = wording(**hybrid("agreed", agreed="100"))
    usage = [used(first * MTOK), used(second * MTOK, at=april(30))]
    cut = rate_share(term({APRIL: words, april(day + 1): words}, *usage), month()).exact_total
    expected = 60 + Fraction(30, 100) * max(0, first + second - 100)
    assert abs(cut - expected) < Fraction(1, 10**15)

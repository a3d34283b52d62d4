"""A difference that is held bills once both parties agree on a count: in its period, or later at its share."""

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.rating.inputs import Carried, Fact, TermInput
from billing.rating.rated import Rated
from billing.rating.share_facts import AgreedCounts, WitnessCounts
from billing.rating.share_rating import rate_share
from tests.billing.rating.share_made import APRIL, JUNE, MAY, MTOK, month, term, used, wording
from tests.examples import examples

ABOUT: dict[str, Any] = {"deployment": "d1", "model": "sample", "token_class": "output", "from_at": APRIL, "to_at": MAY}
HELD: dict[str, Any] = {"outside_tolerance": "hold_and_ask", "tolerance_percent": "1"}
SETTLED = "share_witness_settled"


def april(engine: int, gateway: int, *facts: Fact, **document: Any) -> Rated:
    words = wording(**{**HELD, **document})
    counted = engine if document.get("witness") == "engine" else gateway
    stated = [WitnessCounts(**ABOUT, engine=engine * MTOK, gateway=gateway * MTOK), *facts]
    return rate_share(term(words, used(counted * MTOK), facts=stated), month())


def agreed(mtok: int) -> AgreedCounts:
    return AgreedCounts(**ABOUT, tokens=mtok * MTOK)


def may(before: Rated, *facts: Fact, whole: bool = True, **of_term: Any) -> Rated:
    handed = [Carried(name=each.name, value=each.value) for each in before.carries]
    window = month(MAY, JUNE, rated_to=None if whole else MAY.replace(day=9))
    return rate_share(term(wording(**HELD), facts=[*handed, *facts], window=window, **of_term), window)


def owed(rated: Rated) -> Fraction:
    return sum((line.exact for line in rated.lines), Fraction(0))


@pytest.mark.parametrize("witness", ["gateway", "engine"])
@pytest.mark.parametrize(("engine", "gateway"), [(900, 1_000), (1_000, 900)])
@pytest.mark.parametrize("count", [900, 930, 1_000])
def test_an_agreed_count_bills_in_its_open_period_or_later_at_the_same_worth(
    witness: str, engine: int, gateway: int, count: int
) -> None:
    at_once = april(engine, gateway, agreed(count), witness=witness)
    assert owed(at_once) == Fraction(count) * 30 / 100
    assert not at_once.unpriced
    assert not at_once.carries
    before = april(engine, gateway, witness=witness)
    assert owed(before) == 270
    assert [int(each.quantity) for each in before.unpriced] == [100 * MTOK]
    later = may(before, agreed(count))
    assert owed(before) + owed(later) == owed(at_once)
    assert {line.rule for line in later.lines} == ({SETTLED} if count > 900 else set())
    assert not later.carries


def test_what_is_held_is_handed_on_until_it_is_agreed_and_bills_once() -> None:
    before = april(900, 1_000)
    waiting = may(before)
    assert not waiting.lines
    assert {each.name: each.value for each in waiting.carries} == {each.name: each.value for each in before.carries}
    assert not may(before, whole=False).carries
    settled = may(waiting, agreed(950), agreed(950))
    assert owed(settled) == 15
    (line,) = settled.lines
    assert (line.rule, line.model, line.token_class) == (SETTLED, "sample", "output")
    assert (line.from_at, line.to_at) == (APRIL, MAY)
    assert owed(may(waiting, agreed(950), whole=False)) == 15
    assert not may(settled, agreed(950)).lines


def test_a_count_outside_what_was_counted_bills_no_more_than_was_held() -> None:
    before = april(900, 1_000)
    assert owed(may(before, agreed(5_000))) == 30
    assert owed(may(before, agreed(1))) == 0


def test_nothing_is_handed_on_past_the_end_of_a_term() -> None:
    assert not may(april(900, 1_000), to_at=JUNE).carries


def test_where_one_witness_counted_nothing_all_is_held_and_can_bill_later() -> None:
    before = april(0, 100)
    assert owed(before) == 0
    assert owed(may(before, agreed(100))) == 30


def test_taxes_and_fees_are_left_out_of_what_is_billed_later() -> None:
    cut = {"exclusions": [{"rule": "taxes", "percent": "25"}, {"rule": "gateway_fees", "percent": "10"}]}
    at_once, before = april(900, 1_000, agreed(1_000), **cut), april(900, 1_000, **cut)
    assert owed(before) + owed(may(before, agreed(1_000))) == owed(at_once)


def test_tiers_bill_later_at_the_average_share() -> None:
    tiers = [
        {"from_base_amount": "0", "to_base_amount": "450", "share_percent": "40"},
        {"from_base_amount": "450", "share_percent": "20"},
    ]
    before = april(900, 1_000, tiers=tiers)
    assert owed(before) == 270
    assert owed(may(before, agreed(1_000))) == 30


def test_of_a_certified_base_nothing_is_owed_for_tokens() -> None:
    before = april(900, 1_000, base="certified_revenue", statements={"due_days": 9})
    assert not [each for each in before.carries if each.name.startswith("held")]


def test_an_agreed_count_that_nobody_held_changes_nothing() -> None:
    assert owed(april(999, 1_000, agreed(5), outside_tolerance="bill_witness")) == 300
    plain: TermInput = term(wording(), used(MTOK), facts=[agreed(5)])
    assert owed(rate_share(plain, month())) == Fraction(3, 10)


@settings(max_examples=examples(25))
@given(st.integers(1, 2_000), st.integers(1, 2_000), st.data())
def test_late_or_at_once_comes_to_the_same(engine: int, gateway: int, data: st.DataObject) -> None:
    lower, higher = sorted((engine, gateway))
    before = april(engine, gateway)
    if not before.unpriced:
        return
    count = data.draw(st.integers(lower, higher))
    late = owed(before) + owed(may(before, agreed(count)))
    # What is handed on is rounded to 18 decimals, as charges are.
    assert abs(late - owed(april(engine, gateway, agreed(count)))) < Fraction(1, 10**12)

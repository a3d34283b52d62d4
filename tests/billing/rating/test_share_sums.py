"""A share whose days are added up comes to what it comes to day by day, and stays as it is where days decide."""

from collections import Counter
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.rating.book import PriceVersion, TokenClass
from billing.rating.inputs import Carried, RatingWindow, TermInput, Used
from billing.rating.lines import make_bill
from billing.rating.share_facts import WitnessCounts
from billing.rating.share_rating import rate_share
from billing.rating.share_sums import days_together
from tests.billing.rating.share_made import APRIL, BEFORE, MAY, april, month, term, used, wording
from tests.billing.rating.test_share_rating import WORDINGS
from tests.examples import examples

PRICES = {("sample", TokenClass.INPUT): Decimal("0.7"), ("sample", TokenClass.CACHED_INPUT): Decimal("0.31")}
PRICES |= {("other", TokenClass.INPUT): Decimal(1), ("other", TokenClass.OUTPUT): Decimal(3)}
VERSIONS = (
    PriceVersion("v1", BEFORE, token_prices=PRICES),
    PriceVersion("v2", april(9, 5), token_prices={**PRICES, ("other", TokenClass.REASONING): Decimal("2.9")}),
)
WINDOW = month(versions=VERSIONS)
usages = st.lists(
    st.builds(
        used,
        st.integers(0, 9_999_999),
        at=st.integers(0, 30 * 24 - 1).map(lambda hour: APRIL + timedelta(hours=hour)),
        model=st.sampled_from(["sample", "other"]),
        token_class=st.sampled_from(["input", "cached_input", "output", "reasoning"]),
        marks=st.sampled_from(["", "", "", "", "test"]),
        deployment=st.sampled_from(["d1", "d2"]),
        quality=st.sampled_from(["A", "E"]),
    ),
    max_size=12,
)


def with_wholes(usage: list[Used]) -> list[Used]:
    """Count as much of a whole as of each part beside it, so that days can be added up."""
    whole = {"cached_input": "input", "reasoning": "output"}
    return [
        *usage,
        *(
            used(
                each.count,
                at=each.from_at,
                model=each.model,
                token_class=whole[each.quantity],
                deployment=each.deployment,
            )
            for each in usage
            if each.quantity in whole
        ),
    ]


def figures(about: TermInput, window: RatingWindow) -> tuple[Any, ...]:
    rated = rate_share(about, window)
    owed = Counter[tuple[str, str, str]]()
    tokens = Counter[tuple[str, str, str]]()
    for line in rated.lines:
        key = (line.rule, line.model, line.token_class)
        owed[key] += line.exact  # type: ignore[assignment]  # fractions add up as counts do
        tokens[key] += int(line.quantity)
    waiting = Counter[tuple[str, str, str]]()
    for each in rated.unpriced:
        waiting[each.model, each.token_class, each.reason] += int(each.quantity)
    return owed, tokens, waiting, rated.carries, make_bill(rated.lines, window.currency).total


@settings(max_examples=examples(60))
@given(st.sampled_from(WORDINGS), usages, st.booleans())
def test_days_added_up_come_to_the_same(words: dict[str, Any], usage: list[Used], is_sound: bool) -> None:
    about = term(wording(**words), *(with_wholes(usage) if is_sound else usage), window=WINDOW)
    assert figures(days_together(about, WINDOW), WINDOW) == figures(about, WINDOW)


def test_usage_between_changes_of_prices_and_wordings_is_one() -> None:
    about = term(
        {APRIL: wording(), april(20): wording(share_percent="40")},
        *(used(100 + day, at=april(day), token_class=name) for day in range(1, 31) for name in ("input", "output")),
        facts=[Carried(name="x", value=Decimal(1))],
        window=WINDOW,
    )
    added = days_together(about, WINDOW)
    assert [(each.quantity, each.from_at.day, each.to_at.day) for each in added.usage] == [
        (name, first, last) for first, last in ((1, 9), (10, 19), (20, 30)) for name in ("input", "output")
    ]
    assert sum(each.count for each in added.usage) == sum(each.count for each in about.usage)
    assert figures(added, WINDOW) == figures(about, WINDOW)


COUNTS = WitnessCounts(
    deployment="d1", model="sample", token_class="input", from_at=APRIL, to_at=MAY, engine=5, gateway=3, explained=0
)


@pytest.mark.parametrize(
    ("usage", "facts"),
    [
        ([used(1, at=april(2), token_class="cached_input")], []),
        ([used(5, at=april(3), token_class="input"), used(5, at=april(2), token_class="cached_input")], []),
        ([used(1, marks="test")], []),
        ([used(1)], [COUNTS]),
        ([], []),
    ],
)
def test_where_days_decide_usage_stays_as_it_is(usage: list[Used], facts: list[Any]) -> None:
    about = term(wording(), *usage, facts=facts, window=WINDOW)
    assert days_together(about, WINDOW) is about


def test_a_day_with_more_of_a_part_than_of_its_whole_bills_its_surplus_as_before() -> None:
    """Over both days there is enough input for all that was cached, on the second day there is not."""
    usage = [
        used(10_000_000, at=april(2), token_class="input"),
        used(1_000_000, at=april(3), token_class="input"),
        used(4_000_000, at=april(3), token_class="cached_input"),
    ]
    about = term(wording(share_percent="100"), *usage, window=WINDOW)
    by_day = sum((line.exact for line in rate_share(about, WINDOW).lines), Fraction(0))
    assert by_day == Fraction("7") + Fraction("0.31")
    assert figures(days_together(about, WINDOW), WINDOW) == figures(about, WINDOW)

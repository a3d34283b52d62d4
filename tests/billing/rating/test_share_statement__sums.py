"""Whatever a share says and whatever was counted: the statement's sections add up to the lines, and lose none."""

from __future__ import annotations

import random
from fractions import Fraction
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from billing.rating.rated import Rated, Unit
from billing.rating.share_rating import rate_share
from billing.rating.share_statement import SECTION_OF, Section, ShareStatement, share_statements
from tests.billing.rating.share_made import april, month, term, used, wording
from tests.examples import examples

TIERS = [
    {"from_base_amount": "0", "to_base_amount": "100", "share_percent": "30"},
    {"from_base_amount": "100", "share_percent": "20"},
]
elements = st.fixed_dictionaries(
    {},
    optional={
        "tiers": st.just(TIERS),
        "exclusions": st.lists(
            st.sampled_from([{"rule": "tests"}, {"rule": "taxes", "percent": "19"}, {"rule": "free_tier"}]),
            unique_by=str,
        ),
        "hybrid": st.just({"rent_amount_per_span": "10", "breakpoint": "none"}),
        "guarantee": st.just({"amount_per_span": "40", "prorated_by_availability": False}),
        "cap": st.just({"amount_per_span": "60"}),
        "reserve": st.just({"percent": "10", "held_days": 30}),
    },
)
usages = st.lists(
    st.builds(
        used,
        st.integers(1, 10**9),
        at=st.builds(april, st.integers(1, 30), st.integers(0, 23)),
        model=st.sampled_from(["sample", "other"]),
        token_class=st.sampled_from(["input", "output"]),
        marks=st.sampled_from(["", "test", "free"]),
        deployment=st.sampled_from(["d1", "d2"]),
    ),
    max_size=8,
)


def stated(document: dict[str, Any], usage: list[Any]) -> tuple[Rated, ShareStatement | None]:
    rated = rate_share(term(wording(**document), *usage), month())
    found = share_statements(rated.lines)
    assert len(found) == bool(rated.lines)
    return rated, found[0] if found else None


@settings(max_examples=examples(25))
@given(elements, usages)
def test_sections_add_up_to_the_lines(document: dict[str, Any], usage: list[Any]) -> None:
    rated, statement = stated(document, usage)
    if statement is None:
        assert rated.exact_total == 0
        return
    assert statement.owed == rated.exact_total
    assert sum((row.owed for name in Section for row in statement.of(name)), Fraction(0)) == rated.exact_total
    assert [row for name in Section for row in statement.of(name)] == list(statement.rows)
    for section in Section:
        lines = [line for line in rated.lines if SECTION_OF[line.rule] is section]
        assert sum((row.owed for row in statement.of(section)), Fraction(0)) == sum(line.exact for line in lines)
        assert sum((row.base for row in statement.of(section)), Fraction(0)) == sum(line.exact_base for line in lines)


@settings(max_examples=examples(25))
@given(elements, usages)
def test_the_waterfall_holds(document: dict[str, Any], usage: list[Any]) -> None:
    _, statement = stated(document, usage)
    if statement is None:
        return
    assert statement.gross >= 0 >= statement.excluded
    assert statement.base == statement.gross + statement.excluded >= 0
    assert 0 <= statement.share <= statement.base
    gross = sum(each.count for each in usage)
    assert sum(row.quantity for row in statement.of(Section.GROSS)) == gross
    assert statement.gross == Fraction(gross, 10**6)
    rest = (Section.RENT, Section.GUARANTEE, Section.CAP, Section.ADJUSTMENTS, Section.RESERVE)
    assert statement.owed == statement.share + sum(row.owed for name in rest for row in statement.of(name))


@settings(max_examples=examples(25))
@given(elements, usages, st.randoms(use_true_random=False))
def test_the_order_of_lines_changes_no_row(document: dict[str, Any], usage: list[Any], shuffled: random.Random) -> None:
    rated, statement = stated(document, usage)
    lines = list(rated.lines)
    shuffled.shuffle(lines)
    again = share_statements(lines)
    assert again == (() if statement is None else (statement,))


@settings(max_examples=examples(25))
@given(elements, usages)
def test_no_two_rows_could_be_one_and_an_amount_has_no_price(document: dict[str, Any], usage: list[Any]) -> None:
    _, statement = stated(document, usage)
    rows = statement.rows if statement else ()
    keys = [(r.rule, r.model, r.token_class, r.context_over, r.unit, r.price, r.share_percent) for r in rows]
    assert len(set(keys)) == len(keys)
    assert all((row.price is None) == (row.unit is Unit.AMOUNT) for row in rows)

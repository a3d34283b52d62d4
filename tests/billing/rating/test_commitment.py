"""Commitments: the larger of used and committed, trued up once."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from billing.rating.commitment import CommitmentWording, adjust_commitment, drawdown
from billing.rating.inputs import Carried, RatingWindow, TermInput
from billing.rating.wording import Stretch, read_wording
from tests.billing.rating.made import token_line
from tests.billing.rating.priced import FROM, MIDDLE, TO
from tests.examples import examples

WINDOW = RatingWindow("USD", "UTC", FROM, TO, TO)


def committed(*cuts: datetime, carried: dict[str, Decimal] | None = None, **said: Any) -> TermInput:
    wording = read_wording(CommitmentWording, {"kind": "commitment", **said})
    edges = [FROM, *cuts, TO]
    stretches = tuple(Stretch(number, start, end, wording) for number, (start, end) in enumerate(pairwise(edges)))
    facts = tuple(Carried(name=name, value=value) for name, value in (carried or {}).items())
    return TermInput("M-1", "", FROM, None, stretches, facts=facts)


@settings(max_examples=examples(25))
@given(st.lists(st.integers(0, 200), min_size=1, max_size=6), st.sampled_from(["lost", "recoupable"]))
def test_a_period_is_paid_for_by_the_larger_of_both(used: list[int], shortfall: str) -> None:
    carried: dict[str, Decimal] = {}
    paid = Fraction(0)
    for count in used:
        term = committed(amount_per_period="100", shortfall=shortfall, carried=carried)
        lines = [token_line("a", count * 10**6)]
        rated = adjust_commitment(term, WINDOW, lines)
        paid = rated.exact_total + count
        carried = {carry.name: carry.value for carry in rated.carries}
        assert paid == max(count, 100) if shortfall == "lost" else 100 <= paid <= max(count, 100)


@settings(max_examples=examples(25))
@given(st.lists(st.integers(0, 200), min_size=1, max_size=6))
def test_what_is_recouped_was_paid_for_nothing_before(used: list[int]) -> None:
    carried: dict[str, Decimal] = {}
    ups, downs = Fraction(0), Fraction(0)
    for count in used:
        term = committed(amount_per_period="100", shortfall="recoupable", carried=carried)
        rated = adjust_commitment(term, WINDOW, [token_line("a", count * 10**6)])
        ups += max(Fraction(0), rated.exact_total)
        downs -= min(Fraction(0), rated.exact_total)
        carried = {carry.name: carry.value for carry in rated.carries}
    assert Fraction(carried.get("recoupable_amount", Decimal(0))) == ups - downs >= 0


@pytest.mark.parametrize("per", ["amount_per_period", "amount_per_year"])
def test_the_same_wording_in_two_stretches_gives_what_one_gives(per: str) -> None:
    said: dict[str, Any] = {per: "77.77"}
    once, twice = committed(**said), committed(MIDDLE, **said)
    lines = [token_line("a", 10**6)]
    assert adjust_commitment(once, WINDOW, lines).carries == adjust_commitment(twice, WINDOW, lines).carries
    assert drawdown(once, WINDOW, lines) == drawdown(twice, WINDOW, lines)


def test_nothing_is_made_up_before_the_period_is_over() -> None:
    open_window = replace(WINDOW, to_at=MIDDLE)
    term = committed(amount_per_period="100")
    assert not adjust_commitment(term, open_window, [token_line("a", 10**6)]).lines
    table = drawdown(term, open_window, [token_line("a", 10**6)])
    assert table is not None
    assert [int(each) for each in (table.committed_amount, table.used_amount, table.left_amount)] == [100, 1, 99]


def test_only_terms_in_scope_count() -> None:
    lines = [token_line("a", 10**6), structs.replace(token_line("b", 10**6), term_ref="S-2")]
    (line,) = adjust_commitment(committed(amount_per_period="10", terms=["S-2"]), WINDOW, lines).lines
    assert line.amount == 9


def test_a_contract_that_ends_within_the_year_owes_its_part() -> None:
    term = replace(committed(amount_per_year="365"), to_at=TO)
    (line,) = adjust_commitment(term, WINDOW, []).lines
    assert line.amount == 31


def test_there_is_no_table_where_nothing_is_in_force() -> None:
    term = TermInput("M-1", "", datetime(2026, 1, 1, tzinfo=UTC), None, ())
    assert drawdown(term, WINDOW, []) is None
    assert not adjust_commitment(term, WINDOW, []).lines

"""However often something comes late, the bills together are what one bill of everything would have been."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.basis import PeriodBasis, rate
from billing.evidence_adjustments import Restated, billed_differences, section_differences, write_restated
from billing.rating.held_time import Outage, StatedOutage
from billing.rating.inputs import Carried, RatingWindow, TermInput, Used
from billing.rating.lines import Bill, make_bill
from billing.rating.rated import Carry, TermKind
from billing.rating.token_price_wording import Span, Tier, TierMode, TierTable, TokenPriceWording
from billing.rating.wording import Stretch
from billing.restating import (
    Billed,
    LineKey,
    LineNow,
    facts_of_lines,
    in_order,
    key_of,
    late_basis,
    lines_now,
    restated_carries,
    source_of,
)
from tests.examples import examples

if TYPE_CHECKING:
    from collections.abc import Sequence

MARCH, APRIL = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC)
TABLE = TierTable(
    name="main",
    quantities=("output",),
    mode=TierMode.GRADUATED,
    span=Span.PERIOD,
    price_unit="per_mtok",
    tiers=(Tier(up_to=1_000_000, price=Decimal("3.333")), Tier(price=Decimal("0.777"))),
)


def basis(*tokens: tuple[str, int], carried: int = 0) -> PeriodBasis:
    wording = TokenPriceWording(witness="engine", tiers=(TABLE,))
    usage = tuple(Used("d1", model, "output", "A", MARCH, APRIL, count) for model, count in tokens)
    facts = (Carried(name="tier_tokens", value=Decimal(carried)),) if carried else ()
    term = TermInput("P-1", "Sold", MARCH, None, (Stretch(1, MARCH, APRIL, wording),), usage=usage, facts=facts)
    return PeriodBasis("C-1", 1, RatingWindow("USD", "UTC", MARCH, APRIL, APRIL), (term,))


def bill_of(one: PeriodBasis) -> Bill:
    return make_bill(rate(one).lines, "USD")


def billed_of(lines: Sequence[LineNow]) -> dict[LineKey, Billed]:
    return {
        line.key: Billed(line.kind, line.position, line.quantity, line.billed_amount + line.adjusted_amount)
        for line in lines
    }


@settings(max_examples=examples(25))
@given(st.lists(st.tuples(st.sampled_from(["a", "b"]), st.integers(0, 5_000_000)), min_size=1, max_size=6))
def test_bills_in_parts_come_to_the_bill_of_everything(parts: list[tuple[str, int]]) -> None:
    billed: dict[LineKey, Billed] = {}
    total = Decimal(0)
    for count in range(1, len(parts) + 1):
        lines = lines_now(bill_of(basis(*parts[:count])), billed, upward_billed=True)
        total += sum(line.adjusted_amount for line in lines)
        billed = billed_of(lines)
    assert total == bill_of(basis(*parts)).total
    again = lines_now(bill_of(basis(*parts)), billed, upward_billed=True)
    assert not any(line.adjusted_amount for line in again)


@settings(max_examples=examples(25))
@given(st.integers(0, 3_000_000), st.integers(0, 3_000_000))
def test_after_the_limit_less_is_given_back_and_more_is_withheld(first: int, second: int) -> None:
    billed = billed_of(lines_now(bill_of(basis(("a", first))), {}, upward_billed=True))
    lines = lines_now(bill_of(basis(("a", second))), billed, upward_billed=False)
    open_amount = bill_of(basis(("a", second))).total - bill_of(basis(("a", first))).total
    assert sum(line.adjusted_amount for line in lines) == min(open_amount, Decimal(0))
    assert sum(line.withheld_amount for line in lines) == max(open_amount, Decimal(0))


def test_a_line_that_is_gone_is_given_back_at_its_position() -> None:
    key = LineKey("P-1", "gone", "token_price_tier", "tokens", "")
    billed = {key: Billed(TermKind.TOKEN_PRICE, 4, Decimal(10), Decimal("7.00"))}
    [line] = lines_now(bill_of(basis()), billed, upward_billed=True)
    assert [line.position, line.amount, line.adjusted_amount] == [4, 0, -7]
    [fact] = facts_of_lines("INV-0001", basis(), [line])
    assert [fact.line, fact.quantity, fact.amount] == [4, -10, -7]
    assert fact.source == source_of(basis(), line)


def test_usage_and_what_was_handed_over_come_late_and_nothing_else_does() -> None:
    sealed, current = basis(("a", 1), carried=5), basis(("a", 2), carried=9)
    late = late_basis(sealed, current)
    assert late == current
    without = PeriodBasis("C-1", 2, sealed.window, ())
    assert late_basis(sealed, without) == sealed


def test_a_stated_outage_comes_late_and_what_the_meter_said_stays_as_it_was_sealed() -> None:
    said: dict[str, Any] = {"cause": "card_lost", "from_at": MARCH, "to_at": APRIL}
    before, after, late = Outage(subject="a", **said), Outage(subject="b", **said), StatedOutage(subject="a", **said)
    sealed, current = basis(("a", 1)), basis(("a", 1))
    sealed = replace(sealed, terms=tuple(replace(term, facts=(before,)) for term in sealed.terms))
    current = replace(current, terms=tuple(replace(term, facts=(after, late)) for term in current.terms))
    assert [term.facts for term in late_basis(sealed, current).terms] == [(late, before)]


def test_lines_stand_in_the_order_of_an_invoice() -> None:
    lines = bill_of(basis(("b", 5), ("a", 5))).lines
    assert [line.model for line in in_order(reversed(lines))] == ["a", "b"]
    assert key_of(lines[0]).model == "a"


def test_only_what_terms_hand_on_is_restated() -> None:
    carries = [Carry("C-1", "credit_amount", Decimal(1)), Carry("P-1", "tier_tokens", Decimal(2))]
    assert restated_carries(carries, "C-1", basis()) == (carries[1],)


def section() -> tuple[dict[str, object], PeriodBasis]:
    one = basis(("a", 2_000_000))
    billed = billed_of(lines_now(bill_of(basis(("a", 1_000_000))), {}, upward_billed=True))
    lines = lines_now(bill_of(one), billed, upward_billed=True)
    return write_restated(Restated("INV-0001", "abc", one, upward_billed=True, lines=lines, carries=()), {}), one


def test_a_section_that_was_not_touched_recomputes() -> None:
    made, one = section()
    assert section_differences(made, one) == []
    assert "0.78" in billed_differences([(made, one)], one)[0]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("amount", "9.99"),
        ("billed_amount", "0.00"),
        ("adjusted_amount", "1.00"),
        ("quantity", "1"),
        ("withheld_amount", "1"),
    ],
)
def test_a_forged_figure_of_a_section_is_found(name: str, value: str) -> None:
    made, one = section()
    lines = made["lines"]
    assert isinstance(lines, list)
    lines[0][name] = value
    assert section_differences(made, one)


def test_forged_carries_of_a_section_are_found() -> None:
    made, one = section()
    made["carries"] = [{"ref": "P-1", "name": "tier_tokens", "value": "1"}]
    assert "carries" in section_differences(made, one)[0]

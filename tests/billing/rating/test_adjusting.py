"""What adjusters look at: scopes, what is left of lines, and lines of amounts."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from msgspec.structs import replace

from billing.rating.adjusting import Scope, amount_line, is_adjustment, net_by_about
from billing.rating.rated import RatedLine, TermKind, Unit
from tests.billing.rating.made import token_line
from tests.billing.rating.priced import FROM, MIDDLE, TO

ALL = Scope()
MTOK = 10**6


def off(amount: str, *, model: str = "", quantity: str = "", ref: str = "S-1") -> RatedLine:
    return amount_line(
        TermKind.DISCOUNT,
        "D-1",
        1,
        about=(ref, model, quantity),
        rule="discount_percent",
        amount=Decimal(amount),
        from_at=FROM,
        to_at=TO,
        about_ref=ref,
        model=model,
        token_class=quantity,
    )


@pytest.mark.parametrize(
    ("scope", "holds"),
    [
        (Scope(), True),
        (Scope(terms=["S-1"]), True),
        (Scope(terms=["S-2"]), False),
        (Scope(models=["sample"], quantities=["output"]), True),
        (Scope(models=["sample"], quantities=["input"]), False),
        (Scope(models=["other"]), False),
    ],
)
def test_a_scope_holds_what_every_part_of_it_names(scope: Scope, holds: bool) -> None:
    assert scope.holds(token_line("a", 1)) is holds


def test_an_adjustment_is_a_line_of_the_second_stage_about_a_term() -> None:
    assert is_adjustment(off("-1"))
    assert not is_adjustment(replace(off("-1"), about_ref=""))
    assert not is_adjustment(token_line("a", 1))


def test_an_amount_that_is_taken_off_has_a_quantity_below_zero() -> None:
    owed, taken = off("2.5"), off("-2.5")
    assert (owed.quantity, owed.unit, owed.amount) == (Decimal(1), Unit.AMOUNT, Decimal("2.5"))
    assert (taken.quantity, taken.price, taken.amount) == (Decimal(-1), owed.price, Decimal("-2.5"))


def test_net_is_told_apart_as_finely_as_the_scope_names() -> None:
    lines = [
        token_line("a", MTOK),
        token_line("b", 2 * MTOK, token_class="input"),
        token_line("c", MTOK, model="other"),
    ]
    assert net_by_about(lines, ALL, FROM, TO) == {("S-1", "", ""): 4}
    assert net_by_about(lines, Scope(models=["sample"]), FROM, TO) == {("S-1", "sample", ""): 3}
    assert net_by_about(lines, Scope(quantities=["output"]), FROM, TO) == {("S-1", "", "output"): 2}


def test_adjustments_lie_one_after_the_other_on_what_they_were_taken_off() -> None:
    """Half of 4 off `sample`, then 1 of the 6 that are left of all: each of them loses a sixth."""
    lines = [token_line("a", 4 * MTOK), token_line("c", 4 * MTOK, model="other"), off("-2", model="sample"), off("-1")]
    net = net_by_about(lines, Scope(models=["sample", "other"]), FROM, TO)
    assert net == {("S-1", "other", ""): Fraction(10, 3), ("S-1", "sample", ""): Fraction(5, 3)}


def test_what_is_used_up_or_below_zero_is_not_there() -> None:
    refund = replace(token_line("b", -MTOK, model="other"), line_key="b")
    assert net_by_about([token_line("a", MTOK), refund, off("-5", model="sample")], ALL, FROM, TO) == {}


def test_only_what_begins_in_the_time_counts_and_deposits_never_do() -> None:
    late = replace(token_line("b", 2 * MTOK), from_at=MIDDLE, to_at=TO)
    deposit = replace(token_line("c", 9 * MTOK), rule="lease_deposit_taken")
    lines = [token_line("a", MTOK, from_at=FROM), late, deposit]
    assert net_by_about(lines, ALL, FROM, MIDDLE) == {("S-1", "", ""): 1}
    assert net_by_about(lines, ALL, MIDDLE, TO) == {("S-1", "", ""): 2}

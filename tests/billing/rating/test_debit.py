"""A debit is owed once, in the period in which it begins, whatever the window; nothing takes anything off it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.rating.adjusting import Scope, net_by_about
from billing.rating.debit import RULE_CORRECTION, RULE_LATE_FEE, DebitWording, rate_debit
from billing.rating.inputs import RatingWindow, TermInput
from billing.rating.kinds import read_any_wording
from billing.rating.rated import TermKind, Unit
from billing.rating.wording import Stretch, WrongWording, write_wording
from tests.examples import examples

MARCH = datetime(2026, 3, 1, tzinfo=UTC)
APRIL = datetime(2026, 4, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def wording(**changed: Any) -> DebitWording:
    said: dict[str, Any] = {"amount": Decimal("40.00"), "cause": "late_fee", "invoice": "INV-1", "reason": "late"}
    return DebitWording(**{**said, **changed})


def term(at: datetime = MARCH, said: DebitWording | None = None) -> TermInput:
    stretch = Stretch(3, at, at + SECOND, said or wording())
    return TermInput(ref="DB-0001", title="t", from_at=at, to_at=at + SECOND, stretches=(stretch,))


def window(from_at: datetime, to_at: datetime, period_to_at: datetime | None = None) -> RatingWindow:
    return RatingWindow(currency="EUR", zone="UTC", from_at=from_at, to_at=to_at, period_to_at=period_to_at or to_at)


def test_it_is_one_line_of_its_amount() -> None:
    [line] = rate_debit(term(MARCH + SECOND), window(MARCH, APRIL)).lines
    assert (line.amount, line.quantity, line.unit, line.term_kind) == (
        Decimal(40),
        Decimal(1),
        Unit.AMOUNT,
        TermKind.DEBIT,
    )
    assert (line.rule, line.contract_version, line.term_ref) == (RULE_LATE_FEE, 3, "DB-0001")
    [line] = rate_debit(term(said=wording(cause="correction")), window(MARCH, APRIL)).lines
    assert line.rule == RULE_CORRECTION


@settings(max_examples=examples(25))
@given(at=st.integers(0, 31 * 86_400 - 1), seen=st.integers(0, 31 * 86_400))
def test_it_is_owed_from_its_instant_on_and_in_its_period_alone(at: int, seen: int) -> None:
    begins, to_at = MARCH + timedelta(seconds=at), MARCH + timedelta(seconds=seen)
    assert len(rate_debit(term(begins), window(MARCH, to_at, APRIL)).lines) == (at < seen)
    assert rate_debit(term(begins), window(APRIL, APRIL + timedelta(days=30))).lines == ()


def test_one_that_was_taken_back_is_owed_nowhere() -> None:
    gone = TermInput(ref="DB-0001", title="t", from_at=MARCH, to_at=MARCH, stretches=())
    assert rate_debit(gone, window(MARCH, APRIL)).lines == ()


def test_nothing_is_discounted_of_it() -> None:
    lines = rate_debit(term(), window(MARCH, APRIL)).lines
    assert net_by_about(lines, Scope(), MARCH, APRIL) == {}


def test_its_wording_is_read_as_it_was_written() -> None:
    said = wording(line=2, amount=Decimal("0.01"))
    assert read_any_wording(write_wording(said)) == said


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"amount": Decimal(0)}, "amount"),
        ({"amount": Decimal(-1)}, "amount"),
        ({"amount": Decimal("NaN")}, "amount"),
        ({"reason": "  "}, "reason"),
        ({"reason": "x" * 201}, "reason"),
    ],
)
def test_what_cannot_be_is_refused(changed: dict[str, Any], field: str) -> None:
    with pytest.raises(WrongWording) as refused:
        wording(**changed).check()
    assert refused.value.field == field

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from billing.rating.inputs import Carried
from billing.rating.kinds import read_fact, write_fact
from billing.rating.late import RULE_LATE, Adjusted, rate_late
from billing.rating.lines import make_bill
from billing.rating.rated import TermKind, Unit
from billing.rating.share_statement import share_statements

MARCH, APRIL = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC)


def adjusted(amount: str, line: int = 1, kind: TermKind = TermKind.TOKEN_PRICE, about: str = "") -> Adjusted:
    return Adjusted(
        invoice="INV-0001",
        line=line,
        from_at=MARCH,
        to_at=APRIL,
        kind=kind,
        term="P-1",
        model="sample",
        rule="token_price_tier",
        about=about,
        unit="tokens",
        quantity=Decimal(1_000_000),
        amount=Decimal(amount),
    )


@pytest.mark.parametrize("amount", ["1.00", "-2.50", "0.01"])
def test_an_adjustment_is_a_line_of_its_very_amount(amount: str) -> None:
    rated = rate_late(3, [adjusted(amount), Carried(name="credit_amount", value=Decimal(1))])
    [line] = rated.lines
    assert (line.rule, line.unit, line.contract_version) == (RULE_LATE, Unit.AMOUNT, 3)
    assert (line.from_at, line.to_at) == (MARCH, APRIL)
    assert line.amount == Decimal(amount)
    assert make_bill(rated.lines, "USD").total == Decimal(amount)


def test_an_adjustment_of_nothing_is_no_line() -> None:
    assert rate_late(1, [adjusted("0.00")]).lines == ()


def test_lines_stay_apart_by_what_they_adjust() -> None:
    facts = [adjusted("1"), adjusted("2", line=2), adjusted("4", line=0), adjusted("8", line=0, about="P-2")]
    bill = make_bill(rate_late(1, facts).lines, "USD")
    assert sorted(line.amount for line in bill.lines) == [1, 2, 4, 8]
    assert bill.total == 15


def test_the_fact_is_written_and_read_back() -> None:
    fact = adjusted("1.00")
    assert read_fact(write_fact(fact)) == fact
    assert write_fact(fact)["fact"] == "adjusted"


def test_no_statement_of_a_share_counts_what_came_late_for_another_period() -> None:
    assert share_statements(rate_late(1, [adjusted("1", kind=TermKind.TOKEN_SHARE)]).lines) == ()

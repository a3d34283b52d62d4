"""What each line of a bill is to the tax: supplies, money that is held, payments, and what is carried."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast
from zoneinfo import ZoneInfo

import pytest

from billing.tax_rules.natures import NATURES, last_day, taxed_lines
from billing.tax_rules.working_out import Nature

if TYPE_CHECKING:
    from billing.basis import PeriodBasis
    from billing.rating.lines import InvoiceLine

MARCH, APRIL = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Sub:
    rule: str
    about_ref: str = ""


@dataclass(frozen=True)
class Billed:
    """A line as far as its nature asks."""

    amount: Decimal
    sublines: tuple[Sub, ...]
    from_at: datetime = MARCH
    to_at: datetime = APRIL
    term_ref: str = "L-1"


@dataclass(frozen=True)
class Period:
    zone: str = "UTC"
    to_at: datetime = APRIL

    def of_kind(self, _kind: object) -> tuple[Any, ...]:
        return ()


def natures(*lines: tuple[str, str], brought_untaxed: bool = False) -> list[Nature]:
    billed = [Billed(Decimal(amount), (Sub(rule),)) for rule, amount in lines]
    basis = cast("PeriodBasis", Period())
    found = taxed_lines(cast("list[InvoiceLine]", billed), basis, brought_untaxed=brought_untaxed)
    assert [each.amount for each in found] == [line.amount for line in billed]
    return [each.nature for each in found]


def test_deposits_are_held_and_all_else_is_supplied() -> None:
    assert set(NATURES) == {"lease_deposit_taken", "lease_deposit_returned", "debit_late_fee"}
    lines = (("lease_fixed_rate", "100"), ("lease_deposit_taken", "500"), ("availability_credit", "-5"))
    assert natures(*lines) == [Nature.SUPPLY, Nature.HELD, Nature.SUPPLY]
    assert natures(("debit_late_fee", "40"), ("debit_correction", "3")) == [Nature.LATE_FEE, Nature.SUPPLY]


def test_what_a_deposit_leaves_over_is_carried_as_a_payment() -> None:
    lines = (("lease_fixed_rate", "100"), ("lease_deposit_returned", "-500"), ("credit_carried_forward", "400"))
    assert natures(*lines) == [Nature.SUPPLY, Nature.HELD, Nature.PAYMENT]


def test_what_credits_of_supplies_leave_over_is_carried_with_its_tax() -> None:
    lines = (("lease_fixed_rate", "10"), ("availability_credit", "-30"), ("credit_carried_forward", "20"))
    assert natures(*lines) == [Nature.SUPPLY] * 3


@pytest.mark.parametrize(("untaxed", "nature"), [(True, Nature.PAYMENT), (False, Nature.SUPPLY)])
def test_what_is_brought_forward_is_what_it_was(untaxed: bool, nature: Nature) -> None:
    lines = (("lease_fixed_rate", "100"), ("credit_brought_forward", "-20"))
    assert natures(*lines, brought_untaxed=untaxed) == [Nature.SUPPLY, nature]


@pytest.mark.parametrize(
    ("to_at", "zone", "day"),
    [
        (APRIL, "UTC", date(2026, 3, 31)),
        (APRIL, "Asia/Shanghai", date(2026, 4, 1)),
        (APRIL, "America/New_York", date(2026, 3, 31)),
        (MARCH + timedelta(hours=1), "UTC", date(2026, 3, 1)),
        (MARCH, "UTC", date(2026, 3, 1)),
    ],
)
def test_the_last_day_is_that_of_the_contracts_zone(to_at: datetime, zone: str, day: date) -> None:
    assert last_day(MARCH, to_at, ZoneInfo(zone)) == day


def test_a_line_that_reaches_beyond_its_period_has_the_periods_last_day() -> None:
    billed = Billed(Decimal(1), (Sub("lease_in_advance"),), to_at=APRIL + timedelta(days=30))
    [found] = taxed_lines(cast("list[InvoiceLine]", [billed]), cast("PeriodBasis", Period()))
    assert found.on == date(2026, 3, 31)


FEBRUARY = datetime(2026, 2, 1, tzinfo=UTC)


def taxed(*lines: tuple[str, str, datetime]) -> list[tuple[int, bool]]:
    """The month that each line is taxed by, and whether it is taxed as what was brought."""
    billed = [
        Billed(Decimal(amount), (Sub(rule),), from_at=to_at - timedelta(days=28), to_at=to_at)
        for rule, amount, to_at in lines
    ]
    found = taxed_lines(cast("list[InvoiceLine]", billed), cast("PeriodBasis", Period()))
    return [(each.on.month, each.as_brought) for each in found]


def test_what_is_carried_is_taxed_like_what_is_most_below_zero() -> None:
    lines = (
        ("lease_fixed_rate", "10", APRIL),
        ("availability_credit", "-5", APRIL),
        ("late_usage", "-30", FEBRUARY + timedelta(days=28)),
        ("credit_carried_forward", "25", APRIL),
    )
    assert taxed(*lines) == [(3, False), (3, False), (2, False), (2, False)]


def test_what_is_carried_on_is_taxed_as_it_was_brought() -> None:
    lines = (
        ("lease_fixed_rate", "10", APRIL),
        ("credit_brought_forward", "-30", APRIL),
        ("credit_carried_forward", "20", APRIL),
    )
    assert taxed(*lines) == [(3, False), (3, True), (3, True)]


def test_a_deposit_that_goes_back_taxes_nothing_that_is_carried() -> None:
    lines = (
        ("lease_deposit_returned", "-500", FEBRUARY + timedelta(days=28)),
        ("lease_fixed_rate", "10", APRIL),
        ("credit_carried_forward", "490", APRIL),
    )
    assert taxed(*lines) == [(2, False), (3, False), (3, False)]


def test_only_what_is_given_back_of_a_line_names_it() -> None:
    lines = [
        Billed(Decimal(amount), (Sub(rule, about),))
        for rule, amount, about in (
            ("late_usage", "-3", "2026-03|1"),
            ("late_usage", "3", "2026-03|2"),
            ("availability_credit", "-3", "L-1"),
            ("lease_fixed_rate", "10", ""),
        )
    ]
    found = taxed_lines(cast("list[InvoiceLine]", lines), cast("PeriodBasis", Period()))
    assert [each.gives_back for each in found] == ["2026-03|1", "", "", ""]

"""The taxes of a bill: one rounding per rate, shared out over the lines so that both sums are exact.

The lines of one treatment are added up, the tax of that sum is rounded once, half-even, to the minor unit. A line's
part is its own exact tax rounded down or up, so that the parts are the rounded tax: the remainders decide which.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from math import floor
from typing import Final

from billing.money import exact_sum, from_minor, minor_digits, round_to_minor, to_minor
from billing.tax_rules.deciding import Method, TaxBasis, exempt_on, original_of, treatment_on
from billing.tax_rules.treatments import Category, Source, Treatment


class Nature(StrEnum):
    """What a line is to the tax."""

    SUPPLY = "supply"
    HELD = "held"
    """Money held for the tenant, or given back to it."""
    PAYMENT = "payment"
    """Something paid before that this bill is smaller by."""
    LATE_FEE = "late_fee"
    """Compensation for paying late: nothing is supplied for it."""


UNTAXED_REASON: Final = {
    Nature.HELD: "Money held for the buyer: no supply",
    Nature.PAYMENT: "Paid before: no supply",
    Nature.LATE_FEE: "Compensation for late payment: no supply",
}


@dataclass(frozen=True, slots=True)
class TaxedLine:
    """A line as far as tax asks: its rounded amount, its nature, and the last day on which it was supplied."""

    amount: Decimal
    on: date
    nature: Nature = Nature.SUPPLY
    as_brought: bool = False
    """Whether it is taxed as what the bill before carried forward, or is what hands that on."""
    gives_back: str = ""
    """The line of an earlier invoice that it gives something back of, by its name in the tax basis."""


@dataclass(frozen=True, slots=True)
class TaxRow:
    """The tax of one treatment: of so much, so much."""

    treatment: Treatment
    taxable: Decimal
    tax: Decimal


@dataclass(frozen=True, slots=True)
class TaxBill:
    """The taxes of a bill: `places` and `line_taxes` say, for each line, its row and its part of the row's tax."""

    rows: tuple[TaxRow, ...]
    places: tuple[int, ...]
    line_taxes: tuple[Decimal, ...]

    @property
    def total(self) -> Decimal:
        """The sum of the rows' taxes."""
        return exact_sum(row.tax for row in self.rows)


def make_tax_bill(basis: TaxBasis, lines: Sequence[TaxedLine], currency: str) -> TaxBill:
    """Return the taxes of lines whose sum is not below zero; raises `RateMissing`.

    Tax that credits take back never takes more off than is there to be paid: the bill stays at or above zero.
    """
    treatments = [_treatment(basis, line) for line in lines]
    order = list(dict.fromkeys(treatments))
    places = tuple(order.index(treatment) for treatment in treatments)
    zero = from_minor(0, currency)
    taxable = [
        exact_sum([zero, *(line.amount for line, at in zip(lines, places, strict=True) if at == row)])
        for row in range(len(order))
    ]
    taxes = _not_below_zero(
        [_tax_of(basis, one, base, currency) for base, one in zip(taxable, order, strict=True)],
        exact_sum([zero, *taxable]),
    )
    rows = tuple(TaxRow(*row) for row in zip(order, taxable, taxes, strict=True))
    bill = TaxBill(rows, places, tuple(_shared_out(lines, places, rows, currency)))
    assert exact_sum(bill.line_taxes) == bill.total
    return bill


def asked_for(basis: TaxBasis, lines: Sequence[TaxedLine]) -> Decimal:
    """Return the sum of what a tax service is asked about: supplies that no certificate exempts.

    What gives something back of a line that no service taxed is taxed as that was, and not asked about.
    """
    return exact_sum(
        line.amount
        for line in lines
        if line.nature is Nature.SUPPLY
        and original_of(basis, line.gives_back) is None
        and exempt_on(basis, line.on) is None
    )


def _treatment(basis: TaxBasis, line: TaxedLine) -> Treatment:
    if line.nature is Nature.SUPPLY and line.as_brought and basis.brought is not None:
        return basis.brought
    if line.nature is Nature.SUPPLY:
        before = original_of(basis, line.gives_back)
        if before is not None:
            return before
    if line.nature is Nature.SUPPLY or basis.method is Method.NONE:
        return treatment_on(basis, line.on)
    return Treatment(
        Category.EXEMPT, Decimal(0), basis.seller.country, Source.BUILT_IN, reason=UNTAXED_REASON[line.nature]
    )


def _tax_of(basis: TaxBasis, treatment: Treatment, taxable: Decimal, currency: str) -> Decimal:
    if treatment.source is not Source.STRIPE:
        return round_to_minor(_exact(taxable, treatment), currency)
    assert basis.given is not None
    assert basis.given.taxable == taxable, f"{basis.given.taxable} was asked for, {taxable} is taxed"
    return basis.given.tax + from_minor(0, currency)


def _exact(amount: Decimal, treatment: Treatment) -> Fraction:
    return Fraction(amount) * Fraction(treatment.percent) / 100


def _not_below_zero(taxes: list[Decimal], subtotal: Decimal) -> list[Decimal]:
    """Take what credits give back of the tax only so far as the bill has it."""
    assert subtotal >= 0
    short = -exact_sum([subtotal, *taxes])
    found = []
    for tax in taxes:
        back = max(Decimal(0), min(short, -tax))
        short -= back
        found.append(tax + back)
    return found


def _shared_out(
    lines: Sequence[TaxedLine], places: Sequence[int], rows: Sequence[TaxRow], currency: str
) -> list[Decimal]:
    found = [from_minor(0, currency)] * len(lines)
    scale = 10 ** minor_digits(currency)
    for row, of_row in enumerate(rows):
        mine = [place for place, at in enumerate(places) if at == row]
        if of_row.treatment.source is Source.STRIPE and of_row.taxable:
            # What a service answered need not be its percentage of the sum.
            rate = Fraction(of_row.tax) / Fraction(of_row.taxable)
        else:
            rate = Fraction(of_row.treatment.percent) / 100
        exact = [Fraction(lines[place].amount) * rate * scale for place in mine]
        for place, units in zip(mine, _near(exact, to_minor(of_row.tax, currency)), strict=True):
            found[place] = from_minor(units, currency)
    return found


def _near(exact: Sequence[Fraction], total: int) -> list[int]:
    """Return whole units that sum to `total`, each its exact value rounded down or up while that can be.

    The largest remainders are rounded up, the earlier of equals first. What a total beyond those needs (a tax that was
    cut at zero) is laid on the lines in turn.
    """
    units = [floor(one) for one in exact]
    left = total - sum(units)
    order = sorted(range(len(units)), key=lambda place: (units[place] - exact[place], place))
    for turn in range(abs(left)):
        units[order[turn % len(order)]] += 1 if left > 0 else -1
    return units

"""Wrong taxes in the books are found: each check with what it is there to catch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from billing.books import check_books
from tests.billing.tax.taxed import charges_tax, issued, stands, two_leases
from tests.billing.test_books import forge
from tests.kept import kept

if TYPE_CHECKING:
    from tests.factories import Cast

pytestmark = pytest.mark.django_db


@kept
def number(cast: Cast) -> str:
    charges_tax(cast.provider)
    stands(cast.provider, "DE")
    stands(cast.tenant, "DE")
    return str(issued(two_leases(cast)).number)


def wrong() -> dict[str, tuple[str, ...]]:
    return {check.name: check.wrong for check in check_books() if not check.holds}


def test_right_taxes_are_not_complained_of(number: str) -> None:
    assert number
    assert wrong() == {}
    looked_at = {check.name: check.looked_at for check in check_books()}
    assert looked_at["taxes are those of their rates and lines"] == 1
    assert looked_at["taxes are booked as owed"] == 1


@pytest.mark.parametrize(
    ("statement", "check", "said"),
    [
        (
            "UPDATE billing_invoicetax SET tax = tax + 0.01",
            "taxes are those of their rates and lines",
            "tax 19.1300, by rate 19.1400, by line 19.1300",
        ),
        (
            "UPDATE billing_invoicetax SET taxable = taxable - 1",
            "taxes are those of their rates and lines",
            "rate 1: 19.1300 of 99.6600, its lines 19.1300 of 100.6600",
        ),
        (
            "DELETE FROM billing_invoicelinetax WHERE tax < 1",
            "taxes are those of their rates and lines",
            "by line 19.0000",
        ),
        (
            "UPDATE billing_ledgeraccount SET kind = 'operator_fee' WHERE kind = 'tax_payable'",
            "taxes are booked as owed",
            "tax 19.1300, booked 0",
        ),
    ],
)
def test_each_wrong_is_found(number: str, statement: str, check: str, said: str) -> None:
    forge(statement)
    found = wrong()
    assert any(said in each and number in each for each in found[check]), found

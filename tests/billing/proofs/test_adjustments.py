from __future__ import annotations

from datetime import timedelta

import pytest

from billing.books import check_books
from tests.billing.adjusting.late import late_world
from tests.billing.test_books import forge
from tests.billing.world import APRIL
from tests.kept import kept

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("adjusted")]

LINKED = "late lines are adjustments of what they are linked to"
STATED = "what was billed of a line before it was adjusted is as stated"


OF_ANOTHER_BILL = (
    "UPDATE billing_adjustment SET original_id = (SELECT id FROM billing_invoiceline WHERE rule = 'late_usage')"
)


@kept
def adjusted() -> None:
    """25M in March, a million late: 36.00, then 1.00."""
    late = late_world()
    late.use(25_000_000)
    late.close()
    late.use(1_000_000, stored_at=APRIL + timedelta(days=9))
    late.close(APRIL)


def broken() -> list[str]:
    return [check.name for check in check_books() if not check.holds]


def test_books_with_an_adjustment_hold() -> None:
    looked_at = {check.name: check.looked_at for check in check_books()}
    assert (looked_at[LINKED], looked_at[STATED]) == (1, 1)
    assert broken() == []


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE billing_invoiceline SET adjusts_id = NULL WHERE rule = 'late_usage'",
        "UPDATE billing_adjustment SET amount = amount + 0.01",
        "DELETE FROM billing_adjustment",
        "UPDATE billing_adjustment SET model = 'another'",
        "UPDATE billing_adjustment SET invoice_id = (SELECT id FROM billing_invoice ORDER BY issued_at DESC LIMIT 1)",
        OF_ANOTHER_BILL,
    ],
)
def test_an_adjustment_that_is_not_linked_or_differs_is_found(statement: str) -> None:
    forge(statement)
    assert broken() == [LINKED]


def test_an_adjustment_and_its_line_that_agree_on_a_wrong_original_are_found() -> None:
    forge(OF_ANOTHER_BILL)
    forge("UPDATE billing_invoiceline SET adjusts_id = id WHERE rule = 'late_usage'")
    assert broken() == [LINKED]


def test_a_line_that_was_billed_otherwise_than_its_adjustment_says_is_found() -> None:
    forge("UPDATE billing_invoiceline SET amount = amount + 1 WHERE rule = 'token_price_tier'")
    assert STATED in broken()


def test_an_original_that_was_sealed_anew_is_found() -> None:
    forge("UPDATE billing_invoiceevidence SET sha256 = 'forged' WHERE document NOT LIKE '%came late%' AND true")
    assert STATED in broken()

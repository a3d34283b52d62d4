"""Planted bugs of each kind, past every guard: whatever was done, some check of the books says so."""

from __future__ import annotations

import pytest
from django.db import connection

from billing.books import check_books
from billing.models import LedgerPosting
from tests.billing.bookkeeping.kept import Kept, make_kept
from tests.billing.test_books import forge
from tests.kept import kept as keeping

pytestmark = pytest.mark.django_db

COPY = """
    INSERT INTO billing_ledgerposting (id, key, cause, cause_id, memo, at, provider_id)
    SELECT '00000000-0000-7000-8000-00000000000{n}', {key}, {cause}, {cause_id}, memo, at, provider_id
    FROM billing_ledgerposting WHERE cause = '{of}' LIMIT 1
"""
ENTRIES = """
    INSERT INTO billing_ledgerentry (id, posting_id, account_id, currency, amount)
    SELECT gen_random_uuid(), '00000000-0000-7000-8000-00000000000{n}', account_id, currency, amount
    FROM billing_ledgerentry entry JOIN billing_ledgerposting posting ON posting.id = entry.posting_id
    WHERE posting.cause = '{of}' AND posting.id <> '00000000-0000-7000-8000-00000000000{n}'
"""


def plant_again(
    of: str, *, key: str = "key || ':again'", cause: str = "cause", cause_id: str = "cause_id", n: int = 1
) -> None:
    """Book what was booked once more, with another key, cause or cause's id."""
    forge(COPY.format(n=n, key=key, cause=cause, cause_id=cause_id, of=of))
    forge(ENTRIES.format(n=n, of=of))


def wrong() -> set[str]:
    return {check.name for check in check_books() if not check.holds}


@keeping
def kept() -> Kept:
    made = make_kept()
    assert wrong() == set()
    return made


@pytest.mark.parametrize("of", ["invoice", "payment"])
def test_a_double_post_under_another_key_is_found(kept: Kept, of: str) -> None:
    plant_again(of)
    assert {"what happens once is booked once", "receivables are invoices less payments"} <= wrong()


def test_an_adjustment_that_belongs_to_nothing_is_found(kept: Kept) -> None:
    plant_again("invoice", key="'adjustment:by-hand'", cause="'adjustment'", cause_id="gen_random_uuid()")
    assert "every posting has its cause" in wrong()


def test_a_posting_for_a_payment_that_never_came_is_found(kept: Kept) -> None:
    plant_again(
        "payment",
        key="'payment:00000000-0000-7000-8000-0000000000aa'",
        cause_id="'00000000-0000-7000-8000-0000000000aa'::uuid",
    )
    assert {"every posting has its cause", "receivables are invoices less payments"} <= wrong()


def test_a_payment_that_was_told_and_never_booked_is_found(kept: Kept) -> None:
    posting = LedgerPosting.objects.get(cause="payment")
    forge(f"DELETE FROM billing_ledgerentry WHERE posting_id = '{posting.pk}'")
    assert {"every posting balances", "receivables are invoices less payments"} <= wrong()


def test_a_cent_of_rounding_on_a_line_is_found_even_where_every_sum_follows_it(kept: Kept) -> None:
    forge("UPDATE billing_invoiceline SET amount = amount + 0.01")
    forge("UPDATE billing_invoice SET subtotal = subtotal + 0.01, total = total + 0.01")
    posting = LedgerPosting.objects.get(cause="invoice")
    for sign, kind in (("+", "tenant_receivable"), ("-", "provider_payable")):
        forge(
            f"UPDATE billing_ledgerentry SET amount = amount {sign} 0.01 "
            f"WHERE posting_id = '{posting.pk}' AND account_id IN "
            f"(SELECT id FROM billing_ledgeraccount WHERE kind = '{kind}')"
        )
    assert {"lines are their sublines, rounded once", "evidence is unchanged and recomputes"} <= wrong()


def test_money_booked_on_a_strangers_account_is_found(kept: Kept) -> None:
    other = make_kept(kept.operator)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM billing_ledgeraccount WHERE organization_id = %s AND kind = 'tenant_receivable'",
            [other.world.tenant.id],
        )
        (account,) = cursor.fetchone()
    posting = LedgerPosting.objects.get(cause_id=kept.invoice.id)
    forge(f"UPDATE billing_ledgerentry SET account_id = '{account}' WHERE posting_id = '{posting.pk}' AND amount > 0")
    assert {
        "a contract's books net to zero between its parties",
        "invoices are booked as receivable",
    } <= wrong()

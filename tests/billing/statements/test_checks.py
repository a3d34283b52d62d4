"""A forged statement, or an entry that is missing on one, is found."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from billing.canonical import canonical, digest
from billing.models import ProviderStatement
from billing.statements.paying_out import record_paid, record_reversal
from tests.billing.statements.stated import broken, close_march, make_month, stated_march
from tests.billing.statements.test_paying_out import LATER, make_paid, payout_of
from tests.billing.test_books import forge
from tests.billing.world import World
from tests.kept import kept

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.django_db

LEDGER = "statements are the ledger of their providers"
UNCHANGED = "statements are unchanged and add up"


world = kept(make_paid)


@kept
def stated() -> ProviderStatement:
    return stated_march(make_month())


@pytest.mark.usefixtures("stated")
@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("UPDATE billing_providerstatement SET earned = earned + 1, closing = closing + 1", {LEDGER, UNCHANGED}),
        ("UPDATE billing_providerstatement SET opening = opening + 1, closing = closing + 1", {LEDGER, UNCHANGED}),
        ("UPDATE billing_providerstatement SET paid_out = 1, earned = earned - 1", {LEDGER, UNCHANGED}),
        ("UPDATE billing_providerstatement SET sequence = 3", {LEDGER}),
        ("UPDATE billing_providerstatement SET number = 'STM-0003'", {LEDGER, UNCHANGED}),
        ("UPDATE billing_providerstatement SET number = 'March'", {LEDGER, UNCHANGED}),
        ("UPDATE billing_statementsequence SET next_number = 3", {LEDGER}),
        ("DELETE FROM billing_statemententry", {LEDGER, UNCHANGED}),
        (
            "UPDATE billing_statemententry SET entry_id = (SELECT id FROM billing_ledgerentry WHERE amount > 0)",
            {LEDGER, UNCHANGED},
        ),
        ("UPDATE billing_providerstatement SET document = replace(document, '1663', '1664')", {UNCHANGED}),
    ],
)
def test_what_was_forged_is_found(statement: str, found: set[str]) -> None:
    assert broken() == []
    forge(statement)
    assert set(broken()) == found


def test_a_forged_document_with_a_hash_that_fits_is_found(stated: ProviderStatement) -> None:
    text = stated.document.replace('"fee":"87.57"', '"fee":"87.56"', 1)
    forge(f"UPDATE billing_providerstatement SET document = '{text}', sha256 = '{digest(text)}'")
    assert broken() == [UNCHANGED]
    assert ProviderStatement.objects.get().sha256 == digest(text)


def one_row_less(document: Any) -> None:
    """What one posting earned stands on the row of another; every sum stays."""
    gone = document["earned"].pop(0)
    row = document["earned"][0]
    row |= {name: str(Decimal(row[name]) + Decimal(gone[name])) for name in ("total", "deposit", "fee", "tax", "net")}


def one_term_less(document: Any) -> None:
    document["terms"].pop()


def another_contract(document: Any) -> None:
    document["earned"][0]["contract"] = "C-7777"


def nothing_compared(document: Any) -> None:
    document["reconciliation"] = []


@pytest.mark.parametrize("change", [one_row_less, one_term_less, another_contract, nothing_compared])
def test_a_document_that_adds_up_and_is_not_of_its_entries_is_found(change: Callable[[Any], None]) -> None:
    world = make_month()
    more = make_month(parties=(world.provider, world.tenant))
    close_march(more)
    statement = stated_march(world)
    assert broken() == []
    document = json.loads(statement.document)
    change(document)
    text = canonical(document)
    forge(f"UPDATE billing_providerstatement SET document = '{text}', sha256 = '{digest(text)}'")
    assert broken() == [UNCHANGED]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE billing_payout SET amount = amount - 1",
        "UPDATE billing_payout SET state = 'paid', settled_at = now() WHERE state = 'in_transit'",
        "UPDATE billing_payout SET number = 'PO-0003' WHERE number = 'PO-0001'",
        "UPDATE billing_payout SET number = 'P-1' WHERE number = 'PO-0001'",
        "UPDATE billing_payoutterms SET next_number = 4",
        "DELETE FROM billing_payoutreversal",
        "UPDATE billing_ledgerposting SET cause_id = gen_random_uuid() WHERE key LIKE 'payout:%:made'",
    ],
)
def test_a_payout_that_is_not_booked_as_it_stands_is_found(statement: str, world: World) -> None:
    payout = payout_of(world)
    record_paid(payout_id=payout.id, reference="SEPA-1", by="sam", at=LATER, now=LATER)
    record_reversal(payout_id=payout.id, amount=Decimal(100), reference="back-1", reason="sample", by="sam", at=LATER)
    payout_of(world)
    assert broken() == []
    forge(statement)
    assert broken() == ["payouts are booked, once"]

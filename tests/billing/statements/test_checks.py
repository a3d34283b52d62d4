"""A forged statement, or an entry that is missing on one, is found."""

from __future__ import annotations

from decimal import Decimal

import pytest

from billing.canonical import digest
from billing.models import ProviderStatement
from billing.statements.paying_out import record_paid, record_reversal
from tests.billing.statements.stated import broken, make_month, stated_march
from tests.billing.statements.test_paying_out import LATER, make_paid, payout_of
from tests.billing.test_books import forge
from tests.billing.world import World
from tests.kept import kept

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
        ("DELETE FROM billing_statemententry", {LEDGER}),
        (
            "UPDATE billing_statemententry SET entry_id = (SELECT id FROM billing_ledgerentry WHERE amount > 0)",
            {LEDGER},
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


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE billing_payout SET amount = amount - 1",
        "UPDATE billing_payout SET state = 'paid', settled_at = now() WHERE state = 'in_transit'",
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

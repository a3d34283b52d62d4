"""A forged statement, or an entry that is missing on one, is found."""

from __future__ import annotations

import pytest

from billing.canonical import digest
from billing.models import ProviderStatement
from tests.billing.statements.stated import broken, make_month, stated_march
from tests.billing.test_books import forge

pytestmark = pytest.mark.django_db

LEDGER = "statements are the ledger of their providers"
UNCHANGED = "statements are unchanged and add up"


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
    stated_march(make_month())
    assert broken() == []
    forge(statement)
    assert set(broken()) == found


def test_a_forged_document_with_a_hash_that_fits_is_found() -> None:
    text = stated_march(make_month()).document.replace('"fee":"87.57"', '"fee":"87.56"', 1)
    forge(f"UPDATE billing_providerstatement SET document = '{text}', sha256 = '{digest(text)}'")
    assert broken() == [UNCHANGED]
    assert ProviderStatement.objects.get().sha256 == digest(text)

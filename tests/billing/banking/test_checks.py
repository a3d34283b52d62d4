"""A forged movement, match or state is found."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from billing.banking.deciding import keep_for_tenant, match_new, set_aside, unmatch
from billing.books import CHECKS
from billing.models import BankLine, BankMatch
from tests.billing.banking.statements import BY, NOW, Movement, make_account, take
from tests.billing.issued import Line, make_issued, make_parties
from tests.billing.test_books import forge
from tests.kept import kept

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("bank")]

NAME = "bank movements are payments and what is unmatched"


@kept
def bank() -> None:
    """One movement that pays, one taken back, one that waits, one that went out."""
    parties = make_parties()
    make_account(parties[0])
    for number in ("S-0001", "S-0002"):
        make_issued([Line("100.00")], parties=parties, number=number)
    take(
        parties[0],
        Movement("100.00", "S-0001", "A1"),
        Movement("100.00", "S-0002", "A2"),
        Movement("3.00", "?", "A3"),
        Movement("-1.00", "fee", "A4"),
        Movement("9.00", "?", "A5"),
    )
    match_new(now=NOW, limit=10)
    line = BankLine.objects.get(reference="A5")
    about: dict[str, Any] = {"provider": parties[0], "line_id": line.pk, "note": "By telephone.", "by": BY, "now": NOW}
    keep_for_tenant(tenant_id=parties[1].pk, amount=Decimal(4), **about)
    set_aside(amount=Decimal(5), **about)
    match = BankMatch.objects.get(invoice__number="S-0002")
    unmatch(provider=parties[0], match_id=match.pk, reason="wrong", by=BY, now=NOW)


def holds() -> bool:
    return not list(CHECKS[NAME]()[1])


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE billing_bankline SET amount = amount + 1 WHERE reference = 'A3'",
        "DELETE FROM billing_bankunmatch",
        "UPDATE billing_bankmatch SET amount = amount - 1",
        "UPDATE billing_bankline SET state = 'matched' WHERE reference = 'A3'",
        "UPDATE billing_bankline SET state = 'unmatched' WHERE reference = 'A1'",
        "UPDATE billing_bankline SET state = 'outgoing' WHERE reference = 'A1'",
        "UPDATE billing_ledgerentry SET amount = amount * 2",
        "UPDATE billing_paymentreversal SET amount = amount - 1",
        "UPDATE billing_bankmatch SET amount = 9 - amount WHERE kind <> 'invoice'",
        "UPDATE billing_bankmatch SET tenant_id = (SELECT provider_id FROM billing_bankaccount) WHERE kind = 'balance'",
        "UPDATE billing_bankmatch SET tenant_id = (SELECT provider_id FROM billing_bankaccount) WHERE kind = 'invoice'",
        "UPDATE billing_bankaccount SET provider_id = (SELECT tenant_id FROM billing_invoice LIMIT 1)",
        "UPDATE billing_bankline SET booked_on = booked_on - 40 WHERE reference = 'A3'",
        "UPDATE billing_bankimport SET document = document || 'x'::bytea",
    ],
)
def test_what_was_forged_is_found(statement: str) -> None:
    assert holds()
    forge(statement)
    assert not holds()

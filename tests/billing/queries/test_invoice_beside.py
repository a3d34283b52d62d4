"""What stands beside an invoice is told of each kind by itself, and of no other invoice."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from billing.corrections.debits import add_debit
from billing.corrections.disputes import open_dispute
from billing.models import Invoice
from billing.queries.invoice_beside import Beside, beside
from tests.billing.collective.gathered import asks_together, gathered, waits
from tests.billing.corrections.corrected import BY, NOW, credit, pay
from tests.billing.dunning.overdue import after, make_overdue, sweep
from tests.billing.issued import ISSUED_AT, Line, make_issued
from tests.billing.reconciling.test_chargeback_words import chargeback

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.factories import Cast

pytestmark = pytest.mark.django_db
NOTHING = Beside(*[False] * 6)


def credited(cast: Cast) -> Invoice:
    invoice = issued(cast)
    credit(invoice, amount="10.00")
    return invoice


def debited(cast: Cast) -> Invoice:
    invoice = issued(cast)
    add_debit(invoice_id=invoice.pk, amount=Decimal(2), reason="Two hours were left out", by=BY, now=NOW)
    return invoice


def questioned(cast: Cast) -> Invoice:
    invoice = issued(cast)
    open_dispute(invoice=invoice, position=1, text="Why?", by="alice@example.com", now=NOW)
    return invoice


def reminded(cast: Cast) -> Invoice:
    invoice = make_overdue(cast)
    assert sweep(after(invoice, 4)) == ["remind"]
    return invoice


def together(cast: Cast) -> Invoice:
    parts = [waits((cast.provider, cast.tenant), "10.00"), waits((cast.provider, cast.tenant), "5.00", minutes=5)]
    asks_together(cast.provider, cast.tenant)
    gathered()
    return parts[0]


def charged_back(cast: Cast) -> Invoice:
    invoice = issued(cast)
    chargeback(pay(invoice, "100.00"))
    return invoice


def issued(cast: Cast, number: str = "INV-1") -> Invoice:
    at = ISSUED_AT + timedelta(hours=len(number))
    return make_issued([Line("100.00")], parties=(cast.provider, cast.tenant), number=number, issued_at=at)


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (credited, "credit_notes"),
        (debited, "debits"),
        (questioned, "disputes"),
        (reminded, "dunning_steps"),
        (together, "collective"),
        (charged_back, "chargebacks"),
    ],
)
def test_each_kind_is_told_of_its_own_invoice_alone(cast: Cast, make: Callable[[Cast], Invoice], kind: str) -> None:
    invoice, other = make(cast), issued(cast, "INV-OTHER")
    found = beside(invoice.pk)
    assert {name for name in Beside.__slots__ if getattr(found, name)} == {kind}
    assert beside(other.pk) == NOTHING

"""What is owed: the dues of each open invoice, added up once."""

from __future__ import annotations

import random
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from billing.dues import dues_of
from billing.models import Invoice, InvoiceState
from billing.queries.month_money import month_money
from billing.queries.receivables import Owed, owed_to
from billing.queries.waiting import WaitKind, waits_of
from tests.billing.corrections.corrected import pay
from tests.billing.issued import ISSUED_AT, Line, make_issued
from tests.factories import Cast

if TYPE_CHECKING:
    from datetime import datetime

    from pytest_django import DjangoAssertNumQueries

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)
TERM = 14 * DAY


def by_hand(cast: Cast, now: datetime) -> list[Owed]:
    """The same, invoice by invoice."""
    found = []
    mine = Invoice.objects.filter(issuer=cast.provider, state=InvoiceState.ISSUED).order_by("due_at")
    for currency in sorted({invoice.currency for invoice in mine}):
        invoices = [(invoice, dues_of(invoice).left) for invoice in mine if invoice.currency == currency]
        late = [(invoice, left) for invoice, left in invoices if invoice.due_at and invoice.due_at <= now]
        found.append(
            Owed(
                currency,
                sum((left for _, left in invoices), Decimal(0)),
                len(invoices),
                sum((left for _, left in late), Decimal(0)),
                len(late),
                late[0][0].due_at if late else None,
            )
        )
    return found


def test_it_is_what_each_invoice_has_left(cast: Cast, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    chosen = random.Random(6)
    for number in range(9):
        parties = (cast.provider, chosen.choice((cast.tenant, cast.outsider)))
        amount = chosen.randrange(20, 900)
        issued_at = ISSUED_AT + chosen.randrange(3) * DAY
        currency = "EUR" if number % 3 == 0 else "USD"
        invoice = make_issued([Line(f"{amount}.00")], parties=parties, currency=currency, issued_at=issued_at)
        if number % 4 == 1:
            pay(invoice, str(chosen.choice((5, amount))))
        if number == 7:
            Invoice.objects.filter(pk=invoice.pk).update(state=InvoiceState.VOID)
    make_issued([Line("7.00")], parties=(cast.outsider, cast.tenant))
    for now in (ISSUED_AT, ISSUED_AT + TERM, ISSUED_AT + TERM + DAY, ISSUED_AT + 40 * DAY):
        expected = by_hand(cast, now)
        with django_assert_num_queries(1):
            found = owed_to(cast.provider, now)
        assert list(found) == expected
        # Who asks with it is told what they would find by themselves.
        end = ISSUED_AT + DAY
        told = month_money(cast.provider, from_at=ISSUED_AT, to_at=end, now=now, owed=found)
        assert told == month_money(cast.provider, from_at=ISSUED_AT, to_at=end, now=now)
        assert waits_of(cast.provider, now, found) == waits_of(cast.provider, now)
        overdue = [wait for wait in waits_of(cast.provider, now, found) if wait.kind is WaitKind.OVERDUE]
        assert [wait.count for wait in overdue] == ([sum(one.overdue_invoices for one in expected)] if overdue else [])
    assert expected[0].overdue == expected[0].open > 0


def test_nothing_is_owed_to_a_new_provider(cast: Cast) -> None:
    assert owed_to(cast.provider, ISSUED_AT) == ()

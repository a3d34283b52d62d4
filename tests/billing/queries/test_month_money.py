"""A provider's month: issued, received and open, each the sum of its rows and each currency for itself."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from pytest_django import DjangoAssertNumQueries

from billing.models import Invoice, InvoiceState
from billing.payment_reversals import reverse_payment
from billing.queries.month_money import MonthMoney, month_money
from tests.billing.corrections.corrected import NOW, pay
from tests.billing.issued import ISSUED_AT, Line, make_issued
from tests.billing.world import APRIL
from tests.factories import Cast
from tests.kept import kept

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)
MAY = APRIL + 30 * DAY
LATE = ISSUED_AT + 20 * DAY


def april(cast: Cast) -> list[MonthMoney]:
    return month_money(cast.provider, from_at=APRIL, to_at=MAY, now=LATE)


@kept
def dollars(cast: Cast) -> Invoice:
    return make_issued([Line("100.00")], parties=(cast.provider, cast.tenant))


def test_a_month_without_money_has_no_line(cast: Cast) -> None:
    make_issued([Line("100.00")], parties=(cast.outsider, cast.tenant))
    assert april(cast) == []


def test_each_currency_has_its_line_and_void_invoices_are_in_none(
    cast: Cast, django_assert_num_queries: DjangoAssertNumQueries, dollars: Invoice
) -> None:
    make_issued([Line("40.00")], parties=(cast.provider, cast.tenant), currency="EUR", issued_at=ISSUED_AT - 9 * DAY)
    void = make_issued([Line("7.00")], parties=(cast.provider, cast.tenant))
    Invoice.objects.filter(pk=void.pk).update(state=InvoiceState.VOID)
    pay(dollars, "30")
    with django_assert_num_queries(4):
        found = april(cast)
    assert found == [
        MonthMoney("EUR", open=Decimal(40), open_invoices=1, overdue=Decimal(40), overdue_invoices=1),
        MonthMoney(
            "USD",
            issued=Decimal(100),
            invoices=1,
            received=Decimal(30),
            open=Decimal(70),
            open_invoices=1,
            overdue=Decimal(70),
            overdue_invoices=1,
        ),
    ]


def test_what_was_taken_back_is_not_received(cast: Cast, dollars: Invoice) -> None:
    invoice = dollars
    payment = pay(invoice, "100")
    assert april(cast) == [MonthMoney("USD", issued=Decimal(100), invoices=1, received=Decimal(100))]
    reverse_payment(
        payment_id=payment.pk,
        amount=Decimal(25),
        reference="back-1",
        reason="returned",
        by="petra@example.com",
        now=NOW,
    )
    [after] = april(cast)
    assert (after.received, after.open, after.overdue_invoices) == (Decimal(75), Decimal(25), 1)

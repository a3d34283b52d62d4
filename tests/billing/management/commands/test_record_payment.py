"""The command that records a bank transfer: what it writes, and what it says when it cannot."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from billing.models import Invoice, InvoiceState, Payment
from tests.billing.issued import make_issued, make_parties

pytestmark = pytest.mark.django_db


def run(number: str, **options: str) -> str:
    out = StringIO()
    given = {"amount": "123.45", "currency": "usd", "reference": "bank 1", **options}
    call_command("record_payment", number, stdout=out, **given)
    return out.getvalue()


def number_of(invoice: Invoice) -> str:
    assert invoice.number is not None
    return invoice.number


def test_a_transfer_pays_the_invoice_and_repeating_it_changes_nothing() -> None:
    invoice = make_issued()
    said = run(number_of(invoice), received_at="2026-04-10T10:30:00+02:00")
    again = run(number_of(invoice), received_at="2026-04-11T10:30:00+02:00")
    assert said == again == f"123.45 USD recorded as bank 1; invoice {invoice.number} is paid.\n"
    payment = Payment.objects.get()
    assert payment.amount == Decimal("123.45")
    assert payment.received_at == datetime(2026, 4, 10, 8, 30, tzinfo=UTC)
    assert Invoice.objects.get(pk=invoice.pk).state == InvoiceState.PAID


def test_without_an_instant_the_money_was_received_now() -> None:
    before = datetime.now(UTC)
    run(number_of(make_issued()))
    assert before <= Payment.objects.get().received_at <= datetime.now(UTC)


def test_an_unknown_number_is_named() -> None:
    with pytest.raises(CommandError, match="No issued invoice has the number S-none"):
        run("S-none")


def test_two_issuers_with_one_number_need_a_slug() -> None:
    first, second = make_issued(number="R-1"), make_issued(parties=(others := make_parties()), number="R-1")
    with pytest.raises(CommandError, match="--issuer"):
        run("R-1")
    run("R-1", issuer=others[0].slug)
    assert Invoice.objects.get(pk=first.pk).state == InvoiceState.ISSUED
    assert Invoice.objects.get(pk=second.pk).state == InvoiceState.PAID


@pytest.mark.parametrize(
    ("option", "value", "says"),
    [
        ("amount", "a lot", "expected a number"),
        ("amount", "200", "76.55 more"),
        ("received_at", "2026-04-10", "expected for example"),
        ("received_at", "soon", "expected for example"),
        ("currency", "EUR", "the payment in EUR"),
    ],
)
def test_what_cannot_be_recorded_is_explained(option: str, value: str, says: str) -> None:
    with pytest.raises(CommandError, match=says):
        run(number_of(make_issued()), **{option: value})
    assert not Payment.objects.exists()

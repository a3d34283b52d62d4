"""Dues: one invoice and a list say the same, whatever became of the invoice."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.db.models import Q

from billing.corrections.credit_notes import issue_credit_note
from billing.corrections.weighing import Scope
from billing.dues import Dues, dues_of, read_dues, with_dues
from billing.models import CreditReason, Invoice, InvoiceState, Payment
from billing.payment_reversals import reverse_payment
from billing.payments import PaymentMethod, record_payment
from billing.write_offs import write_off
from tenants.models import Organization
from tests.billing.issued import Line, make_draft, make_issued, make_parties
from tests.kept import kept

NOW = datetime(2026, 4, 11, 7, tzinfo=UTC)


def listed(invoice: Invoice) -> Decimal:
    return read_dues(with_dues(Invoice.objects.filter(pk=invoice.pk)).get()).left


def pay(invoice: Invoice, amount: str, reference: str, method: PaymentMethod = PaymentMethod.BANK_TRANSFER) -> None:
    record_payment(
        invoice_id=invoice.pk,
        method=method,
        reference=reference,
        amount=Decimal(amount),
        currency=invoice.currency,
        received_at=NOW,
        now=NOW,
    )


parties = kept(make_parties)


@pytest.mark.django_db
def test_payments_take_from_the_total_until_nothing_is_left() -> None:
    invoice = make_issued([Line("100.00"), Line("23.45")])
    assert dues_of(invoice) == Dues(total=Decimal("123.45"), paid=Decimal(0))
    pay(invoice, "23.45", "first")
    assert dues_of(invoice).left == listed(invoice) == Decimal(100)
    pay(invoice, "100", "second")
    assert dues_of(invoice).left == listed(invoice) == Decimal(0)


@pytest.mark.django_db
def test_a_draft_and_a_void_invoice_owe_nothing(parties: tuple[Organization, Organization]) -> None:
    provider, tenant = parties
    draft = make_draft([Line("10.00")], provider=provider, tenant=tenant)
    assert dues_of(draft).left == listed(draft) == Decimal(0)
    void = make_issued([Line("10.00")])
    Invoice.objects.filter(pk=void.pk).update(state=InvoiceState.VOID)
    assert dues_of(void).left == listed(void) == Decimal(0)


@pytest.mark.django_db
def test_an_uncollectible_invoice_is_still_owed_and_another_ones_payments_are_not_its_own(
    parties: tuple[Organization, Organization],
) -> None:
    first = make_issued([Line("10.00")], parties=parties)
    other = make_issued([Line("20.00")], parties=make_parties())
    Invoice.objects.filter(pk=first.pk).update(state=InvoiceState.UNCOLLECTIBLE)
    pay(other, "20", "of the other")
    assert dues_of(first).left == listed(first) == Decimal(10)
    assert dues_of(other).left == listed(other) == Decimal(0)


@pytest.mark.django_db
def test_a_list_is_chosen_by_what_is_left() -> None:
    open_invoice, settled = make_issued([Line("10.00")]), make_issued([Line("20.00")])
    pay(settled, "20", "all of it")
    owing = with_dues(Invoice.objects.all()).filter(Q(left_amount__gt=0))
    assert list(owing) == [open_invoice]


@pytest.mark.django_db
def test_one_after_the_other_each_has_its_own_and_one_that_is_not_there_has_none() -> None:
    first, other = make_issued([Line("10.00")]), make_issued([Line("20.00")])
    assert [dues_of(one).left for one in (first, other, first)] == [10, 20, 10]
    with pytest.raises(Invoice.DoesNotExist):
        dues_of(Invoice())


@pytest.mark.django_db
def test_every_part_is_said_as_it_was_recorded(parties: tuple[Organization, Organization]) -> None:
    first, other = (make_issued([Line("100.00"), Line("20.00")], parties=parties) for _ in range(2))
    pay(first, "30", "kept")
    pay(first, "10", "bounced")
    pay(other, "7", "of the other")
    reverse_payment(
        payment_id=Payment.objects.get(reference="bounced").pk,
        reference="back",
        reason="It bounced.",
        by="petra",
        now=NOW,
        amount=Decimal(4),
    )
    issue_credit_note(
        invoice_id=first.pk,
        scope=Scope((), Decimal("5.50")),
        reason=CreditReason.GOODWILL,
        note="Sorry.",
        by="petra",
        now=NOW,
    )
    expected = Dues(total=Decimal(120), paid=Decimal(36), credited=Decimal("5.50"))
    assert dues_of(first) == read_dues(with_dues(Invoice.objects.filter(pk=first.pk)).get()) == expected
    write_off(invoice_id=first.pk, reason="gone", by="petra", now=NOW)
    gone = replace(expected, written_off=Decimal("78.50"))
    assert dues_of(first) == read_dues(with_dues(Invoice.objects.filter(pk=first.pk)).get()) == gone
    assert (gone.left, gone.payable) == (Decimal(0), Decimal("78.50"))
    # Within a query of a query each part still is of its own invoice, whatever the table is called there.
    owing = with_dues(Invoice.objects.all()).filter(Q(left_amount__gt=0)).values("pk")
    within = Invoice.objects.filter(pk__in=Invoice.objects.filter(pk__in=owing).values("pk"))
    assert [one.pk for one in within] == [other.pk]
    assert dues_of(other) == Dues(total=Decimal(120), paid=Decimal(7))

"""Credit notes of invoices with taxes at several rates and in several currencies: parts end at the whole, exactly."""

from __future__ import annotations

from decimal import Decimal
from itertools import count

import pytest
from django.db.models import Sum

from billing.corrections.amounts import MoreThanLeft, Wanted
from billing.corrections.credit_notes import CreditNoteDiffers
from billing.corrections.weighing import creditable_lines
from billing.dues import dues_of
from billing.models import BalanceMovement, CreditNote, CreditNoteLine, Invoice, InvoiceState
from billing.money import minor_digits
from billing.payments import PaymentMethod
from tenants.ids import new_id
from tests.billing.corrections.corrected import books, credit, pay, wrong_in_the_books
from tests.billing.corrections.taxed import make_taxed
from tests.kept import kept

pytestmark = pytest.mark.django_db

_numbers = count(1)
LINES = {
    "USD": (("33.33", "19"), ("66.67", "7"), ("0.01", "19"), ("-10.00", "19")),
    "JPY": (("333", "10"), ("667", "8"), ("1", "10"), ("-100", "10")),
    "BHD": (("33.333", "10"), ("66.667", "5"), ("0.001", "10"), ("-10.005", "10")),
}
PARTS = {"USD": ("0.07", "12.34"), "JPY": ("7", "123"), "BHD": ("0.007", "12.345")}


def whole_of(invoice: Invoice) -> tuple[Decimal, ...]:
    sums = CreditNote.objects.filter(invoice=invoice).aggregate(net=Sum("subtotal"), tax=Sum("tax"), total=Sum("total"))
    return tuple(sums[name] for name in ("net", "tax", "total"))


@kept
def invoice() -> Invoice:
    return make_taxed(("100.00", "20"), ("-20.00", "0"))


@pytest.mark.parametrize("currency", LINES)
def test_partial_credit_notes_end_at_the_invoice_with_its_taxes(currency: str) -> None:
    invoice = make_taxed(*LINES[currency], currency=currency)
    for part in PARTS[currency]:
        credit(invoice, amount=part)
    credit(invoice, Wanted(2, quantity=Decimal(333_333)))
    credit(invoice)
    assert whole_of(invoice) == (invoice.subtotal, invoice.tax, invoice.total)
    assert all(line.left == 0 for line in creditable_lines(invoice))
    for line in invoice.lines.select_related("taxed"):
        back = CreditNoteLine.objects.filter(line=line).aggregate(net=Sum("amount"), tax=Sum("tax"))
        assert (back["net"], back["tax"]) == (line.amount, line.taxed.tax)
    invoice.refresh_from_db()
    assert (invoice.state, dues_of(invoice).left) == (InvoiceState.PAID, Decimal(0))
    assert books(invoice.tenant) == books(invoice.issuer) == {}
    assert not wrong_in_the_books()


@pytest.mark.parametrize("currency", LINES)
def test_what_a_credit_note_gives_back_lies_on_the_minor_unit(currency: str) -> None:
    invoice = make_taxed(*LINES[currency], currency=currency)
    credit(invoice, amount=PARTS[currency][1])
    for note in CreditNote.objects.all():
        for amount in (note.subtotal, note.tax, note.total, note.applied):
            assert amount == round(amount, minor_digits(currency))


@pytest.mark.parametrize("currency", LINES)
def test_a_credit_after_payment_goes_to_the_balance_with_its_tax(currency: str) -> None:
    invoice = make_taxed(*LINES[currency], currency=currency)
    pay(invoice, str(invoice.total))
    notes = [credit(invoice, amount=part) for part in PARTS[currency]]
    notes.append(credit(invoice))
    assert [note.applied for note in notes] == [0, 0, 0]
    kept = BalanceMovement.objects.aggregate(sum=Sum("amount"))["sum"]
    assert kept == invoice.total
    assert books(invoice.tenant) == {"tenant_balance": -invoice.total}
    assert not wrong_in_the_books()


def test_no_more_tax_goes_back_than_the_invoice_bears() -> None:
    """A discount at one rate lowers the tax: the line that it is of does not go back without it."""
    invoice = make_taxed(("100.00", "0"), ("100.00", "20"), ("-90.00", "20"))
    assert (invoice.subtotal, invoice.tax) == (Decimal(110), Decimal(2))
    with pytest.raises(MoreThanLeft, match=r"2\.00 USD of the tax") as refused:
        credit(invoice, Wanted(2, amount=Decimal(90)))
    assert refused.value.extra == {"left": "112.00", "tax_left": "2.00"}
    assert not CreditNote.objects.exists()
    note = credit(invoice, Wanted(2), Wanted(3))
    assert (note.subtotal, note.tax) == (Decimal(10), Decimal(2))
    assert credit(invoice).total == 100
    assert not wrong_in_the_books()


def test_the_tax_that_is_left_of_lines_that_net_to_nothing_goes_back_too(invoice: Invoice) -> None:
    credit(invoice, Wanted(1, amount=Decimal(80)))
    assert dues_of(invoice).left == 4
    rest = credit(invoice)
    assert (rest.subtotal, rest.tax, rest.total) == (Decimal(0), Decimal(4), Decimal(4))
    assert whole_of(invoice) == (Decimal(80), Decimal(20), Decimal(100))
    assert books(invoice.tenant) == books(invoice.issuer) == {}
    assert not wrong_in_the_books()


def test_lines_below_zero_alone_are_refused(invoice: Invoice) -> None:
    with pytest.raises(MoreThanLeft, match="must be above 0"):
        credit(invoice, Wanted(2))


def test_an_invoice_that_stripe_was_paid_too_much_for_can_be_credited() -> None:
    """Nothing is left to pay of it, so all that it gives back is the tenant's balance."""
    invoice = make_taxed(("100.00", "20"))
    pay(invoice, "130.00", PaymentMethod.STRIPE)
    assert dues_of(invoice).left == -10
    note = credit(invoice, amount="50")
    assert (note.total, note.applied) == (Decimal(60), Decimal(0))
    assert credit(invoice).applied == 0
    assert dues_of(invoice).left == -10
    assert books(invoice.tenant) == {"tenant_receivable": -10, "tenant_balance": -120}
    assert not wrong_in_the_books()


def test_the_same_id_is_one_credit_note_and_with_other_contents_it_is_refused() -> None:
    invoice = make_taxed(("100.00", "20"), ("50.00", "20"))
    by_amount, by_line, everything = new_id(), new_id(), new_id()
    wishes = (Wanted(1, amount=Decimal(10)), Wanted(2, quantity=Decimal(100_000)))
    made = {
        credit(invoice, amount="5", credit_note_id=by_amount).pk,
        credit(invoice, *wishes, credit_note_id=by_line).pk,
        credit(invoice, credit_note_id=everything).pk,
    }
    assert credit(invoice, amount="5", credit_note_id=by_amount).pk in made
    assert credit(invoice, *wishes, credit_note_id=by_line).pk in made
    assert credit(invoice, credit_note_id=everything).pk in made
    assert CreditNote.objects.count() == 3
    with pytest.raises(CreditNoteDiffers):
        credit(invoice, amount="6", credit_note_id=by_amount)
    for other in (
        (Wanted(1, amount=Decimal(11)), wishes[1]),
        (wishes[0],),
        (wishes[0], Wanted(2, quantity=Decimal(100_001))),
        (wishes[1], Wanted(3)),
    ):
        with pytest.raises(CreditNoteDiffers):
            credit(invoice, *other, credit_note_id=by_line)
    assert CreditNote.objects.count() == 3

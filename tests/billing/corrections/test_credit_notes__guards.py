"""What the database itself refuses of credit notes, and many of them at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest
from django.db import IntegrityError, connection, transaction

from billing.corrections.amounts import MoreThanLeft
from billing.dues import dues_of
from billing.models import CreditNote, CreditNoteLine, CreditReason, Invoice, Payment
from billing.tenant_balances import balance_of
from tests.billing.corrections.corrected import BY, NOW, credit, pay, wrong_in_the_books
from tests.billing.issued import Line, make_issued
from tests.kept import kept


def plant(invoice: Invoice, *amounts: str, subtotal: str, number: str = "X-1", **changes: object) -> None:
    """Write a credit note past the use case, and ask the deferred guards."""
    fields: dict[str, object] = {
        "issuer_id": invoice.issuer_id,
        "tenant_id": invoice.tenant_id,
        "currency": invoice.currency,
        "tax": Decimal(0),
        "total": Decimal(subtotal),
        "applied": Decimal(subtotal),
        **changes,
    }
    with transaction.atomic():
        note = CreditNote(
            number=number,
            invoice=invoice,
            reason=CreditReason.GOODWILL,
            note="around",
            subtotal=Decimal(subtotal),
            operator_fee=Decimal(0),
            issued_by=BY,
            issued_at=NOW,
        )
        for name, value in fields.items():
            setattr(note, name, value)
        note.save()
        lines = list(invoice.lines.order_by("position"))
        for position, (line, amount) in enumerate(zip(lines, amounts, strict=False), 1):
            CreditNoteLine.objects.create(
                credit_note=note, line=line, position=position, amount=Decimal(amount), tax=Decimal(0)
            )
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


@kept
def invoice() -> Invoice:
    return make_issued([Line("100.00"), Line("20.00"), Line("-20.00")])


@pytest.mark.django_db
def test_one_that_adds_up_is_let_in() -> None:
    plant(make_issued([Line("100.00"), Line("20.00")]), "60", "20", subtotal="80")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("amounts", "subtotal", "says"),
    [
        (("100.01",), "100.01", "line 1 of invoice"),
        (("60",), "59", "does not add up"),
        ((), "10", "does not add up"),
        (("100", "20"), "120", "more than is left"),
        (("100", "20", "20"), "140", "line 3 of invoice"),
    ],
)
def test_more_than_there_is_and_what_does_not_add_up_is_refused(
    amounts: tuple[str, ...], subtotal: str, says: str, invoice: Invoice
) -> None:
    with pytest.raises(IntegrityError, match=says):
        plant(invoice, *amounts, subtotal=subtotal)


@pytest.mark.django_db
def test_another_party_and_what_was_paid_already_are_refused() -> None:
    invoice, other = make_issued([Line("100.00")]), make_issued()
    with pytest.raises(IntegrityError, match="of the same parties"):
        plant(invoice, "10", subtotal="10", tenant_id=other.tenant_id)
    pay(invoice, "95")
    with pytest.raises(IntegrityError, match="more than is left"):
        plant(invoice, "10", subtotal="10")


@pytest.mark.django_db
def test_a_number_is_given_once_and_a_total_is_net_and_tax_above_zero() -> None:
    invoice = make_issued([Line("100.00")])
    plant(invoice, "10", subtotal="10")
    with pytest.raises(IntegrityError, match="credit_note_number_once"):
        plant(invoice, "10", subtotal="10")
    with pytest.raises(IntegrityError, match="credit_note_adds_up"):
        plant(invoice, "10", subtotal="10", number="X-2", total=Decimal(11))
    with pytest.raises(IntegrityError, match="credit_note_applied_within"):
        plant(invoice, "10", subtotal="10", number="X-3", applied=Decimal(11))


@pytest.mark.django_db
@pytest.mark.parametrize("model", [CreditNote, CreditNoteLine])
def test_an_issued_credit_note_and_its_lines_are_facts(model: type[CreditNote] | type[CreditNoteLine]) -> None:
    credit(make_issued())
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
        model._default_manager.update(tax=1)
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
        model._default_manager.all()._raw_delete("default")


@pytest.mark.django_db(transaction=True)
def test_many_at_once_and_a_payment_between_give_back_no_more_than_there_is() -> None:
    invoice = make_issued([Line("100.00")])

    def give_back(number: int) -> str:
        try:
            if number == 2:
                pay(invoice, "10.00")
                return "paid"
            credit(invoice, amount="30")
        except MoreThanLeft:
            return "refused"
        finally:
            connection.close()
        return "credited"

    with ThreadPoolExecutor(6) as pool:
        outcomes = sorted(pool.map(give_back, range(6)))
    assert outcomes.count("credited") == 3
    assert outcomes.count("refused") == 2
    left = dues_of(invoice).left
    kept = balance_of(tenant_id=invoice.tenant_id, issuer_id=invoice.issuer_id, currency="USD")
    assert (left, kept) == (Decimal(0), Decimal(0))
    assert Payment.objects.count() == 1
    assert not wrong_in_the_books()

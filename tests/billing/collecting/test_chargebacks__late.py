"""Chargebacks at their edges: told before the payment, other currencies, rounds that repeat, and money of others."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from billing.collecting.chargebacks import apply_dispute
from billing.ledger import balance
from billing.models import AccountKind, Chargeback, Invoice, InvoiceState, Payment, PaymentReversal, PaymentSource
from billing.payment_reversals import reverse_payment
from billing.payments import PaymentMethod, record_payment
from tenants.models import AuditEntry
from tests.billing.collecting.test_chargebacks import LATER, books, dispute, paid_by_card
from tests.billing.issued import ISSUED_AT, Line, make_issued
from tests.kept import kept

pytestmark = pytest.mark.django_db

OPEN, PAID = InvoiceState.ISSUED, InvoiceState.PAID
TOTAL, NOTHING = Decimal("123.45"), Decimal(0)


def won() -> None:
    apply_dispute(seen=dispute("won", withdrawn=0), now=LATER)


invoice = kept(paid_by_card)


@pytest.mark.parametrize("status", ["needs_response", "under_review", "lost"])
def test_a_dispute_told_before_its_payment_is_booked_when_it_is_told_again(status: str) -> None:
    apply_dispute(seen=dispute(), now=LATER)
    invoice = paid_by_card()
    assert books(invoice) == (PAID, NOTHING, TOTAL)
    for _ in range(2):
        row = apply_dispute(seen=dispute(status), now=LATER)
    assert books(invoice) == (OPEN, TOTAL, NOTHING)
    assert (row.round, row.withdrawn, row.payment) == (1, TOTAL, Payment.objects.get())
    assert PaymentReversal.objects.count() == 1
    won()
    assert books(invoice) == (PAID, NOTHING, TOTAL)


def test_a_payment_of_the_charge_that_is_noted_later_is_taken_too(invoice: Invoice) -> None:
    first = invoice
    apply_dispute(seen=dispute(amount=24_690, withdrawn=24_690), now=LATER)
    second = paid_by_card(invoice=make_issued(parties=(first.issuer, first.tenant)))
    for _ in range(2):
        apply_dispute(seen=dispute(amount=24_690, withdrawn=24_690), now=LATER)
    assert books(first) == (OPEN, 2 * TOTAL, NOTHING)
    assert books(second)[0] == OPEN
    assert PaymentReversal.objects.count() == 2


def test_one_that_was_won_before_its_payment_was_known_takes_nothing() -> None:
    apply_dispute(seen=dispute(), now=LATER)
    won()
    invoice = paid_by_card()
    won()
    assert books(invoice) == (PAID, NOTHING, TOTAL)
    assert not PaymentReversal.objects.exists()


def test_each_round_is_taken_and_returned_once(invoice: Invoice) -> None:
    for place in (1, 2, 3):
        row = apply_dispute(seen=dispute(), now=LATER)
        assert (row.round, books(invoice)) == (place, (OPEN, TOTAL, NOTHING))
        won()
        assert books(invoice) == (PAID, NOTHING, TOTAL)
    assert (PaymentReversal.objects.count(), Payment.objects.count()) == (3, 4)


def test_a_second_dispute_takes_what_came_back_of_the_first(invoice: Invoice) -> None:
    apply_dispute(seen=dispute(), now=LATER)
    won()
    for status, withdrawn in (("needs_response", 12_345), ("lost", 12_345)):
        apply_dispute(seen=replace(dispute(status, withdrawn=withdrawn), id="dp_2"), now=LATER)
    assert books(invoice) == (OPEN, TOTAL, NOTHING)
    won()
    assert books(invoice) == (OPEN, TOTAL, NOTHING), "the first one has nothing more to give back"


@pytest.mark.parametrize(
    ("currency", "amount", "minor"), [("JPY", "1234", 1_234), ("KWD", "12.345", 12_345), ("USD", "12.34", 1_234)]
)
def test_minor_units_are_those_of_the_currency(currency: str, amount: str, minor: int) -> None:
    invoice = paid_by_card(invoice=make_issued((Line(amount),), currency=currency))
    seen = replace(dispute(amount=minor, withdrawn=minor), currency=currency, fee_minor=10)
    row = apply_dispute(seen=seen, now=LATER)
    owed = balance(organization_id=invoice.tenant_id, kind=AccountKind.TENANT_RECEIVABLE, currency=currency)
    assert (row.amount, row.withdrawn, owed) == (Decimal(amount),) * 3
    assert row.fee == Decimal(10) * Decimal(amount) / minor


@pytest.mark.parametrize(
    ("withdrawn", "owed"), [(1, "0.01"), (12_344, "123.44"), (12_345, "123.45"), (99_999, "123.45")]
)
def test_no_more_is_taken_than_was_paid(withdrawn: int, owed: str, invoice: Invoice) -> None:
    apply_dispute(seen=dispute(amount=withdrawn, withdrawn=withdrawn), now=LATER)
    assert books(invoice) == (OPEN, Decimal(owed), TOTAL - Decimal(owed))


def test_what_was_taken_back_by_hand_is_not_taken_again(invoice: Invoice) -> None:
    reverse_payment(
        payment_id=Payment.objects.get().pk, reference="by hand", reason="sample", by="petra", now=LATER
    )  # fmt: skip
    apply_dispute(seen=dispute(), now=LATER)
    assert books(invoice) == (OPEN, TOTAL, NOTHING)
    assert PaymentReversal.objects.count() == 1
    won()
    assert books(invoice) == (OPEN, TOTAL, NOTHING), "what the chargeback did not take it does not give back"


def test_two_disputes_of_one_charge_take_it_once(invoice: Invoice) -> None:
    for name in ("dp_1", "dp_2"):
        apply_dispute(seen=replace(dispute(), id=name), now=LATER)
    assert books(invoice) == (OPEN, TOTAL, NOTHING)
    assert PaymentReversal.objects.count() == 1
    assert Chargeback.objects.count() == 2


@pytest.mark.parametrize(
    ("charge", "intent", "is_taken"),
    [("ch_1", None, True), ("ch_1", "pi_other", True), ("ch_other", "pi_1", True), ("ch_other", "pi_other", False)],
)
def test_a_charge_is_known_by_its_id_or_else_by_its_intent(
    charge: str, intent: str | None, invoice: Invoice, *, is_taken: bool
) -> None:
    apply_dispute(seen=replace(dispute(charge=charge), payment_intent_id=intent), now=LATER)
    assert (Invoice.objects.get(pk=invoice.pk).state == OPEN) == is_taken


def test_a_payment_by_bank_is_never_charged_back() -> None:
    invoice = make_issued()
    record_payment(
        invoice_id=invoice.pk,
        method=PaymentMethod.BANK_TRANSFER,
        reference="sepa-1",
        amount=TOTAL,
        currency="USD",
        received_at=ISSUED_AT,
        now=ISSUED_AT,
    )
    apply_dispute(seen=dispute(), now=LATER)
    assert Invoice.objects.get(pk=invoice.pk).state == PAID
    assert not PaymentSource.objects.exists()


def test_what_is_known_of_it_is_kept_as_it_is_now(invoice: Invoice) -> None:
    apply_dispute(seen=dispute(), now=LATER)
    later = replace(dispute("under_review"), reason="product_not_received", respond_by=None, fee_minor=2_000)
    row = apply_dispute(seen=later, now=LATER + timedelta(days=1))
    assert (row.status, row.reason, row.respond_by, row.fee) == (
        "under_review",
        "product_not_received",
        None,
        Decimal(20),
    )
    assert (row.opened_at, row.updated_at) == (LATER, LATER + timedelta(days=1))
    entry = AuditEntry.objects.filter(action="chargeback.changed").latest("pk")
    assert entry.subject == f"invoice {invoice.number}"
    assert (entry.before or {})["status"] == "needs_response"
    assert (entry.after or {})["dispute"] == "dp_1"

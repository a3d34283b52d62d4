"""The back office of money: every page opens, nothing changes there."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from billing.models import (
    BillingPeriod,
    Charge,
    ClusterCost,
    Contract,
    Invoice,
    LedgerPosting,
    Payment,
    PriceVersion,
    Settlement,
    StripeEvent,
    StripeIntent,
    UnpricedUsage,
)
from billing.payments import PaymentMethod, record_payment
from tests.admin_pages import assert_read_only, open_every_page, operator, page_of, tables_of
from tests.billing.costly import enter
from tests.billing.world import APRIL
from tests.filled import Filled, fill
from tests.kept import kept

if TYPE_CHECKING:
    from django.db.models import Model


filled = kept(fill)
SHOWN: set[type[Model]] = {
    BillingPeriod,
    Charge,
    ClusterCost,
    Contract,
    Invoice,
    LedgerPosting,
    Payment,
    PriceVersion,
    Settlement,
    StripeEvent,
    StripeIntent,
    UnpricedUsage,
}


def settle(filled: Filled) -> None:
    """One of each that collecting leaves behind."""
    invoice = filled.invoice
    record_payment(
        invoice_id=invoice.id,
        method=PaymentMethod.BANK_TRANSFER,
        reference="SAMPLE-1",
        amount=Decimal("1.00"),
        currency=invoice.currency,
        received_at=APRIL,
        now=APRIL,
    )
    StripeIntent.objects.create(key="sample", step="customer", subject_id=invoice.id, created_at=APRIL)
    StripeEvent.objects.create(
        event_id="evt_1", type="invoice.paid", object_id="in_1", payload={"id": "evt_1"}, received_at=APRIL
    )
    enter(filled.cluster)
    UnpricedUsage.objects.create(
        period=invoice.period,
        term_ref="S-1",
        model="sample-model",
        quantity=Decimal(1),
        unit="tokens",
        first_seen_at=APRIL,
        last_seen_at=APRIL,
    )


def test_every_page_opens_and_nothing_changes_there(filled: Filled) -> None:
    settle(filled)
    root = operator()
    assert set(tables_of("billing")) == SHOWN
    opened = open_every_page(root, "billing")
    assert all(opened.values()), opened
    for model in SHOWN:
        assert_read_only(root, model)


def test_an_invoice_shows_its_lines_and_a_posting_its_entries(filled: Filled) -> None:
    root = operator()
    text = root.get(page_of(Invoice, "change", filled.invoice.pk)).content.decode()
    for line in filled.invoice.lines.all():
        assert line.description in text
    posting = LedgerPosting.objects.latest("at")
    text = root.get(page_of(LedgerPosting, "change", posting.pk)).content.decode()
    assert text.count("USD") >= 2

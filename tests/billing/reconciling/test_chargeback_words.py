"""What a card holder's bank asked back is on the operator's page and on the invoice, with until when to answer."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
import stripe

from billing.models import Chargeback
from billing.payments import PaymentMethod, record_payment
from billing.reconciling.chargeback_words import REASONS, STATES, chargeback_rows
from tests.billing.issued import make_issued
from tests.billing.pages.reading import text_of
from tests.factories import Cast, make_user

if TYPE_CHECKING:
    from django.test import Client

    from billing.models import Invoice, Payment

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 4, 20, 12, tzinfo=UTC)


def paid(invoice: Invoice) -> Payment:
    return record_payment(
        invoice_id=invoice.pk,
        method=PaymentMethod.STRIPE,
        reference="inpay_1",
        amount=invoice.total,
        currency=invoice.currency,
        received_at=NOW,
        now=NOW,
    )


def chargeback(payment: Payment | None, status: str = "needs_response", reason: str = "fraudulent") -> Chargeback:
    return Chargeback.objects.create(
        dispute_id=f"dp_{status}",
        payment=payment,
        charge_id="ch_1",
        status=status,
        reason=reason,
        currency="USD",
        amount=Decimal("123.45"),
        withdrawn=Decimal("100.00"),
        respond_by=NOW,
        opened_at=NOW,
        updated_at=NOW,
    )


def test_the_operator_and_the_issuer_read_what_is_to_be_answered(cast: Cast, client: Client) -> None:
    invoice = make_issued(parties=(cast.provider, cast.tenant), number="INV-7")
    client.force_login(make_user("olga@example.com", cast.operator))
    assert "Chargebacks" not in text_of(client.get("/o/reconciliation/"))
    chargeback(paid(invoice))
    page = text_of(client.get("/o/reconciliation/"))
    for words in ("INV-7 Tenant", "The card holder did not pay it", "To be answered at Stripe", "$123.45", "$100.00"):
        assert words in page
    assert "20 Apr 2026 12:00 UTC" in page
    client.force_login(cast.petra)
    assert "The operator answers until 20 Apr 2026 12:00 UTC" in text_of(client.get("/p/invoices/INV-7/"))
    client.force_login(cast.alice)
    assert "Chargebacks" not in text_of(client.get("/t/invoices/INV-7/"))


def test_one_that_is_over_is_not_to_be_answered_and_one_of_nothing_of_ours_is_shown() -> None:
    chargeback(None, "lost", "made_up_by_stripe")
    (row,) = chargeback_rows(Chargeback.objects.all(), "en")
    assert (row["about"], row["tenant"], row["answer_by"], row["why"]) == ("", "", "", "made_up_by_stripe")


def test_every_state_that_the_package_names_has_words() -> None:
    named = re.findall(r"[\"']([a-z_]+)[\"']", str(stripe.Dispute.__annotations__["status"]))
    assert set(STATES) == set(named)
    assert all(str(words) for words in REASONS.values())

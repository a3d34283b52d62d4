"""What our books have as paid is closed at Stripe too, against the Stripe double."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from billing.models import Settlement, SettlementState
from billing.settlement import retry_settlement, settle
from tests.billing.collected import begin, collect, gateway_of, pay_by_hand
from tests.billing.issued import ISSUED_AT, make_issued

if TYPE_CHECKING:
    from tests.fakes.stripe_double.fixture import StripeDouble

pytestmark = pytest.mark.django_db(transaction=True)
LATER = ISSUED_AT + timedelta(hours=1)


def test_a_draft_that_is_gone_needs_no_closing(double: StripeDouble) -> None:
    invoice = make_issued()
    begin(invoice)
    gateway = gateway_of(double)
    for _ in range(3):
        settle(invoice_id=invoice.pk, gateway=gateway, now=ISSUED_AT)
    gateway.delete_draft(Settlement.objects.get(pk=invoice.pk).stripe_invoice_id)
    pay_by_hand(invoice, "123.45")
    assert collect(invoice, gateway).state == SettlementState.PAID


def test_a_refusal_while_closing_is_shown(double: StripeDouble) -> None:
    invoice = make_issued()
    begin(invoice)
    gateway = gateway_of(double)
    collect(invoice, gateway)
    pay_by_hand(invoice, "123.45")
    double.faults({"status": 400, "code": "parameter_invalid", "method": "GET"})
    stopped = collect(invoice, gateway, now=LATER)
    assert stopped.state == SettlementState.FAILED
    assert stopped.last_error.startswith("parameter_invalid")
    retry_settlement(invoice_id=invoice.pk, actor="petra@example.com", now=LATER)
    assert collect(invoice, gateway, now=LATER).state == SettlementState.PAID

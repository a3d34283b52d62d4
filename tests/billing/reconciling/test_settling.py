"""A way out of a difference says that it is done only where it was."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from billing.models import Difference, Settlement
from billing.payments import PaymentMethod, record_payment
from billing.reconciling.booking import NothingToBook
from tests.billing.collected import gateway_of
from tests.billing.reconciling.test_looking import clock, looked, pushed, settle
from tests.factories import make_organization

if TYPE_CHECKING:
    from tests.fakes.stripe_double.fixture import StripeDouble

pytestmark = pytest.mark.django_db(transaction=True)


def test_what_was_called_paid_at_stripe_without_money_is_not_said_to_be_booked(double: StripeDouble) -> None:
    make_organization("operator", is_operator=True)
    invoice = pushed(double)
    gateway_of(double).mark_paid_out_of_band(Settlement.objects.get().stripe_invoice_id, "by hand in the dashboard")
    [found] = looked(double).values()
    with pytest.raises(NothingToBook, match="by other means"):
        settle(double, found, "book")
    assert Difference.objects.get().settled_at is None, "it still differs"
    record_payment(
        invoice_id=invoice.pk,
        method=PaymentMethod.BANK_TRANSFER,
        reference="B-1",
        amount=invoice.total,
        currency=invoice.currency,
        received_at=clock(),
        now=clock(),
    )
    assert looked(double) == {}

"""How a tenant is told to pay: to whom, where, and with which reference."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from billing.models import Settlement, SettlementState
from billing.settlement_steps import TOO_LITTLE_LEFT
from tests.billing.banking.statements import make_account
from tests.billing.collected import pay_by_hand
from tests.billing.issued import ISSUED_AT, Line, make_issued
from tests.billing.pages.reading import text_of

if TYPE_CHECKING:
    from django.test import Client

    from tests.factories import Cast

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("state", "with_account", "words"),
    [
        (SettlementState.BY_HAND, True, "to Sample Compute, DE89 3704 0044 0532 0130 00, with the reference RF40"),
        (SettlementState.BY_HAND, False, "the reference RF40 INV0 001; billing@provider.example.com has the account"),
        (SettlementState.FAILED, True, "The payment could not be collected."),
        (SettlementState.DRAFT, True, "The payment page is being made."),
    ],
)  # fmt: skip
def test_the_page_says_how_to_pay(
    cast: Cast, client: Client, state: SettlementState, with_account: bool, words: str
) -> None:
    invoice = make_issued([Line("10.00")], parties=(cast.provider, cast.tenant), number="INV-0001")
    Settlement.objects.create(invoice=invoice, state=state, next_try_at=ISSUED_AT, updated_at=ISSUED_AT)
    if with_account:
        make_account(cast.provider)
    client.force_login(cast.alice)
    page = text_of(client.get("/t/invoices/INV-0001/"))
    assert words in page
    assert "Payment reference RF40 INV0 001" in page


def test_what_is_too_little_for_a_card_is_transferred(cast: Cast, client: Client) -> None:
    """Final at Stripe, of which a transfer left less than Stripe charges: its page cannot take the rest."""
    invoice = make_issued([Line("10.00")], parties=(cast.provider, cast.tenant), number="INV-0001")
    Settlement.objects.create(
        invoice=invoice, state=SettlementState.WAIT, next_try_at=ISSUED_AT, updated_at=ISSUED_AT,
        hosted_url="https://pay.example.com/1", last_error=TOO_LITTLE_LEFT,
    )  # fmt: skip
    make_account(cast.provider)
    client.force_login(cast.alice)
    assert "Pay $10.00" in text_of(client.get("/t/invoices/INV-0001/"))
    pay_by_hand(invoice, "9.70")
    page = text_of(client.get("/t/invoices/INV-0001/"))
    assert "What is left is less than a card is charged. Transfer $0.30 to Sample Compute, DE89 3704" in page
    assert "Pay $" not in page
    client.force_login(cast.petra)
    page = text_of(client.get("/p/invoices/INV-0001/"))
    assert "It waits for a transfer with the reference RF40 INV0 001;" in page
    assert TOO_LITTLE_LEFT not in page
    pay_by_hand(invoice, "0.30", reference="the rest")
    assert "What is left is less" not in text_of(client.get("/p/invoices/INV-0001/")), "nothing is left"

"""A card whose bank wants the card holder's consent: a state of its own, a notice, and a page on which it is given."""

from __future__ import annotations

import urllib.parse
import urllib.request
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from billing.models import Collection, CollectionNotice, NoticeKind, Settlement, SettlementState
from billing.settlement import retry_settlement
from tests.billing.collected import add_card, assert_paid_once, begin, collect, gateway_of
from tests.billing.issued import ISSUED_AT, make_issued

if TYPE_CHECKING:
    from billing.models import Invoice
    from tests.fakes.stripe_double.fixture import StripeDouble

pytestmark = pytest.mark.django_db(transaction=True)
LATER = ISSUED_AT + timedelta(hours=1)
ASKING = "pm_card_authenticationRequired"


def charged(double: StripeDouble, card: str | None) -> tuple[Invoice, Settlement]:
    invoice = make_issued(collection=Collection.CHARGE_AUTOMATICALLY)
    if card:
        add_card(double, invoice, card)
    begin(invoice)
    return invoice, collect(invoice, gateway_of(double))


def post(url: str, **form: str) -> str:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, urllib.parse.urlencode(form).encode()) as answer:
        return str(answer.read().decode())


def test_consent_given_on_the_page_pays(double: StripeDouble) -> None:
    invoice, settlement = charged(double, ASKING)
    assert settlement.state == SettlementState.ACTION
    notice = CollectionNotice.objects.get()
    assert (notice.kind, notice.invoice_id, notice.attempt) == (NoticeKind.CONSENT_NEEDED, invoice.pk, 1)
    page = post(settlement.hosted_url, payment_method="pm_card_threeDSecure2Required")
    assert "Your bank wants you to confirm this payment." in page
    assert "Fail authentication" in page
    assert collect(invoice, gateway_of(double), now=LATER).state == SettlementState.ACTION
    post(settlement.hosted_url, payment_method="pm_card_threeDSecure2Required", consent="given")
    collect(invoice, gateway_of(double), now=LATER + timedelta(hours=1))
    assert_paid_once(double, invoice)
    assert CollectionNotice.objects.count() == 1


def test_a_retry_without_the_card_holder_asks_again_and_tells_again(double: StripeDouble) -> None:
    invoice, _ = charged(double, ASKING)
    retry_settlement(invoice_id=invoice.pk, actor="petra@example.com", now=LATER)
    assert collect(invoice, gateway_of(double), now=LATER).state == SettlementState.ACTION
    assert sorted(CollectionNotice.objects.values_list("attempt", flat=True)) == [1, 2]
    add_card(double, invoice)
    retry_settlement(invoice_id=invoice.pk, actor="petra@example.com", now=LATER)
    assert collect(invoice, gateway_of(double), now=LATER).state == SettlementState.PAID


@pytest.mark.parametrize(
    ("card", "kind"), [("pm_card_chargeCustomerFail", NoticeKind.CARD_DECLINED), (None, NoticeKind.CARD_MISSING)]
)
def test_a_card_that_does_not_pay_is_told_of_once(double: StripeDouble, card: str | None, kind: NoticeKind) -> None:
    invoice, settlement = charged(double, card)
    assert settlement.state == SettlementState.WAIT
    collect(invoice, gateway_of(double), now=LATER)
    assert [notice.kind for notice in CollectionNotice.objects.all()] == [kind]

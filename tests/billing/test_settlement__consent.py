"""A card whose bank wants the card holder's consent: a state of its own, a notice, and a page on which it is given."""

from __future__ import annotations

import urllib.parse
import urllib.request
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from billing.models import CardOnFile, Collection, CollectionNotice, Contract, NoticeKind, Settlement, SettlementState
from billing.settlement import retry_settlement, wake_refused
from tenants.models import AuditEntry
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


def leave(invoice: Invoice, double: StripeDouble, card: str = "pm_card_visa") -> None:
    """The tenant leaves another card, an hour after the invoice was issued."""
    add_card(double, invoice, card)
    shown = {"payment_method_id": "pm_1", "kind": "card", "kept_by": "alice@example.com", "kept_at": LATER}
    CardOnFile.objects.create(organization=invoice.tenant, **shown)


@pytest.mark.parametrize("first", [None, "pm_card_chargeCustomerFail", ASKING])
def test_what_no_card_has_paid_is_charged_to_the_next_one_that_is_left(double: StripeDouble, first: str | None) -> None:
    invoice, settlement = charged(double, first)
    assert settlement.last_error
    assert wake_refused(now=LATER) == 0, "the same card, or none"
    leave(invoice, double)
    assert wake_refused(now=LATER) == 1
    assert Settlement.objects.get().state == SettlementState.COLLECT
    collect(invoice, gateway_of(double), now=LATER)
    assert_paid_once(double, invoice)
    assert wake_refused(now=LATER) == 0
    assert AuditEntry.objects.filter(action="settlement.retried", actor="card kept").count() == 1


def test_a_card_that_is_declined_too_is_not_charged_again_and_again(double: StripeDouble) -> None:
    invoice, _ = charged(double, None)
    leave(invoice, double, "pm_card_chargeCustomerFail")
    assert wake_refused(now=LATER) == 1
    later = LATER + timedelta(seconds=5)
    assert collect(invoice, gateway_of(double), now=later).last_error
    assert wake_refused(now=later) == 0


def test_a_card_is_charged_with_nothing_that_was_to_be_paid_otherwise(double: StripeDouble) -> None:
    invoice, _ = charged(double, None)
    leave(invoice, double)
    Contract.objects.update(collection=Collection.SEND_INVOICE)
    assert wake_refused(now=LATER) == 0


@pytest.mark.parametrize(
    ("card", "kind"), [("pm_card_chargeCustomerFail", NoticeKind.CARD_DECLINED), (None, NoticeKind.CARD_MISSING)]
)
def test_a_card_that_does_not_pay_is_told_of_once(double: StripeDouble, card: str | None, kind: NoticeKind) -> None:
    invoice, settlement = charged(double, card)
    assert settlement.state == SettlementState.WAIT
    collect(invoice, gateway_of(double), now=LATER)
    assert [notice.kind for notice in CollectionNotice.objects.all()] == [kind]

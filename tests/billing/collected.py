"""Drives collections in tests: a gateway that can die at any call, a clock that moves, and the checks of the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django.db import connection
from django.db.models import Sum

from billing.ledger import balance
from billing.models import (
    AccountKind,
    Invoice,
    InvoiceState,
    LedgerEntry,
    LedgerPosting,
    Payment,
    Settlement,
    SettlementState,
    StripeCustomer,
)
from billing.payments import PaymentMethod, record_payment
from billing.settlement import ACTIVE, LEASE_S, settle
from billing.stripe_answers import StripeSettings
from billing.stripe_gateway import StripeGateway
from tests.billing.issued import ISSUED_AT

if TYPE_CHECKING:
    from uuid import UUID

    from tests.fakes.stripe_double.fixture import StripeDouble

WEBHOOK_SECRET = "whsec_for_tests"
STEPS_MAX = 60
CALLS = (
    "create_customer",
    "create_draft_invoice",
    "add_lines",
    "get_invoice",
    "finalize",
    "pay",
    "mark_paid_out_of_band",
    "void",
    "create_setup_session",
    "get_session",
    "set_default_payment_method",
    "credit",
)


class Killed(BaseException):
    """The worker died here; nothing catches it, as nothing catches kill -9."""


class MortalGateway(StripeGateway):
    """The real gateway, which checks that no transaction is open, and dies once around one call."""

    def __init__(self, settings: StripeSettings, *, dies_at: str = "", before: bool = False, nth: int = 1) -> None:
        super().__init__(settings)
        self.dies_at, self.before, self.left = dies_at, before, nth
        self.calls: list[str] = []

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        return self._watched(name, found) if name in CALLS else found

    def _watched(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*args: Any, **named: Any) -> Any:
            assert not connection.in_atomic_block, f"{name} is called inside a transaction"
            self.calls.append(name)
            dies = name == self.dies_at and self._last_life()
            if dies and self.before:
                raise Killed(name)
            answer = call(*args, **named)
            if dies:
                raise Killed(name)
            return answer

        return watched

    def _last_life(self) -> bool:
        self.left -= 1
        return self.left == 0


def settings_of(double: StripeDouble, *, network_retries: int = 0, timeout_s: float = 10) -> StripeSettings:
    return StripeSettings(
        secret_key=double.SECRET_KEY,
        webhook_secret=WEBHOOK_SECRET,
        api_base=double.base_url,
        network_retries=network_retries,
        timeout_s=timeout_s,
    )


def gateway_of(double: StripeDouble, *, dies_at: str = "", before: bool = False, nth: int = 1) -> MortalGateway:
    return MortalGateway(settings_of(double), dies_at=dies_at, before=before, nth=nth)


def begin(invoice: Invoice) -> Settlement:
    """The settlement of an invoice that was issued with Stripe set up."""
    return Settlement.objects.create(
        invoice=invoice, state=SettlementState.CUSTOMER, next_try_at=ISSUED_AT, updated_at=ISSUED_AT
    )


def collect(invoice: Invoice, gateway: StripeGateway, *, now: datetime = ISSUED_AT) -> Settlement:
    """Take steps as time passes until the settlement rests or waits for its payment without a reason to go on."""
    for _ in range(STEPS_MAX):
        settlement = Settlement.objects.get(pk=invoice.pk)
        if settlement.state not in ACTIVE:
            return settlement
        now = max(now, settlement.next_try_at)
        before = (settlement.state, settlement.attempts)
        settle(invoice_id=invoice.pk, gateway=gateway, now=now)
        settlement.refresh_from_db()
        waits = settlement.state in (SettlementState.WAIT, SettlementState.ACTION) and settlement.next_try_at > now
        if waits and before == (settlement.state, settlement.attempts):
            return settlement
    raise AssertionError(f"no end after {STEPS_MAX} steps: {settlement.state} {settlement.last_error}")


def collect_through_death(invoice: Invoice, gateway: StripeGateway, survivor: StripeGateway) -> Settlement:
    """Collect until the gateway dies, then let another worker take over when the lease has run out."""
    with dying():
        collect(invoice, gateway)
    return collect(invoice, survivor, now=ISSUED_AT + timedelta(seconds=LEASE_S))


@contextmanager
def dying() -> Iterator[None]:
    try:
        yield
    except Killed:
        return
    raise AssertionError("nothing died: the kill point was never reached")


def add_card(double: StripeDouble, invoice: Invoice, card: str = "pm_card_visa") -> None:
    """Give the tenant a customer at Stripe with a card on file, as the portal would before the first invoice."""
    gateway = StripeGateway(settings_of(double))
    tenant = invoice.tenant
    known = StripeCustomer.objects.filter(pk=tenant.pk).first()
    if known is None:
        key = f"org:{tenant.pk}:cust:1"
        made = gateway.create_customer(str(tenant.pk), tenant.name, tenant.billing_email, key)
        known = StripeCustomer.objects.create(organization=tenant, customer_id=made, created_at=ISSUED_AT)
    gateway.set_default_payment_method(known.customer_id, card, f"{tenant.pk}:{card}")


def invoices_at(double: StripeDouble, invoice: Invoice) -> list[dict[str, Any]]:
    """Everything the double has under our invoice's id."""
    return [each for each in double.state()["invoice"] if each["metadata"].get("forecourt_invoice") == str(invoice.pk)]


def only_invoice_at(double: StripeDouble, invoice: Invoice) -> dict[str, Any]:
    (only,) = invoices_at(double, invoice)
    return only


def assert_paid_once(double: StripeDouble, invoice: Invoice) -> None:
    """One invoice at Stripe, one payment, one posting, and books that balance."""
    at_stripe = only_invoice_at(double, invoice)
    assert at_stripe["status"] == "paid"
    assert len([each for each in double.state()["charge"] if each["paid"]]) == 1
    payment = Payment.objects.get(invoice=invoice)
    assert payment.amount == invoice.total
    assert LedgerPosting.objects.filter(cause="payment", cause_id=payment.pk).count() == 1
    invoice.refresh_from_db()
    assert (invoice.state, invoice.paid_at) == (InvoiceState.PAID, payment.received_at)
    settlement = Settlement.objects.get(pk=invoice.pk)
    assert (settlement.state, settlement.last_error) == (SettlementState.PAID, "")
    assert_books(invoice, cleared=invoice.total)


def assert_books(invoice: Invoice, *, cleared: Decimal) -> None:
    issuer_id: UUID = invoice.issuer_id
    owed = balance(organization_id=invoice.tenant_id, kind=AccountKind.TENANT_RECEIVABLE, currency=invoice.currency)
    held = balance(organization_id=issuer_id, kind=AccountKind.STRIPE_CLEARING, currency=invoice.currency)
    assert (owed, held) == (invoice.total - cleared, cleared)
    assert LedgerEntry.objects.aggregate(sum=Sum("amount"))["sum"] == 0


def pay_by_hand(invoice: Invoice, amount: str, *, reference: str = "") -> None:
    """A bank transfer comes in for the invoice; another one has another reference."""
    record_payment(
        invoice_id=invoice.pk,
        method=PaymentMethod.BANK_TRANSFER,
        reference=reference or f"bank {invoice.pk}",
        amount=Decimal(amount),
        currency=invoice.currency,
        received_at=ISSUED_AT,
        now=ISSUED_AT,
    )

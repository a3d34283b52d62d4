"""What programs outside are told of money: each thing once, to both parties, in the transaction in which it happens."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from billing.charging import ensure_periods
from billing.closing import close_period
from billing.corrections.credit_notes import Scope, issue_credit_note
from billing.corrections.disputes import answer_dispute, open_dispute
from billing.models import CreditReason, Invoice
from billing.payments import PaymentMethod, record_payment
from billing.pricing import publish_price_version
from billing.statements.stating import make_statement
from billing.telling import OVERDUE_KEPT, tell_overdue
from billing.write_offs import write_off
from tenants.hook_models import WebhookEndpoint, WebhookEvent
from tenants.hooks.signing import new_secret
from tenants.models import Organization
from tests.billing.issued import ISSUED_AT, make_issued
from tests.billing.world import APRIL, MARCH, MODEL, make_world

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 4, 20, tzinfo=UTC)


def listen(*organizations: Organization) -> None:
    for each in organizations:
        WebhookEndpoint.objects.create(
            organization=each, url="https://hooks.example/", kinds=[], secret=new_secret(), created_at=MARCH
        )


def told(organization: Organization) -> list[tuple[str, dict[str, Any]]]:
    found = WebhookEvent.objects.filter(organization=organization).order_by("pk")
    return [(event.kind, event.body) for event in found]


def kinds(organization: Organization) -> list[str]:
    return [kind for kind, _ in told(organization)]


def pay(invoice: Invoice, amount: str, reference: str = "one") -> None:
    record_payment(
        invoice_id=invoice.pk,
        method=PaymentMethod.BANK_TRANSFER,
        reference=reference,
        amount=Decimal(amount),
        currency="USD",
        received_at=NOW,
        now=NOW,
    )


def test_an_invoice_is_told_from_issue_to_payment_to_both_parties() -> None:
    world = make_world()
    listen(world.provider, world.tenant)
    world.lease(1, price="1", rolled_to_at=APRIL)
    ensure_periods(contract=world.contract, now=MARCH)
    invoice = close_period(period_id=world.period().id, now=APRIL).invoice
    assert invoice is not None
    pay(invoice, "700.00")
    pay(invoice, "700.00")
    pay(invoice, "44.00", "two")
    assert kinds(world.provider) == kinds(world.tenant)
    assert kinds(world.tenant) == ["invoice.issued", "payment.received", "payment.received", "invoice.paid"]
    _, body = told(world.tenant)[0]
    assert (body["number"], body["total"], body["id"]) == (invoice.number, "744.00", str(invoice.pk))
    assert body["due_at"].endswith("Z")
    assert told(world.tenant)[2][1]["amount"] == "44.00"
    assert make_statement(provider_id=world.provider.id, currency="USD", month=MARCH.date(), now=NOW)
    assert kinds(world.provider)[-1] == "statement.ready"
    assert "statement.ready" not in kinds(world.tenant)


def test_an_invoice_of_nothing_is_told_as_paid() -> None:
    world = make_world()
    listen(world.tenant)
    world.lease(1, price="0", rolled_to_at=APRIL)
    ensure_periods(contract=world.contract, now=MARCH)
    close_period(period_id=world.period().id, now=APRIL)
    assert kinds(world.tenant) == ["invoice.issued", "invoice.paid"]


def test_corrections_are_told() -> None:
    invoice = make_issued()
    listen(invoice.issuer, invoice.tenant)
    dispute = open_dispute(invoice=invoice, position=1, text="Why?", by="alice", now=NOW)
    answer_dispute(dispute_id=dispute.pk, organization=invoice.issuer, text="See.", by="petra", now=NOW)
    issue_credit_note(
        invoice_id=invoice.pk,
        scope=Scope(amount=Decimal("23.45")),
        reason=CreditReason.values[0],  # type: ignore[arg-type]  # any of them
        note="Sorry",
        by="petra",
        now=NOW,
    )
    write_off(invoice_id=invoice.pk, reason="gone", by="petra", now=NOW)
    assert kinds(invoice.tenant) == [
        "dispute.opened",
        "dispute.answered",
        "credit_note.issued",
        "invoice.uncollectible",
    ]
    assert told(invoice.tenant)[2][1]["total"] == "23.45"


def test_what_is_overdue_is_told_once_and_only_while_it_is_news() -> None:
    invoice = make_issued()
    due_at = ISSUED_AT + timedelta(days=14)
    assert tell_overdue(now=due_at) == 0
    listen(invoice.tenant)
    assert tell_overdue(now=due_at - timedelta(seconds=1)) == 0
    assert tell_overdue(now=due_at) == 1
    assert tell_overdue(now=due_at + timedelta(hours=1)) == 0
    assert kinds(invoice.tenant) == ["invoice.overdue"]
    late = make_issued(parties=(invoice.issuer, invoice.tenant))
    assert tell_overdue(now=due_at + OVERDUE_KEPT) == 0
    pay(late, "123.45", "late")
    assert tell_overdue(now=due_at + timedelta(hours=1)) == 0


def test_announced_prices_are_told_to_the_tenant() -> None:
    world = make_world(tokens={(MODEL, "output"): "1"})
    listen(world.tenant, world.provider)
    assert world.book is not None
    now = timezone.now()
    world.share(now=now)
    publish_price_version(
        book=world.book,
        effective_at=now + timedelta(days=30),
        token_prices={(MODEL, "output"): Decimal(2)},
        gpu_prices={},
        now=now,
    )
    assert "price.announced" in kinds(world.tenant)
    assert kinds(world.provider) == []


def test_where_nobody_listens_it_costs_one_query() -> None:
    invoice = make_issued()
    with CaptureQueriesContext(
        connection,
    ) as seen:
        pay(invoice, "123.45")
    assert sum("webhookendpoint" in query["sql"] for query in seen) == 2
    assert not any("webhookevent" in query["sql"] for query in seen)

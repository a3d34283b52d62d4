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
from billing.collecting.notices import write_notice
from billing.corrections.credit_notes import issue_credit_note
from billing.corrections.disputes import answer_dispute, open_dispute
from billing.corrections.weighing import Scope
from billing.leasing import end_lease_early, extend_lease, record_steps
from billing.models import CreditReason, Invoice, NoticeKind, Payment, PaymentReversal
from billing.payment_reversals import reverse_payment
from billing.payments import PaymentMethod, record_payment
from billing.pricing import publish_price_version
from billing.statements.stating import make_statement
from billing.telling import LEASE_ENDS_WITHIN, OVERDUE_KEPT, tell_ending_leases, tell_overdue
from billing.write_offs import write_off
from tenants.hook_models import WebhookEndpoint, WebhookEvent
from tenants.hooks.signing import new_secret
from tenants.models import Organization
from tests.billing.issued import ISSUED_AT, make_issued
from tests.billing.world import APRIL, MARCH, MODEL, World, make_world
from tests.kept import kept

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


world = kept(make_world)
invoice = kept(make_issued)


def test_an_invoice_is_told_from_issue_to_payment_to_both_parties(world: World) -> None:
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


def test_an_invoice_of_nothing_is_told_as_paid(world: World) -> None:
    listen(world.tenant)
    world.lease(1, price="0", rolled_to_at=APRIL)
    ensure_periods(contract=world.contract, now=MARCH)
    close_period(period_id=world.period().id, now=APRIL)
    assert kinds(world.tenant) == ["invoice.issued", "invoice.paid"]


def test_corrections_are_told(invoice: Invoice) -> None:
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
    opened, answered, credited, _ = (body for _, body in told(invoice.tenant))
    assert (opened["invoice"], opened["line"], opened["state"]) == (invoice.number, 1, "open")
    assert (answered["invoice"], answered["credit_note"]) == (invoice.number, None)
    assert (credited["total"], credited["invoice"]) == ("23.45", invoice.number)


def test_what_is_overdue_is_told_once_and_only_while_it_is_news(invoice: Invoice) -> None:
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


def test_a_lease_that_ends_soon_is_told_to_both_parties_and_again_where_its_end_is_moved(world: World) -> None:
    ends_at = NOW + timedelta(days=8)
    lease = world.lease(1, to_at=ends_at)
    world.lease(1)
    assert tell_ending_leases(now=ends_at) == 0
    listen(world.provider, world.tenant)
    assert tell_ending_leases(now=ends_at - LEASE_ENDS_WITHIN - timedelta(seconds=1)) == 0
    assert [tell_ending_leases(now=ends_at - LEASE_ENDS_WITHIN) for _ in range(2)] == [1, 0]
    assert told(world.provider) == told(world.tenant)
    ((kind, body),) = told(world.tenant)
    assert (kind, body["ref"], body["ends_at"]) == ("lease.ending", lease.ref, "2026-04-28T00:00:00Z")
    later = ends_at + timedelta(days=30)
    extend_lease(lease=lease, to_at=later, by="petra", now=NOW)
    assert tell_ending_leases(now=ends_at) == 0
    assert tell_ending_leases(now=later - timedelta(days=1)) == 1
    assert tell_ending_leases(now=later) == 0
    assert [body["ends_at"] for _, body in told(world.tenant)] == ["2026-04-28T00:00:00Z", "2026-05-28T00:00:00Z"]


def test_a_lease_that_has_ended_is_told_of_once_with_the_reason(world: World) -> None:
    ends_at = NOW + timedelta(days=8)
    listen(world.provider, world.tenant)
    lease = world.lease(1, from_at=MARCH, to_at=ends_at, now=MARCH)
    for _ in range(2):
        record_steps(term_id=lease.pk, now=ends_at)
    assert told(world.provider) == told(world.tenant)
    ((kind, body),) = told(world.tenant)
    assert (kind, body["ref"], body["ended_at"]) == ("lease.ended", lease.ref, "2026-04-28T00:00:00Z")
    assert body["reason"] == "not_renewing"


def test_a_lease_taken_back_before_it_began_has_no_end_to_tell_of(world: World) -> None:
    listen(world.tenant)
    lease = world.lease(1, from_at=NOW + timedelta(days=2), to_at=NOW + timedelta(days=40), now=NOW)
    end_lease_early(lease=lease, at=NOW + timedelta(days=1), by="tom", now=NOW)
    assert tell_ending_leases(now=NOW) == 0
    record_steps(term_id=lease.pk, now=NOW + timedelta(days=2))
    assert told(world.tenant) == []


def test_a_charge_that_failed_and_money_taken_back_are_told_to_both_parties(invoice: Invoice) -> None:
    listen(invoice.issuer, invoice.tenant)
    for _ in range(2):
        write_notice(invoice=invoice, kind=NoticeKind.CARD_DECLINED, attempt=1, reason="no funds", now=NOW)
    pay(invoice, "100.00")
    reverse_payment(
        payment_id=Payment.objects.get().pk,
        reference="back",
        reason="sent twice",
        by="petra",
        now=NOW,
        amount=Decimal("40.00"),
    )
    assert kinds(invoice.issuer) == kinds(invoice.tenant)
    assert kinds(invoice.tenant) == ["payment.failed", "payment.received", "payment.reversed"]
    failed, _, reversed_ = (body for _, body in told(invoice.tenant))
    assert (failed["invoice"], failed["why"]) == (invoice.number, "card_declined")
    assert (failed["contract"], failed["amount"]) == (invoice.contract.number, "123.45")
    assert reversed_["id"] == str(PaymentReversal.objects.get().pk), "as `reversals` of the payment has it by API"
    assert (reversed_["amount"], reversed_["reason"], reversed_["payment_id"]) == (
        "40.00",
        "sent twice",
        str(Payment.objects.get().pk),
    )


def test_where_nobody_listens_it_costs_one_query(invoice: Invoice) -> None:
    with CaptureQueriesContext(
        connection,
    ) as seen:
        pay(invoice, "123.45")
    assert sum("webhookendpoint" in query["sql"] for query in seen) == 2
    assert not any("webhookevent" in query["sql"] for query in seen)

"""Approving a draft: it is issued at the approved amount, or not at all."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from billing.adjusting.rules import (
    InvoiceDraftChanged,
    InvoiceDraftNotReady,
    approve_draft,
    issuing_rule,
    set_issuing_rule,
)
from billing.charging import ensure_periods
from billing.closing import CloseState, close_period, due_periods
from billing.models import BillingPeriod, Charge, Invoice
from tenants.models import AuditEntry
from tests.billing.adjusting.late import Late, late_world
from tests.billing.tax.taxed import VAT_IDS, charges_tax, own_rate, stands
from tests.billing.world import APRIL, MARCH
from tests.kept import kept

pytestmark = pytest.mark.django_db

MILLION = 1_000_000


def approving_world() -> Late:
    late = late_world()
    set_issuing_rule(provider=late.world.provider, back_billing_months=6, approves=True, actor="petra", now=MARCH)
    late.use(25 * MILLION)
    ensure_periods(contract=late.world.contract, now=MARCH)
    return late


def close(late: Late, hours: int = 0) -> CloseState:
    return close_period(period_id=late.world.period().pk, now=APRIL + timedelta(hours=hours)).state


def approve(late: Late, amount: str, tax: str | None = None) -> None:
    approve_draft(
        period_id=late.world.period().pk,
        amount=Decimal(amount),
        tax=None if tax is None else Decimal(tax),
        actor="petra",
        now=APRIL,
    )


late = kept(approving_world)
late_made = kept(late_world)


def test_nothing_is_issued_before_it_is_approved(late: Late) -> None:
    assert close(late) is CloseState.AWAITING_APPROVAL
    period = late.world.period()
    assert (period.ready_amount, period.approved_at) == (Decimal(36), None)
    assert Charge.objects.exists()
    assert not Invoice.objects.exists()
    approve(late, "36.00")
    approve(late, "36.00")
    assert close(late) is CloseState.CLOSED
    assert Invoice.objects.get().total == 36
    assert AuditEntry.objects.filter(action="draft.approved").count() == 1


def test_what_is_ready_is_looked_at_again_after_a_while_or_when_approved(late: Late) -> None:
    close(late)
    assert due_periods(now=APRIL + timedelta(minutes=59)) == []
    assert due_periods(now=APRIL + timedelta(minutes=60)) == [late.world.period().pk]
    approve(late, "36")
    assert due_periods(now=APRIL) == [late.world.period().pk]


def test_what_waits_is_issued_at_once_where_invoices_no_longer_wait_for_an_approval(late: Late) -> None:
    close(late)
    assert due_periods(now=APRIL) == []
    set_issuing_rule(provider=late.world.provider, back_billing_months=6, approves=False, actor="petra", now=APRIL)
    assert due_periods(now=APRIL) == [late.world.period().pk]
    assert close(late) is CloseState.CLOSED


def test_an_approval_of_another_amount_is_void(late: Late) -> None:
    with pytest.raises(InvoiceDraftNotReady):
        approve(late, "36")
    close(late)
    with pytest.raises(InvoiceDraftChanged) as raised:
        approve(late, "35")
    assert raised.value.extra == {"amount": "36.0000"}
    assert raised.value.detail == "It comes to 36.00 USD by now; 35.00 was approved."
    approve(late, "36")
    late.use(MILLION)
    assert close(late) is CloseState.AWAITING_APPROVAL
    period = late.world.period()
    assert (period.ready_amount, period.approved_at, period.approved_by) == (Decimal(37), None, "")
    approve(late, "37")
    assert close(late) is CloseState.CLOSED
    with pytest.raises(InvoiceDraftNotReady):
        approve(late, "37")


def taxed_world() -> Late:
    """As above, of a German provider with a tax rate of its own, to a German tenant."""
    late = approving_world()
    for party in (late.world.provider, late.world.tenant):
        stands(party, "DE", vat_id=VAT_IDS["DE"] if party == late.world.provider else "")
    charges_tax(late.world.provider)
    return late


def test_an_approval_is_of_the_tax_too_and_void_where_a_rate_is_changed() -> None:
    late = taxed_world()
    assert close(late) is CloseState.AWAITING_APPROVAL
    period = late.world.period()
    assert (period.ready_amount, period.ready_tax) == (Decimal(36), Decimal("6.84"))
    approve(late, "36", tax="6.84")
    own_rate(late.world.provider, "DE", "7", MARCH.date())
    assert close(late) is CloseState.AWAITING_APPROVAL
    assert not Invoice.objects.exists()
    period = late.world.period()
    assert (period.ready_amount, period.ready_tax, period.approved_at) == (Decimal(36), Decimal("2.52"), None)
    with pytest.raises(InvoiceDraftChanged) as raised:
        approve(late, "36", tax="6.84")
    assert raised.value.extra == {"tax": "2.5200"}
    approve(late, "36", tax="2.52")
    assert close(late) is CloseState.CLOSED
    assert Invoice.objects.get().total == Decimal("38.52")
    said = AuditEntry.objects.filter(action="draft.approved").order_by("pk").values_list("after__tax", flat=True)
    assert list(said) == ["6.8400", "2.5200"]


def test_what_was_approved_before_its_tax_was_looked_at_is_asked_for_again() -> None:
    late = taxed_world()
    close(late)
    approve(late, "36")
    BillingPeriod.objects.update(ready_tax=None)
    assert close(late) is CloseState.AWAITING_APPROVAL
    approve(late, "36")
    assert close(late) is CloseState.CLOSED


def test_taxes_that_are_waited_for_come_before_the_approval() -> None:
    late = approving_world()
    for party in (late.world.provider, late.world.tenant):
        stands(party, "US")
    charges_tax(late.world.provider)
    closed = close_period(period_id=late.world.period().pk, now=APRIL)
    assert closed.state is CloseState.WAITING
    assert [each["kind"] for each in closed.waiting_for] == ["tax_rate"]
    assert late.world.period().ready_amount is None


def test_a_period_of_nothing_needs_no_approval(late_made: Late) -> None:
    late = late_made
    set_issuing_rule(provider=late.world.provider, back_billing_months=None, approves=True, actor="petra", now=MARCH)
    ensure_periods(contract=late.world.contract, now=MARCH)
    assert close(late) is CloseState.CLOSED


def test_a_rule_is_stored_with_what_it_was_before(late_made: Late) -> None:
    late = late_made
    provider = late.world.provider
    rule = issuing_rule(provider.pk)
    assert (rule.back_billing_months, rule.approves) == (12, False)
    set_issuing_rule(provider=provider, back_billing_months=None, approves=True, actor="petra", now=MARCH)
    rule = issuing_rule(provider.pk)
    assert (rule.back_billing_months, rule.approves) == (None, True)
    entry = AuditEntry.objects.get(action="issuing_rule.set")
    assert entry.before == {"back_billing_months": 12, "approves": False}
    assert entry.after == {"back_billing_months": None, "approves": True}

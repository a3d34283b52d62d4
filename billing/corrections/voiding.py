"""Voiding an invoice that should never have been issued: it keeps its number and lines, and nothing is owed on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction

from billing.dues import dues_of
from billing.ledger import Entry, post
from billing.models import (
    AccountKind,
    CreditMovement,
    Invoice,
    InvoiceState,
    LedgerPosting,
    Settlement,
    SettlementState,
)
from billing.rating.lease_term import DEPOSIT_RULES
from billing.states import in_state
from billing.telling import tell_invoice
from billing.write_offs import REASON_CHARACTERS_MAX, ReasonMissing
from tenants.models import AuditEntry
from tenants.problems import Problem
from tenants.sentences import sentence

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID


class NotVoidable(Problem):
    """Something was paid, credited or written off, credit was drawn, or a deposit moved by it."""

    status = 409
    code = "invoice_not_voidable"
    title = "The invoice cannot be voided"


def voidable(invoice: Invoice) -> bool:
    """Whether nothing hangs on an invoice that a void would leave without its reason."""
    return not _obstacle(invoice)


@transaction.atomic
def void_invoice(*, invoice_id: UUID, reason: str, by: str, now: datetime) -> Invoice:
    """Void an issued invoice of which nothing was paid, credited or written off; said again it changes nothing.

    What was booked as it was issued is booked the other way round, and what Stripe has of it is voided there by the
    sweep. Its period is billed again where its issuer says so (`reissuing`). An invoice on which prepaid credit was
    drawn or a deposit moved is corrected by a credit note. Raises Invoice.DoesNotExist, `NotVoidable`, `ReasonMissing`.
    """
    invoice = Invoice.objects.select_for_update().get(pk=invoice_id)
    if invoice.state == InvoiceState.VOID:
        return invoice
    obstacle = _obstacle(invoice)
    if obstacle:
        raise NotVoidable(
            sentence("Invoice %(invoice)s: %(obstacle)s", invoice=invoice, obstacle=obstacle), state=invoice.state
        )
    if not 0 < len(reason.strip()) <= REASON_CHARACTERS_MAX:
        raise ReasonMissing(
            sentence("reason: expected 1 to %(most)s characters.", most=REASON_CHARACTERS_MAX), field="reason"
        )
    _book(invoice, now)
    Invoice.objects.filter(pk=invoice.pk).update(state=InvoiceState.VOID, updated_at=now)
    Settlement.objects.filter(pk=invoice.pk, state=SettlementState.FAILED).update(state=SettlementState.WAIT)
    Settlement.objects.filter(pk=invoice.pk).update(next_try_at=now)
    invoice.refresh_from_db()
    tell_invoice(invoice, "invoice.voided", at=now)
    AuditEntry.objects.create(
        organization_id=invoice.issuer_id,
        actor=by,
        action="invoice.voided",
        subject=f"invoice {invoice.number}",
        before={"state": InvoiceState.ISSUED},
        after={"state": InvoiceState.VOID, "reason": reason},
        at=now,
    )
    return invoice


def _obstacle(invoice: Invoice) -> str:
    """What stands in the way of a void, in words; nothing where there is nothing."""
    dues = dues_of(invoice)
    if invoice.state != InvoiceState.ISSUED:
        return sentence("it is %(state)s.", state=in_state(invoice.state))
    if invoice.payments.exists() or invoice.credit_notes.exists() or dues.left != dues.total:
        return sentence("something was paid, credited or written off of it.")
    if invoice.lines.filter(rule__in=DEPOSIT_RULES).exists():
        return sentence("a deposit moved by it.")
    if CreditMovement.objects.filter(period=invoice.period_id, reference="").exists():
        return sentence("prepaid credit was drawn on it.")
    return ""


def _book(invoice: Invoice, now: datetime) -> None:
    issued = LedgerPosting.objects.filter(key=f"invoice:{invoice.pk}:issued").first()
    if issued is None:
        return
    post(
        key=f"invoice:{invoice.pk}:voided",
        cause="invoice",
        cause_id=invoice.pk,
        memo=f"Invoice {invoice.number} voided",
        at=now,
        provider_id=invoice.issuer_id,
        entries=[
            Entry(entry.account.organization_id, AccountKind(entry.account.kind), entry.currency, -entry.amount)
            for entry in issued.entries.select_related("account")
        ],
    )

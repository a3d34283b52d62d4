"""What an issuer no longer expects of an invoice, and what came of it after all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction

from billing.dues import dues_of
from billing.ledger import Entry, post
from billing.models import AccountKind, Invoice, InvoiceState, WriteOff
from billing.money import round_to_minor
from billing.states import in_state
from billing.telling import tell_invoice
from tenants.models import AuditEntry
from tenants.problems import Problem
from tenants.sentences import sentence

if TYPE_CHECKING:
    from datetime import datetime
    from decimal import Decimal
    from uuid import UUID

REASON_CHARACTERS_MAX = 500
CAUSE = "write_off"


class NotWrittenOff(Problem):
    """The invoice is a draft, paid or void, or nothing is left of it."""

    status = 409
    code = "nothing_to_write_off"
    title = "There is nothing to write off"


class ReasonMissing(Problem):
    """Why was not said."""

    status = 422
    code = "reason_missing"
    title = "A reason is needed"


@transaction.atomic
def write_off(*, invoice_id: UUID, reason: str, by: str, now: datetime) -> WriteOff:
    """Write off what an invoice has left and call it uncollectible; a payment that comes later still counts.

    The issuer bears it: Dr `write_off`; Cr the tenant's receivable. Raises Invoice.DoesNotExist, `NotWrittenOff`,
    `ReasonMissing`.
    """
    invoice = Invoice.objects.select_for_update().get(pk=invoice_id)
    left = dues_of(invoice).left
    if invoice.state not in (InvoiceState.ISSUED, InvoiceState.UNCOLLECTIBLE) or left <= 0:
        raise NotWrittenOff(
            sentence(
                "Invoice %(invoice)s is %(state)s with %(left)s %(currency)s left to pay.",
                invoice=invoice,
                state=in_state(invoice.state),
                left=left,
                currency=invoice.currency,
            )
        )
    if not 0 < len(reason.strip()) <= REASON_CHARACTERS_MAX:
        raise ReasonMissing(
            sentence("reason: expected 1 to %(most)s characters.", most=REASON_CHARACTERS_MAX), field="reason"
        )
    made = _stored(invoice, left, reason=reason, by=by, now=now)
    Invoice.objects.filter(pk=invoice.pk).update(state=InvoiceState.UNCOLLECTIBLE, updated_at=now)
    AuditEntry.objects.create(
        organization_id=invoice.issuer_id,
        actor=by,
        action="invoice.written_off",
        subject=f"invoice {invoice.number}",
        before={"state": invoice.state},
        after={"amount": str(round_to_minor(left, invoice.currency)), "reason": reason},
        at=now,
    )
    tell_invoice(invoice, "invoice.uncollectible", at=now, occasion=str(made.pk))
    return made


def recover(*, invoice: Invoice, amount: Decimal, reason: str, now: datetime) -> None:
    """Take back of a write-off what is paid or credited after all; the invoice's row must be locked."""
    recovered = min(amount, dues_of(invoice).written_off)
    if recovered > 0:
        _stored(invoice, -recovered, reason=reason, by="billing", now=now)


def _stored(invoice: Invoice, amount: Decimal, *, reason: str, by: str, now: datetime) -> WriteOff:
    made = WriteOff.objects.create(invoice=invoice, amount=amount, reason=reason, by=by, at=now)
    post(
        key=f"write_off:{made.pk}",
        cause=CAUSE,
        cause_id=made.pk,
        memo=f"Invoice {invoice.number}: {'written off' if amount > 0 else 'recovered'}",
        at=now,
        entries=(
            Entry(invoice.issuer_id, AccountKind.WRITE_OFF, invoice.currency, amount),
            Entry(invoice.tenant_id, AccountKind.TENANT_RECEIVABLE, invoice.currency, -amount),
        ),
    )
    return made

"""Issuing a credit note: number, frozen lines, posting, and what it does to what is left to pay, in one transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from django.db import transaction

from billing.corrections.amounts import WrongCredit
from billing.corrections.numbers import next_credit_note_number
from billing.corrections.weighing import Scope, Weighed, drawn_postings, require_creditable, weigh
from billing.documents.beginning import begin_documents
from billing.ledger import Entry, post
from billing.models import (
    AccountKind,
    BalanceKind,
    CreditNote,
    CreditNoteLine,
    CreditReason,
    Invoice,
    LedgerEntry,
    Settlement,
    SettlementState,
)
from billing.money import round_to_minor
from billing.payments import mark_settled
from billing.telling import tell_credit_note
from billing.tenant_balances import locked_balance, move_balance
from billing.write_offs import recover
from tenants.ids import new_id
from tenants.models import AuditEntry
from tenants.problems import Problem
from tenants.sentences import sentence

if TYPE_CHECKING:
    from datetime import datetime

NOTE_CHARACTERS_MAX = 500
CAUSE = "credit_note"


class CreditNoteDiffers(Problem):
    """The id was used before for another credit note."""

    status = 409
    code = "credit_note_differs"
    title = "This credit note was issued before with other contents"


@transaction.atomic
def issue_credit_note(
    *,
    invoice_id: UUID,
    scope: Scope,
    reason: CreditReason,
    note: str,
    by: str,
    now: datetime,
    credit_note_id: UUID | None = None,
) -> CreditNote:
    """Give back something of an issued invoice; return the credit note, the same one however often its id is asked for.

    1. The invoice's row is locked, so that credit notes and payments of one invoice are weighed one after the other.
    2. What is given back is never more than what is left of the line, and of the invoice (`MoreThanLeft` says how much
       that is), and never nothing.
    3. The tax and the operator's fee on it are given back with it. A deposit goes back by its lease, not by this.
    4. It takes off what is left to pay; what was paid already, also by a deposit that came back or by bought credit,
       goes to the tenant's balance with the issuer.
    5. An invoice with nothing left is paid.
    Raises Invoice.DoesNotExist, `NotCreditable`, `WrongCredit`, `MoreThanLeft`, `CreditNoteDiffers`.
    """
    invoice = Invoice.objects.select_for_update().get(pk=invoice_id)
    known = _known(credit_note_id, invoice, scope, (reason, note))
    if known is not None:
        return known
    require_creditable(invoice)
    if not 0 < len(note.strip()) <= NOTE_CHARACTERS_MAX:
        raise WrongCredit(sentence("note: expected 1 to %(most)s characters.", most=NOTE_CHARACTERS_MAX), field="note")
    weighed = weigh(invoice, scope)
    made = CreditNote.objects.create(
        id=credit_note_id or new_id(),
        number=next_credit_note_number(invoice.issuer),
        invoice=invoice,
        issuer_id=invoice.issuer_id,
        tenant_id=invoice.tenant_id,
        currency=invoice.currency,
        reason=reason,
        note=note,
        subtotal=weighed.subtotal,
        tax=weighed.tax,
        total=weighed.total,
        applied=weighed.applied,
        operator_fee=weighed.operator_fee,
        issued_by=by,
        issued_at=now,
    )
    _store_lines(made, invoice, weighed)
    _book(made, now)
    begin_documents(made, now)
    _take_off(made, invoice, settles=weighed.settles, now=now)
    _audit(made, invoice, now)
    return made


def _take_off(made: CreditNote, invoice: Invoice, *, settles: bool, now: datetime) -> None:
    recover(invoice=invoice, amount=made.applied, reason=f"credit note {made.number}", now=now)
    if settles:
        mark_settled(invoice, paid_at=now, now=now)
        return
    Invoice.objects.filter(pk=invoice.pk).update(updated_at=now)
    # What Stripe asks for is lowered at once, and not at its next look.
    Settlement.objects.filter(pk=invoice.pk, state=SettlementState.WAIT).update(next_try_at=now)


def _known(
    credit_note_id: UUID | None, invoice: Invoice, scope: Scope, words: tuple[CreditReason, str]
) -> CreditNote | None:
    known = CreditNote.objects.filter(pk=credit_note_id).first() if credit_note_id else None
    if known is None:
        return None
    if (known.invoice_id, known.reason, known.note) != (invoice.pk, *words) or not _gave(known, scope):
        raise CreditNoteDiffers(
            sentence(
                "%(number)s was issued at %(issued_at)s.", number=known.number, issued_at=known.issued_at.isoformat()
            )
        )
    return known


def _gave(known: CreditNote, scope: Scope) -> bool:
    """Whether a credit note gave back what is asked for; "all that is left" was what was left then."""
    if scope.amount is not None:
        return known.subtotal == scope.amount
    if not scope.lines:
        return True
    lines = {place: rest for place, *rest in known.lines.values_list("line__position", "amount", "quantity")}
    asked = {wish.position: wish for wish in scope.lines}
    return asked.keys() == lines.keys() and all(
        wish.amount in (None, lines[place][0]) and wish.quantity in (None, lines[place][1])
        for place, wish in asked.items()
    )


def _store_lines(made: CreditNote, invoice: Invoice, weighed: Weighed) -> None:
    ids = dict(invoice.lines.values_list("position", "pk"))
    CreditNoteLine.objects.bulk_create(
        CreditNoteLine(
            credit_note=made,
            line_id=ids[line.position],
            position=position,
            quantity=line.quantity,
            amount=line.amount,
            tax=weighed.taxes[line.position],
        )
        for position, line in enumerate(weighed.given, 1)
    )


def _book(made: CreditNote, now: datetime) -> None:
    """Dr provider payable, operator fee and tax payable; Cr receivable; what was paid already, on to the balance."""
    currency = made.currency
    entries = [
        Entry(made.tenant_id, AccountKind.TENANT_RECEIVABLE, currency, -made.total),
        Entry(made.issuer_id, AccountKind.PROVIDER_PAYABLE, currency, made.subtotal - made.operator_fee),
        Entry(made.issuer_id, AccountKind.TAX_PAYABLE, currency, made.tax),
    ]
    if made.operator_fee:
        operator = _operator_of(made)
        entries.append(Entry(operator, AccountKind.OPERATOR_FEE, currency, made.operator_fee))
    post(
        key=f"credit_note:{made.pk}",
        cause=CAUSE,
        cause_id=made.pk,
        memo=f"Credit note {made.number} for invoice {made.invoice.number}",
        at=now,
        entries=entries,
    )
    rest = made.total - made.applied
    if rest:
        move_balance(
            account=locked_balance(tenant_id=made.tenant_id, issuer_id=made.issuer_id, currency=currency),
            kind=BalanceKind.CREDIT_NOTE,
            amount=rest,
            key=f"credit_note:{made.pk}:balance",
            cause_id=made.pk,
            memo=f"Credit note {made.number}: paid before, kept for the tenant",
            at=now,
            against=(Entry(made.tenant_id, AccountKind.TENANT_RECEIVABLE, currency, rest),),
        )


def _operator_of(made: CreditNote) -> UUID:
    """Who had the fee has it to give back."""
    keys = [f"invoice:{made.invoice_id}:issued", *drawn_postings(made.invoice)]
    fees = LedgerEntry.objects.filter(posting__key__in=keys, account__kind=AccountKind.OPERATOR_FEE)
    return UUID(str(fees.values_list("account__organization_id", flat=True).distinct().get()))


def _audit(made: CreditNote, invoice: Invoice, now: datetime) -> None:
    AuditEntry.objects.create(
        organization_id=invoice.issuer_id,
        actor=made.issued_by,
        action="credit_note.issued",
        subject=f"invoice {invoice.number}",
        after={
            "number": made.number,
            "total": str(round_to_minor(made.total, made.currency)),
            "applied": str(round_to_minor(made.applied, made.currency)),
            "currency": made.currency,
            "reason": made.reason,
            "note": made.note,
        },
        at=now,
    )
    tell_credit_note(made, at=now)

"""Issuing a credit note: number, frozen lines, posting, and what it does to what is left to pay, in one transaction."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING
from uuid import UUID

from django.db import transaction
from django.db.models import Sum

from billing.corrections.amounts import (
    Creditable,
    Given,
    MoreThanLeft,
    Wanted,
    WrongCredit,
    all_left,
    line_taxes,
    of_amount,
    of_lines,
    running_share,
)
from billing.corrections.numbers import next_credit_note_number
from billing.documents.beginning import begin_documents
from billing.dues import dues_of
from billing.ledger import Entry, post
from billing.models import (
    AccountKind,
    BalanceKind,
    CreditNote,
    CreditNoteLine,
    CreditReason,
    Invoice,
    InvoiceState,
    LedgerEntry,
    Settlement,
    SettlementState,
)
from billing.money import round_to_minor
from billing.payments import mark_settled
from billing.rating.lease_term import DEPOSIT_RULES
from billing.states import in_state
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


class NotCreditable(Problem):
    """The invoice is a draft or void."""

    status = 409
    code = "invoice_not_creditable"
    title = "The invoice takes no credit note"


class CreditNoteDiffers(Problem):
    """The id was used before for another credit note."""

    status = 409
    code = "credit_note_differs"
    title = "This credit note was issued before with other contents"


@dataclass(frozen=True, slots=True)
class Scope:
    """What of an invoice is given back: named lines, a net amount over all, or with neither all that is left."""

    lines: Sequence[Wanted] = ()
    amount: Decimal | None = None


@dataclass(frozen=True, slots=True)
class _Sums:
    """What a credit note comes to; `before` is the subtotal of the invoice's earlier ones."""

    subtotal: Decimal
    tax: Decimal
    fee: Decimal

    @property
    def total(self) -> Decimal:
        return self.subtotal + self.tax


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
    4. It takes off what is left to pay; what was paid already goes to the tenant's balance with the issuer.
    5. An invoice with nothing left is paid.
    Raises Invoice.DoesNotExist, `NotCreditable`, `WrongCredit`, `MoreThanLeft`, `CreditNoteDiffers`.
    """
    invoice = Invoice.objects.select_for_update().get(pk=invoice_id)
    known = _known(credit_note_id, invoice, scope, (reason, note))
    if known is not None:
        return known
    if invoice.state in (InvoiceState.DRAFT, InvoiceState.VOID):
        raise NotCreditable(
            sentence("Invoice %(invoice)s is %(state)s.", invoice=invoice, state=in_state(invoice.state)),
            state=invoice.state,
        )
    if not 0 < len(note.strip()) <= NOTE_CHARACTERS_MAX:
        raise WrongCredit(sentence("note: expected 1 to %(most)s characters.", most=NOTE_CHARACTERS_MAX), field="note")
    lines = creditable_lines(invoice)
    given = _given(lines, scope, invoice.currency)
    taxes = line_taxes(lines, given, invoice.currency)
    sums = _sums(invoice, given, sum(taxes.values(), Decimal(0)))
    left = max(dues_of(invoice).payable, Decimal(0))
    made = CreditNote.objects.create(
        id=credit_note_id or new_id(),
        number=next_credit_note_number(invoice.issuer),
        invoice=invoice,
        issuer_id=invoice.issuer_id,
        tenant_id=invoice.tenant_id,
        currency=invoice.currency,
        reason=reason,
        note=note,
        subtotal=sums.subtotal,
        tax=sums.tax,
        total=sums.total,
        applied=min(sums.total, left),
        operator_fee=sums.fee,
        issued_by=by,
        issued_at=now,
    )
    _store_lines(made, invoice, given, taxes)
    _book(made, now)
    begin_documents(made, now)
    _take_off(made, invoice, settles=0 < left == made.applied, now=now)
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


def creditable_lines(invoice: Invoice) -> tuple[Creditable, ...]:
    """Return what can be credited of an invoice's lines; deposits, which go back by their lease, are left out."""
    sums = CreditNoteLine.objects.filter(line__invoice=invoice).values_list("line_id")
    credited = {key: rest for key, *rest in sums.annotate(amount=Sum("amount"), quantity=Sum("quantity"))}
    found = []
    lines = invoice.lines.exclude(rule__in=DEPOSIT_RULES).select_related("taxed")
    for line in lines.order_by("position"):
        taxed = getattr(line, "taxed", None)
        amount, quantity = credited.get(line.pk, (None, None))
        found.append(
            Creditable(
                position=line.position,
                amount=round_to_minor(line.amount, invoice.currency),
                exact_amount=line.exact_amount,
                quantity=line.quantity,
                unit=line.unit,
                credited=round_to_minor(amount or Decimal(0), invoice.currency),
                credited_quantity=quantity or Decimal(0),
                tax=taxed.tax if taxed else Decimal(0),
            )
        )
    return tuple(found)


def _given(lines: Sequence[Creditable], scope: Scope, currency: str) -> tuple[Given, ...]:
    if scope.lines and scope.amount is not None:
        raise WrongCredit(sentence("lines: expected lines or an amount, not both."), field="lines")
    if scope.lines:
        return of_lines(lines, scope.lines, currency)
    if scope.amount is not None:
        return of_amount(lines, scope.amount, currency)
    return all_left(lines)


def _sums(invoice: Invoice, given: Sequence[Given], tax: Decimal) -> _Sums:
    """Weigh the credit note against the whole invoice: its lines below zero count, so not every line can go back."""
    currency = invoice.currency
    earlier = CreditNote.objects.filter(invoice=invoice).aggregate(
        subtotal=Sum("subtotal"), total=Sum("total"), tax=Sum("tax")
    )
    before = earlier["subtotal"] or Decimal(0)
    subtotal = sum((line.amount for line in given), Decimal(0))
    left = round_to_minor(invoice.total - (earlier["total"] or Decimal(0)), currency)
    # Nothing net with its tax is what may be left where lines have different rates.
    if subtotal < 0 or not 0 < subtotal + tax <= left:
        raise MoreThanLeft(
            sentence(
                "%(left)s %(currency)s of invoice %(number)s are left to credit; the credit note would be "
                "%(subtotal)s, and must be above 0.",
                left=left,
                currency=currency,
                number=invoice.number,
                subtotal=subtotal + tax,
            ),
            left=str(left),
        )
    tax_left = round_to_minor(invoice.tax - (earlier["tax"] or Decimal(0)), currency)
    if tax > tax_left:
        raise MoreThanLeft(
            sentence(
                "%(tax_left)s %(currency)s of the tax of invoice %(number)s are left to credit; the lines named bear "
                "%(tax)s: name those below zero with them.",
                tax_left=tax_left,
                currency=currency,
                number=invoice.number,
                tax=tax,
            ),
            left=str(left),
            tax_left=str(tax_left),
        )
    fee, earned = _booked_fee(invoice)
    return _Sums(subtotal, tax, running_share(fee, earned, before, before + subtotal, currency))


def _booked_fee(invoice: Invoice) -> tuple[Decimal, Decimal]:
    """Return the operator's fee on an invoice as it was booked, and what it was taken of."""
    booked: defaultdict[str, Decimal] = defaultdict(Decimal)
    entries = LedgerEntry.objects.filter(posting__key=f"invoice:{invoice.pk}:issued")
    for kind, amount in entries.values_list("account__kind", "amount"):
        booked[kind] -= amount
    fee = booked[AccountKind.OPERATOR_FEE]
    return fee, fee + booked[AccountKind.PROVIDER_PAYABLE]


def _store_lines(made: CreditNote, invoice: Invoice, given: Sequence[Given], taxes: Mapping[int, Decimal]) -> None:
    ids = dict(invoice.lines.values_list("position", "pk"))
    CreditNoteLine.objects.bulk_create(
        CreditNoteLine(
            credit_note=made,
            line_id=ids[line.position],
            position=position,
            quantity=line.quantity,
            amount=line.amount,
            tax=taxes[line.position],
        )
        for position, line in enumerate(given, 1)
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
    fees = LedgerEntry.objects.filter(
        posting__key=f"invoice:{made.invoice_id}:issued", account__kind=AccountKind.OPERATOR_FEE
    )
    return UUID(str(fees.values_list("account__organization_id", flat=True).get()))


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

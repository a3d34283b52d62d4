"""Debits: what an invoice came to too little, or what paying it late costs, as a line of the next invoice.

A debit is a term of the invoice's contract, so drafts show it, evidence recomputes it, and the books prove it like all
else that is billed. Until its period closes it can be taken back; afterwards it is corrected by a credit note.
"""

from __future__ import annotations

from datetime import UTC, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from django.db import transaction

from billing.adjusting.last_bills import open_last_period
from billing.adjusting.rules import upward_until
from billing.contract_headers import full_second
from billing.contracting import ContractNotActive, add_term, checked, locked_with_parties
from billing.holding import WrongTerms
from billing.models import (
    RUNNING_STATES,
    BillingPeriod,
    Contract,
    Debit,
    DebitCause,
    DebitTakenBack,
    Invoice,
    InvoiceLine,
    InvoiceState,
    PeriodState,
    Term,
)
from billing.money import minor_digits
from billing.rating.debit import REASON_CHARACTERS_MAX, DebitWording
from billing.states import in_state
from billing.term_versions import TermChange, add_version
from tenants.models import AuditEntry
from tenants.problems import Problem
from tenants.sentences import sentence

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from billing.models import DunningStep

SECOND = timedelta(seconds=1)
AMOUNT_MAX = Decimal(10) ** 18
BILLABLE = (InvoiceState.ISSUED, InvoiceState.PAID, InvoiceState.UNCOLLECTIBLE)


class WrongDebit(Problem):
    """The amount, line or reason cannot be of a debit of this invoice."""

    status = 422
    code = "wrong_debit"
    title = "This cannot be put on the next invoice"


class NoNextInvoice(Problem):
    """The contract is over, or the invoice is void or too old for more to be billed of it."""

    status = 409
    code = "no_next_invoice"
    title = "There is no next invoice for this"


class DebitBilled(Problem):
    """The debit is on an invoice, or was taken back before."""

    status = 409
    code = "debit_billed"
    title = "The debit cannot be taken back any more"


@transaction.atomic
def add_debit(
    *,
    invoice_id: UUID,
    amount: Decimal,
    reason: str,
    by: str,
    now: datetime,
    cause: DebitCause = DebitCause.CORRECTION,
    position: int | None = None,
    step: DunningStep | None = None,
) -> Debit:
    """Put an amount, before tax, on the next invoice of an issued invoice's contract; linked to it and its line.

    A correction of a contract that is over is billed by a last invoice, at the end of the period that now would be.

    Raises `WrongDebit`; `NoNextInvoice` for a late fee on a contract that is over, a void invoice, and a correction of
    a period that ended longer ago than its provider bills back; Invoice.DoesNotExist.
    """
    invoice = Invoice.objects.select_related("contract", "period__contract").get(pk=invoice_id)
    line = _line(invoice, position)
    _require_plausible(invoice, amount, reason)
    if invoice.state not in BILLABLE:
        said = sentence("Invoice %(invoice)s is %(state)s.", invoice=invoice, state=in_state(invoice.state))
        raise NoNextInvoice(said)
    until = upward_until(period=invoice.period) if cause == DebitCause.CORRECTION else None
    if until is not None and now >= until:
        raise NoNextInvoice(
            sentence(
                "More of the period of %(invoice)s was billed until %(until)s.",
                invoice=invoice,
                until=until.isoformat(),
            )
        )
    wording = DebitWording(
        amount=amount,
        cause="late_fee" if cause == DebitCause.LATE_FEE else "correction",
        invoice=invoice.number or "",
        reason=reason.strip(),
        line=position or 0,
    )
    try:
        contract, from_at, to_at = _next_bill(invoice.contract, cause, now)
        title = f"{invoice.number}: {reason.strip()}"[: Term._meta.get_field("title").max_length]
        term = add_term(contract=contract, wording=wording, from_at=from_at, to_at=to_at, now=now, title=title)
    except (ContractNotActive, WrongTerms) as over:
        raise NoNextInvoice(over.args[0]) from over
    made = Debit.objects.create(
        invoice=invoice,
        line=line,
        term=term,
        cause=cause,
        amount=amount,
        currency=invoice.currency,
        reason=reason.strip(),
        step=step,
        by=by,
        at=now,
    )
    _audit(made, "debit.added", by, now)
    return made


@transaction.atomic
def take_back_debit(*, debit_id: UUID, reason: str, by: str, now: datetime) -> DebitTakenBack:
    """Take a debit back that is on no invoice yet. Raises `DebitBilled`, `WrongDebit`, Debit.DoesNotExist."""
    debit = Debit.objects.select_related("term", "invoice").get(pk=debit_id)
    contract = Contract.objects.select_for_update(no_key=True).get(pk=debit.term.contract_id)
    if not 0 < len(reason.strip()) <= REASON_CHARACTERS_MAX:
        raise WrongDebit(
            sentence("reason: expected 1 to %(most)s characters.", most=REASON_CHARACTERS_MAX), field="reason"
        )
    if DebitTakenBack.objects.filter(pk=debit.pk).exists():
        raise DebitBilled(sentence("It was taken back before."))
    if is_billed(debit):
        raise DebitBilled(sentence("It is on an invoice: give it back by a credit note."))
    begins = debit.term.from_at
    add_version(contract=contract, changes=[TermChange(debit.term, [(begins, None)], {})], effective_at=begins, now=now)
    taken_back = DebitTakenBack.objects.create(debit=debit, reason=reason.strip(), by=by, at=now)
    _audit(debit, "debit.taken_back", by, now)
    return taken_back


def is_billed(debit: Debit) -> bool:
    """Whether the period that a debit falls into is closed."""
    begins = debit.term.from_at
    return BillingPeriod.objects.filter(
        contract=debit.term.contract_id, from_at__lte=begins, to_at__gt=begins, state=PeriodState.CLOSED
    ).exists()


def _next_bill(contract: Contract, cause: DebitCause, now: datetime) -> tuple[Contract, datetime, datetime | None]:
    """Lock the contract, and return it with the second of its open period at which a debit stands.

    Where the contract is over, a correction is billed by a last period of its own; a late fee is not, since nobody is
    left to be billed again and again. Raises `ContractNotActive`, `WrongTerms`.
    """
    begins = full_second(now.astimezone(UTC))
    if cause == DebitCause.LATE_FEE:
        return checked(contract, begins, begins + SECOND)
    locked = locked_with_parties(contract)
    runs = locked.state in RUNNING_STATES and (locked.to_at is None or begins + SECOND <= locked.to_at)
    if not runs and open_last_period(locked, begins) is None:
        raise ContractNotActive(sentence("%(number)s is not in force.", number=locked.number))
    return locked, begins, begins + SECOND


def _line(invoice: Invoice, position: int | None) -> InvoiceLine | None:
    if position is None:
        return None
    line = InvoiceLine.objects.filter(invoice=invoice, position=position).first()
    if line is None:
        raise WrongDebit(
            sentence("line: invoice %(invoice)s has no line %(position)s.", invoice=invoice, position=position),
            field="line",
        )
    return line


def _require_plausible(invoice: Invoice, amount: Decimal, reason: str) -> None:
    is_possible = amount.is_finite() and 0 < amount <= AMOUNT_MAX
    if not is_possible or amount != round(amount, minor_digits(invoice.currency)):
        said = sentence(
            "amount: expected more than 0, up to %(most)s, in whole minor units of %(currency)s.",
            most=f"{AMOUNT_MAX:f}",
            currency=invoice.currency,
        )
        raise WrongDebit(said, field="amount")
    if not 0 < len(reason.strip()) <= REASON_CHARACTERS_MAX:
        raise WrongDebit(
            sentence("reason: expected 1 to %(most)s characters.", most=REASON_CHARACTERS_MAX), field="reason"
        )


def _audit(debit: Debit, action: str, by: str, now: datetime) -> None:
    AuditEntry.objects.create(
        organization_id=debit.invoice.issuer_id,
        actor=by,
        action=action,
        subject=f"invoice {debit.invoice.number}",
        after={
            "amount": str(debit.amount),
            "currency": debit.currency,
            "cause": str(debit.cause),
            "reason": debit.reason,
        },
        at=now,
    )

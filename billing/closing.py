"""Closing billing periods: the completeness gate, the last charges, the invoice and the next period, all or nothing.

Everything a close does happens in one transaction, so a worker that dies at any statement leaves the period as it was
and the next sweep does it again; a period that is closed stays closed whoever asks.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from billing.adjusting.last_credit import keep_last_credit
from billing.adjusting.restatements import restate_into
from billing.adjusting.rules import is_approved
from billing.bases import Grain, read_basis, window_of
from billing.basis import PeriodBasis
from billing.charging import charge_locked, ensure_periods, unresolved
from billing.completeness import missing_reports
from billing.credits import keep_movements
from billing.invoicing import issue_invoice, prepare_invoice
from billing.models import BillingPeriod, Contract, ContractState, Invoice, PeriodCarry, PeriodState, Term
from billing.proving import prove
from billing.rating.lines import make_bill
from billing.rating.rated import Rated
from billing.rating.share_settling import Settling, settle_by
from billing.revenue_dues import RevenueDue, missing_statements
from billing.tax.deciding import TaxWaits
from billing.tax.retrying import note_wait
from billing.terms import terms_of

logger = logging.getLogger(__name__)

READY_FOR = timedelta(hours=1)
"""After how long a period that waits for its approval is rated again."""


class CloseState(StrEnum):
    """What became of an attempt to close a period."""

    CLOSED = "closed"
    ALREADY_CLOSED = "already_closed"
    NOT_OVER = "not_over"
    WAITING = "waiting"
    AWAITING_APPROVAL = "awaiting_approval"
    BUSY = "busy"


@dataclass(frozen=True, slots=True)
class Closed:
    """The outcome of an attempt; `waiting_for` names what was missing, `invoice` is None for an empty period."""

    state: CloseState
    invoice: Invoice | None = None
    waiting_for: tuple[Mapping[str, Any], ...] = field(default=())


def due_periods(*, now: datetime) -> list[UUID]:
    """Return the ids of open periods that are over, in the order they ended.

    One that waits for its approval is looked at every now and then: what comes meanwhile changes what is approved.
    """
    looked_at = Q(ready_at__isnull=True) | Q(approved_at__isnull=False) | Q(ready_at__lte=now - READY_FOR)
    due = BillingPeriod.objects.filter(looked_at, state=PeriodState.OPEN, to_at__lte=now).order_by("to_at", "pk")
    return list(due.values_list("pk", flat=True))


def close_due(*, now: datetime, stripe_ready: bool) -> None:
    """Do `close_period` for every period that is due; one that fails holds up no other.

    Sweeps that overlap begin at different places, so that workers share the periods out among them.
    """
    due = due_periods(now=now)
    begin = now.microsecond % len(due) if due else 0
    for period_id in (*due[begin:], *due[:begin]):
        try:
            close_period(period_id=period_id, now=now, stripe_ready=stripe_ready, wait=False)
        except Exception:
            logger.exception("closing period %s", period_id)


@transaction.atomic
def close_period(*, period_id: UUID, now: datetime, stripe_ready: bool = False, wait: bool = True) -> Closed:
    """Close a period that is over, once. Without `wait` a contract that somebody is at is left to them (BUSY).

    1. Every node that served the contract must have rolled past the period's end, every gateway must have said that it
       sent everything before it, every such event must be rolled, and all usage must have a price; else it waits, at
       most the contract's grace, or that of a share, and then closes with what is missing on record. Certified revenue
       that a share is taken of is waited for until it is due; from then on an estimate stands in for it. Taxes that
       cannot be worked out are waited for without end.
    2. What came late for the periods before it is put on its bill, the last charges are booked, and the invoice is
       issued from the whole rating. A period in which nothing was used, held or adjusted closes without an invoice.
    3. Where the provider approves its invoices, one that was not approved at this very amount waits for that.
    4. The next period is stored, or the contract that has come to its end is ended.
    """
    contract_id = BillingPeriod.objects.values_list("contract_id", flat=True).get(pk=period_id)
    # The contract first, then the period: the order in which a termination takes them.
    locked = Contract.objects.select_for_update(no_key=True, skip_locked=not wait).filter(pk=contract_id)
    if locked.first() is None:
        return Closed(CloseState.BUSY)
    period = _locked(period_id)
    if (other := _cannot_close(period, now)) is not None:
        return other
    try:
        return _close(period, now=now, stripe_ready=stripe_ready)
    except TaxWaits as waits:
        note_wait(period=period, waits=waits)
        return Closed(CloseState.WAITING, waiting_for=(waits.missing,))


def _close(period: BillingPeriod, *, now: datetime, stripe_ready: bool) -> Closed:
    """Close a locked period whose turn it is, if nothing is waited for. Raises TaxWaits with no invoice stored."""
    terms = terms_of({period.contract_id})
    gate = gate_of(period, now, terms)
    if gate.waits:
        return Closed(CloseState.WAITING, waiting_for=gate.missing)
    restated = restate_into(into=period, now=now)
    # By the hour, since the evidence shows it so; rating gives the same from hours as from days.
    basis = read_basis(window_of(period), grain=Grain.HOUR, terms=terms)
    charged = charge_locked(period=period, up_to=period.to_at, now=now, basis=basis)
    unpriced = unresolved(period=period)
    missing = (*gate.missing, *_unpriced_rows(unpriced))
    if missing and gate.in_grace:
        return Closed(CloseState.WAITING, waiting_for=missing)
    rated = charged.rated or Rated()
    if rated.lines and not is_approved(period=period, amount=make_bill(rated.lines, basis.currency).total, now=now):
        return Closed(CloseState.AWAITING_APPROVAL, waiting_for=({"kind": "approval"},))
    period.accepted_gaps = list(missing)
    prepared = None
    if rated.lines:
        proof = prove(period=period, basis=basis, gaps=gate.missing, unpriced=unpriced, terms=terms)
        prepared = prepare_invoice(period=period, rated=rated, basis=basis, proof=proof, now=now, restated=restated)
    _finish(period, basis, rated, now)
    if prepared is None:
        return Closed(CloseState.CLOSED)
    return Closed(CloseState.CLOSED, issue_invoice(prepared, now=now, stripe_ready=stripe_ready))


def _cannot_close(period: BillingPeriod, now: datetime) -> Closed | None:
    """Return why it is not the turn of a period, whatever is known of it."""
    if period.state == PeriodState.CLOSED:
        return Closed(CloseState.ALREADY_CLOSED, Invoice.objects.standing().filter(period=period).first())
    if now < period.to_at:
        return Closed(CloseState.NOT_OVER)
    earlier = BillingPeriod.objects.filter(
        contract=period.contract_id, state=PeriodState.OPEN, from_at__lt=period.from_at
    )
    return Closed(CloseState.WAITING, waiting_for=({"kind": "earlier_period"},)) if earlier.exists() else None


@dataclass(frozen=True, slots=True)
class Gate:
    """What a period that is over still waits for; `waits`: whether it does not close without it."""

    missing: tuple[Mapping[str, Any], ...]
    in_grace: bool
    waits: bool


def gate_of(period: BillingPeriod, now: datetime, terms: Sequence[Term]) -> Gate:
    """Return what is missing of a period before it can close, and whether it still waits for that."""
    in_grace = now < _settling(period, terms).open_until(period.to_at)
    gaps = missing_reports(period=period, now=now, terms=terms)
    unstated = missing_statements(period, terms)
    waits = (bool(gaps) and in_grace) or any(now < due.due_at for due in unstated)
    return Gate((*gaps, *map(_due_row, unstated)), in_grace, waits)


def _finish(period: BillingPeriod, basis: PeriodBasis, rated: Rated, now: datetime) -> None:
    _hand_on(period, rated)
    keep_movements(period=period, basis=basis, rated=rated, now=now)
    period.state = PeriodState.CLOSED
    period.closed_at = now
    period.tax_wait = {}
    period.save(update_fields=["state", "closed_at", "accepted_gaps", "tax_wait"])
    _go_on(period, rated, now)


def _settling(period: BillingPeriod, terms: Iterable[Term]) -> Settling:
    contract = period.contract
    return settle_by(
        (term.stretches(period.from_at, period.to_at) for term in terms),
        due_days=contract.due_days,
        grace_hours=contract.grace_hours,
    )


def _locked(period_id: UUID) -> BillingPeriod:
    return (
        BillingPeriod.objects.select_for_update(of=("self",))
        .select_related("contract__provider", "contract__tenant")
        .get(pk=period_id)
    )


def _unpriced_rows(unpriced: Mapping[str, Decimal]) -> Iterator[dict[str, Any]]:
    for name, quantity in unpriced.items():
        yield {"kind": "unpriced", "usage": name, "quantity": f"{quantity:f}".rstrip("0").rstrip(".")}


def _hand_on(period: BillingPeriod, rated: Rated) -> None:
    """Store what the next period is handed."""
    PeriodCarry.objects.bulk_create(
        PeriodCarry(period=period, term_ref=carry.term_ref, name=carry.name, value=carry.value)
        for carry in rated.carries
    )


def _due_row(due: RevenueDue) -> dict[str, Any]:
    return {"kind": "revenue_statement", "term": due.term.ref, "due_at": due.due_at.isoformat()}


def _go_on(period: BillingPeriod, rated: Rated, now: datetime) -> None:
    contract = period.contract
    if contract.to_at is not None and period.to_at >= contract.to_at:
        keep_last_credit(period=period, rated=rated, now=now)
        Contract.objects.filter(pk=contract.pk, state=ContractState.ACTIVE).update(state=ContractState.ENDED)
    else:
        ensure_periods(contract=contract, now=max(now, period.to_at))

"""Closing billing periods: the completeness gate, the last charges, the invoice and the next period, all or nothing.

Everything a close does happens in one transaction, so a worker that dies at any statement leaves the period as it was
and the next sweep does it again; a period that is closed stays closed whoever asks. A sweep closes some periods in one
transaction, since what they need is read and written by the same statements; where one of them fails, each is closed
by itself.
"""

import logging
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Min, Q

from billing.adjusting.last_credit import keep_last_credit
from billing.adjusting.late_usage import closed_before_each
from billing.adjusting.restatements import restate_into
from billing.adjusting.rules import approving, is_approved, waits_for_approval
from billing.bases import Grain, read_bases, window_of
from billing.basis import PeriodBasis
from billing.charging import charge_all, ensure_all_periods, unresolved_by_period
from billing.completeness import Serving, missing_by_period, serving_by_period
from billing.credits import keep_movements
from billing.evidence_adjustments import Restated
from billing.gaps import ACCEPTED, with_accepted
from billing.invoicing import Prepared, prepare_invoice, store_drafts
from billing.issuing import issue_invoices
from billing.models import BillingPeriod, Contract, ContractState, Invoice, PeriodCarry, PeriodState, Term
from billing.proving import Billed, alone, prove_all
from billing.rating.rated import Rated
from billing.rating.share_settling import Settling, settle_by
from billing.revenue_dues import RevenueDue, missing_statements
from billing.tax.deciding import TaxWaits, settings_by_provider
from billing.tax.retrying import note_wait
from billing.terms import terms_of
from billing.usage_spans import Span, billed_usage, usage_spans
from tenants.profiles import ensure_profiles

logger = logging.getLogger(__name__)

READY_FOR = timedelta(hours=1)
"""After how long a period that waits for its approval is rated again."""
TOGETHER = 16
"""Periods closed in one transaction: reading and writing them at once halves what each costs. Their contracts stay
locked until it ends, for about a second."""
TOGETHER_ROWS = 50_000
"""Usage hours that are held in memory at once, where more than one period is closed."""


class TooLarge(Exception):
    """Periods that cannot be closed together can be closed each by itself."""


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
    return [period_id for period_id, _, _ in _due(now)]


def _due(now: datetime) -> list[tuple[UUID, datetime, datetime]]:
    was_looked_at = waits_for_approval() & Q(ready_at__gt=now - READY_FOR)
    due = BillingPeriod.objects.filter(~was_looked_at, state=PeriodState.OPEN, to_at__lte=now)
    return list(due.order_by("to_at", "pk").values_list("pk", "from_at", "to_at"))


def close_due(*, now: datetime, stripe_ready: bool) -> None:
    """Close every period that is due, some of the same bounds together; one that fails holds up no other.

    Sweeps that overlap begin at different places, so that workers share the periods out among them.
    """
    together: dict[tuple[datetime, datetime], list[UUID]] = defaultdict(list)
    for period_id, from_at, to_at in _due(now):
        together[to_at, from_at].append(period_id)
    batches = [
        ids[begin : begin + TOGETHER] for _, ids in sorted(together.items()) for begin in range(0, len(ids), TOGETHER)
    ]
    first = now.microsecond % len(batches) if batches else 0
    for batch in (*batches[first:], *batches[:first]):
        close_batch(period_ids=batch, now=now, stripe_ready=stripe_ready)


def close_batch(*, period_ids: Sequence[UUID], now: datetime, stripe_ready: bool = False) -> list[Closed]:
    """Do `close_together`; where that fails, or is too large, close each by itself, and log those that fail."""
    try:
        return list(close_together(period_ids=period_ids, now=now, stripe_ready=stripe_ready).values())
    except TooLarge:
        logger.info("%s periods have too much usage to be closed together", len(period_ids))
    except Exception:
        if len(period_ids) > 1:
            logger.warning("closing %s periods together; each is tried by itself", len(period_ids), exc_info=True)
        else:
            logger.exception("closing period %s", period_ids[0])
            return []
    found: list[Closed] = []
    for period_id in period_ids:
        try:
            found.append(close_period(period_id=period_id, now=now, stripe_ready=stripe_ready, wait=False))
        except Exception:
            logger.exception("closing period %s", period_id)
    return found


def close_period(*, period_id: UUID, now: datetime, stripe_ready: bool = False, wait: bool = True) -> Closed:
    """Do `close_together` for one. Without `wait` a contract that somebody is at is left to them (BUSY)."""
    return close_together(period_ids=[period_id], now=now, stripe_ready=stripe_ready, wait=wait)[period_id]


@transaction.atomic
def close_together(
    *, period_ids: Sequence[UUID], now: datetime, stripe_ready: bool = False, wait: bool = False
) -> dict[UUID, Closed]:
    """Close periods of different contracts that are over, each once, all or none; what they need is read at once.

    1. Every node that served the contract must have rolled past the period's end, every gateway must have said that it
       sent everything before it, every such event must be rolled, and all usage must have a price; else it waits, at
       most the contract's grace, or that of a share, and then closes with what is missing on record; what a person
       accepted to be missing is not waited for, and is on record with the reason. Certified revenue
       that a share is taken of is waited for until it is due; from then on an estimate stands in for it. Taxes that
       cannot be worked out are waited for without end.
    2. What came late for the periods before it is put on its bill, the last charges are booked, and the invoice is
       issued from the whole rating. A period in which nothing was used, held or adjusted closes without an invoice.
    3. Where the provider approves its invoices, one that was not approved at this very amount and tax waits for that.
    4. The next period is stored, or the contract that has come to its end is ended.

    Raises `TooLarge`, unless there is one period alone.
    """
    found, periods = _locked(period_ids, now, wait=wait)
    terms = terms_of({period.contract_id for period in periods}) if periods else []
    spans = usage_spans([window_of(period) for period in periods], terms)
    _require_small(periods, spans)
    serving = serving_by_period(periods)
    open_: list[tuple[BillingPeriod, Gate]] = []
    for period, gate in zip(periods, _gates(periods, now, terms, (spans, serving)), strict=True):
        if gate.waits:
            found[period.pk] = Closed(CloseState.WAITING, waiting_for=gate.missing)
        else:
            open_.append((period, gate))
    if open_:
        ready = _rated(open_, terms, found, now)
        of_period = _spans_by_period(periods, spans)
        made = _prepared(ready, found, (terms, serving, of_period), now)
        issued = issue_invoices(
            [prepared for _, prepared in made if prepared is not None], now=now, stripe_ready=stripe_ready
        )
        by_period = {invoice.period_id: invoice for invoice in issued}
        for one, _ in made:
            found[one.period.pk] = Closed(CloseState.CLOSED, by_period.get(one.period.pk))
    return {period_id: found[period_id] for period_id in period_ids}


_Spans = Mapping[UUID, Sequence[Span]]
"""What bills in each period, by its id."""


@dataclass(frozen=True, slots=True)
class _Ready:
    """A period that closes now: what it was rated from, and what is accepted to be missing."""

    period: BillingPeriod
    basis: PeriodBasis
    rated: Rated
    restated: tuple[Restated, ...]
    gaps: tuple[Mapping[str, Any], ...]
    unpriced: Mapping[str, Decimal]


def _rated(
    open_: Sequence[tuple[BillingPeriod, "Gate"]], terms: Sequence[Term], found: dict[UUID, Closed], now: datetime
) -> list[_Ready]:
    """Rate and charge periods, and return those that nothing stands in the way of; what became of others is `found`."""
    periods = [period for period, _ in open_]
    before = closed_before_each(periods)
    restated = {each.pk: restate_into(into=each, now=now, before=before[each.pk]) for each in periods}
    # By the hour, since the evidence shows it so; rating gives the same from hours as from days.
    bases = read_bases([window_of(period) for period in periods], grain=Grain.HOUR, terms=terms)
    charged = charge_all(list(zip(periods, bases, strict=True)), now=now)
    unpriced = unresolved_by_period([period.pk for period in periods])
    ready: list[_Ready] = []
    for (period, gate), basis, charges in zip(open_, bases, charged, strict=True):
        without = unpriced.get(period.pk, {})
        missing = (*gate.missing, *_unpriced_rows(without))
        rated = charges.rated or Rated()
        if (gate.unaccepted or without) and gate.in_grace:
            found[period.pk] = Closed(CloseState.WAITING, waiting_for=missing)
        else:
            period.accepted_gaps = list(missing)
            ready.append(_Ready(period, basis, rated, restated[period.pk], gate.missing, without))
    return ready


def _prepared(
    ready: Sequence[_Ready], found: dict[UUID, Closed], said: tuple[Sequence[Term], Serving, _Spans], now: datetime
) -> list[tuple[_Ready, Prepared | None]]:
    """Prepare the invoices of periods and close them; one whose taxes are waited for, or that is not approved as it is,
    is `found` to wait instead."""
    terms, serving, spans = said
    billed = [one for one in ready if one.rated.lines]
    proofs = prove_all(
        [Billed(one.period, one.basis, one.gaps, one.unpriced, spans[one.period.pk]) for one in billed], serving=serving
    )
    proof_of = {one.period.pk: proof for one, proof in zip(billed, proofs, strict=True)}
    contracts = [one.period.contract for one in billed]
    parties = ensure_profiles([party for each in contracts for party in (each.provider, each.tenant)], now)
    providers = {each.provider_id for each in contracts}
    settings, approved = settings_by_provider(providers), approving(providers)
    made: list[tuple[_Ready, Prepared | None]] = []
    for one in ready:
        proof = proof_of.get(one.period.pk)
        try:
            prepared = None if proof is None else prepare_invoice(
                period=one.period, rated=one.rated, basis=one.basis, proof=proof, now=now, restated=one.restated,
                parties=parties, settings=settings,
            )  # fmt: skip
        except TaxWaits as waits:
            note_wait(period=one.period, waits=waits)
            found[one.period.pk] = Closed(CloseState.WAITING, waiting_for=(waits.missing,))
        else:
            if (
                prepared is not None
                and prepared.contract.provider_id in approved
                and not is_approved(
                    period=one.period, amount=prepared.totals.subtotal, tax=prepared.totals.tax, now=now
                )
            ):
                found[one.period.pk] = Closed(CloseState.AWAITING_APPROVAL, waiting_for=({"kind": "approval"},))
                continue
            made.append((one, prepared))
    store_drafts([prepared for _, prepared in made if prepared is not None])
    _finish([one for one, _ in made], terms, now)
    return made


def _spans_by_period(periods: Sequence[BillingPeriod], spans: Iterable[Span]) -> _Spans:
    found: dict[UUID, list[Span]] = {period.pk: [] for period in periods}
    for span in spans:
        found[periods[span.window].pk].append(span)
    return found


def _locked(period_ids: Sequence[UUID], now: datetime, *, wait: bool) -> tuple[dict[UUID, Closed], list[BillingPeriod]]:
    """Lock periods and return what is known of each already, and those whose turn it is."""
    contract_of = dict(BillingPeriod.objects.filter(pk__in=period_ids).values_list("pk", "contract_id"))
    if len(contract_of) < len(period_ids):
        raise BillingPeriod.DoesNotExist
    # The contracts first, then the periods: the order in which a termination takes them.
    locked = Contract.objects.select_for_update(no_key=True, skip_locked=not wait)
    held = set(locked.filter(pk__in=set(contract_of.values())).order_by("pk").values_list("pk", flat=True))
    found = {key: Closed(CloseState.BUSY) for key, contract_id in contract_of.items() if contract_id not in held}
    rows = (
        BillingPeriod.objects.select_for_update(of=("self",))
        .select_related("contract__provider", "contract__tenant")
        .filter(pk__in=[key for key in contract_of if key not in found])
    )
    periods = list(rows.order_by("pk"))
    found |= _cannot_close(periods, now)
    return found, [period for period in periods if period.pk not in found]


def _cannot_close(periods: Sequence[BillingPeriod], now: datetime) -> dict[UUID, Closed]:
    """Return why it is not the turn of some periods, whatever is known of them."""
    found: dict[UUID, Closed] = {}
    for period in periods:
        if period.state == PeriodState.CLOSED:
            standing = Invoice.objects.standing().filter(period=period).first()
            found[period.pk] = Closed(CloseState.ALREADY_CLOSED, standing)
        elif now < period.to_at:
            found[period.pk] = Closed(CloseState.NOT_OVER)
    left = [period for period in periods if period.pk not in found]
    contracts = [period.contract_id for period in left]
    opened = BillingPeriod.objects.filter(contract__in=contracts, state=PeriodState.OPEN).values("contract_id")
    first = {row["contract_id"]: row["first_at"] for row in opened.annotate(first_at=Min("from_at")).order_by()}
    waits = Closed(CloseState.WAITING, waiting_for=({"kind": "earlier_period"},))
    return found | {period.pk: waits for period in left if first[period.contract_id] < period.from_at}


def _require_small(periods: Sequence[BillingPeriod], spans: Sequence[Span]) -> None:
    """What is closed together is held in memory together, and usage is told apart by its deployment."""
    if len(periods) < 2 or not spans:
        return
    if alone(spans) or billed_usage(spans).count() > TOGETHER_ROWS:
        raise TooLarge


@dataclass(frozen=True, slots=True)
class Gate:
    """What is missing of a period that is over; `waits`: whether it does not close without it."""

    missing: tuple[Mapping[str, Any], ...]
    in_grace: bool
    waits: bool

    @property
    def unaccepted(self) -> tuple[Mapping[str, Any], ...]:
        """What of it nobody accepted to be missing."""
        return tuple(row for row in self.missing if ACCEPTED not in row)


def gate_of(period: BillingPeriod, now: datetime, terms: Sequence[Term]) -> Gate:
    """Return what is missing of a period before it can close, and whether it still waits for that."""
    [gate] = _gates([period], now, terms, (usage_spans([window_of(period)], terms), serving_by_period([period])))
    return gate


def _gates(
    periods: Sequence[BillingPeriod], now: datetime, terms: Sequence[Term], read: tuple[Sequence[Span], Serving]
) -> Iterator[Gate]:
    if not periods:
        return
    spans, serving = read
    gaps = missing_by_period(periods, now=now, spans=spans, serving=serving)
    unstated = missing_statements(*periods, terms=terms)
    for period in periods:
        own = [term for term in terms if term.contract_id == period.contract_id]
        dues = [due for due in unstated if due.period == period]
        in_grace = now < _settling(period, own).open_until(period.to_at)
        found = with_accepted(period, gaps[period.pk])
        unaccepted = any(ACCEPTED not in row for row in found)
        waits = (unaccepted and in_grace) or any(now < due.due_at for due in dues)
        yield Gate((*found, *map(_due_row, dues)), in_grace, waits)


def _settling(period: BillingPeriod, terms: Iterable[Term]) -> Settling:
    contract = period.contract
    return settle_by(
        (term.stretches(period.from_at, period.to_at) for term in terms),
        due_days=contract.due_days,
        grace_hours=contract.grace_hours,
    )


def _unpriced_rows(unpriced: Mapping[str, Decimal]) -> Iterator[dict[str, Any]]:
    for name, quantity in unpriced.items():
        yield {"kind": "unpriced", "usage": name, "quantity": f"{quantity:f}".rstrip("0").rstrip(".")}


def _due_row(due: RevenueDue) -> dict[str, Any]:
    return {"kind": "revenue_statement", "term": due.term.ref, "due_at": due.due_at.isoformat()}


def _finish(ready: Sequence[_Ready], terms: Sequence[Term], now: datetime) -> None:
    """Store what the next periods are handed, close these, and store the next, or end the contracts."""
    PeriodCarry.objects.bulk_create(
        PeriodCarry(period=one.period, term_ref=carry.term_ref, name=carry.name, value=carry.value)
        for one in ready
        for carry in one.rated.carries
    )
    for one in ready:
        keep_movements(period=one.period, basis=one.basis, rated=one.rated, now=now)
        one.period.state, one.period.closed_at, one.period.tax_wait = PeriodState.CLOSED, now, {}
    lacking = [one.period for one in ready if one.period.accepted_gaps]
    whole = [one.period.pk for one in ready if not one.period.accepted_gaps]
    closed = {"state": PeriodState.CLOSED, "closed_at": now, "tax_wait": {}}
    if whole:
        BillingPeriod.objects.filter(pk__in=whole).update(**closed, accepted_gaps=[])
    for period in lacking:
        period.save(update_fields=[*closed, "accepted_gaps"])
    _go_on(ready, terms, now)


def _go_on(ready: Sequence[_Ready], terms: Sequence[Term], now: datetime) -> None:
    going: dict[datetime, list[Contract]] = defaultdict(list)
    for one in ready:
        period, contract = one.period, one.period.contract
        if contract.to_at is not None and period.to_at >= contract.to_at:
            keep_last_credit(period=period, rated=one.rated, now=now)
            Contract.objects.filter(pk=contract.pk, state=ContractState.ACTIVE).update(state=ContractState.ENDED)
        else:
            going[max(now, period.to_at)].append(contract)
    for begun_by, contracts in going.items():
        ensure_all_periods(contracts, now=begun_by, terms=terms)

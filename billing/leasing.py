"""The life of a lease after it was reserved: it starts, is extended or renewed, is held over, ends early or by itself.

Everything said of a lease later is a further version of its contract. Each step is recorded once: doing it again
changes nothing and gives the same answer.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import msgspec
from django.db import IntegrityError, transaction
from django.db.models import Exists, F, Max, OuterRef, Q
from psycopg.errors import ExclusionViolation

from billing.holding import SliceTaken, WrongTerms
from billing.lease_ends.noting import note_ended
from billing.lease_steps import InThePast, NoPriceInForce, NotOpen, agreed_price, record_step, require_open
from billing.models import (
    BillingPeriod,
    Contract,
    LeaseEndReason,
    LeaseEvent,
    LeaseStep,
    PeriodState,
    Term,
    TermAllocation,
    TermFact,
)
from billing.rating.kinds import write_fact
from billing.rating.lease_wording import ExtensionPrice, LeaseAgreed, LeaseEnded, LeaseWording
from billing.rating.rated import TermKind
from billing.rating.wording import Wording
from billing.telling import tell_ended_lease
from billing.term_versions import TermChange, add_version
from billing.terms import terms_by_id
from clusters.models import Allocation
from tenants.models import AuditEntry
from tenants.problems import Problem
from tenants.sentences import sentence

SWEEP: Final = "sweep"
NOT_RENEWED: Final[Mapping[type[Problem], LeaseEndReason]] = {
    SliceTaken: LeaseEndReason.SLICE_TAKEN,
    NotOpen: LeaseEndReason.CONTRACT_NOT_OPEN,
    NoPriceInForce: LeaseEndReason.NO_PRICE,
}
"""Why a lease that renews by its terms ended, by what refused its renewal."""


class LeaseOver(Problem):
    """The lease has ended, or ends before the instant asked for."""

    status = 409
    code = "lease_over"
    title = "The lease is over"


@transaction.atomic
def extend_lease(*, lease: Term, to_at: datetime, by: str, now: datetime, step: LeaseStep = LeaseStep.EXTENDED) -> Term:
    """Let a lease go on to a later end with the slices it has; to the end it has already, change nothing.

    At its own price or the one in force now, as its wording says. Raises `SliceTaken` where one of its slices is
    promised to somebody else by then, `LeaseOver`, `NotOpen`, `NoPriceInForce`.
    """
    lease, contract = _locked(lease)
    if lease.to_at == to_at:
        return lease
    if lease.to_at is None or to_at < lease.to_at:
        raise WrongTerms(
            sentence("%(ref)s ends later than %(to_at)s already.", ref=lease.ref, to_at=to_at.isoformat()),
            field="to",
            example=(lease.to_at + timedelta(days=7)).isoformat() if lease.to_at else None,
        )
    if lease.to_at < now and step is LeaseStep.EXTENDED:
        raise LeaseOver(
            sentence("%(ref)s ended at %(to_at)s.", ref=lease.ref, to_at=lease.to_at.isoformat()), field="to"
        )
    require_open(contract, lease.from_at, to_at)
    before = lease.to_at
    _move_end(lease, before, to_at)
    wording = _wording(lease, before)
    if step is not LeaseStep.HELD_OVER and wording.extension_price is ExtensionPrice.IN_FORCE and not wording.is_flat:
        price = agreed_price(contract, wording.accelerator_model, min(before, now))
        wording = msgspec.structs.replace(wording, price_per_gpu_hour=price)
    change = TermChange(lease, [(before, wording), (to_at, None)], {})
    add_version(contract=contract, changes=[change], effective_at=before, now=now)
    record_step(lease, step, at=before, by=by, now=now)
    return lease


@transaction.atomic
def end_lease_early(*, lease: Term, at: datetime, by: str, now: datetime) -> Term:
    """End a lease before its agreed end: its slices are free from then on, and its rule says what is owed.

    Ended at that instant already, change nothing. Raises `InThePast`, `LeaseOver`.
    """
    lease, contract = _locked(lease)
    at = at.replace(microsecond=0)
    if lease.to_at == at:
        return lease
    if at < now.replace(microsecond=0):
        soonest = (now.replace(microsecond=0) + timedelta(seconds=1)).isoformat()
        reason = sentence("%(ref)s can end from %(now)s on.", ref=lease.ref, now=soonest)
        raise InThePast(reason, field="at", example=soonest)
    if lease.to_at is not None and at > lease.to_at:
        by_itself = lease.to_at.isoformat()
        reason = sentence("%(ref)s ends at %(to_at)s by itself.", ref=lease.ref, to_at=by_itself)
        raise LeaseOver(reason, field="at", example=by_itself)
    agreed, begins = lease.to_at, max(at, lease.from_at)
    _free_from(lease, begins)
    add_version(contract=contract, changes=[TermChange(lease, [(begins, None)], {})], effective_at=begins, now=now)
    if begins > lease.from_at:
        ended = LeaseEnded(asked_at=now.replace(microsecond=0), ended_at=begins, agreed_to_at=agreed)
        _state(lease, begins - timedelta(seconds=1), ended, by, now)
    record_step(lease, LeaseStep.ENDED_EARLY, at=begins, by=by, now=now)
    return lease


@transaction.atomic
def hold_lease_over(*, lease: Term, to_at: datetime, by: str, now: datetime) -> Term:
    """Record that a lease whose end has come is still held, to a later instant: it is billed as holdover.

    Raises what `extend_lease` does, and `WrongTerms` for a lease that has not ended, or ended in what is invoiced.
    """
    lease, contract = _locked(lease)
    held_over = LeaseEvent.objects.filter(term=lease, step=LeaseStep.HELD_OVER)
    if lease.to_at == to_at and held_over.exists():
        return lease
    if lease.to_at is None or lease.to_at > now:
        raise WrongTerms(sentence("%(ref)s has not come to its end: extend it.", ref=lease.ref), field="to")
    closed = BillingPeriod.objects.filter(contract=contract, state=PeriodState.CLOSED, to_at__gt=lease.to_at)
    closed_to = closed.aggregate(at=Max("to_at"))["at"]
    if closed_to is not None:
        raise WrongTerms(
            sentence("What was used before %(closed_to)s is invoiced.", closed_to=closed_to.isoformat()),
            field="to",
            example=sentence("a debit for that time, and another lease from then on"),
        )
    if not held_over.exists():
        _state(lease, lease.to_at - timedelta(seconds=1), LeaseAgreed(to_at=lease.to_at), by, now)
    return extend_lease(lease=lease, to_at=to_at, by=by, now=now, step=LeaseStep.HELD_OVER)


@transaction.atomic
def record_steps(*, term_id: UUID, now: datetime) -> list[LeaseStep]:
    """Record what time has brought to a lease by now: that it started, was renewed, or ended. Again, nothing."""
    lease, _ = _locked(Term.objects.get(pk=term_id))
    done: list[LeaseStep] = []
    # One that was taken back before it began never starts.
    starts = lease.from_at <= now and lease.to_at != lease.from_at
    if starts and record_step(lease, LeaseStep.STARTED, at=lease.from_at, by=SWEEP, now=now):
        done.append(LeaseStep.STARTED)
    if lease.to_at is None or lease.to_at > now:
        return done
    early = LeaseEvent.objects.filter(term=lease, step=LeaseStep.ENDED_EARLY).exists()
    # Nor does it say anything any more, not even whether it renews.
    wording = _wording(lease, lease.to_at) if lease.to_at > lease.from_at else None
    if wording and wording.renew_days and not early:
        done.append(_renew_or_end(lease, wording, now))
    elif _end(lease, LeaseEndReason.ENDED_EARLY if early else LeaseEndReason.NOT_RENEWING, now):
        done.append(LeaseStep.ENDED)
    return done


def due_steps(*, now: datetime, limit: int) -> list[UUID]:
    """Return the leases for which something is to be recorded."""
    recorded = LeaseEvent.objects.filter(term=OuterRef("pk"))
    started = recorded.filter(step=LeaseStep.STARTED)
    ended = recorded.filter(step=LeaseStep.ENDED, at=OuterRef("to_at"))
    unstarted = ~Exists(started) & (Q(to_at=None) | ~Q(to_at=F("from_at")))
    due = Term.objects.filter(unstarted | Q(~Exists(ended), to_at__lte=now), kind=TermKind.LEASE, from_at__lte=now)
    return list(due.order_by("pk").values_list("pk", flat=True)[:limit])


def _renew_or_end(lease: Term, wording: LeaseWording, now: datetime) -> LeaseStep:
    """Renew a lease as often as it takes to reach now, or as it can; where slices are promised elsewhere it ends."""
    assert lease.to_at is not None
    once = timedelta(days=wording.renew_days)
    times = (now - lease.to_at) // once + 1
    reason = LeaseEndReason.NOT_RENEWING
    for count in range(times, 0, -1):
        try:
            with transaction.atomic():
                extend_lease(lease=lease, to_at=lease.to_at + count * once, by=SWEEP, now=now, step=LeaseStep.RENEWED)
        except (SliceTaken, NotOpen, NoPriceInForce) as refused:
            reason = NOT_RENEWED[type(refused)]
            continue
        return LeaseStep.RENEWED
    _end(lease, reason, now)
    return LeaseStep.ENDED


def _end(lease: Term, reason: LeaseEndReason, now: datetime) -> bool:
    """Record once that a lease ended and why; tell both parties, and keep in both their logs what was not renewed."""
    contract, ended_at = lease.contract, lease.to_at
    assert ended_at is not None
    if not record_step(lease, LeaseStep.ENDED, at=ended_at, by=SWEEP, now=now, reason=reason):
        return False
    if ended_at > lease.from_at:
        tell_ended_lease(lease, reason, at=now)
        note_ended(lease, reason, now=now)
    if reason in NOT_RENEWED.values():
        said = {"lease": lease.ref, "ended_at": ended_at.isoformat(), "reason": reason.value}
        AuditEntry.objects.bulk_create(
            AuditEntry(
                organization_id=party,
                actor=SWEEP,
                action="lease.not_renewed",
                subject=f"contract {contract.number}",
                after=said,
                at=now,
            )
            for party in (contract.provider_id, contract.tenant_id)
        )
    return True


def _locked(lease: Term) -> tuple[Term, Contract]:
    """Lock a lease's contract, then its row: whatever is said of one contract is said one after the other."""
    contract = Contract.objects.select_for_update(no_key=True).get(pk=lease.contract_id)
    Term.objects.select_for_update().get(pk=lease.pk)
    return terms_by_id([lease.pk])[lease.pk], contract


def _wording(lease: Term, at: datetime) -> LeaseWording:
    wording: Wording = lease.wording_at(at - timedelta(seconds=1))
    assert isinstance(wording, LeaseWording), lease.ref
    return wording


def _move_end(lease: Term, before: datetime, to_at: datetime) -> None:
    """Give the allocations that end with the lease its new end; the database refuses what is promised elsewhere."""
    ids = list(
        TermAllocation.objects.filter(term=lease, allocation__to_at=before)
        .order_by("allocation_id")
        .values_list("allocation_id", flat=True)
    )
    try:
        with transaction.atomic():
            Allocation.objects.filter(pk__in=ids).update(to_at=to_at)
    except IntegrityError as error:
        if not isinstance(error.__cause__, ExclusionViolation):
            raise
        raise SliceTaken(
            sentence(
                "A slice of %(ref)s is promised to somebody else before %(to_at)s.",
                ref=lease.ref,
                to_at=to_at.isoformat(),
            ),
            field="to",
        ) from error


def _free_from(lease: Term, at: datetime) -> None:
    held = TermAllocation.objects.filter(term=lease)
    later = list(held.filter(allocation__from_at__gte=at).values_list("allocation_id", flat=True))
    held.filter(allocation_id__in=later).delete()
    Allocation.objects.filter(pk__in=later).delete()
    running = held.filter(allocation__from_at__lt=at).values_list("allocation_id", flat=True)
    Allocation.objects.filter(pk__in=list(running)).exclude(to_at__lte=at).update(to_at=at)


def _state(lease: Term, at: datetime, fact: LeaseAgreed | LeaseEnded, by: str, now: datetime) -> None:
    document: dict[str, Any] = write_fact(fact)
    TermFact.objects.create(term=lease, at=at, document=document, recorded_by=by, recorded_at=now)

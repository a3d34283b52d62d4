"""Taking the steps of dunning, one at a time; lifting suspensions; taking a step back or holding all of them."""

from __future__ import annotations

import logging
from datetime import timedelta
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from django.db import transaction
from django.db.models import Q

from billing.api_words import money
from billing.corrections.debits import NoNextInvoice, add_debit, take_back_debit
from billing.corrections.disputes import pauses_dunning
from billing.dues import dues_of
from billing.dunning.policies import WrongDunning, schedule_of
from billing.dunning.schedule import Action, Planned, days_of_notice, next_step, planned_at
from billing.models import (
    Collection,
    Contract,
    Debit,
    DebitCause,
    DunningCase,
    DunningHold,
    DunningMail,
    DunningPolicy,
    DunningStep,
    DunningTakenBack,
    Invoice,
    InvoiceState,
    Suspension,
    SuspensionEnd,
)
from billing.money import round_to_minor
from billing.rating.debit import LATE_FEE_REASON
from billing.settlement import NotRetryable, retry_settlement
from billing.together import due_of
from tenants.hooks.emitting import emit_to
from tenants.instants import instant_text
from tenants.models import AuditEntry, Membership, Organization, Role
from tenants.problems import Problem
from tenants.sentences import sentence

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

logger = logging.getLogger(__name__)

SWEEP: Final = "dunning"
LOOK_AGAIN: Final = timedelta(hours=1)
READERS: Final = (Role.OWNER, Role.ADMIN, Role.BILLING)
REASON_CHARACTERS_MAX: Final = 200
NO_CARD_CHARGED: Final = "no card is charged for this contract"
CARD_CHARGED: Final = "the card is charged again"
DISPUTED, HELD, NOTICE_NOT_OUT = "disputed", "held", "notice_not_out"


class StepTakenBack(Problem):
    """The step was taken back before."""

    status = 409
    code = "dunning_step_taken_back"
    title = "The step was taken back before"


class DunningUnknown(Problem):
    """The provider has no such invoice or step."""

    status = 404
    code = "dunning_unknown"
    title = "There is no such step or invoice"


def begin_cases(*, now: datetime, limit: int) -> int:
    """Follow every overdue invoice of providers that have a schedule, and those settled no longer; return how many
    are new.
    """
    settled = DunningCase.objects.filter(is_open=True).exclude(invoice__state=InvoiceState.ISSUED)
    settled.update(is_open=False, next_at=None, waits_for="")
    providers = DunningPolicy.objects.values("provider")
    overdue = Invoice.objects.filter(state=InvoiceState.ISSUED, due_at__lte=now, issuer__in=providers)
    overdue = overdue.exclude(collective_part__collective__due_at__gt=now)
    fresh = overdue.filter(Q(dunning__isnull=True) | Q(dunning__is_open=False)).order_by("due_at", "pk")
    ids = list(fresh.values_list("pk", flat=True)[:limit])
    DunningCase.objects.bulk_create(
        [DunningCase(invoice_id=one, next_at=now) for one in ids],
        update_conflicts=True,
        unique_fields=["invoice"],
        update_fields=["is_open", "next_at"],
    )
    return len(ids)


def due_cases(*, now: datetime, limit: int) -> list[UUID]:
    """Return the invoices whose next step, or look, is due."""
    due = DunningCase.objects.filter(is_open=True, next_at__lte=now).order_by("next_at", "pk")
    return list(due.values_list("pk", flat=True)[:limit])


@transaction.atomic
def take_step(*, invoice_id: UUID, now: datetime) -> DunningStep | None:
    """Take the next step of an overdue invoice if its day has come; None where there is none now.

    1. The contract's row is locked, for a late fee needs it, and then the invoice's, as a close and a reissue do: a
       payment at the same time is weighed before or after, and never missed.
    2. Paid, void, written off or not due again, the case is closed. Disputed or held, nothing is done.
    3. Steps come in their order, one at a time, each once. A suspension waits until a letter of its notice has been
       out for as long as the schedule says, however late the notice was.
    """
    Contract.objects.select_for_update(no_key=True, of=("self",)).get(invoices=invoice_id)
    invoice = Invoice.objects.select_for_update(of=("self",)).select_related("contract").get(pk=invoice_id)
    case = DunningCase.objects.select_for_update().get(pk=invoice_id)
    if invoice.state != InvoiceState.ISSUED or dues_of(invoice).left <= 0:
        DunningCase.objects.filter(pk=invoice_id).update(is_open=False, next_at=None, waits_for="")
        return None
    schedule = schedule_of(invoice.issuer_id, invoice.contract_id)
    done = set(DunningStep.objects.filter(invoice=invoice).values_list("action", "after_days"))
    planned = next_step(schedule, done)
    if planned is None:
        _wait(case, None)
        return None
    due_at = due_of(invoice)
    assert due_at is not None
    at = planned_at(planned, due_at)
    if at > now:
        _wait(case, at)
        return None
    blocked = _blocked(invoice, planned, schedule, now)
    if blocked:
        _wait(case, now + LOOK_AGAIN, blocked)
        return None
    step = _taken(invoice, planned, schedule, now)
    _wait(case, now)
    return step


@transaction.atomic
def lift_paid(*, now: datetime) -> int:
    """Lift every suspension whose invoice is not owed any more; return how many."""
    standing = Suspension.objects.filter(end__isnull=True).exclude(step__invoice__state=InvoiceState.ISSUED)
    found = list(standing.select_for_update(of=("self",), skip_locked=True).select_related("step__invoice__contract"))
    return sum(_end_settled(suspension, now) for suspension in found)


@transaction.atomic
def take_back(*, provider: Organization, step_id: UUID, reason: str, by: str, now: datetime) -> DunningTakenBack:
    """Take a step back: a suspension is lifted, a letter stands as withdrawn; the step does not come again.

    Raises `DunningUnknown`, `StepTakenBack`, and `WrongDunning` without a reason.
    """
    found = DunningStep.objects.select_for_update(of=("self",)).filter(pk=step_id, invoice__issuer=provider)
    step = found.first()
    if step is None:
        raise DunningUnknown(sentence("No step of yours has this id."))
    if DunningTakenBack.objects.filter(step=step).exists():
        raise StepTakenBack(sentence("The step was taken back before."))
    _require_reason(reason)
    taken_back = DunningTakenBack.objects.create(step=step, reason=reason.strip(), by=by, at=now)
    suspensions = Suspension.objects.select_for_update(of=("self",)).select_related("step__invoice__contract")
    suspension = suspensions.filter(step=step).first()
    # A fee that was taken back by itself keeps nobody from taking its step back.
    debit = Debit.objects.filter(step=step, taken_back__isnull=True).first()
    if debit is not None:
        take_back_debit(debit_id=debit.pk, reason=reason, by=by, now=now)
    if suspension is not None:
        _end(suspension, why="taken_back", reason=reason.strip(), by=by, now=now)
    _note(step.invoice, "dunning.taken_back", by, now, {"action": step.action, "reason": reason.strip()})
    return taken_back


@transaction.atomic
def hold(
    *, provider: Organization, invoice_id: UUID, until: datetime, reason: str, by: str, now: datetime
) -> DunningHold:
    """Take no step for an invoice before an instant; one that is over lets the steps go on. The latest hold counts."""
    invoice = Invoice.objects.filter(pk=invoice_id, issuer=provider).exclude(state=InvoiceState.DRAFT).first()
    if invoice is None:
        raise DunningUnknown(sentence("No invoice of yours has this id."))
    _require_reason(reason)
    made = DunningHold.objects.create(invoice=invoice, until=until, reason=reason.strip(), by=by, at=now)
    DunningCase.objects.filter(pk=invoice_id, is_open=True).update(next_at=now)
    _note(invoice, "dunning.held", by, now, {"until": until.isoformat(), "reason": reason.strip()})
    return made


def _blocked(invoice: Invoice, planned: Planned, schedule: Sequence[Planned], now: datetime) -> str:
    """Return why a step that is due must not be taken now; empty where it may."""
    if pauses_dunning(invoice.pk):
        return DISPUTED
    held = DunningHold.objects.filter(invoice=invoice).order_by("-at", "-pk").first()
    if held is not None and held.until > now:
        return HELD
    if planned.action is Action.SUSPEND and not _notice_is_out(invoice, days_of_notice(schedule), now):
        return NOTICE_NOT_OUT
    return ""


def _notice_is_out(invoice: Invoice, days: int, now: datetime) -> bool:
    """Whether a letter of the notice was sent so many days ago, and the notice stands."""
    told = DunningMail.objects.filter(
        step__invoice=invoice,
        step__action=Action.NOTICE,
        step__taken_back__isnull=True,
        sent_at__lte=now - timedelta(days=days),
    )
    return told.exists()


def _taken(invoice: Invoice, planned: Planned, schedule: Sequence[Planned], now: datetime) -> DunningStep:
    announces_at = now + timedelta(days=days_of_notice(schedule)) if planned.action is Action.NOTICE else None
    detail = _charge_again(invoice, now) if planned.action is Action.RETRY_CARD else ""
    step = DunningStep.objects.create(
        invoice=invoice,
        action=planned.action.value,
        after_days=planned.after_days,
        detail=detail,
        announces_at=announces_at,
        at=now,
    )
    if planned.action is Action.LATE_FEE:
        step = _charge_fee(step, invoice, planned, now)
    if planned.action in (Action.REMIND, Action.NOTICE, Action.SUSPEND, Action.LATE_FEE):
        _write_mails(step, invoice, now)
    if planned.action is Action.SUSPEND:
        Suspension.objects.create(step=step, contract=invoice.contract, at=now)
    kind = {Action.SUSPEND: "dunning.suspended", Action.RETRY_CARD: ""}.get(planned.action, "dunning.reminded")
    if kind:
        _tell(invoice, kind, step, now)
    _note(invoice, f"dunning.{planned.action.value}", SWEEP, now, {"after_days": planned.after_days, "detail": detail})
    return step


def _charge_again(invoice: Invoice, now: datetime) -> str:
    """Charge the card on file once more, where the contract says so and Stripe waits for it."""
    if invoice.contract.collection != Collection.CHARGE_AUTOMATICALLY or not hasattr(invoice, "settlement"):
        return NO_CARD_CHARGED
    try:
        retry_settlement(invoice_id=invoice.pk, actor=SWEEP, now=now)
    except NotRetryable as not_now:
        return not_now.detail[:REASON_CHARACTERS_MAX]
    return CARD_CHARGED


def _charge_fee(step: DunningStep, invoice: Invoice, planned: Planned, now: datetime) -> DunningStep:
    """Put the fee on the next invoice of the contract; where there is none it is not charged, and the step says so."""
    left = dues_of(invoice).left
    fee = round_to_minor(Fraction(planned.amount) + Fraction(left) * Fraction(planned.percent) / 100, invoice.currency)
    if fee <= 0:
        return step
    reason = LATE_FEE_REASON.format(days=planned.after_days)
    try:
        with transaction.atomic():
            add_debit(
                invoice_id=invoice.pk,
                amount=fee,
                reason=reason,
                cause=DebitCause.LATE_FEE,
                step=step,
                by=SWEEP,
                now=now,
            )
    except NoNextInvoice as none:
        logger.warning("late fee of invoice %s: %s", invoice.number, none.detail)
    return step


def _write_mails(step: DunningStep, invoice: Invoice, now: datetime) -> None:
    tenant = Organization.objects.get(pk=invoice.tenant_id)
    readers = Membership.objects.filter(organization=tenant, role__in=READERS, user__is_active=True)
    addresses = {email.lower() for email in readers.values_list("user__email", flat=True)}
    addresses |= {tenant.billing_email.lower()} if tenant.billing_email else set()
    DunningMail.objects.bulk_create(
        DunningMail(step=step, address=address, created_at=now, due_at=now) for address in sorted(addresses)
    )


def _end_settled(suspension: Suspension, now: datetime) -> bool:
    """Lift one whose invoice is paid, void or written off: the state in which it is says why."""
    invoice = suspension.step.invoice
    return _end(suspension, why=invoice.state, reason=f"invoice {invoice.number} is settled", by=SWEEP, now=now)


def _end(suspension: Suspension, *, why: str, reason: str, by: str, now: datetime) -> bool:
    """Lift a suspension whose row is locked; False where somebody did so before the lock was had.

    `why` is the word that programs are told, `reason` what people read.
    """
    if SuspensionEnd.objects.filter(suspension=suspension).exists():
        return False
    SuspensionEnd.objects.create(suspension=suspension, reason=reason[:REASON_CHARACTERS_MAX], by=by, at=now)
    step = suspension.step
    _tell(step.invoice, "dunning.lifted", step, now, reason=why)
    _note(step.invoice, "dunning.lifted", by, now, {"reason": reason})
    return True


def _tell(invoice: Invoice, kind: str, step: DunningStep, now: datetime, **more: str) -> None:
    body = {
        "id": str(step.pk),
        "invoice_id": str(invoice.pk),
        "invoice": invoice.number,
        "contract_id": str(invoice.contract_id),
        "contract": invoice.contract.number,
        "currency": invoice.currency,
        "left": money(dues_of(invoice).left, invoice.currency),
        "due_at": instant_text(invoice.due_at),
        "step": step.action,
        "after_days": step.after_days,
        "suspends_at": instant_text(step.announces_at),
        **more,
    }
    parties = (invoice.tenant_id, invoice.issuer_id)
    emit_to(parties, kind=kind, subject_id=invoice.pk, at=now, body=body, occasion=str(step.pk))


def _wait(case: DunningCase, next_at: datetime | None, waits_for: str = "") -> None:
    DunningCase.objects.filter(pk=case.pk).update(next_at=next_at, waits_for=waits_for)


def _require_reason(reason: str) -> None:
    if not 0 < len(reason.strip()) <= REASON_CHARACTERS_MAX:
        raise WrongDunning(
            sentence("reason: expected 1 to %(most)s characters.", most=REASON_CHARACTERS_MAX), field="reason"
        )


def _note(invoice: Invoice, action: str, by: str, now: datetime, after: dict[str, object]) -> None:
    AuditEntry.objects.create(
        organization_id=invoice.issuer_id,
        actor=by,
        action=action,
        subject=f"invoice {invoice.number}",
        after=after,
        at=now,
    )

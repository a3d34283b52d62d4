"""Questions of tenants about what they were billed: asked, answered, and ended by a credit note or without one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import IntegrityError, transaction

from billing.corrections.credit_notes import issue_credit_note
from billing.corrections.policies import policy_of
from billing.corrections.weighing import Scope
from billing.models import (
    CreditReason,
    Dispute,
    DisputeMessage,
    DisputeSide,
    DisputeState,
    Invoice,
    InvoiceState,
)
from billing.money import round_to_minor
from billing.states import in_state
from billing.telling import tell_subject
from tenants.models import AuditEntry, Organization
from tenants.problems import Problem
from tenants.sentences import sentence

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

TEXT_CHARACTERS_MAX = 4000
NOTE_CHARACTERS_MAX = 500
MESSAGES_MAX = 200


class WrongDispute(Problem):
    """The question names no line of the invoice, or says nothing."""

    status = 422
    code = "wrong_dispute"
    title = "This cannot be asked"


class AlreadyDisputed(Problem):
    """There is an open question about that line already."""

    status = 409
    code = "already_disputed"
    title = "There is an open question about this already"


class DisputeOver(Problem):
    """The question has its outcome."""

    status = 409
    code = "dispute_over"
    title = "The question is closed"


class NotYours(Problem):
    """Only the other side may do that."""

    status = 403
    code = "not_your_side"
    title = "The other party decides this"


@transaction.atomic
def open_dispute(*, invoice: Invoice, position: int | None, text: str, by: str, now: datetime) -> Dispute:
    """Ask about an issued invoice, or the line at `position` of it, in the name of its tenant.

    While it is open and the issuer's policy says so, no reminder is sent. Raises `WrongDispute`, `AlreadyDisputed`.
    """
    if invoice.state in (InvoiceState.DRAFT, InvoiceState.VOID):
        raise WrongDispute(
            sentence(
                "Invoice %(invoice)s is %(state)s: nothing is owed on it.",
                invoice=invoice,
                state=in_state(invoice.state),
            ),
            state=invoice.state,
        )
    _require_text(text)
    line = invoice.lines.filter(position=position).first() if position is not None else None
    if position is not None and line is None:
        raise WrongDispute(
            sentence("line: invoice %(number)s has no line %(position)s.", number=invoice.number, position=position),
            field="line",
        )
    try:
        with transaction.atomic():
            made = Dispute.objects.create(
                invoice=invoice,
                line=line,
                issuer_id=invoice.issuer_id,
                tenant_id=invoice.tenant_id,
                pauses_dunning=policy_of(invoice.issuer_id).disputes_pause_dunning,
                opened_by=by,
                opened_at=now,
            )
    except IntegrityError as error:
        if "one_open_dispute_of_a_line" not in str(error):
            raise
        about = "the whole invoice" if line is None else f"line {position}"
        raise AlreadyDisputed(
            sentence("There is an open question about %(about)s of %(number)s.", about=about, number=invoice.number)
        ) from error
    _say(made, DisputeSide.TENANT, text, by, now)
    _audit(made, "dispute.opened", by, now)
    return made


@transaction.atomic
def answer_dispute(*, dispute_id: UUID, organization: Organization, text: str, by: str, now: datetime) -> Dispute:
    """Write to the other side of an open question. Raises Dispute.DoesNotExist, `WrongDispute`, `DisputeOver`."""
    dispute = _locked(dispute_id, organization)
    _require_text(text)
    if dispute.messages.count() >= MESSAGES_MAX:
        raise WrongDispute(
            sentence("A question takes at most %(most)s messages: decide it, or ask anew.", most=MESSAGES_MAX)
        )
    _say(dispute, _side(dispute, organization), text, by, now)
    _tell(dispute, "dispute.answered", now, occasion=str(dispute.messages.count()))
    return dispute


@transaction.atomic
def grant_dispute(
    *, dispute_id: UUID, organization: Organization, scope: Scope, text: str, by: str, now: datetime
) -> Dispute:
    """Grant a question with a credit note, whole or in part; only the issuer can, and it closes the question.

    Raises Dispute.DoesNotExist, `NotYours`, `DisputeOver`, and what `issue_credit_note` raises.
    """
    # The invoice before the question, as everybody locks them.
    found = Dispute.objects.for_org(organization).get(pk=dispute_id)
    Invoice.objects.select_for_update().get(pk=found.invoice_id)
    dispute = _locked(dispute_id, organization)
    _require_side(dispute, organization, DisputeSide.PROVIDER)
    _require_text(text)
    note = issue_credit_note(
        invoice_id=dispute.invoice_id,
        scope=scope,
        reason=CreditReason.DISPUTE,
        note=text[:NOTE_CHARACTERS_MAX],
        by=by,
        now=now,
    )
    dispute.credit_note = note
    _say(dispute, DisputeSide.PROVIDER, text, by, now)
    return _closed(dispute, DisputeState.CREDITED, by, now)


@transaction.atomic
def uphold_invoice(*, dispute_id: UUID, organization: Organization, text: str, by: str, now: datetime) -> Dispute:
    """Let the invoice stand, with the reason; only the issuer can. Raises as `grant_dispute`."""
    dispute = _locked(dispute_id, organization)
    _require_side(dispute, organization, DisputeSide.PROVIDER)
    _require_text(text)
    _say(dispute, DisputeSide.PROVIDER, text, by, now)
    return _closed(dispute, DisputeState.UPHELD, by, now)


@transaction.atomic
def withdraw_dispute(*, dispute_id: UUID, organization: Organization, by: str, now: datetime) -> Dispute:
    """Take a question back; only who asked can. Raises Dispute.DoesNotExist, `NotYours`, `DisputeOver`."""
    dispute = _locked(dispute_id, organization)
    _require_side(dispute, organization, DisputeSide.TENANT)
    return _closed(dispute, DisputeState.WITHDRAWN, by, now)


def pauses_dunning(invoice_id: UUID) -> bool:
    """Whether an open question keeps reminders, and what follows them, from being sent for an invoice."""
    return Dispute.objects.filter(invoice_id=invoice_id, state=DisputeState.OPEN, pauses_dunning=True).exists()


def _locked(dispute_id: UUID, organization: Organization) -> Dispute:
    dispute = Dispute.objects.for_org(organization).select_for_update().get(pk=dispute_id)
    if dispute.state != DisputeState.OPEN:
        raise DisputeOver(sentence("The question is %(state)s.", state=in_state(dispute.state)), state=dispute.state)
    return dispute


def _side(dispute: Dispute, organization: Organization) -> DisputeSide:
    return DisputeSide.PROVIDER if dispute.issuer_id == organization.pk else DisputeSide.TENANT


def _require_side(dispute: Dispute, organization: Organization, side: DisputeSide) -> None:
    owner = dispute.issuer_id if side == DisputeSide.PROVIDER else dispute.tenant_id
    if owner != organization.pk:
        raise NotYours(sentence("Only the %(side)s of the invoice can do this.", side=side))


def _require_text(text: str) -> None:
    if not 0 < len(text.strip()) <= TEXT_CHARACTERS_MAX:
        raise WrongDispute(sentence("text: expected 1 to %(most)s characters.", most=TEXT_CHARACTERS_MAX), field="text")


def _say(dispute: Dispute, side: DisputeSide, text: str, by: str, now: datetime) -> None:
    DisputeMessage.objects.create(dispute=dispute, side=side, author=by, text=text, at=now)


def _closed(dispute: Dispute, state: DisputeState, by: str, now: datetime) -> Dispute:
    dispute.state, dispute.resolved_by, dispute.resolved_at = state, by, now
    dispute.save(update_fields=["state", "credit_note", "resolved_by", "resolved_at"])
    _audit(dispute, f"dispute.{state}", by, now)
    return dispute


def _audit(dispute: Dispute, action: str, by: str, now: datetime) -> None:
    """Both parties have it in their log."""
    invoice, note = dispute.invoice, dispute.credit_note
    credited = {"credit_note": note.number, "total": str(round_to_minor(note.total, note.currency))} if note else {}
    AuditEntry.objects.bulk_create(
        AuditEntry(
            organization_id=owner,
            actor=by,
            action=action,
            subject=f"invoice {invoice.number}",
            after={"line": dispute.line.position if dispute.line else None, "state": dispute.state, **credited},
            at=now,
        )
        for owner in (dispute.issuer_id, dispute.tenant_id)
    )
    opened = action == "dispute.opened"
    _tell(dispute, "dispute.opened" if opened else "dispute.closed", now)


def _tell(dispute: Dispute, kind: str, now: datetime, occasion: str = "") -> None:
    tell_subject(
        (dispute.issuer_id, dispute.tenant_id),
        kind,
        subject_id=dispute.pk,
        at=now,
        occasion=occasion,
        invoice_id=str(dispute.invoice_id),
        invoice=dispute.invoice.number,
        line=dispute.line.position if dispute.line else None,
        state=str(dispute.state),
        credit_note=dispute.credit_note.number if dispute.credit_note else None,
    )

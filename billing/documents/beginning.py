"""Having the papers of something made, and made again after a person has seen to what stopped them.

Apart from the making itself, which brings a typesetter with it: issuing and the pages need none.
"""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from django.db import transaction

from billing.documents.inputs import DocumentKind
from billing.models import Collective, CreditNote, DocumentState, DocumentStep, Invoice, ProviderStatement
from tenants.models import AuditEntry
from tenants.problems import Problem


class NothingToMake(Problem):
    """The papers are made already, or are being made."""

    status = 409
    code = "document_not_retryable"
    title = "There is no document to make again"


def begin_statement(statement: ProviderStatement, now: datetime) -> DocumentStep:
    """Have the paper of a statement made, which is for its provider alone; in the transaction that makes it."""
    return DocumentStep.objects.create(
        subject_id=statement.pk,
        subject=DocumentKind.STATEMENT,
        issuer_id=statement.provider_id,
        recipient_id=statement.provider_id,
        next_try_at=now,
        updated_at=now,
    )


def begin_collective(collective: Collective, now: datetime) -> DocumentStep:
    """Have the paper of a collective invoice made; in the transaction that makes it."""
    return DocumentStep.objects.create(
        subject_id=collective.pk,
        subject=DocumentKind.COLLECTIVE,
        issuer_id=collective.issuer_id,
        recipient_id=collective.tenant_id,
        next_try_at=now,
        updated_at=now,
    )


def begin_documents(issued: Invoice | CreditNote, now: datetime) -> DocumentStep:
    """Have the papers of an invoice or a credit note made; in the transaction that issues it: none is forgotten."""
    return begin_all([issued], now)[0]


def begin_all(issued: Iterable[Invoice | CreditNote], now: datetime) -> list[DocumentStep]:
    """Do `begin_documents` for several, in one statement."""
    return DocumentStep.objects.bulk_create(
        DocumentStep(
            subject_id=one.pk,
            subject=DocumentKind.CREDIT_NOTE if isinstance(one, CreditNote) else DocumentKind.INVOICE,
            issuer_id=one.issuer_id,
            recipient_id=one.tenant_id,
            next_try_at=now,
            updated_at=now,
        )
        for one in issued
    )


def retry_documents(*, subject_id: UUID, actor: str, now: datetime) -> DocumentStep:
    """Try a stopped step again. Raises `NothingToMake` from any other state, and DocumentStep.DoesNotExist."""
    with transaction.atomic():
        step = DocumentStep.objects.select_for_update().get(pk=subject_id)
        if step.state != DocumentState.FAILED:
            raise NothingToMake(f"The documents are {step.get_state_display()}.", state=step.state)
        before = step.last_error
        step.state, step.attempts, step.next_try_at, step.updated_at = DocumentState.WAITING, 0, now, now
        step.save(update_fields=["state", "attempts", "next_try_at", "updated_at"])
        AuditEntry.objects.create(
            organization_id=step.issuer_id,
            actor=actor,
            action="document.retried",
            subject=f"{step.subject} {step.pk}",
            before={"error": before},
            after={"state": step.state},
            at=now,
        )
        return step

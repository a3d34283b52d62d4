"""Making the papers of issued invoices: a step of its own that a sweep drives, and that fails and is retried alone.

What is made is stored once, with its hash, and never made again: a paper that somebody holds is the one that is kept.
The invoice itself, its payment and the books wait for none of it.
"""

from __future__ import annotations

import hashlib
import logging
from datetime import timedelta
from typing import TYPE_CHECKING

from django.db import transaction

from billing.documents.inputs import DocumentKind
from billing.documents.press import CannotPrint
from billing.documents.printing import Papers, print_document, print_plain
from billing.documents.reading import read_invoice
from billing.documents.reading_collective import read_collective
from billing.documents.reading_credit import read_credit_note
from billing.documents.stating import print_statement
from billing.models import DocumentFile, DocumentState, DocumentStep
from tenants.models import AuditEntry

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

logger = logging.getLogger(__name__)

LEASE = timedelta(minutes=5)
BACKOFF_FIRST = timedelta(seconds=30)
BACKOFF_MAX = timedelta(hours=1)
ERROR_CHARACTERS_MAX = 1000
READERS = {DocumentKind.INVOICE: read_invoice, DocumentKind.CREDIT_NOTE: read_credit_note}


def due_documents(*, now: datetime, limit: int) -> list[UUID]:
    """Return the subjects whose papers are to be made now, the longest waiting first."""
    due = DocumentStep.objects.filter(state=DocumentState.WAITING, next_try_at__lte=now)
    return list(due.order_by("next_try_at", "pk").values_list("pk", flat=True)[:limit])


def make_documents(*, subject_id: UUID, public_url: str, now: datetime) -> bool:
    """Claim a due step, make its papers and store them; False where another worker has it or it failed.

    1. The claim pushes `next_try_at` forward, so one worker wins and a dead one loses it when its lease ends.
    2. The papers are made from frozen rows, outside of any transaction.
    3. Files and state are stored in one; a second maker meets the unique key of step and format, and stores nothing.

    What a person must see to (a letter without a font, a logo that is no picture) stops the step; anything else, a
    checker of electronic invoices that is not there too, is tried again, each time later. An electronic invoice that
    breaks the standard's rules is not handed out: what it is made of is frozen, so the paper comes without it, and
    which rules it would break is logged, kept and shown.
    """
    step = _claim(subject_id=subject_id, now=now)
    if step is None:
        return False
    try:
        papers = _print(step, public_url)
    except CannotPrint as error:
        _stop(step, str(error), now)
        return False
    except Exception as error:
        _try_later(step, f"{type(error).__name__}: {error}", now)
        raise
    if papers.broken:
        logger.error("Electronic invoice of %s %s: %s", step.subject, step.pk, "; ".join(papers.lacks))
    return _store(step, papers, now)


def _claim(*, subject_id: UUID, now: datetime) -> DocumentStep | None:
    due = DocumentStep.objects.filter(pk=subject_id, state=DocumentState.WAITING, next_try_at__lte=now)
    if not due.update(next_try_at=now + LEASE):
        return None
    return DocumentStep.objects.get(pk=subject_id)


def _print(step: DocumentStep, public_url: str) -> Papers:
    kind = DocumentKind(step.subject)
    if kind is DocumentKind.STATEMENT:
        return print_statement(step.pk)
    if kind is DocumentKind.COLLECTIVE:
        return print_plain(read_collective(step.pk, public_url=public_url))
    return print_document(READERS[kind](step.pk, public_url=public_url))


@transaction.atomic
def _store(step: DocumentStep, papers: Papers, now: datetime) -> bool:
    held = DocumentStep.objects.select_for_update().get(pk=step.pk)
    if held.state == DocumentState.DONE:
        return False
    DocumentFile.objects.bulk_create(
        DocumentFile(
            step=held,
            format=made.format,
            name=made.name,
            media_type=made.media_type,
            body=made.body,
            sha256=hashlib.sha256(made.body).hexdigest(),
            made_with=made.made_with,
            made_at=now,
        )
        for made in papers.files
    )
    held.state, held.last_error, held.updated_at = DocumentState.DONE, "", now
    held.einvoice_lacks = list(papers.lacks)
    held.save(update_fields=["state", "last_error", "einvoice_lacks", "updated_at"])
    return True


@transaction.atomic
def _stop(step: DocumentStep, reason: str, now: datetime) -> None:
    """Stop for a person, in the log and the audit log."""
    waiting = DocumentStep.objects.filter(pk=step.pk, state=DocumentState.WAITING)
    if not waiting.update(state=DocumentState.FAILED, last_error=reason[:ERROR_CHARACTERS_MAX], updated_at=now):
        return
    logger.error("Documents of %s %s: %s", step.subject, step.pk, reason)
    AuditEntry.objects.create(
        organization_id=step.issuer_id,
        actor="documents",
        action="document.failed",
        subject=f"{step.subject} {step.pk}",
        after={"error": reason[:ERROR_CHARACTERS_MAX]},
        at=now,
    )


def _try_later(step: DocumentStep, reason: str, now: datetime) -> None:
    backoff = min(BACKOFF_FIRST * 2 ** min(step.attempts, 16), BACKOFF_MAX)
    DocumentStep.objects.filter(pk=step.pk, state=DocumentState.WAITING).update(
        attempts=step.attempts + 1,
        last_error=reason[:ERROR_CHARACTERS_MAX],
        next_try_at=now + backoff,
        updated_at=now,
    )

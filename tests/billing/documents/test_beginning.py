"""Having papers made: begun once with what they are of, for both parties, and made again only after a stop."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.db import IntegrityError, transaction

from billing.corrections.credit_notes import issue_credit_note
from billing.corrections.weighing import Scope
from billing.documents.beginning import NothingToMake, begin_documents, begin_statement, retry_documents
from billing.documents.making import due_documents
from billing.models import CreditReason, DocumentState, DocumentStep, Invoice
from tenants.ids import new_id
from tenants.models import AuditEntry
from tests.billing.issued import ISSUED_AT, make_issued
from tests.billing.statements.test_reading import make as make_statement
from tests.kept import kept

if TYPE_CHECKING:
    from tests.factories import Cast

pytestmark = pytest.mark.django_db
LATER = ISSUED_AT + timedelta(hours=1)
BY = "petra@example.com"


def failed(cast: Cast) -> DocumentStep:
    step = begin_documents(make_issued(parties=(cast.provider, cast.tenant)), ISSUED_AT)
    DocumentStep.objects.filter(pk=step.pk).update(
        state=DocumentState.FAILED, last_error="No font has it.", attempts=4, next_try_at=LATER + timedelta(days=1)
    )
    return step


@kept
def invoice(cast: Cast) -> Invoice:
    return make_issued(parties=(cast.provider, cast.tenant))


step = kept(failed)


def test_an_invoice_is_for_both_parties_and_due_at_once(cast: Cast, invoice: Invoice) -> None:
    step = begin_documents(invoice, ISSUED_AT)
    assert (step.subject_id, step.subject, step.state) == (invoice.pk, "invoice", DocumentState.WAITING)
    assert (step.issuer_id, step.recipient_id) == (cast.provider.pk, cast.tenant.pk)
    assert due_documents(now=ISSUED_AT, limit=9) == [invoice.pk]
    assert due_documents(now=ISSUED_AT - timedelta(microseconds=1), limit=9) == []
    for party, count in ((cast.provider, 1), (cast.tenant, 1), (cast.outsider, 0), (cast.operator, 0)):
        assert DocumentStep.objects.for_org(party).count() == count


def test_a_credit_note_begins_its_own_papers_with_it(cast: Cast, invoice: Invoice) -> None:
    note = issue_credit_note(
        invoice_id=invoice.pk, scope=Scope(), reason=CreditReason.GOODWILL, note="Sorry.", by=BY, now=ISSUED_AT
    )
    step = DocumentStep.objects.get(pk=note.pk)
    assert (step.subject, step.issuer_id, step.recipient_id) == ("credit_note", cast.provider.pk, cast.tenant.pk)


def test_a_statement_is_its_providers_alone(cast: Cast) -> None:
    step = begin_statement(make_statement(cast.provider, 1), ISSUED_AT)
    assert (step.subject, step.issuer_id, step.recipient_id) == ("statement", cast.provider.pk, cast.provider.pk)
    assert not DocumentStep.objects.for_org(cast.tenant).exists()


def test_papers_of_one_thing_are_begun_once_and_rolled_back_with_it(invoice: Invoice) -> None:
    with transaction.atomic():
        begin_documents(invoice, ISSUED_AT)
        transaction.set_rollback(True)
    assert not DocumentStep.objects.exists()
    begin_documents(invoice, ISSUED_AT)
    with pytest.raises(IntegrityError), transaction.atomic():
        begin_documents(invoice, LATER)
    assert DocumentStep.objects.get().next_try_at == ISSUED_AT


def test_what_stopped_is_tried_again_from_the_start_on_record(cast: Cast) -> None:
    step = retry_documents(subject_id=failed(cast).pk, actor=BY, now=LATER)
    assert (step.state, step.attempts, step.next_try_at, step.updated_at) == (DocumentState.WAITING, 0, LATER, LATER)
    assert due_documents(now=LATER, limit=9) == [step.pk]
    (entry,) = AuditEntry.objects.filter(action="document.retried")
    assert (entry.organization_id, entry.actor, entry.at) == (cast.provider.pk, BY, LATER)
    assert (entry.before, entry.after) == ({"error": "No font has it."}, {"state": "waiting"})
    assert entry.subject == f"invoice {step.pk}"


@pytest.mark.parametrize("state", [DocumentState.WAITING, DocumentState.DONE])
def test_what_did_not_stop_is_not_made_again(state: DocumentState, step: DocumentStep) -> None:
    DocumentStep.objects.filter(pk=step.pk).update(state=state)
    with pytest.raises(NothingToMake) as refused:
        retry_documents(subject_id=step.pk, actor=BY, now=LATER)
    assert (refused.value.status, refused.value.code) == (409, "document_not_retryable")
    assert state.label in refused.value.detail
    assert DocumentStep.objects.get().attempts == 4
    assert not AuditEntry.objects.filter(action="document.retried").exists()


def test_a_second_retry_finds_nothing_to_do(step: DocumentStep) -> None:
    retry_documents(subject_id=step.pk, actor=BY, now=LATER)
    with pytest.raises(NothingToMake):
        retry_documents(subject_id=step.pk, actor=BY, now=LATER)
    assert AuditEntry.objects.filter(action="document.retried").count() == 1


def test_what_has_no_papers_is_not_there() -> None:
    with pytest.raises(DocumentStep.DoesNotExist):
        retry_documents(subject_id=new_id(), actor=BY, now=LATER)

from __future__ import annotations

import hashlib
from datetime import timedelta

import pytest
from django.db import DatabaseError, connection, transaction

from billing.documents import making
from billing.documents.beginning import NothingToMake, begin_documents, retry_documents
from billing.documents.making import due_documents, make_documents
from billing.documents.printing import Papers
from billing.models import DocumentFile, DocumentState, DocumentStep, Invoice, InvoiceLine
from tenants.ids import new_id
from tenants.models import AuditEntry
from tests.billing.issued import ISSUED_AT, Line, make_issued
from tests.kept import kept

URL = "https://bills.example"
LATER = ISSUED_AT + timedelta(seconds=5)
UNSETTABLE = "\N{EGYPTIAN HIEROGLYPH A001}"

pytestmark = pytest.mark.django_db


def begun(model: str = "sample-model") -> Invoice:
    invoice = make_issued((Line("100.00", model),))
    begin_documents(invoice, ISSUED_AT)
    return invoice


def make(invoice: Invoice, *, seconds: int = 5) -> bool:
    return make_documents(subject_id=invoice.pk, public_url=URL, now=ISSUED_AT + timedelta(seconds=seconds))


def step_of(invoice: Invoice) -> DocumentStep:
    return DocumentStep.objects.get(pk=invoice.pk)


invoice = kept(begun)


def test_a_paper_is_made_once_and_kept_with_its_hash(invoice: Invoice) -> None:
    assert due_documents(now=LATER, limit=10) == [invoice.pk]
    assert make(invoice)
    file = DocumentFile.objects.get(step_id=invoice.pk)
    body = bytes(file.body)
    assert body.startswith(b"%PDF-1.7")
    assert file.sha256 == hashlib.sha256(body).hexdigest()
    assert file.name == f"invoice-{invoice.number}.pdf"
    assert step_of(invoice).state == DocumentState.DONE
    assert due_documents(now=LATER, limit=10) == []
    assert not make(invoice, seconds=600)
    assert DocumentFile.objects.count() == 1


def test_a_claimed_step_is_left_alone_until_its_lease_ends(invoice: Invoice) -> None:
    assert making._claim(subject_id=invoice.pk, now=LATER)
    assert due_documents(now=LATER, limit=10) == []
    assert not make(invoice)
    assert make(invoice, seconds=5 + int(making.LEASE.total_seconds()))


def test_the_slower_of_two_makers_stores_nothing(invoice: Invoice) -> None:
    step = making._claim(subject_id=invoice.pk, now=LATER)
    assert step is not None
    assert make(invoice, seconds=600)
    assert not making._store(step, Papers((), ()), LATER)
    assert step_of(invoice).state == DocumentState.DONE


def test_a_letter_without_a_font_stops_it_for_a_person_who_tries_again() -> None:
    invoice = begun(UNSETTABLE)
    assert not make(invoice)
    step = step_of(invoice)
    assert (step.state, DocumentFile.objects.count()) == (DocumentState.FAILED, 0)
    assert "No installed font has a letter of it" in step.last_error
    assert AuditEntry.objects.get(action="document.failed").organization_id == invoice.issuer_id
    assert due_documents(now=ISSUED_AT + timedelta(days=1), limit=10) == []

    retry_documents(subject_id=invoice.pk, actor="petra@example.com", now=LATER)
    assert due_documents(now=LATER, limit=10) == [invoice.pk]
    entry = AuditEntry.objects.get(action="document.retried")
    assert entry.actor == "petra@example.com"
    with pytest.raises(NothingToMake, match="to be made"):
        retry_documents(subject_id=invoice.pk, actor="petra@example.com", now=LATER)


def test_anything_else_is_tried_again_each_time_later(invoice: Invoice) -> None:
    lost = DocumentStep.objects.create(
        subject_id=new_id(),
        subject="invoice",
        issuer=invoice.issuer,
        recipient=invoice.tenant,
        attempts=1,
        next_try_at=ISSUED_AT,
        updated_at=ISSUED_AT,
    )
    with pytest.raises(Invoice.DoesNotExist):
        make_documents(subject_id=lost.pk, public_url=URL, now=LATER)
    lost.refresh_from_db()
    assert (lost.state, lost.attempts) == (DocumentState.WAITING, 2)
    assert lost.last_error.startswith("DoesNotExist")
    assert lost.next_try_at == LATER + 2 * making.BACKOFF_FIRST


def test_it_asks_the_same_few_questions_whatever_the_lines() -> None:
    few, many = begun(), make_issued(tuple(Line("1.00") for _ in range(40)))
    begin_documents(many, ISSUED_AT)
    counts = []
    for invoice in (few, many):
        with connection.execute_wrapper(counting := Counting()):
            assert make(invoice)
        counts.append(counting.queries)
    assert counts[0] == counts[1]
    assert InvoiceLine.objects.filter(invoice=many).count() == 40


class Counting:
    """Counts statements."""

    def __init__(self) -> None:
        self.queries = 0

    def __call__(self, execute, sql, params, many, context):  # type: ignore[no-untyped-def]  # as Django calls it
        self.queries += 1
        return execute(sql, params, many, context)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE billing_documentfile SET body = 'x'",
        "DELETE FROM billing_documentfile",
        "DELETE FROM billing_documentstep",
        "UPDATE billing_documentstep SET subject = 'other'",
    ],
)
def test_the_database_refuses_to_change_a_paper(statement: str) -> None:
    assert make(begun())
    connection.check_constraints()
    with pytest.raises(DatabaseError, match="refused"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)

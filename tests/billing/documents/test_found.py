from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.test import Client
from django.urls import reverse

from billing.corrections.credit_notes import issue_credit_note
from billing.corrections.weighing import Scope
from billing.documents.found import find_documents, find_file
from billing.documents.making import make_documents
from billing.models import CreditNote, CreditReason, DocumentFormat
from tests.billing.issued import ISSUED_AT, make_issued
from tests.filled import api_key
from tests.kept import kept

if TYPE_CHECKING:
    from tests.factories import Cast

pytestmark = pytest.mark.django_db


@kept
def note(cast: Cast) -> CreditNote:
    invoice = make_issued(parties=(cast.provider, cast.tenant))
    made = issue_credit_note(
        invoice_id=invoice.pk,
        scope=Scope(),
        reason=CreditReason.GOODWILL,
        note="Sorry.",
        by="petra@example.com",
        now=ISSUED_AT,
    )
    assert make_documents(subject_id=made.pk, public_url="https://bills.example", now=ISSUED_AT)
    return made


def test_both_parties_find_the_papers_of_a_credit_note_and_nobody_else(cast: Cast, note: CreditNote) -> None:
    for party in (cast.provider, cast.tenant):
        found = find_documents(party, note.pk)
        assert found is not None
        assert found.has(DocumentFormat.PDF)
        assert not found.has(DocumentFormat.CII)
        file = find_file(party, note.pk, DocumentFormat.PDF)
        assert file is not None
        assert file.body.startswith(b"%PDF")
    assert find_documents(cast.outsider, note.pk) is None
    assert find_file(cast.outsider, note.pk, DocumentFormat.PDF) is None


@pytest.mark.parametrize(("side", "insider"), [("tenant", "alice"), ("provider", "petra")])
def test_it_is_saved_from_its_page(cast: Cast, note: CreditNote, side: str, insider: str) -> None:
    client, stranger = Client(), Client()
    client.force_login(getattr(cast, insider))
    stranger.force_login(cast.charlie)
    file = reverse(f"{side}-credit-note-pdf", args=[note.number])
    assert f'href="{file}"' in client.get(reverse(f"{side}-credit-note", args=[note.number])).content.decode()
    assert client.get(file).content.startswith(b"%PDF")
    assert stranger.get(file).status_code == 404


def test_programs_read_it_and_are_told_why_it_is_not_electronic(cast: Cast, note: CreditNote) -> None:
    def ask(organization: object, what: str, query: str = "") -> object:
        headers = {"Authorization": f"Bearer {api_key(organization)}"}  # type: ignore[arg-type]  # of a cast
        return Client(headers=headers).get(reverse(f"api-credit-note-{what}", args=[note.pk]) + query)

    pdf = ask(cast.tenant, "pdf")
    assert pdf.content.startswith(b"%PDF")  # type: ignore[attr-defined]  # an answer
    assert ask(cast.tenant, "xml").json()["code"] == "no_einvoice"  # type: ignore[attr-defined]  # an answer
    assert ask(cast.tenant, "xml", "?syntax=x").status_code == 400  # type: ignore[attr-defined]  # an answer
    assert ask(cast.outsider, "pdf").status_code == 404  # type: ignore[attr-defined]  # an answer

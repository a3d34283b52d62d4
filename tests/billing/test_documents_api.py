from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.test import Client
from django.urls import reverse

from billing.documents.beginning import begin_documents
from billing.documents.making import make_documents
from billing.models import DocumentFile, DocumentStep
from tests.billing.issued import ISSUED_AT, make_issued
from tests.filled import api_key
from tests.kept import kept

if TYPE_CHECKING:
    from billing.models import Invoice
    from tests.factories import Cast

pytestmark = pytest.mark.django_db


@kept
def invoice(cast: Cast) -> Invoice:
    issued = make_issued(parties=(cast.provider, cast.tenant))
    begin_documents(issued, ISSUED_AT)
    return issued


def client_of(organization: object) -> Client:
    return Client(headers={"Authorization": f"Bearer {api_key(organization)}"})  # type: ignore[arg-type]  # of a cast


def make(invoice: Invoice) -> bytes:
    assert make_documents(subject_id=invoice.pk, public_url="https://bills.example", now=ISSUED_AT)
    return bytes(DocumentFile.objects.get(step_id=invoice.pk, format="pdf").body)


def test_both_parties_read_the_very_bytes_and_spare_what_they_know(cast: Cast, invoice: Invoice) -> None:
    body = make(invoice)
    path = reverse("api-invoice-pdf", args=[invoice.pk])
    for party in (cast.tenant, cast.provider):
        answer = client_of(party).get(path)
        assert (answer.status_code, answer["Content-Type"], answer.content) == (200, "application/pdf", body)
        assert answer["Content-Disposition"] == f'attachment; filename="invoice-{invoice.number}.pdf"'
        again = client_of(party).get(path, headers={"If-None-Match": answer["ETag"]})
        assert (again.status_code, again.content) == (304, b"")
    assert client_of(cast.outsider).get(path).status_code == 404


def test_asked_for_as_a_pdf_it_is_one_and_errors_are_said_in_json(cast: Cast, invoice: Invoice) -> None:
    path = reverse("api-invoice-pdf", args=[invoice.pk])
    client = client_of(cast.tenant)
    early = client.get(path, headers={"Accept": "application/pdf"})
    assert (early.status_code, early.json()["code"], early.json()["state"]) == (409, "document_not_ready", "waiting")
    assert early.json()["detail"] == "It is made in some seconds."
    make(invoice)
    assert client.get(path, headers={"Accept": "application/pdf"}).content.startswith(b"%PDF")


def test_what_stopped_it_is_said(cast: Cast, invoice: Invoice) -> None:
    DocumentStep.objects.filter(pk=invoice.pk).update(state="failed", last_error="No font has it.")
    client = client_of(cast.tenant)
    answer = client.get(reverse("api-invoice-pdf", args=[invoice.pk])).json()
    assert (answer["detail"], answer["state"]) == ("It could not be made: No font has it.", "failed")
    found = client.get(reverse("api-invoice-documents", args=[invoice.pk])).json()
    assert found == {"state": "failed", "error": "No font has it.", "einvoice_lacks": [], "files": []}


def test_which_files_there_are_is_told_with_their_hashes(cast: Cast, invoice: Invoice) -> None:
    make(invoice)
    found = client_of(cast.tenant).get(reverse("api-invoice-documents", args=[invoice.pk])).json()
    file = DocumentFile.objects.get(step_id=invoice.pk, format="pdf")
    assert found["state"] == "done"
    assert {"format": "pdf", "name": file.name, "sha256": file.sha256} in found["files"]


def test_an_invoice_from_before_there_were_papers_has_none(cast: Cast) -> None:
    bare = make_issued(parties=(cast.provider, cast.tenant))
    client = client_of(cast.tenant)
    assert client.get(reverse("api-invoice-pdf", args=[bare.pk])).status_code == 404
    assert client.get(reverse("api-invoice-documents", args=[bare.pk])).status_code == 404


@kept
def electronic(cast: Cast, invoice: Invoice) -> Invoice:
    """One whose electronic invoice was made, as it would be with taxes."""
    make(invoice)
    for syntax in ("cii", "ubl"):
        DocumentFile.objects.create(
            step_id=invoice.pk,
            format=syntax,
            name=f"invoice-{syntax}.xml",
            media_type="application/xml",
            body=f"<{syntax}/>".encode(),
            sha256=syntax * 20,
            made_at=ISSUED_AT,
        )
    return invoice


@pytest.mark.parametrize(("query", "body"), [("", b"<cii/>"), ("?syntax=cii", b"<cii/>"), ("?syntax=ubl", b"<ubl/>")])
def test_an_electronic_invoice_comes_in_the_syntax_asked_for(
    cast: Cast, electronic: Invoice, query: str, body: bytes
) -> None:
    client, path = client_of(cast.tenant), reverse("api-invoice-xml", args=[electronic.pk])
    answer = client.get(path + query, headers={"Accept": "application/xml"})
    assert (answer.status_code, answer["Content-Type"], answer.content) == (200, "application/xml", body)


def test_another_syntax_is_refused_with_those_there_are(cast: Cast, electronic: Invoice) -> None:
    client, path = client_of(cast.tenant), reverse("api-invoice-xml", args=[electronic.pk])
    answer = client.get(path, {"syntax": "edifact"})
    assert (answer.status_code, answer.json()["code"]) == (400, "unknown_syntax")
    assert answer.json()["detail"] == "'edifact' is not one of cii, ubl."


def test_why_there_is_no_electronic_invoice_is_said(cast: Cast, invoice: Invoice) -> None:
    client, path = client_of(cast.tenant), reverse("api-invoice-xml", args=[invoice.pk])
    assert client.get(path).json()["code"] == "document_not_ready"
    make(invoice)
    answer = client.get(path).json()
    assert (answer["code"], answer["status"]) == ("no_einvoice", 409)
    assert "No tax rule was applied to its lines." in answer["lacks"]


def test_the_lines_come_as_a_file_whatever_is_accepted(cast: Cast, invoice: Invoice) -> None:
    path = reverse("api-invoice-csv", args=[invoice.pk])
    answer = client_of(cast.provider).get(path)
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert b"".join(answer.streaming_content).decode().startswith("line,heading,description")  # type: ignore[attr-defined]  # a stream
    assert client_of(cast.outsider).get(path).status_code == 404

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.test import Client
from django.urls import reverse

from billing.documents.beginning import begin_documents
from billing.documents.making import make_documents
from billing.models import DocumentFile, DocumentFormat
from tests.billing.issued import ISSUED_AT, make_issued

if TYPE_CHECKING:
    from tests.factories import Cast

pytestmark = pytest.mark.django_db


def test_the_page_offers_the_pdf_once_it_is_made_and_both_parties_save_it(cast: Cast) -> None:
    invoice = make_issued(parties=(cast.provider, cast.tenant))
    begin_documents(invoice, ISSUED_AT)
    alice, petra = Client(), Client()
    alice.force_login(cast.alice)
    petra.force_login(cast.petra)
    page = reverse("tenant-invoice", args=[invoice.number])
    file = reverse("tenant-invoice-pdf", args=[invoice.number])
    assert file not in alice.get(page).content.decode()
    assert alice.get(file).status_code == 404
    assert make_documents(subject_id=invoice.pk, public_url="https://bills.example", now=ISSUED_AT)
    assert f'href="{file}"' in alice.get(page).content.decode()
    for client, name in ((alice, "tenant-invoice-pdf"), (petra, "provider-invoice-pdf")):
        answer = client.get(reverse(name, args=[invoice.number]))
        assert answer.content.startswith(b"%PDF")
        assert answer["Content-Type"] == "application/pdf"


def test_the_page_offers_the_electronic_invoice_or_tells_its_issuer_that_there_is_none(cast: Cast) -> None:
    invoice = make_issued(parties=(cast.provider, cast.tenant))
    begin_documents(invoice, ISSUED_AT)
    assert make_documents(subject_id=invoice.pk, public_url="https://bills.example", now=ISSUED_AT)
    sides = {"tenant": Client(), "provider": Client()}
    sides["tenant"].force_login(cast.alice)
    sides["provider"].force_login(cast.petra)
    pages = {
        side: client.get(reverse(f"{side}-invoice", args=[invoice.number])).content.decode()
        for side, client in sides.items()
    }
    assert ["the standard asks for more" in pages[side] for side in ("provider", "tenant")] == [True, False]
    DocumentFile.objects.create(
        step_id=invoice.pk,
        format=DocumentFormat.UBL,
        name="sample.xml",
        media_type="application/xml",
        body=b"<Invoice/>",
        sha256="0" * 64,
        made_with="sample",
        made_at=ISSUED_AT,
    )
    for side, client in sides.items():
        file = reverse(f"{side}-invoice-xml", args=[invoice.number])
        page = client.get(reverse(f"{side}-invoice", args=[invoice.number])).content.decode()
        assert f'href="{file}?syntax=ubl">UBL</a>' in page
        assert "syntax=cii" not in page
        answer = client.get(file, {"syntax": "ubl"})
        assert (answer.content, answer["Content-Type"]) == (b"<Invoice/>", "application/xml")
        assert [client.get(file, {"syntax": asked}).status_code for asked in ("cii", "pdf")] == [404, 404]
    stranger = Client()
    stranger.force_login(cast.charlie)
    assert stranger.get(reverse("tenant-invoice-xml", args=[invoice.number])).status_code == 404

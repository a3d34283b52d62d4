from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.test import Client
from django.urls import reverse

from billing.documents.beginning import begin_documents
from billing.documents.making import make_documents
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

"""The API and the page of an invoice show its taxes by rate and by line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from billing.models import Invoice
from billing.tax_rules.deciding import Method
from tests.billing.pages.reading import text_of
from tests.billing.tax.taxed import charges_tax, issued, stands, two_leases
from tests.filled import api_key
from tests.kept import kept

if TYPE_CHECKING:
    from django.test import Client

    from tests.factories import Cast

pytestmark = pytest.mark.django_db


@kept
def invoice(cast: Cast) -> Invoice:
    charges_tax(cast.provider)
    stands(cast.provider, "DE")
    stands(cast.tenant, "FI")
    return issued(two_leases(cast))


def test_an_invoice_tells_its_rates_and_its_lines_their_parts(client: Client, cast: Cast, invoice: Invoice) -> None:
    key = {"authorization": f"Bearer {api_key(cast.tenant)}"}
    told = client.get(f"/api/v1/invoices/{invoice.pk}", headers=key).json()
    assert (told["subtotal"], told["tax"], told["total"]) == ("100.66", "25.67", "126.33")
    assert told["taxes"] == [
        {
            "position": 1,
            "category": "S",
            "percent": "25.5",
            "country": "FI",
            "said_by": "built_in",
            "reason_code": "",
            "reason": "",
            "taxable": "100.66",
            "tax": "25.67",
        }
    ]
    lines = client.get(f"/api/v1/invoices/{invoice.pk}/lines", headers=key).json()["lines"]
    assert [line["tax"] for line in lines] == [
        {"rate": 1, "category": "S", "percent": "25.5", "tax": tax} for tax in ("0.17", "25.50")
    ]


def test_the_page_names_the_rate_and_its_base(client: Client, cast: Cast, invoice: Invoice) -> None:
    client.force_login(cast.alice)
    page = text_of(client.get(f"/t/invoices/{invoice.number}/"))
    assert "Value added tax 25.5% (Finland) on €100.66 €25.67" in page


def test_the_page_says_why_no_tax_is_charged_where_a_reason_was_given(client: Client, cast: Cast) -> None:
    charges_tax(cast.provider, Method.NONE, no_tax_reason="Small business")
    number = issued(two_leases(cast)).number
    client.force_login(cast.alice)
    page = text_of(client.get(f"/t/invoices/{number}/"))
    assert "Exempt on €100.66 · Small business €0.00" in page

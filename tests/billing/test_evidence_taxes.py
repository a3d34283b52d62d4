"""Taxes recompute from the evidence file alone, and what was changed in it shows."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

import pytest

from billing.evidence import differences
from billing.models import InvoiceEvidence
from tests.billing.tax.taxed import VAT_IDS, charges_tax, issued, stands, two_leases
from tests.kept import kept

if TYPE_CHECKING:
    from tests.factories import Cast

pytestmark = pytest.mark.django_db


@kept
def document(cast: Cast) -> dict[str, Any]:
    charges_tax(cast.provider)
    stands(cast.provider, "DE", vat_id=VAT_IDS["DE"])
    stands(cast.tenant, "FR")
    invoice = issued(two_leases(cast))
    found: dict[str, Any] = json.loads(InvoiceEvidence.objects.get(invoice=invoice).document)
    return found


def test_the_file_holds_what_taxes_were_decided_from(document: dict[str, Any]) -> None:
    taxes = document["taxes"]
    assert taxes["basis"]["buyer"] == {"country": "FR", "vat_id": "", "eu_vat_id_valid": False}
    assert {rate["country"] for rate in taxes["basis"]["standard_rates"]} == {"DE", "FR"}
    assert taxes["rates"] == [
        {
            "category": "S",
            "percent": "20",
            "country": "FR",
            "source": "built_in",
            "reason_code": "",
            "reason": "",
            "taxable": "100.66",
            "tax": "20.13",
        }
    ]
    assert taxes["lines"] == [{"rate": 0, "tax": "0.13"}, {"rate": 0, "tax": "20.00"}]
    assert differences(document) == []


def changed(document: dict[str, Any], change: str) -> dict[str, Any]:
    found = copy.deepcopy(document)
    taxes, invoice = found["taxes"], found["invoice"]
    if change == "a rate":
        taxes["rates"][0]["tax"] = "20.14"
    elif change == "a line":
        taxes["lines"][0]["tax"] = "0.14"
    elif change == "a line left out":
        taxes["lines"].pop()
    elif change == "the total":
        invoice.update(tax="20.14", total="120.80")
    elif change == "the buyer":
        taxes["basis"]["buyer"]["eu_vat_id_valid"] = True
    elif change == "the rates":
        taxes["basis"]["standard_rates"] = []
    elif change == "no taxes":
        found["taxes"] = None
    return found


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("a rate", "tax rates 1: "),
        ("a line", "tax lines 1: "),
        ("a line left out", "tax lines 2: None stated"),
        ("the total", "tax: 20.14 stated, 20.13 computed"),
        ("the buyer", "'category': 'AE'"),
        ("the rates", "tax: no rate is known for FR on 2026-03-05"),
        ("no taxes", "tax: 20.13 stated, and nothing that it was worked out from"),
    ],
)
def test_what_was_changed_shows(document: dict[str, Any], change: str, said: str) -> None:
    assert any(said in each for each in differences(changed(document, change)))


def test_a_basis_of_another_shape_makes_no_sense(document: dict[str, Any]) -> None:
    document["taxes"]["basis"]["method"] = "magic"
    assert differences(document)[0].startswith("cannot be recomputed: ValidationError")

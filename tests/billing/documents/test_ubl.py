from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree

from billing.documents.ubl import COMMON, write_ubl
from tests.billing.documents.invoiced import credit_note, known, two_rates
from tests.billing.documents.made import BUYER, invoice


def read(body: bytes) -> ElementTree.Element:
    return ElementTree.fromstring(body)


def all_of(root: ElementTree.Element, path: str) -> list[str | None]:
    return [found.text for found in root.findall(path, dict(COMMON))]


def test_its_figures_are_those_of_the_invoice() -> None:
    root = read(write_ubl(known(two_rates())))
    assert all_of(root, "cac:InvoiceLine/cbc:LineExtensionAmount") == ["9813.60", "-13.60", "100.00"]
    assert all_of(root, "cac:TaxTotal/cac:TaxSubtotal/cbc:TaxAmount") == ["1862.00", "7.00"]
    sums = root.find("cac:LegalMonetaryTotal", dict(COMMON))
    assert sums is not None
    assert [found.text for found in sums] == ["9900.00", "9900.00", "11769.00", "1769.00", "10000.00"]


def test_a_credit_note_has_its_own_root_and_names_its_invoice() -> None:
    root = read(write_ubl(known(credit_note())))
    assert root.tag.endswith("}CreditNote")
    assert all_of(root, "cac:BillingReference/cac:InvoiceDocumentReference/cbc:ID") == ["INV-0001"]
    assert all_of(root, "cac:CreditNoteLine/cbc:CreditedQuantity")[0] == "4176"
    assert all_of(root, "cbc:DueDate") == []


def test_parties_stand_with_address_and_numbers() -> None:
    three = replace(BUYER, address=("1 rue A", "Bât. B", "3e étage"), tax_id="T-1", region="Île-de-France")
    root = read(write_ubl(known(invoice(buyer=three))))
    party = "cac:AccountingCustomerParty/cac:Party/"
    assert all_of(root, f"{party}cac:PostalAddress/cac:AddressLine/cbc:Line") == ["3e étage"]
    assert all_of(root, f"{party}cac:PartyTaxScheme/cbc:CompanyID") == ["FR40303265045", "T-1"]
    assert all_of(root, f"{party}cac:PartyTaxScheme/cac:TaxScheme/cbc:ID") == ["VAT", "TAX"]
    assert all_of(root, "cac:PaymentMeans/cac:PayeeFinancialAccount/cbc:ID") == ["DE02120300000000202051"]


def test_the_same_invoice_is_the_same_bytes() -> None:
    assert write_ubl(known(invoice())) == write_ubl(known(invoice()))

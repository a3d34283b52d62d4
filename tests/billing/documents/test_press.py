"""Few PDFs, each looked at from several sides."""

from __future__ import annotations

import zlib
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
from pypdf import PdfReader
from pypdf.generic import PdfObject

from billing.documents.composing import compose
from billing.documents.paper import Row, RowKind
from billing.documents.press import CannotPrint, as_pictures, made_with, print_paper
from tests.billing.documents.made import ISSUED, invoice, long_invoice

if TYPE_CHECKING:
    from billing.documents.inputs import DocumentInput

PNG_START = b"\x89PNG\r\n\x1a\n"


@cache
def printed() -> bytes:
    return pdf_of(invoice())


def pdf_of(document: DocumentInput) -> bytes:
    return print_paper(compose(document), issued_at=document.issued_at, logo=document.seller.logo).body


def read(body: bytes) -> PdfReader:
    from io import BytesIO

    return PdfReader(BytesIO(body))


def plain(found: PdfObject) -> Any:
    """What is in a PDF, whose types are only known to who reads it."""
    return found


def picture() -> bytes:
    """A PNG of one grey pixel."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return len(body).to_bytes(4, "big") + kind + body + zlib.crc32(kind + body).to_bytes(4, "big")

    head = b"\0\0\0\1\0\0\0\1\x08\0\0\0\0"
    return PNG_START + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0\x80")) + chunk(b"IEND", b"")


def test_it_is_the_same_bytes_however_often_it_is_made() -> None:
    assert pdf_of(invoice()) == printed()
    assert pdf_of(invoice(number="INV-0002")) != printed()


def test_it_says_that_it_is_a_pdf_a_3b_and_has_what_that_takes() -> None:
    reader = read(printed())
    root = plain(reader.trailer["/Root"])
    metadata = root["/Metadata"].get_data().decode()
    assert "<pdfaid:part>3</pdfaid:part><pdfaid:conformance>B</pdfaid:conformance>" in metadata
    assert root["/OutputIntents"][0]["/S"] == "/GTS_PDFA1"
    assert "/StructTreeRoot" in root, "tagged, so that it can be read aloud"
    for page in reader.pages:
        fonts = plain(page["/Resources"])["/Font"]
        assert fonts
        for font in fonts.values():
            [inner] = font.get_object()["/DescendantFonts"]
            assert {"/FontFile2", "/FontFile3"} & set(inner.get_object()["/FontDescriptor"])


def test_it_is_dated_as_it_was_issued_and_names_itself() -> None:
    information = read(printed()).metadata
    assert information is not None
    assert information.creation_date == ISSUED
    assert information.title == "Invoice INV-0001"
    assert information.author == "Sample Compute GmbH"


def test_every_figure_can_be_copied_out_of_it() -> None:
    words = read(printed()).pages[0].extract_text()
    for figure in ("€11,662.00 due 17 April 2026", "DE02 1203 0000 0000 2020 51", "4,176 GPU-h", "Page 1 of 1"):
        assert figure in words
    [link] = plain(read(printed()).pages[0]["/Annots"])
    assert link.get_object()["/A"]["/URI"] == "https://bills.example/t/invoices/INV-0001/"


def test_a_long_one_goes_on_over_pages_with_its_head_and_numbers() -> None:
    pages = read(pdf_of(long_invoice())).pages
    assert len(pages) == 7
    for place, page in enumerate(pages[:6], 1):
        words = page.extract_text()
        assert f"Page {place} of 7" in words
        assert "Unit price" in words


def test_no_page_ends_with_the_heading_of_what_is_on_the_next() -> None:
    groups = [
        (Row(RowKind.HEADING, ("model", "", "", "", "sum")), *(Row(RowKind.LINE, ("line", "", "", "", "")),) * size)
        for size in (1, 2, 1, 3, 1, 1, 2) * 12
    ]
    paper = compose(invoice())
    [table] = paper.tables
    table = replace(table, rows=tuple(row for group in groups for row in group))
    pages = read(print_paper(replace(paper, tables=(table,)), issued_at=ISSUED).body).pages
    last = [page.extract_text().rindex("model") < page.extract_text().rindex("line") for page in pages[:-1]]
    assert last == [True] * 4


def test_texts_are_no_markup() -> None:
    name = '#panic("x") $1$ *b* `r` \\ @a <b> "] #sys.inputs'
    words = read(pdf_of(invoice(buyer=replace(invoice().buyer, name=name)))).pages[0].extract_text()
    assert name in words.replace("\n", " ")


def test_a_logo_is_set_and_what_is_no_picture_is_refused() -> None:
    seller = replace(invoice().seller, logo=picture())
    assert read(pdf_of(invoice(seller=seller))).pages[0].images
    with pytest.raises(CannotPrint, match="neither a PNG nor a JPEG"):
        pdf_of(invoice(seller=replace(seller, logo=b"<svg/>")))
    with pytest.raises(CannotPrint, match="Typst cannot set it"):
        pdf_of(invoice(seller=replace(seller, logo=PNG_START + b"no picture")))


def test_a_letter_that_no_font_has_is_said() -> None:
    with pytest.raises(CannotPrint, match="No installed font has a letter of it"):
        pdf_of(invoice(notes=("\N{EGYPTIAN HIEROGLYPH A001}",)))


def test_pages_can_be_looked_at() -> None:
    [page] = as_pictures(compose(invoice()), issued_at=ISSUED, dots_per_inch=20)
    assert page.startswith(PNG_START)


def test_it_names_the_program_that_made_it() -> None:
    assert made_with().startswith("typst 0.")

from __future__ import annotations

from io import BytesIO
from xml.etree import ElementTree

import pytest
from pypdf import PdfReader

from billing.documents.xmp import NAMESPACE, NotOurPdf, say_facturx
from tests.billing.documents.test_press import plain, printed


def test_the_old_bytes_stay_and_the_metadata_says_more() -> None:
    pdf = say_facturx(printed())
    assert pdf.startswith(printed())
    assert say_facturx(printed()) == pdf
    root = plain(PdfReader(BytesIO(pdf), strict=True).trailer["/Root"])
    metadata = ElementTree.fromstring(root["/Metadata"].get_data())
    said = {
        found.tag.removeprefix(f"{{{NAMESPACE}}}"): found.text for found in metadata.iter() if NAMESPACE in found.tag
    }
    assert said == {
        "DocumentType": "INVOICE",
        "DocumentFileName": "factur-x.xml",
        "Version": "1.0",
        "ConformanceLevel": "EN 16931",
    }
    described = {found.text for found in metadata.iter("{http://www.aiim.org/pdfa/ns/property#}name")}
    assert said.keys() <= described
    assert len(list(metadata.iter("{http://www.aiim.org/pdfa/ns/extension/}schemas"))) == 1


def test_its_table_of_places_is_right() -> None:
    pdf = say_facturx(printed())
    start = int(pdf.rsplit(b"startxref\n", 1)[1].split(b"\n")[0])
    head, entry = pdf[start:].split(b"\n")[1:3]
    number, place = int(head.split()[0]), int(entry.split()[0])
    assert pdf[place:].startswith(b"%d 0 obj" % number)


@pytest.mark.parametrize("pdf", [b"", b"%PDF-1.7\n", b"%PDF-1.7\ntrailer <</Size 1>>\nstartxref\n0\n%%EOF"])
def test_what_another_program_wrote_is_refused(pdf: bytes) -> None:
    with pytest.raises(NotOurPdf):
        say_facturx(pdf)


def test_metadata_that_describes_no_schemas_is_refused() -> None:
    with pytest.raises(NotOurPdf, match="describes no schemas"):
        say_facturx(printed().replace(b"<pdfaExtension:schemas>", b"<pdfaExtension:schemes>"))

"""Saying in a PDF's own metadata that it is a Factur-X invoice: by an incremental update that rewrites one object.

Factur-X 1.0 (section 6) asks for four properties and, since PDF/A-3 allows no unknown ones, for the description of
their schema. The PDF is one that Typst wrote: a cross-reference table at its end, metadata as plain text. The old bytes
stay as they are; one object, its place and a trailer are added behind them (ISO 32000-1, 7.5.6).
"""

import hashlib
import re

NAMESPACE = "urn:factur-x:pdfa:CrossIndustryDocument:invoice:1p0#"
PROPERTIES = {
    "DocumentType": ("INVOICE", "The type of the document"),
    "DocumentFileName": ("factur-x.xml", "The name of the embedded XML file"),
    "Version": ("1.0", "The version of the Factur-X schema of the embedded file"),
    "ConformanceLevel": ("EN 16931", "The conformance level of the embedded file"),
}
"""Value and description."""

_METADATA = re.compile(rb"(\d+) 0 obj\s*<<[^>]*/Type\s*/Metadata[^>]*>>\s*stream\r?\n", re.DOTALL)
_TRAILER = re.compile(
    rb"trailer\s*<<\s*/Size (\d+)\s*/Root (\d+ 0 R)\s*/Info (\d+ 0 R)\s*/ID\[\(([^)]*)\)\(([^)]*)\)\]\s*>>\s*"
    rb"startxref\s*(\d+)\s*%%EOF\s*$"
)
_DESCRIBED = b"<pdfaExtension:schemas><rdf:Bag>"
_END = b"</rdf:RDF>"


class NotOurPdf(Exception):
    """The PDF is not built as expected: its writer has changed."""


def say_facturx(pdf: bytes) -> bytes:
    """Return the PDF with the metadata of Factur-X; raise `NotOurPdf`."""
    found, trailer = _METADATA.search(pdf), _TRAILER.search(pdf)
    if found is None or trailer is None:
        raise NotOurPdf("The PDF has no plain metadata, or no cross-reference table.")
    end = pdf.index(b"\nendstream", found.end())
    xmp = pdf[found.end() : end]
    if xmp.count(_DESCRIBED) != 1 or xmp.count(_END) != 1:
        raise NotOurPdf("The PDF's metadata describes no schemas.")
    xmp = xmp.replace(_DESCRIBED, _DESCRIBED + _schema()).replace(_END, _properties() + _END)
    return pdf + _update(len(pdf), int(found[1]), xmp, trailer)


def _update(place: int, number: int, xmp: bytes, trailer: re.Match[bytes]) -> bytes:
    size, root, information, first_id, _second_id, before = trailer.groups()
    body = b"%d 0 obj\n<</Length %d/Type/Metadata/Subtype/XML>>\nstream\n%b\nendstream\nendobj\n" % (
        number,
        len(xmp),
        xmp,
    )
    # The second identifier is of this version of the file: it changes with what is added.
    second_id = hashlib.sha256(xmp).hexdigest()[:32].encode()
    table = b"xref\n%d 1\n%010d 00000 n \n" % (number, place)
    tail = b"trailer\n<</Size %b/Root %b/Info %b/ID[(%b)(%b)]/Prev %b>>\nstartxref\n%d\n%%%%EOF\n" % (
        size,
        root,
        information,
        first_id,
        second_id,
        before,
        place + len(body),
    )
    return body + table + tail


def _schema() -> bytes:
    properties = "".join(
        f'<rdf:li rdf:parseType="Resource"><pdfaProperty:name>{name}</pdfaProperty:name>'
        "<pdfaProperty:valueType>Text</pdfaProperty:valueType><pdfaProperty:category>external</pdfaProperty:category>"
        f"<pdfaProperty:description>{words}</pdfaProperty:description></rdf:li>"
        for name, (_value, words) in PROPERTIES.items()
    )
    return (
        '<rdf:li rdf:parseType="Resource"><pdfaSchema:schema>Factur-X PDFA Extension Schema</pdfaSchema:schema>'
        f"<pdfaSchema:namespaceURI>{NAMESPACE}</pdfaSchema:namespaceURI><pdfaSchema:prefix>fx</pdfaSchema:prefix>"
        f"<pdfaSchema:property><rdf:Seq>{properties}</rdf:Seq></pdfaSchema:property></rdf:li>"
    ).encode()


def _properties() -> bytes:
    values = "".join(f"<fx:{name}>{value}</fx:{name}>" for name, (value, _words) in PROPERTIES.items())
    return f'<rdf:Description rdf:about="" xmlns:fx="{NAMESPACE}">{values}</rdf:Description>'.encode()

"""From what a document says to its files: the electronic invoice in two syntaxes, checked, and the PDF with it."""

from dataclasses import dataclass

from billing.documents.cii import FILE_NAME, write_cii
from billing.documents.composing import compose
from billing.documents.einvoice import Lacks, einvoice_of
from billing.documents.inputs import DocumentInput
from billing.documents.press import Attachment, print_paper
from billing.documents.rules import Rules, broken_rules, checked_with
from billing.documents.ubl import write_ubl
from billing.documents.xmp import say_facturx
from billing.models import DocumentFormat

BROKEN_SHOWN_MAX = 5
XML_TYPE = "application/xml"


@dataclass(frozen=True, slots=True)
class Made:
    """A file that was made and is not stored yet."""

    format: DocumentFormat
    name: str
    media_type: str
    body: bytes
    made_with: str


@dataclass(frozen=True, slots=True)
class Papers:
    """The files of a document, and why there is no electronic invoice among them, if there is none.

    `broken` where one could be written, and breaks the rules that `lacks` then names.
    """

    files: tuple[Made, ...]
    lacks: tuple[str, ...] = ()
    broken: bool = False


def print_plain(document: DocumentInput) -> Papers:
    """Return the PDF alone, of what is no invoice by itself. Raises `CannotPrint`."""
    return Papers((_pdf(document, f"{document.kind}-{document.number}", b""),))


def print_document(document: DocumentInput) -> Papers:
    """Return the files of an invoice or a credit note.

    Where something is not known that EN 16931 demands, there is the PDF alone, and where what is written breaks the
    standard's own rules, by which it is checked before it is embedded. Raises `NoChecker` and `CannotPrint`.
    """
    einvoice = einvoice_of(document)
    stem = f"{document.kind.replace('_', '-')}-{document.number}"
    if isinstance(einvoice, Lacks):
        return Papers((_pdf(document, stem, b""),), einvoice.reasons)
    cii, ubl = write_cii(einvoice), write_ubl(einvoice)
    broken = (*broken_rules(cii, Rules.CII), *broken_rules(ubl, Rules.UBL))
    if broken:
        said = tuple(dict.fromkeys(f"Rule {one}" for one in broken))[:BROKEN_SHOWN_MAX]
        return Papers((_pdf(document, stem, b""),), said, broken=True)
    return Papers(
        (
            _pdf(document, stem, cii),
            Made(DocumentFormat.CII, f"{stem}.xml", XML_TYPE, cii, checked_with()),
            Made(DocumentFormat.UBL, f"{stem}-ubl.xml", XML_TYPE, ubl, checked_with()),
        )
    )


def _pdf(document: DocumentInput, stem: str, cii: bytes) -> Made:
    attached = (Attachment(FILE_NAME, cii, "text/xml", description="Factur-X"),) if cii else ()
    printed = print_paper(
        compose(document), issued_at=document.issued_at, logo=document.seller.logo, attachments=attached
    )
    body = say_facturx(printed.body) if cii else printed.body
    return Made(DocumentFormat.PDF, f"{stem}.pdf", "application/pdf", body, printed.made_with)

"""The API of invoices' papers: for the tenant that owes one and the provider that issued it, and for nobody else."""

from typing import Any, Final
from uuid import UUID

from django.http import Http404, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import get_conditional_response
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from billing.csv_files import CsvRenderer, csv_answer
from billing.documents.found import FoundFile, find_documents, find_file
from billing.invoice_csv import PART_HEAD, part_rows
from billing.models import DocumentFormat, DocumentState
from billing.queries.invoice_detail import invoice_lines
from tenants.authentication import organization_of
from tenants.models import Organization
from tenants.problems import Problem

SCOPES: Final = {"GET": "invoices:read"}
SYNTAXES: Final = {"cii": DocumentFormat.CII, "ubl": DocumentFormat.UBL}


SYNTAX: Final = OpenApiParameter(
    "syntax", str, enum=list(SYNTAXES), description="cii is what the PDF carries (Factur-X); cii by default"
)


class DocumentNotReady(Problem):
    """The file is not made yet, or a person must see to what stopped it."""

    status = 409
    code = "document_not_ready"
    title = "The document is not there yet"


class NoEinvoice(Problem):
    """There is no electronic invoice, since something that it must say was not known as it was issued."""

    status = 409
    code = "no_einvoice"
    title = "There is no electronic invoice of it"


class UnknownSyntax(Problem):
    """No electronic invoice is written so."""

    status = 400
    code = "unknown_syntax"
    title = "There is no such syntax"


class PdfRenderer(JSONRenderer):
    """Lets a paper be asked for as `application/pdf`; what goes wrong is still said in JSON."""

    media_type = "application/pdf"
    format = "pdf"


class XmlRenderer(JSONRenderer):
    """Lets an electronic invoice be asked for as `application/xml`; what goes wrong is still said in JSON."""

    media_type = "application/xml"
    format = "xml"


class DocumentFileSerializer(serializers.Serializer[Any]):
    """One file."""

    format = serializers.ChoiceField(DocumentFormat.values, help_text="pdf; cii and ubl are electronic invoices")
    name = serializers.CharField()
    sha256 = serializers.CharField(help_text="of the file; it never changes once it is made")


class DocumentsSerializer(serializers.Serializer[Any]):
    """The papers of an invoice."""

    state = serializers.ChoiceField(DocumentState.values)
    error = serializers.CharField(help_text="what stopped it, if anything")
    einvoice_lacks = serializers.ListField(
        child=serializers.CharField(), help_text="what was not known that an electronic invoice must say"
    )
    files = DocumentFileSerializer(many=True)


class InvoiceDocumentsView(APIView):
    """How far the papers of an invoice are."""

    required_scopes = SCOPES

    @extend_schema(
        operation_id="invoices_documents_retrieve",
        tags=["invoices"],
        summary="See which documents an invoice has",
        responses={200: DocumentsSerializer},
    )
    def get(self, request: Request, invoice_id: UUID) -> Response:
        """Say which files are made; they are made once, some seconds after the invoice is issued."""
        found = find_documents(organization_of(request), invoice_id)
        if found is None:
            raise Http404
        files = [{"format": one, "name": name, "sha256": sha256} for one, name, sha256 in found.files]
        lacks = list(found.einvoice_lacks)
        return Response({"state": found.state, "error": found.error, "einvoice_lacks": lacks, "files": files})


class InvoicePdfView(APIView):
    """The paper of an invoice."""

    required_scopes = SCOPES
    renderer_classes: list[type[BaseRenderer]] = [JSONRenderer, PdfRenderer]

    @extend_schema(
        operation_id="invoices_pdf_retrieve",
        tags=["invoices"],
        summary="Read an invoice as PDF",
        responses={(200, "application/pdf"): OpenApiTypes.BINARY},
    )
    def get(self, request: Request, invoice_id: UUID) -> HttpResponseBase:
        """Read the PDF/A-3, byte for byte as it was made; its SHA-256 is the ETag. 409 `document_not_ready` before."""
        return _file(request, organization_of(request), invoice_id, DocumentFormat.PDF)


class InvoiceXmlView(APIView):
    """The electronic invoice."""

    required_scopes = SCOPES
    renderer_classes: list[type[BaseRenderer]] = [JSONRenderer, XmlRenderer]

    @extend_schema(
        operation_id="invoices_xml_retrieve",
        tags=["invoices"],
        summary="Read an invoice as EN 16931 XML",
        parameters=[SYNTAX],
        responses={(200, "application/xml"): OpenApiTypes.BINARY},
    )
    def get(self, request: Request, invoice_id: UUID) -> HttpResponseBase:
        """Read the electronic invoice as UN/CEFACT CII or OASIS UBL, as it was checked by the standard's own rules.

        409 `no_einvoice` says what was not known that the standard demands; `document_not_ready` that it is not made.
        """
        return _file(request, organization_of(request), invoice_id, _syntax(request))


class CreditNotePdfView(APIView):
    """The paper of a credit note."""

    required_scopes = SCOPES
    renderer_classes: list[type[BaseRenderer]] = [JSONRenderer, PdfRenderer]

    @extend_schema(
        operation_id="credit_notes_pdf_retrieve",
        tags=["corrections"],
        summary="Read a credit note as PDF",
        responses={(200, "application/pdf"): OpenApiTypes.BINARY},
    )
    def get(self, request: Request, credit_note_id: UUID) -> HttpResponseBase:
        """Read the PDF/A-3, byte for byte as it was made; its SHA-256 is the ETag. 409 `document_not_ready` before."""
        return _file(request, organization_of(request), credit_note_id, DocumentFormat.PDF)


class CollectivePdfView(APIView):
    """The paper of a collective invoice."""

    required_scopes = SCOPES
    renderer_classes: list[type[BaseRenderer]] = [JSONRenderer, PdfRenderer]

    @extend_schema(
        operation_id="collective_invoices_pdf_retrieve",
        tags=["invoices"],
        summary="Read a collective invoice as PDF",
        responses={(200, "application/pdf"): OpenApiTypes.BINARY},
    )
    def get(self, request: Request, collective_id: UUID) -> HttpResponseBase:
        """Read the PDF/A-3, byte for byte as it was made; its SHA-256 is the ETag. 409 `document_not_ready` before."""
        return _file(request, organization_of(request), collective_id, DocumentFormat.PDF)


class CreditNoteXmlView(APIView):
    """The electronic credit note."""

    required_scopes = SCOPES
    renderer_classes: list[type[BaseRenderer]] = [JSONRenderer, XmlRenderer]

    @extend_schema(
        operation_id="credit_notes_xml_retrieve",
        tags=["corrections"],
        summary="Read a credit note as EN 16931 XML",
        parameters=[SYNTAX],
        responses={(200, "application/xml"): OpenApiTypes.BINARY},
    )
    def get(self, request: Request, credit_note_id: UUID) -> HttpResponseBase:
        """Read it as UN/CEFACT CII or OASIS UBL. 409 `no_einvoice` says what was not known; else as an invoice."""
        return _file(request, organization_of(request), credit_note_id, _syntax(request))


class StatementPdfView(APIView):
    """The paper of a statement."""

    required_scopes = SCOPES
    renderer_classes: list[type[BaseRenderer]] = [JSONRenderer, PdfRenderer]

    @extend_schema(
        operation_id="statements_pdf_retrieve",
        tags=["statements"],
        summary="Read a statement as PDF",
        responses={(200, "application/pdf"): OpenApiTypes.BINARY},
    )
    def get(self, request: Request, statement_id: UUID) -> HttpResponseBase:
        """Read the PDF/A-3, byte for byte as it was made; its SHA-256 is the ETag. 409 `document_not_ready` before."""
        return _file(request, organization_of(request), statement_id, DocumentFormat.PDF)


class InvoiceCsvView(APIView):
    """The lines of an invoice as a file."""

    required_scopes = SCOPES
    renderer_classes: list[type[BaseRenderer]] = [JSONRenderer, CsvRenderer]

    @extend_schema(
        operation_id="invoices_csv_retrieve",
        tags=["invoices"],
        summary="Read an invoice's lines as CSV",
        responses={(200, "text/csv"): OpenApiTypes.STR},
    )
    def get(self, request: Request, invoice_id: UUID) -> HttpResponseBase:
        """Read one row per part of a line, whatever is accepted: the same as its lines asked for as `text/csv`."""
        found = invoice_lines(organization_of(request), invoice_id)
        if found is None:
            raise Http404
        return csv_answer(f"invoice-{found.row.number}.csv", PART_HEAD, part_rows(found))


def _syntax(request: Request) -> DocumentFormat:
    syntax = request.query_params.get("syntax", "cii")
    if syntax not in SYNTAXES:
        raise UnknownSyntax(f"{syntax!r} is not one of {', '.join(SYNTAXES)}.", field="syntax")
    return SYNTAXES[syntax]


def _file(request: Request, organization: Organization, invoice_id: UUID, wanted: DocumentFormat) -> HttpResponseBase:
    found = find_file(organization, invoice_id, wanted)
    if found is None:
        _refuse(organization, invoice_id, wanted)
    assert found is not None
    return file_answer(request, found)


def _refuse(organization: Organization, invoice_id: UUID, wanted: DocumentFormat) -> None:
    documents = find_documents(organization, invoice_id)
    if documents is None:
        raise Http404
    if documents.state == DocumentState.DONE and wanted != DocumentFormat.PDF:
        raise NoEinvoice("; ".join(documents.einvoice_lacks), lacks=list(documents.einvoice_lacks))
    words = "It could not be made" if documents.state == DocumentState.FAILED else "It is made in some seconds"
    raise DocumentNotReady(
        f"{words}{f': {documents.error}' if documents.error else ''}.".replace("..", "."), state=documents.state
    )


def file_answer(request: Request, found: FoundFile) -> HttpResponseBase:
    """Return a file to save, or 304 where the caller has these very bytes."""
    headers = {
        "Content-Disposition": f'attachment; filename="{found.name}"',
        "ETag": f'"{found.sha256}"',
        "Cache-Control": "private, no-cache",
    }
    response = HttpResponse(found.body, content_type=found.media_type, headers=headers)
    answer: HttpResponseBase | None = get_conditional_response(
        request._request, etag=headers["ETag"], response=response
    )
    return answer or response

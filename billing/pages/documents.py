"""The papers of invoices, to save from the portal."""

from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from billing.documents.found import find_file
from billing.models import CreditNote, DocumentFormat, Invoice, ProviderStatement
from billing.pages.invoice_files import SYNTAXES
from billing.queries.invoice_list import find_invoice
from tenants.models import Organization
from tenants.roles import READ_INVOICES
from tenants.scoping import provider_page, tenant_page


@require_safe
@tenant_page(READ_INVOICES)
def tenant_invoice_pdf(request: HttpRequest, organization: Organization, *, number: str) -> HttpResponse:  # noqa: ARG001  a view takes it
    """Hand the PDF of an invoice that the tenant owes out, byte for byte as it was made."""
    return _answer(organization, find_invoice(organization, number))


@require_safe
@provider_page(READ_INVOICES)
def provider_invoice_pdf(request: HttpRequest, organization: Organization, *, number: str) -> HttpResponse:  # noqa: ARG001  a view takes it
    """Hand the PDF of an invoice that the provider issued out, byte for byte as it was made."""
    return _answer(organization, find_invoice(organization, number, issued=True))


@require_safe
@tenant_page(READ_INVOICES)
def tenant_invoice_xml(request: HttpRequest, organization: Organization, *, number: str) -> HttpResponse:
    """Hand the electronic invoice of what the tenant owes out, in the syntax asked for: ubl or cii."""
    return _xml(request, organization, find_invoice(organization, number))


@require_safe
@provider_page(READ_INVOICES)
def provider_invoice_xml(request: HttpRequest, organization: Organization, *, number: str) -> HttpResponse:
    """Hand the electronic invoice of what the provider issued out, in the syntax asked for: ubl or cii."""
    return _xml(request, organization, find_invoice(organization, number, issued=True))


@require_safe
@tenant_page(READ_INVOICES)
def tenant_credit_note_pdf(request: HttpRequest, organization: Organization, *, number: str) -> HttpResponse:  # noqa: ARG001  a view takes it
    """Hand the PDF of a credit note that the tenant got out, byte for byte as it was made."""
    return _answer(organization, CreditNote.objects.filter(tenant=organization, number=number).first())


@require_safe
@provider_page(READ_INVOICES)
def provider_credit_note_pdf(request: HttpRequest, organization: Organization, *, number: str) -> HttpResponse:  # noqa: ARG001  a view takes it
    """Hand the PDF of a credit note that the provider issued out, byte for byte as it was made."""
    return _answer(organization, CreditNote.objects.filter(issuer=organization, number=number).first())


@require_safe
@provider_page(READ_INVOICES)
def provider_statement_pdf(request: HttpRequest, organization: Organization, *, number: str) -> HttpResponse:  # noqa: ARG001  a view takes it
    """Hand the PDF of a provider's statement out, byte for byte as it was made."""
    return _answer(organization, ProviderStatement.objects.for_org(organization).filter(number=number).first())


def _xml(request: HttpRequest, organization: Organization, invoice: Invoice | None) -> HttpResponse:
    wanted = SYNTAXES.get(request.GET.get("syntax", "ubl"))
    if wanted is None:
        raise Http404
    return _answer(organization, invoice, wanted)


def _answer(
    organization: Organization,
    issued: Invoice | CreditNote | ProviderStatement | None,
    wanted: DocumentFormat = DocumentFormat.PDF,
) -> HttpResponse:
    found = find_file(organization, issued.pk, wanted) if issued is not None else None
    if found is None:
        raise Http404
    headers = {
        "Content-Disposition": f'attachment; filename="{found.name}"',
        "ETag": f'"{found.sha256}"',
        "Cache-Control": "private, no-cache",
    }
    return HttpResponse(found.body, content_type=found.media_type, headers=headers)

"""The API of invoices: read by the tenant that owes them and the provider that issued them, and by nobody else."""

import hashlib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from django.http import Http404, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.cache import get_conditional_response
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.views import APIView

from billing.api_parameters import INVOICE_PARAMETERS, read_invoice_query, write_cursor
from billing.api_shapes import InvoicesSerializer, InvoiceWithActionsSerializer, LinesSerializer, tax_row
from billing.api_words import instant, money
from billing.csv_files import CsvRenderer, csv_answer
from billing.invoice_csv import PART_HEAD, part_rows
from billing.models import InvoiceState
from billing.queries.invoice_changes import ChangedInvoice, changed_invoice, invoice_changes
from billing.queries.invoice_detail import (
    LineRow,
    SublineRow,
    invoice_evidence,
    invoice_lines,
)
from billing.queries.invoice_steps import InvoiceStep, invoice_steps
from billing.queries.invoice_taxes import LineTax, invoice_rates, line_taxes
from billing.rating.wording import plain
from metering.context_bands import tier_id
from tenants.authentication import organization_of
from tenants.listing.answers import ListView, list_responses, with_next
from tenants.models import Organization

SCOPES: Final = {"GET": "invoices:read"}
PAYABLE: Final = (InvoiceState.ISSUED, InvoiceState.UNCOLLECTIBLE)


class InvoicesView(ListView):
    """Invoices of the organization, as tenant and as provider."""

    required_scopes = SCOPES

    @extend_schema(
        operation_id="invoices_list",
        tags=["invoices"],
        summary="List or follow invoices",
        parameters=INVOICE_PARAMETERS,
        responses=list_responses(InvoicesSerializer),
    )
    def get(self, request: Request) -> HttpResponseBase:
        """List invoices in the order they changed.

        To keep a copy, start with `updated_since` and go on with `next_cursor`, at once while `has_more` and later
        on: every later version of every invoice comes once, none is left out.
        """
        query, now = read_invoice_query(request), datetime.now(UTC)
        found = invoice_changes(
            organization_of(request),
            after=query.after,
            limit=query.limit,
            state=query.state,
            issued_from=query.issued_from,
            issued_to=query.issued_to,
            contract=query.contract,
            updated_since=query.updated_since,
        )
        place = found.rows[-1].place if found.rows else query.after
        cursor = write_cursor(place) if place else None
        rows = [_invoice(one, now) for one in found.rows]
        if _wants_csv(request):
            answer: HttpResponseBase = csv_answer("invoices.csv", _INVOICE_HEAD, (tuple(row.values()) for row in rows))
        else:
            answer = _json(request, {"invoices": rows, "has_more": found.has_more, "next_cursor": cursor})
        return with_next(request, answer, cursor if found.has_more else None)


class InvoiceView(APIView):
    """One invoice."""

    required_scopes = SCOPES

    @extend_schema(
        operation_id="invoices_retrieve",
        tags=["invoices"],
        summary="Read an invoice",
        responses={200: InvoiceWithActionsSerializer},
    )
    def get(self, request: Request, invoice_id: UUID) -> HttpResponseBase:
        """Read an invoice and what may be done with it now. `ETag` and `If-None-Match` spare what is known."""
        organization = organization_of(request)
        found = changed_invoice(organization, invoice_id)
        if found is None:
            raise Http404
        steps = invoice_steps(invoice_id)
        body = {
            **_invoice(found, datetime.now(UTC)),
            "taxes": [tax_row(rate, found.row.currency) for rate in invoice_rates(invoice_id)],
            "steps": [_step(step) for step in steps],
            "actions": [*_actions(found, organization, request), *_retries(found, steps, organization, request)],
        }
        return _json(request, body)


class InvoiceLinesView(APIView):
    """The lines of an invoice."""

    required_scopes = SCOPES
    renderer_classes = [JSONRenderer, CsvRenderer]

    @extend_schema(
        operation_id="invoices_lines_list",
        tags=["invoices"],
        summary="Read an invoice's lines",
        responses={(200, "application/json"): LinesSerializer, (200, "text/csv"): OpenApiTypes.STR},
    )
    def get(self, request: Request, invoice_id: UUID) -> HttpResponseBase:
        """Read every line and its parts by class, tier, price version and day. As `text/csv`: one row per part."""
        found = invoice_lines(organization_of(request), invoice_id)
        if found is None:
            raise Http404
        if _wants_csv(request):
            return csv_answer(f"invoice-{found.row.number}.csv", PART_HEAD, part_rows(found))
        row = found.row
        taxes = line_taxes(invoice_id)
        lines = [
            {**_line(group.heading, line, row.currency), "tax": _line_tax(taxes.get(line.position), row.currency)}
            for group in found.groups
            for line in group.lines
        ]
        return _json(
            request, {"invoice_id": str(row.id), "number": row.number, "currency": row.currency, "lines": lines}
        )


class InvoiceEvidenceView(APIView):
    """The evidence file of an invoice."""

    required_scopes = SCOPES

    @extend_schema(
        operation_id="invoices_evidence_retrieve",
        tags=["invoices"],
        summary="Read an invoice's evidence file",
        responses={(200, "application/json"): OpenApiTypes.OBJECT},
    )
    def get(self, request: Request, invoice_id: UUID) -> HttpResponseBase:
        """Read the file byte for byte as it was sealed; its SHA-256 is the ETag."""
        found = invoice_evidence(organization_of(request), invoice_id)
        if found is None:
            raise Http404
        text, sha256 = found
        return _tagged(request, text.encode(), sha256)


_INVOICE_HEAD = (
    "id",
    "number",
    "issuer_id",
    "issuer",
    "issuer_name",
    "tenant_id",
    "tenant",
    "tenant_name",
    "contract",
    "kind",
    "state",
    "overdue",
    "currency",
    "time_zone",
    "period_from",
    "period_to",
    "subtotal",
    "tax",
    "total",
    "outstanding",
    "issued_at",
    "due_at",
    "paid_at",
    "updated_at",
    "collection",
)


def _invoice(found: ChangedInvoice, now: datetime) -> dict[str, object]:
    row = found.row
    return {
        "id": str(row.id),
        "number": row.number,
        "issuer_id": str(row.issuer_id),
        "issuer": row.issuer_slug,
        "issuer_name": row.issuer,
        "tenant_id": str(row.tenant_id),
        "tenant": row.tenant_slug,
        "tenant_name": row.tenant,
        "contract": row.contract,
        "kind": row.kind,
        "state": row.state,
        "overdue": row.is_overdue(now),
        "currency": row.currency,
        "time_zone": row.time_zone,
        "period_from": instant(row.from_at),
        "period_to": instant(row.to_at),
        "subtotal": money(row.subtotal, row.currency),
        "tax": money(row.tax, row.currency),
        "total": money(row.total, row.currency),
        "outstanding": money(row.outstanding, row.currency),
        "issued_at": instant(row.issued_at),
        "due_at": instant(row.due_at),
        "paid_at": instant(row.paid_at) if row.paid_at else None,
        "updated_at": instant(found.changed_at),
        "collection": row.collection,
    }


def _actions(found: ChangedInvoice, organization: Organization, request: Request) -> list[dict[str, str]]:
    """What the caller may do with the invoice now, and where."""
    row = found.row
    actions = [
        {"name": name, "method": "GET", "url": request.build_absolute_uri(reverse(view, args=[row.id]))}
        for name, view in (("read_lines", "api-invoice-lines"), ("read_evidence", "api-invoice-evidence"))
    ]
    owes = row.tenant_id == organization.id and row.state in PAYABLE and row.outstanding > 0
    if owes and row.is_paid_on_page:
        actions.append({"name": "pay", "method": "GET", "url": row.hosted_url})
    return actions


def _step(step: InvoiceStep) -> dict[str, object]:
    return {
        "name": str(step.name),
        "state": str(step.state),
        "detail": step.detail,
        "error": step.error,
        "attempts": step.attempts,
        "next_try_at": instant(step.next_try_at) if step.next_try_at else None,
    }


def _retries(
    found: ChangedInvoice, steps: Iterable[InvoiceStep], organization: Organization, request: Request
) -> list[dict[str, str]]:
    """What the issuer may have tried again."""
    if found.row.issuer_id != organization.id:
        return []
    return [
        {
            "name": f"retry_{step.name}",
            "method": "POST",
            "url": request.build_absolute_uri(reverse("api-invoice-step-retry", args=[found.row.id, step.name])),
        }
        for step in steps
        if step.retry
    ]


def _line(heading: str, line: LineRow, currency: str) -> dict[str, object]:
    return {
        "position": line.position,
        "heading": heading,
        "description": line.description,
        "term_kind": line.term_kind,
        "term_ref": line.term_ref,
        "model": line.model,
        "quantity": plain(line.quantity),
        "unit": line.unit,
        "unit_price": None if line.unit_price is None else plain(line.unit_price),
        "unit_price_unit": line.unit_price_unit,
        "share_percent": None if line.share_percent is None else plain(line.share_percent),
        "rule": line.rule,
        "quality": dict(line.quality),
        "base_amount": f"{line.base_amount:f}",
        "exact_amount": f"{line.exact_amount:f}",
        "amount": money(line.amount, currency),
        "sublines": [_subline(subline) for subline in line.sublines],
    }


def _line_tax(found: LineTax | None, currency: str) -> dict[str, object] | None:
    if found is None:
        return None
    return {
        "rate": found.rate,
        "category": found.category,
        "percent": plain(found.percent),
        "tax": money(found.tax, currency),
    }


def _subline(subline: SublineRow) -> dict[str, object]:
    return {
        "day": subline.day.isoformat(),
        "token_class": subline.token_class,
        "tier": tier_id(subline.context_over),
        "quantity": plain(subline.quantity),
        "unit_price": plain(subline.unit_price),
        "price_version": subline.version,
        "base_amount": f"{subline.base_amount:f}",
        "exact_amount": f"{subline.exact_amount:f}",
    }


def _wants_csv(request: Request) -> bool:
    return bool(request.accepted_renderer.format == CsvRenderer.format)


def _json(request: Request, body: Mapping[str, object]) -> HttpResponseBase:
    content: bytes = JSONRenderer().render(body)
    return _tagged(request, content, hashlib.sha256(content).hexdigest())


def _tagged(request: Request, content: bytes, digest: str) -> HttpResponseBase:
    """Answer with an ETag, or with 304 where the caller has these very bytes."""
    etag = f'"{digest}"'
    response = HttpResponse(content, content_type="application/json")
    response["ETag"] = etag
    response["Cache-Control"] = "private, no-cache"
    answer: HttpResponseBase | None = get_conditional_response(request._request, etag=etag, response=response)
    return answer or response

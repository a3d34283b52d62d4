"""The tenant's lists as files, each with the rows of its page: leases, questions, credit notes, contracts."""

from datetime import UTC, datetime
from decimal import Decimal

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_safe

from billing.corrections.reading import credit_notes_of, disputes_of
from billing.csv_files import csv_answer
from billing.money import round_to_minor
from billing.queries.agreements import contracts_of
from billing.queries.lease_list import lease_rows
from tenants.models import Organization
from tenants.roles import READ_CONTRACTS, READ_FLEET, READ_INVOICES
from tenants.scoping import tenant_page

MS_PER_HOUR = 3_600_000
MICRO = Decimal("0.000001")
LEASE_HEAD = (
    "lease",
    "title",
    "contract",
    "provider",
    "state",
    "accelerator_model",
    "slices",
    "from_utc",
    "to_utc",
    "gpu_hours_held",
    "price_per_gpu_hour",
    "currency",
    "charged_exact",
)
QUESTION_HEAD = ("invoice", "line", "provider", "state", "opened_at_utc", "resolved_at_utc", "credit_note")
CREDIT_NOTE_HEAD = ("number", "invoice", "issuer", "issued_at_utc", "reason", "currency", "subtotal", "tax", "total")
CONTRACT_HEAD = ("contract", "provider", "state", "version", "currency", "time_zone", "from_utc", "to_utc")


@require_safe
@tenant_page(READ_FLEET)
def tenant_leases_csv(_request: HttpRequest, organization: Organization) -> HttpResponseBase:
    """Write the leases that the list shows."""
    rows = (
        (
            row.ref,
            row.title,
            row.contract,
            row.provider,
            row.state,
            row.accelerator_model,
            row.slices,
            instant(row.from_at),
            instant(row.to_at),
            (Decimal(row.gpu_ms_held) / MS_PER_HOUR).quantize(MICRO),
            row.price_per_gpu_hour,
            row.currency,
            row.charged,
        )
        for row in lease_rows(organization, datetime.now(UTC), party="tenant")
    )
    return csv_answer(f"leases-{organization.slug}-UTC.csv", LEASE_HEAD, rows)


@require_safe
@tenant_page(READ_INVOICES)
def tenant_disputes_csv(_request: HttpRequest, organization: Organization) -> HttpResponseBase:
    """Write the questions that a tenant asked."""
    rows = (
        (
            each.invoice.number,
            each.line.description if each.line else "",
            each.issuer.name,
            each.state,
            instant(each.opened_at),
            instant(each.resolved_at),
            each.credit_note.number if each.credit_note else "",
        )
        for each in disputes_of(organization).filter(tenant=organization).select_related("credit_note")
    )
    return csv_answer(f"questions-{organization.slug}-UTC.csv", QUESTION_HEAD, rows)


@require_safe
@tenant_page(READ_INVOICES)
def tenant_credit_notes_csv(_request: HttpRequest, organization: Organization) -> HttpResponseBase:
    """Write the credit notes that a tenant got."""
    rows = (
        (
            note.number,
            note.invoice.number,
            note.issuer.name,
            instant(note.issued_at),
            note.reason,
            note.currency,
            *(round_to_minor(amount, note.currency) for amount in (note.subtotal, note.tax, note.total)),
        )
        for note in credit_notes_of(organization)
        if note.tenant_id == organization.pk
    )
    return csv_answer(f"credit-notes-{organization.slug}-UTC.csv", CREDIT_NOTE_HEAD, rows)


@require_safe
@tenant_page(READ_CONTRACTS)
def tenant_contracts_csv(_request: HttpRequest, organization: Organization) -> HttpResponseBase:
    """Write the contracts that a tenant has agreed and is offered."""
    rows = (
        (
            each.number,
            each.provider.name,
            each.state,
            each.version,
            each.currency,
            each.time_zone,
            instant(each.from_at),
            instant(each.to_at),
        )
        for each in contracts_of(organization)
        if each.tenant_id == organization.pk
    )
    return csv_answer(f"contracts-{organization.slug}-UTC.csv", CONTRACT_HEAD, rows)


def instant(at: datetime | None) -> str:
    """Return an instant as files write it, empty for none."""
    return at.astimezone(UTC).isoformat() if at else ""

"""Addresses of invoices' papers: name, what each caller gets, method, arguments, body."""

from __future__ import annotations

from typing import Any, Final

from tests.isolation.callers import (
    BETWEEN_THEM,
    OWN_API,
    OWN_PROVIDER,
    OWN_TENANT,
    PROVIDERS,
    TENANTS,
    people,
    programs,
)

# The provider of the sample has no VAT id, so that no electronic invoice can be made.
EINVOICE: Final = programs(tenant=409, provider=409, outsider=404)
# There is none here; whose they are is tried in tests/billing/documents/test_found.py.
NOT_THERE: Final = programs(tenant=404, provider=404, outsider=404)
NOBODYS: Final = people(alice=404, bob=404, charlie=404, petra=404)
NO_STATEMENT: Final = {"statement_id": "00000000-0000-0000-0000-000000000009"}
NO_CREDIT_NOTE: Final = {"credit_note_id": "00000000-0000-0000-0000-000000000009"}
SPAN: Final = {"from": "2026-04-01T00:00:00Z", "to": "2026-05-01T00:00:00Z"}
DAYS: Final = {"from": "2026-04-01", "to": "2026-04-30"}
INVOICE_ID: Final = {"invoice_id": "{invoice}"}
INVOICE: Final = {"number": "{number}"}

DOCUMENT_ADDRESSES: Final[tuple[tuple[str, dict[str, int], str, dict[str, str], dict[str, Any]], ...]] = (
    ("api-invoice-documents", BETWEEN_THEM, "get", INVOICE_ID, {}),
    ("api-invoice-pdf", BETWEEN_THEM, "get", INVOICE_ID, {}),
    ("api-invoice-xml", EINVOICE, "get", INVOICE_ID, {}),
    ("api-invoice-csv", BETWEEN_THEM, "get", INVOICE_ID, {}),
    ("api-credit-note-pdf", NOT_THERE, "get", NO_CREDIT_NOTE, {}),
    ("api-credit-note-xml", NOT_THERE, "get", NO_CREDIT_NOTE, {}),
    ("tenant-credit-note-pdf", NOBODYS, "get", {"number": "CN-0"}, {}),
    ("provider-credit-note-pdf", NOBODYS, "get", {"number": "CN-0"}, {}),
    ("api-statement-pdf", NOT_THERE, "get", NO_STATEMENT, {}),
    ("provider-statement-pdf", NOBODYS, "get", {"number": "ST-0"}, {}),
    ("api-exports", OWN_API, "get", {}, {}),
    ("api-exports-focus", OWN_API, "get", {}, SPAN),
    ("tenant-exports", OWN_TENANT, "get", {}, {}),
    ("tenant-exports-focus", OWN_TENANT, "get", {}, DAYS),
    ("provider-exports", OWN_PROVIDER, "get", {}, {}),
    ("provider-exports-focus", OWN_PROVIDER, "get", {}, DAYS),
    ("tenant-invoice-pdf", TENANTS, "get", INVOICE, {}),
    ("provider-invoice-pdf", PROVIDERS, "get", INVOICE, {}),
    # As above: of the sample's invoice there is none.
    ("tenant-invoice-xml", NOBODYS, "get", INVOICE, {}),
    ("provider-invoice-xml", NOBODYS, "get", INVOICE, {}),
    ("provider-invoices", OWN_PROVIDER, "get", {}, {}),
    ("provider-invoices-csv", OWN_PROVIDER, "get", {}, {}),
    ("provider-invoice", PROVIDERS, "get", INVOICE, {}),
    ("provider-invoice-lines", PROVIDERS, "get", INVOICE, {}),
    ("provider-invoice-evidence", PROVIDERS, "get", INVOICE, {}),
)

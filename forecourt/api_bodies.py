"""Bodies that stand as examples where the members that must be there do not say what an operation is for."""

from __future__ import annotations

from typing import Any, Final

from forecourt.api_samples import UUID

TOKEN_PRICE: Final = {"kind": "token_price", "witness": "gateway"}
PRICES: Final = [
    {"model": "sample-model", "quantity": "input", "price_per_mtok": "0.30"},
    {"model": "sample-model", "quantity": "output", "price_per_mtok": "0.90"},
]
STATEMENT: Final = (
    "booked_on,amount,currency,reference,payer,text\n2026-03-04,1200.00,EUR,B-1,Sample Tenant Ltd,INV-0042\n"
)

BODIES: Final[dict[str, Any]] = {
    "amendments_accept": {
        "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "name": "Ada Lovelace",
    },
    "amendments_update": {
        "note": "Priced by tokens from March.",
        "changes": [{"from_at": "2026-03-01T00:00", "wording": TOKEN_PRICE, "deployments": [UUID]}],
    },
    "api_keys_create": {"name": "billing export", "scopes": ["usage:read", "invoices:read"]},
    "bank_accounts_create": {"number": "DE89370400440532013000", "currency": "EUR", "holder": "Sample Compute GmbH"},
    "bank_statements_create": {"account": "DE89370400440532013000", "document": STATEMENT},
    "budgets_create": {"name": "All of March", "amount": "5000", "currency": "EUR", "thresholds": [50, 80, 100]},
    "contracts_amendments_create": {
        "note": "Priced by tokens from April.",
        "changes": [{"from_at": "2026-04-01T00:00", "wording": TOKEN_PRICE, "deployments": [UUID]}],
    },
    "contracts_create": {
        "provider": "sample-compute",
        "tenant": "sample-tenant",
        "currency": "EUR",
        "time_zone": "Europe/Berlin",
        "from_at": "2026-03-01T00:00",
        "price_book_id": UUID,
        "changes": [{"from_at": "2026-03-01T00:00", "wording": TOKEN_PRICE, "deployments": [UUID]}],
    },
    "coupons_create": {"code": "SPRING-26", "title": "Spring", "percent": "10"},
    "disputes_grant": {"lines": [{"line": 1, "amount": "10.00"}], "text": "You are right about 3 March."},
    "invitations_create": {"email": "ada@tenant.example", "role": "billing"},
    "invoices_credit_notes_create": {
        "reason": "goodwill",
        "lines": [{"line": 1, "amount": "10.00"}],
        "note": "A slow day.",
    },
    "invoices_credit_notes_preview": {"lines": [{"line": 1, "amount": "10.00"}]},
    "invoices_disputes_create": {"line": 1, "text": "Our gateway counted 1,100,000 tokens on 3 March."},
    "leases_outages_create": {"cause": "maintenance", "from": "2026-03-03T08:00", "to": "2026-03-03T11:30"},
    "price_versions_create": {"price_book_id": UUID, "effective_at": "2026-04-01T00:00:00Z", "prices": PRICES},
    "price_drafts_update": {"revision": 1, "effective_at": "2026-04-01T00:00:00Z", "prices": PRICES},
    "quotes_create": {
        "contract": "C-0001",
        "model": "NVIDIA H100 80GB HBM3",
        "count": 8,
        "from": "2026-04-01T00:00",
        "to": "2026-04-08T00:00",
    },
    "refunds_create": {
        "balance_id": UUID,
        "amount": "10.00",
        "method": "bank_transfer",
        "reason": "Asked for by letter.",
    },
    "tax_rates_create": {"country": "DE", "category": "S", "percent": "19", "from_on": "2026-01-01"},
}
"""By the id of the operation."""

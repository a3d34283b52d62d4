"""Addresses of corrections. What a body or an id names is not there for anybody; both sides' tests name what is."""

from __future__ import annotations

from typing import Any, Final

from tests.isolation.callers import BETWEEN_THEM, OWN_API, OWN_PROVIDER, OWN_TENANT, PROVIDERS, people, programs

NOBODYS: Final = "0198c5a0-0000-7000-8000-000000000000"
NOT_THERE: Final = programs(tenant=404, provider=404, outsider=404)
INVOICE: Final = {"invoice_id": "{invoice}"}
DISPUTE: Final = {"dispute_id": NOBODYS}
REFUND: Final = {"refund_id": NOBODYS}
CONTRACT: Final = {"number": "{contract}"}
BACK: Final = {"amount": "1", "method": "bank_transfer", "reason": "Over."}
NUMBER: Final = {"number": "{number}"}
NOBODYS_PAGE: Final = people(alice=404, bob=404, charlie=404, petra=404)

CORRECTION_ADDRESSES: Final[tuple[tuple[str, dict[str, int], str, dict[str, str], dict[str, Any]], ...]] = (
    ("api-credit-notes", OWN_API, "get", {}, {}),
    ("api-credit-note", NOT_THERE, "get", {"credit_note_id": NOBODYS}, {}),
    ("api-invoice-credit-note-preview", programs(tenant=404, provider=200, outsider=404), "post", INVOICE, {}),
    ("api-invoice-credit-notes", programs(tenant=404, provider=400, outsider=404), "post", INVOICE, {}),
    ("api-invoice-write-off", programs(tenant=404, provider=400, outsider=404), "post", INVOICE, {}),
    ("api-invoice-void", programs(tenant=404, provider=400, outsider=404), "post", INVOICE, {}),
    ("api-invoice-reissue", programs(tenant=404, provider=409, outsider=404), "post", INVOICE, {}),
    ("api-debits", OWN_API, "get", {}, {}),
    ("api-debit-take-back", NOT_THERE, "post", {"debit_id": NOBODYS}, {"reason": "No."}),
    ("api-invoice-debits", programs(tenant=404, provider=400, outsider=404), "post", INVOICE, {}),
    ("api-invoice-disputes", programs(tenant=400, provider=404, outsider=404), "post", INVOICE, {}),
    ("api-disputes", OWN_API, "get", {}, {}),
    ("api-dispute", NOT_THERE, "get", DISPUTE, {}),
    *(
        (f"api-dispute-{act}", NOT_THERE, "post", DISPUTE, {"text": "No."})
        for act in ("answer", "grant", "uphold", "withdraw")
    ),
    ("api-tenant-balances", OWN_API, "get", {}, {}),
    ("api-refunds", OWN_API, "get", {}, {}),
    (
        "api-refunds",
        NOT_THERE,
        "post",
        {},
        {"balance_id": NOBODYS, "amount": "1", "method": "bank_transfer", "reason": "Over."},
    ),
    ("api-refund", NOT_THERE, "get", REFUND, {}),
    ("api-contract-purchases", BETWEEN_THEM, "get", CONTRACT, {}),
    ("api-contract-credit-refunds", programs(tenant=404, provider=409, outsider=404), "post", CONTRACT, BACK),
    ("api-refund-sent", NOT_THERE, "post", REFUND, {"reference": "TRX"}),
    ("api-refund-back", NOT_THERE, "post", REFUND, {"reason": "Came back."}),
    ("tenant-credit-notes", OWN_TENANT, "get", {}, {}),
    ("tenant-disputes", OWN_TENANT, "get", {}, {}),
    ("tenant-invoice-question", people(alice=200, bob=403, charlie=404, petra=404), "get", NUMBER, {}),
    ("provider-credit-notes", OWN_PROVIDER, "get", {}, {}),
    ("provider-disputes", OWN_PROVIDER, "get", {}, {}),
    ("provider-balances", OWN_PROVIDER, "get", {}, {}),
    ("provider-invoice-correct", PROVIDERS, "get", NUMBER, {}),
    ("provider-invoice-collect", people(alice=404, bob=404, charlie=404, petra=302), "post", NUMBER, {}),
    *(
        (f"{side}-{page}", NOBODYS_PAGE, "get", arguments, {})
        for side in ("tenant", "provider")
        for page, arguments in (("credit-note", {"number": "CN-NOBODYS"}), ("dispute", DISPUTE))
    ),
)

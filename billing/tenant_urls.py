"""The tenant's pages of usage and invoices."""

from datetime import date

from django.urls import path, register_converter

from billing.pages import (
    account_statement,
    amendment,
    budgets,
    card,
    collective,
    comparing,
    contract_end,
    contract_header,
    contracts,
    credit,
    credit_notes,
    disputes,
    documents,
    drafts,
    exports,
    invoice,
    invoices,
    lease_requests,
    leases,
    revenue,
    settings,
    share_facts,
    tenant_files,
    tenant_prices,
    usage,
    usage_day,
)


class DayConverter:
    """A calendar day as ISO 8601 writes it; days that do not exist are no address."""

    regex = r"\d{4}-\d{2}-\d{2}"

    def to_python(self, value: str) -> date:
        """Read a day."""
        return date.fromisoformat(value)

    def to_url(self, value: date | str) -> str:
        """Write a day."""
        return str(value)


register_converter(DayConverter, "day")

urlpatterns = [
    path("usage/", usage.tenant_usage, name="tenant-usage"),
    path("usage.csv", usage.tenant_usage_csv, name="tenant-usage-csv"),
    path("usage/<day:day>/", usage_day.tenant_usage_day, name="tenant-usage-day"),
    path("usage/key/<uuid:key_id>/", usage.tenant_usage_key, name="tenant-usage-key"),
    path("usage/model/<path:model>/", usage.tenant_usage_model, name="tenant-usage-model"),
    path("usage/at/<str:at>/", usage_day.tenant_usage_at, name="tenant-usage-at"),
    path("budgets/", budgets.tenant_budgets, name="tenant-budgets"),
    path("budgets.csv", budgets.tenant_budgets_csv, name="tenant-budgets-csv"),
    path("budgets/alerts.csv", budgets.tenant_alerts_csv, name="tenant-alerts-csv"),
    path("budgets/new/", budgets.tenant_budget_new, name="tenant-budget-new"),
    path("budgets/<uuid:budget_id>/", budgets.tenant_budget, name="tenant-budget"),
    path("leases/", leases.tenant_leases, name="tenant-leases"),
    path("leases.csv", tenant_files.tenant_leases_csv, name="tenant-leases-csv"),
    path("leases/new/", lease_requests.tenant_lease_new, name="tenant-lease-new"),
    path("leases/quote/", lease_requests.tenant_lease_quote, name="tenant-lease-quote"),
    path("leases/quotes/<uuid:quote_id>/reserve/", lease_requests.tenant_lease_reserve, name="tenant-lease-reserve"),
    path("leases/<str:ref>/", leases.tenant_lease, name="tenant-lease"),
    path("leases/<str:ref>/extend/", lease_requests.tenant_lease_extend, name="tenant-lease-extend"),
    path("leases/<str:ref>/end/", lease_requests.tenant_lease_end, name="tenant-lease-end"),
    path("card/", card.tenant_card, name="tenant-card"),
    path("credit/", credit.tenant_credit, name="tenant-credit"),
    path("drafts/<uuid:period_id>/", drafts.tenant_draft, name="tenant-draft"),
    path("invoices/", invoices.tenant_invoices, name="tenant-invoices"),
    path("invoices.csv", invoices.tenant_invoices_csv, name="tenant-invoices-csv"),
    path("invoices/<str:number>/", invoice.tenant_invoice, name="tenant-invoice"),
    path("invoices/<str:number>/lines.csv", invoice.tenant_invoice_lines, name="tenant-invoice-lines"),
    path("invoices/<str:number>/evidence.json", invoice.tenant_invoice_evidence, name="tenant-invoice-evidence"),
    path("invoices/<str:number>/invoice.pdf", documents.tenant_invoice_pdf, name="tenant-invoice-pdf"),
    path("invoices/<str:number>/invoice.xml", documents.tenant_invoice_xml, name="tenant-invoice-xml"),
    path("statement/", account_statement.tenant_statement, name="tenant-statement"),
    path("statement.pdf", account_statement.tenant_statement_pdf, name="tenant-statement-pdf"),
    path("statement.csv", account_statement.tenant_statement_csv, name="tenant-statement-csv"),
    path("invoices/<str:number>/question/", disputes.tenant_invoice_question, name="tenant-invoice-question"),
    path("disputes/", disputes.tenant_disputes, name="tenant-disputes"),
    path("disputes.csv", tenant_files.tenant_disputes_csv, name="tenant-disputes-csv"),
    path("disputes/<uuid:dispute_id>/", disputes.tenant_dispute, name="tenant-dispute"),
    path("collective-invoices/", collective.tenant_collectives, name="tenant-collectives"),
    path("collective-invoices.csv", collective.tenant_collectives_csv, name="tenant-collectives-csv"),
    path("collective-invoices/<str:number>/", collective.tenant_collective, name="tenant-collective"),
    path(
        "collective-invoices/<str:number>/document.pdf", collective.tenant_collective_pdf, name="tenant-collective-pdf"
    ),
    path("credit-notes/", credit_notes.tenant_credit_notes, name="tenant-credit-notes"),
    path("credit-notes.csv", tenant_files.tenant_credit_notes_csv, name="tenant-credit-notes-csv"),
    path("credit-notes/<str:number>/", credit_notes.tenant_credit_note, name="tenant-credit-note"),
    path(
        "credit-notes/<str:number>/credit-note.pdf",
        documents.tenant_credit_note_pdf,
        name="tenant-credit-note-pdf",
    ),
    path("exports/", exports.tenant_exports, name="tenant-exports"),
    path("exports/focus.csv", exports.tenant_exports_focus, name="tenant-exports-focus"),
    path("compare/", comparing.tenant_compare, name="tenant-compare"),
    path("revenue/", revenue.tenant_revenue, name="tenant-revenue"),
    *(
        path(f"revenue/{page}{file}", view, {"page": page}, name=f"tenant-share-{page}{suffix}")
        for page in share_facts.PAGES
        for file, suffix, view in (
            ("/", "", share_facts.tenant_share),
            (".csv", "-csv", share_facts.tenant_share_csv),
        )
    ),
    path("revenue/<uuid:statement_id>.csv", revenue.tenant_revenue_document, name="tenant-revenue-document"),
    path("prices/", tenant_prices.tenant_prices, name="tenant-prices"),
    path("prices.csv", tenant_prices.tenant_prices_csv, name="tenant-prices-csv"),
    path("prices/changes/<uuid:notice_id>/", tenant_prices.tenant_price_change, name="tenant-price-change"),
    path("settings/", settings.tenant_settings, name="tenant-settings"),
    path("settings/logo/", settings.tenant_logo, name="tenant-logo"),
    path("contracts/", contracts.tenant_contracts, name="tenant-contracts"),
    path("contracts.csv", tenant_files.tenant_contracts_csv, name="tenant-contracts-csv"),
    path("contracts/new/", amendment.tenant_contract_new, name="tenant-contract-new"),
    path("contracts/<uuid:contract_id>/", contracts.tenant_contract, name="tenant-contract"),
    path("contracts/<uuid:contract_id>/header/", contract_header.tenant_contract_header, name="tenant-contract-header"),
    path("contracts/<uuid:contract_id>/end/", contract_end.tenant_contract_end, name="tenant-contract-end"),
    path("contracts/<uuid:contract_id>/amend/", amendment.tenant_amendment_new, name="tenant-amendment-new"),
    path("amendments/<uuid:amendment_id>/", amendment.tenant_amendment, name="tenant-amendment"),
]

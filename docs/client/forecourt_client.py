"""A client of Forecourt's API in one file, for Python 3.11 and later without anything else.

    api = Forecourt("https://bills.example", "fk_…")
    api.invoices_retrieve(invoice_id="…")
    for invoice in api.each(api.invoices_list, status="paid"): ...
    api.disputes_answer(dispute_id="…", body={"text": "…"}, idempotency_key="answer-1")

Methods are the operation ids of `/api/v1/schema`. What stands in the path and in the query is given by name (`from_`
for `from`), a body as `body`. Numbers of money and tokens come as strings: read them with `decimal.Decimal`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote, urlencode
from urllib.request import Request, urlopen

WAITS_MAX = 5


class ApiError(Exception):
    """A refusal: `status`, the stable `code`, the words, and the wrong fields."""

    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        super().__init__(f"{status} {problem.get('code', '')}: {problem.get('detail', '')}")
        self.status = status
        self.code = str(problem.get("code", ""))
        self.errors = problem.get("errors", [])


class Forecourt:
    """Calls one installation with one key. Over the limit and while the server is busy it waits and calls again."""

    def __init__(self, address: str, key: str, timeout_s: float = 60) -> None:
        self._address, self._key, self._timeout_s = address.rstrip("/"), key, timeout_s

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """Return the operation of this id."""
        if name not in OPERATIONS:
            raise AttributeError(f"The API has no operation {name!r}.")
        return partial(self._operation, name)

    def each(self, listing: Callable[..., Any], **named: Any) -> Iterator[dict[str, Any]]:
        """Yield every row of a list, page by page."""
        while True:
            page = listing(**named)
            yield from next(rows for rows in page.values() if isinstance(rows, list))
            if not page.get("has_more", page["next_cursor"] is not None):
                return
            named["cursor"] = page["next_cursor"]

    def _operation(self, name: str, *, body: Any = None, idempotency_key: str = "", **named: Any) -> Any:
        method, _, path = OPERATIONS[name].partition(" ")
        for part in [part for part in named if f"{{{part}}}" in path]:
            path = path.replace(f"{{{part}}}", quote(str(named.pop(part)), safe=""))
        query = urlencode({part.rstrip("_"): value for part, value in named.items() if value is not None})
        request = Request(f"{self._address}{path}{'?' + query if query else ''}", method=method)  # noqa: S310  https or loopback, as given
        request.add_header("Authorization", f"Bearer {self._key}")
        if idempotency_key:
            request.add_header("Idempotency-Key", idempotency_key)
        if body is not None:
            request.add_header("Content-Type", "application/json")
            request.data = json.dumps(body).encode()
        # After 429 and 503 nothing of a call was taken, so it may be sent again.
        return self._send(request, retries=WAITS_MAX)

    def _send(self, request: Request, retries: int) -> Any:
        try:
            with urlopen(request, timeout=self._timeout_s) as answer:  # noqa: S310  as above
                content, kind = answer.read(), answer.headers.get("Content-Type", "")
        except HTTPError as refused:
            wait_s = refused.headers.get("Retry-After", "")
            if refused.code in (429, 503) and wait_s.isdecimal() and retries:
                time.sleep(int(wait_s))
                return self._send(request, retries - 1)
            raise ApiError(refused.code, _problem(refused.read())) from refused
        return json.loads(content) if kind.startswith("application/json") else content


def _problem(content: bytes) -> dict[str, Any]:
    try:
        found = json.loads(content)
    except ValueError:
        found = {}
    return found if isinstance(found, dict) else {}


# Written by `python manage.py write_client` from the OpenAPI document; change nothing below.
OPERATIONS = {
    "accelerators_list": "GET /api/v1/accelerators",
    "accelerators_retrieve": "GET /api/v1/accelerators/{thing_id}",
    "account_pdf_retrieve": "GET /api/v1/account/pdf",
    "account_retrieve": "GET /api/v1/account",
    "alerts_list": "GET /api/v1/alerts",
    "allocations_list": "GET /api/v1/allocations",
    "allocations_retrieve": "GET /api/v1/allocations/{thing_id}",
    "amendments_accept": "POST /api/v1/amendments/{amendment_id}/accept",
    "amendments_decline": "POST /api/v1/amendments/{amendment_id}/decline",
    "amendments_offer": "POST /api/v1/amendments/{amendment_id}/offer",
    "amendments_retrieve": "GET /api/v1/amendments/{amendment_id}",
    "amendments_update": "PUT /api/v1/amendments/{amendment_id}",
    "amendments_withdraw": "POST /api/v1/amendments/{amendment_id}/withdraw",
    "api_keys_create": "POST /api/v1/api-keys",
    "api_keys_list": "GET /api/v1/api-keys",
    "api_keys_read": "GET /api/v1/api-keys/{key_id}",
    "api_keys_revoke": "DELETE /api/v1/api-keys/{key_id}",
    "api_keys_rotate": "POST /api/v1/api-keys/{key_id}/rotate",
    "api_keys_update": "PUT /api/v1/api-keys/{key_id}",
    "audit_list": "GET /api/v1/audit",
    "backlogs_list": "GET /api/v1/backlogs",
    "balance_retrieve": "GET /api/v1/balance",
    "bank_accounts_close": "POST /api/v1/bank-accounts/{account_id}/close",
    "bank_accounts_create": "POST /api/v1/bank-accounts",
    "bank_accounts_list": "GET /api/v1/bank-accounts",
    "bank_lines_keep": "POST /api/v1/bank-lines/{line_id}/keep",
    "bank_lines_list": "GET /api/v1/bank-lines",
    "bank_lines_match": "POST /api/v1/bank-lines/{line_id}/match",
    "bank_lines_retrieve": "GET /api/v1/bank-lines/{line_id}",
    "bank_lines_set_aside": "POST /api/v1/bank-lines/{line_id}/set-aside",
    "bank_matches_undo": "POST /api/v1/bank-matches/{match_id}/undo",
    "bank_statements_create": "POST /api/v1/bank-statements",
    "bank_statements_list": "GET /api/v1/bank-statements",
    "books_accounts_list": "GET /api/v1/books/accounts",
    "books_beancount": "GET /api/v1/books/beancount",
    "books_entries_list": "GET /api/v1/books/accounts/{account_id}/entries",
    "books_journal": "GET /api/v1/books/journal",
    "books_postings_retrieve": "GET /api/v1/books/postings/{posting_id}",
    "budgets_create": "POST /api/v1/budgets",
    "budgets_destroy": "DELETE /api/v1/budgets/{budget_id}",
    "budgets_lift": "POST /api/v1/budgets/{budget_id}/lift",
    "budgets_list": "GET /api/v1/budgets",
    "budgets_retrieve": "GET /api/v1/budgets/{budget_id}",
    "budgets_standing": "GET /api/v1/budgets/standing",
    "budgets_update": "PUT /api/v1/budgets/{budget_id}",
    "capacity_retrieve": "GET /api/v1/capacity",
    "card_forget": "DELETE /api/v1/card",
    "card_leave": "POST /api/v1/card",
    "card_read": "GET /api/v1/card",
    "cluster_costs_create": "POST /api/v1/cluster-costs",
    "cluster_costs_list": "GET /api/v1/cluster-costs",
    "clusters_create": "POST /api/v1/clusters",
    "clusters_list": "GET /api/v1/clusters",
    "clusters_retrieve": "GET /api/v1/clusters/{thing_id}",
    "collective_invoices_list": "GET /api/v1/collective-invoices",
    "collective_invoices_pdf_retrieve": "GET /api/v1/collective-invoices/{collective_id}/pdf",
    "collective_invoices_retrieve": "GET /api/v1/collective-invoices/{collective_id}",
    "contracts_accept": "POST /api/v1/contracts/{contract_id}/accept",
    "contracts_amendments_create": "POST /api/v1/contracts/{contract_id}/amendments",
    "contracts_amendments_list": "GET /api/v1/contracts/{contract_id}/amendments",
    "contracts_balance_rule_destroy": "DELETE /api/v1/contracts/{number}/balance-rule",
    "contracts_balance_rule_retrieve": "GET /api/v1/contracts/{number}/balance-rule",
    "contracts_balance_rule_update": "PUT /api/v1/contracts/{number}/balance-rule",
    "contracts_compare": "GET /api/v1/contracts/{contract_id}/compare",
    "contracts_coupons_create": "POST /api/v1/contracts/{number}/coupons",
    "contracts_create": "POST /api/v1/contracts",
    "contracts_credit_refunds_create": "POST /api/v1/contracts/{number}/credit-refunds",
    "contracts_credits_create": "POST /api/v1/contracts/{number}/credits",
    "contracts_dunning_schedule_destroy": "DELETE /api/v1/contracts/{contract_id}/dunning-schedule",
    "contracts_dunning_schedule_retrieve": "GET /api/v1/contracts/{contract_id}/dunning-schedule",
    "contracts_dunning_schedule_update": "PUT /api/v1/contracts/{contract_id}/dunning-schedule",
    "contracts_list": "GET /api/v1/contracts",
    "contracts_purchases": "GET /api/v1/contracts/{number}/purchases",
    "contracts_retrieve": "GET /api/v1/contracts/{contract_id}",
    "contracts_simulate": "GET /api/v1/contracts/{contract_id}/simulate",
    "contracts_simulate_terms": "POST /api/v1/contracts/{contract_id}/simulate",
    "contracts_standing": "GET /api/v1/contracts/{number}/standing",
    "contracts_top_ups_create": "POST /api/v1/contracts/{number}/top-ups",
    "contracts_top_ups_list": "GET /api/v1/contracts/{number}/top-ups",
    "contracts_update": "PUT /api/v1/contracts/{contract_id}",
    "contracts_versions_list": "GET /api/v1/contracts/{contract_id}/versions",
    "correction_policy_retrieve": "GET /api/v1/correction-policy",
    "correction_policy_update": "PUT /api/v1/correction-policy",
    "coupons_create": "POST /api/v1/coupons",
    "coupons_end": "POST /api/v1/coupons/{coupon_id}/end",
    "coupons_list": "GET /api/v1/coupons",
    "credit_notes_list": "GET /api/v1/credit-notes",
    "credit_notes_pdf_retrieve": "GET /api/v1/credit-notes/{credit_note_id}/pdf",
    "credit_notes_retrieve": "GET /api/v1/credit-notes/{credit_note_id}",
    "credit_notes_xml_retrieve": "GET /api/v1/credit-notes/{credit_note_id}/xml",
    "debits_list": "GET /api/v1/debits",
    "debits_take_back": "POST /api/v1/debits/{debit_id}/take-back",
    "deployments_bind": "POST /api/v1/deployments/{thing_id}/bind",
    "deployments_create": "POST /api/v1/deployments",
    "deployments_end": "POST /api/v1/deployments/{thing_id}/end",
    "deployments_list": "GET /api/v1/deployments",
    "deployments_retrieve": "GET /api/v1/deployments/{thing_id}",
    "deployments_unbind": "POST /api/v1/deployments/{thing_id}/unbind",
    "differences_list": "GET /api/v1/differences",
    "differences_settle": "POST /api/v1/differences/{difference_id}/settle",
    "disputes_answer": "POST /api/v1/disputes/{dispute_id}/answer",
    "disputes_grant": "POST /api/v1/disputes/{dispute_id}/grant",
    "disputes_list": "GET /api/v1/disputes",
    "disputes_retrieve": "GET /api/v1/disputes/{dispute_id}",
    "disputes_uphold": "POST /api/v1/disputes/{dispute_id}/uphold",
    "disputes_withdraw": "POST /api/v1/disputes/{dispute_id}/withdraw",
    "drafts_accept_gaps": "POST /api/v1/drafts/{period_id}/gaps/accept",
    "drafts_approve": "POST /api/v1/drafts/{period_id}/approve",
    "drafts_close": "POST /api/v1/drafts/{period_id}/close",
    "drafts_list": "GET /api/v1/drafts",
    "drafts_retrieve": "GET /api/v1/drafts/{period_id}",
    "drafts_tax_retry": "POST /api/v1/drafts/{period_id}/steps/tax/retry",
    "dunning_schedule_retrieve": "GET /api/v1/dunning-schedule",
    "dunning_schedule_update": "PUT /api/v1/dunning-schedule",
    "dunning_steps_take_back": "POST /api/v1/dunning-steps/{step_id}/take-back",
    "endpoints_list": "GET /api/v1/endpoints",
    "endpoints_retrieve": "GET /api/v1/endpoints/{thing_id}",
    "enrolment_tokens_create": "POST /api/v1/enrolment-tokens",
    "events_complete": "POST /api/v1/events/complete",
    "events_create": "POST /api/v1/events",
    "events_read": "GET /api/v1/events",
    "exports_focus_retrieve": "GET /api/v1/exports/focus",
    "exports_list": "GET /api/v1/exports",
    "fleet_health_list": "GET /api/v1/fleet/health",
    "invitations_create": "POST /api/v1/invitations",
    "invitations_delete": "DELETE /api/v1/invitations/{invitation_id}",
    "invitations_list": "GET /api/v1/invitations",
    "invitations_resend": "POST /api/v1/invitations/{invitation_id}/resend",
    "invoices_credit_notes_create": "POST /api/v1/invoices/{invoice_id}/credit-notes",
    "invoices_credit_notes_preview": "POST /api/v1/invoices/{invoice_id}/credit-notes/preview",
    "invoices_csv_retrieve": "GET /api/v1/invoices/{invoice_id}/csv",
    "invoices_debits_create": "POST /api/v1/invoices/{invoice_id}/debits",
    "invoices_disputes_create": "POST /api/v1/invoices/{invoice_id}/disputes",
    "invoices_documents_retrieve": "GET /api/v1/invoices/{invoice_id}/documents",
    "invoices_dunning_hold": "POST /api/v1/invoices/{invoice_id}/dunning/hold",
    "invoices_dunning_list": "GET /api/v1/invoices/{invoice_id}/dunning",
    "invoices_evidence_retrieve": "GET /api/v1/invoices/{invoice_id}/evidence",
    "invoices_lines_list": "GET /api/v1/invoices/{invoice_id}/lines",
    "invoices_list": "GET /api/v1/invoices",
    "invoices_pdf_retrieve": "GET /api/v1/invoices/{invoice_id}/pdf",
    "invoices_reissue_create": "POST /api/v1/invoices/{invoice_id}/reissue",
    "invoices_retrieve": "GET /api/v1/invoices/{invoice_id}",
    "invoices_step_retry": "POST /api/v1/invoices/{invoice_id}/steps/{step}/retry",
    "invoices_void_create": "POST /api/v1/invoices/{invoice_id}/void",
    "invoices_write_off_create": "POST /api/v1/invoices/{invoice_id}/write-off",
    "invoices_xml_retrieve": "GET /api/v1/invoices/{invoice_id}/xml",
    "issuing_rule_read": "GET /api/v1/issuing-rule",
    "issuing_rule_set": "PUT /api/v1/issuing-rule",
    "leases_end": "POST /api/v1/leases/{ref}/end",
    "leases_extend": "POST /api/v1/leases/{ref}/extend",
    "leases_hold_over": "POST /api/v1/leases/{ref}/hold-over",
    "leases_list": "GET /api/v1/leases",
    "leases_outages_create": "POST /api/v1/leases/{ref}/outages",
    "leases_outages_list": "GET /api/v1/leases/{ref}/outages",
    "leases_retrieve": "GET /api/v1/leases/{ref}",
    "margins_list": "GET /api/v1/margins",
    "members_delete": "DELETE /api/v1/members/{person_id}",
    "members_list": "GET /api/v1/members",
    "members_read": "GET /api/v1/members/{person_id}",
    "members_update": "PUT /api/v1/members/{person_id}",
    "nodes_keys": "GET /api/v1/nodes/{node_id}/keys",
    "nodes_list": "GET /api/v1/nodes",
    "nodes_retrieve": "GET /api/v1/nodes/{thing_id}",
    "nodes_revoke": "POST /api/v1/nodes/{node_id}/revoke",
    "organizations_create": "POST /api/v1/organizations",
    "organizations_fees_list": "GET /api/v1/organizations/{organization_id}/fees",
    "organizations_list": "GET /api/v1/organizations",
    "organizations_read": "GET /api/v1/organizations/{organization_id}",
    "organizations_reinstate": "POST /api/v1/organizations/{organization_id}/reinstate",
    "organizations_set_fee": "PUT /api/v1/organizations/{organization_id}/fee",
    "organizations_suspend": "POST /api/v1/organizations/{organization_id}/suspend",
    "organizations_update": "PUT /api/v1/organizations/{organization_id}",
    "payments_list": "GET /api/v1/payments",
    "payments_retrieve": "GET /api/v1/payments/{payment_id}",
    "payout_account_open": "POST /api/v1/payouts/account",
    "payout_account_page": "POST /api/v1/payouts/account/page",
    "payout_account_retrieve": "GET /api/v1/payouts/account",
    "payout_files_create": "POST /api/v1/payout-files",
    "payout_files_list": "GET /api/v1/payout-files",
    "payout_files_xml_retrieve": "GET /api/v1/payout-files/{file_id}/xml",
    "payout_terms_retrieve": "GET /api/v1/payouts/terms",
    "payout_terms_update": "PUT /api/v1/payouts/terms",
    "payouts_back": "POST /api/v1/payouts/{payout_id}/back",
    "payouts_create": "POST /api/v1/payouts",
    "payouts_failed": "POST /api/v1/payouts/{payout_id}/failed",
    "payouts_list": "GET /api/v1/payouts",
    "payouts_paid": "POST /api/v1/payouts/{payout_id}/paid",
    "payouts_retrieve": "GET /api/v1/payouts/{payout_id}",
    "price_books_create": "POST /api/v1/price-books",
    "price_books_list": "GET /api/v1/price-books",
    "price_drafts_create": "POST /api/v1/price-drafts",
    "price_drafts_discard": "DELETE /api/v1/price-drafts/{draft_id}",
    "price_drafts_list": "GET /api/v1/price-drafts",
    "price_drafts_publish": "POST /api/v1/price-drafts/{draft_id}/publish",
    "price_drafts_retrieve": "GET /api/v1/price-drafts/{draft_id}",
    "price_drafts_update": "PUT /api/v1/price-drafts/{draft_id}",
    "price_index_import": "POST /api/v1/price-index",
    "price_index_list": "GET /api/v1/price-index",
    "price_versions_create": "POST /api/v1/price-versions",
    "price_versions_list": "GET /api/v1/price-versions",
    "price_versions_retrieve": "GET /api/v1/price-versions/{version_id}",
    "price_versions_simulate": "GET /api/v1/price-versions/{version_id}/simulate",
    "profile_keep": "PUT /api/v1/profile",
    "profile_logo_read": "GET /api/v1/profile/logo",
    "profile_read": "GET /api/v1/profile",
    "projects_create": "POST /api/v1/projects",
    "projects_list": "GET /api/v1/projects",
    "projects_update": "PUT /api/v1/projects/{slug}",
    "quotes_create": "POST /api/v1/quotes",
    "quotes_reserve": "POST /api/v1/quotes/{quote_id}/reserve",
    "quotes_retrieve": "GET /api/v1/quotes/{quote_id}",
    "reconciliations_create": "POST /api/v1/reconciliations",
    "reconciliations_list": "GET /api/v1/reconciliations",
    "refunds_back": "POST /api/v1/refunds/{refund_id}/back",
    "refunds_create": "POST /api/v1/refunds",
    "refunds_list": "GET /api/v1/refunds",
    "refunds_retrieve": "GET /api/v1/refunds/{refund_id}",
    "refunds_sent": "POST /api/v1/refunds/{refund_id}/sent",
    "revenue_statements_create": "POST /api/v1/contracts/{contract_id}/revenue-statements",
    "revenue_statements_document": "GET /api/v1/contracts/{contract_id}/revenue-statements/{statement_id}/document",
    "revenue_statements_list": "GET /api/v1/contracts/{contract_id}/revenue-statements",
    "sessions_list": "GET /api/v1/sessions",
    "sessions_retrieve": "GET /api/v1/sessions/{session_id}",
    "sessions_start": "POST /api/v1/sessions",
    "sessions_state": "POST /api/v1/sessions/{session_id}/state",
    "sessions_stop": "POST /api/v1/sessions/{session_id}/stop",
    "share_audit_findings_answer": "POST /api/v1/contracts/{contract_id}/audit-answers",
    "share_audit_findings_create": "POST /api/v1/contracts/{contract_id}/audit-findings",
    "share_audit_findings_list": "GET /api/v1/contracts/{contract_id}/audit-findings",
    "share_refunds_create": "POST /api/v1/contracts/{contract_id}/refunds",
    "share_refunds_list": "GET /api/v1/contracts/{contract_id}/refunds",
    "sign_on_retrieve": "GET /api/v1/sign-on",
    "slices_list": "GET /api/v1/slices",
    "slices_retrieve": "GET /api/v1/slices/{thing_id}",
    "statements_document_retrieve": "GET /api/v1/statements/{statement_id}/document",
    "statements_list": "GET /api/v1/statements",
    "statements_pdf_retrieve": "GET /api/v1/statements/{statement_id}/pdf",
    "statements_retrieve": "GET /api/v1/statements/{statement_id}",
    "stopped_steps_list": "GET /api/v1/stopped-steps",
    "stopped_steps_retry": "POST /api/v1/stopped-steps/{kind}/{step_id}/retry",
    "take_backs_create": "POST /api/v1/take-backs",
    "tax_exemptions_create": "POST /api/v1/tax-exemptions",
    "tax_exemptions_end": "POST /api/v1/tax-exemptions/{exemption_id}/end",
    "tax_exemptions_list": "GET /api/v1/tax-exemptions",
    "tax_rates_create": "POST /api/v1/tax-rates",
    "tax_rates_list": "GET /api/v1/tax-rates",
    "tax_settings_keep": "PUT /api/v1/tax-settings",
    "tax_settings_read": "GET /api/v1/tax-settings",
    "tenant_balances_list": "GET /api/v1/tenant-balances",
    "together_rules_list": "GET /api/v1/together-rules",
    "together_rules_set": "PUT /api/v1/together-rules",
    "usage_alerts_acknowledge": "POST /api/v1/usage/alerts/{alert_id}/acknowledge",
    "usage_alerts_list": "GET /api/v1/usage/alerts",
    "usage_completeness_list": "GET /api/v1/usage/completeness",
    "usage_costs_list": "GET /api/v1/usage/costs",
    "usage_findings_list": "GET /api/v1/usage/findings",
    "usage_gaps_list": "GET /api/v1/usage/gaps",
    "usage_keys_list": "GET /api/v1/usage/keys",
    "usage_keys_partial_update": "PATCH /api/v1/usage/keys/{key_id}",
    "usage_list": "GET /api/v1/usage",
    "usage_reporters_create": "POST /api/v1/usage/reporters",
    "usage_reporters_list": "GET /api/v1/usage/reporters",
    "usage_residuals_list": "GET /api/v1/usage/residuals",
    "usage_substitutions_list": "GET /api/v1/usage/substitutions",
    "volumes_list": "GET /api/v1/volumes",
    "volumes_size": "POST /api/v1/volumes",
    "webhook_deliveries_list": "GET /api/v1/webhook-deliveries",
    "webhook_deliveries_replay": "POST /api/v1/webhook-deliveries/{delivery_id}/replay",
    "webhook_deliveries_retrieve": "GET /api/v1/webhook-deliveries/{delivery_id}",
    "webhook_endpoints_create": "POST /api/v1/webhook-endpoints",
    "webhook_endpoints_delete": "DELETE /api/v1/webhook-endpoints/{endpoint_id}",
    "webhook_endpoints_list": "GET /api/v1/webhook-endpoints",
    "webhook_endpoints_replay": "POST /api/v1/webhook-endpoints/{endpoint_id}/replay",
    "webhook_endpoints_retrieve": "GET /api/v1/webhook-endpoints/{endpoint_id}",
    "webhook_endpoints_test": "POST /api/v1/webhook-endpoints/{endpoint_id}/test",
    "webhook_endpoints_turn_off": "POST /api/v1/webhook-endpoints/{endpoint_id}/turn-off",
    "webhook_endpoints_turn_secret": "POST /api/v1/webhook-endpoints/{endpoint_id}/secret",
    "webhook_endpoints_update": "PUT /api/v1/webhook-endpoints/{endpoint_id}",
    "witness_differences_answer": "POST /api/v1/contracts/{contract_id}/witness-differences",
    "witness_differences_list": "GET /api/v1/contracts/{contract_id}/witness-differences",
}

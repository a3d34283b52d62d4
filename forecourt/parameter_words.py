"""Says in the OpenAPI document where a program gets what an address names, and what a filter without words leaves."""

from __future__ import annotations

from typing import Any, Final

ROOT: Final = "/api/v1/"
PARAMETER_WORDS: Final = {
    "amendments/amendment_id": "the `id` of an amendment, as `contracts/{contract_id}/amendments` lists them",
    "bank-matches/match_id": "the `id` of one of the `matches` of a movement, as `bank-lines/{line_id}` names them",
    "books/accounts/account_id": "the `id` of an account, as `books/accounts` lists them",
    "books/postings/posting_id": "the `posting_id` of an entry, as `books/accounts/{account_id}/entries` lists them",
    "contracts/number": "the `number` of a contract, as `contracts` lists them: C-0001",
    "dunning-steps/step_id": "the `id` of a step that was taken, as `invoices/{invoice_id}/dunning` lists them",
    "invoices/{invoice_id}/steps/step": "which step: document, stripe_push, collect; as the invoice names them",
    "leases/ref": "the `ref` of a lease, as `leases` lists them",
    "projects/slug": "the `slug` of a project, as `projects` lists them",
    "quotes/quote_id": "the `id` of a quote, as the call that asked for it answered",
    "contracts/{contract_id}/revenue-statements/statement_id": (
        "the `id` of a statement, as `contracts/{contract_id}/revenue-statements` lists them"
    ),
    "stopped-steps/kind": "the `kind` of a step, as `stopped-steps` lists them",
    "stopped-steps/{kind}/step_id": "the `id` of a step, as `stopped-steps` lists them",
    "alerts?kind": "only alerts of this kind",
    "differences?kind": "only differences of this kind",
    "drafts?state": "only drafts in this state",
    "invoices?status": "only invoices in this state",
    "margins?group_by": "what each row is of; `tenant` if it is not given",
    "payouts?state": "only payouts in this state",
    "webhook-deliveries?state": "only deliveries in this state",
}
"""By the address before the parameter and its name; of a filter with a question mark between."""


def describe_parameters(path: str, operation: dict[str, Any]) -> None:
    """Say of each parameter of an operation that has no words what it is."""
    for parameter in operation.get("parameters", []):
        if not parameter.get("description"):
            parameter["description"] = words_of(path, parameter)


def words_of(path: str, parameter: dict[str, Any]) -> str:
    """Return the words for a parameter: those written for it, or for an id the list that holds it."""
    name = parameter["name"]
    if parameter["in"] == "query":
        return PARAMETER_WORDS[f"{path.removeprefix(ROOT)}?{name}"]
    before = path.partition(f"/{{{name}}}")[0].removeprefix(ROOT)
    return PARAMETER_WORDS.get(f"{before}/{name}", f"the `id` of one of those that `{before}` lists")

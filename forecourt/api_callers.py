"""Says in the OpenAPI document which operations are of providers or of the operator alone: others get 404 there."""

from __future__ import annotations

from typing import Any, Final

OF_PROVIDERS: Final = frozenset(
    [
        "bank_accounts_create",
        "bank_statements_create",
        "clusters_create",
        "contracts_dunning_schedule_update",
        "contracts_dunning_schedule_destroy",
        "correction_policy_retrieve",
        "correction_policy_update",
        "coupons_create",
        "deployments_create",
        "dunning_schedule_retrieve",
        "dunning_schedule_update",
        "fleet_health_list",
        "issuing_rule_read",
        "issuing_rule_set",
        "payout_account_retrieve",
        "payout_account_open",
        "payout_account_page",
        "tax_exemptions_list",
        "tax_exemptions_create",
        "tax_exemptions_end",
        "tax_rates_list",
        "tax_rates_create",
        "tax_settings_read",
        "tax_settings_keep",
        "together_rules_list",
        "together_rules_set",
    ]
)
OF_THE_OPERATOR: Final = frozenset(
    [
        "backlogs_list",
        "differences_list",
        "differences_settle",
        "payout_files_list",
        "payout_files_create",
        "payout_files_xml_retrieve",
        "payouts_create",
        "payouts_failed",
        "payouts_paid",
        "reconciliations_list",
        "reconciliations_create",
        "stopped_steps_list",
        "stopped_steps_retry",
    ]
)


def tell_callers(operation: dict[str, Any]) -> None:
    """Add to an operation's description whose it is, where that is one kind of organization and it does not say so."""
    name, told = operation.get("operationId"), operation.get("description", "")
    if name in OF_PROVIDERS:
        operation["description"] = f"{told} For providers: 404 to others."
    elif name in OF_THE_OPERATOR:
        operation["description"] = f"{told.removesuffix(' For the operator.')} For the operator: 404 to others."

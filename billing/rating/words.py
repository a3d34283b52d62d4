"""What a rule's line is called on a bill, after the reference and title of its term; by rule id."""

from collections.abc import Mapping

RULE_WORDS: Mapping[str, str] = {
    "lease_fixed_rate": "",
    "lease_book_rate": "",
    "lease_flat_per_period": "flat amount",
    "token_share_list_price": "{share} of list price",
    "token_price_book": "by the price book",
    "token_price_own": "at agreed prices",
    "token_price_tier": "in tiers",
    "token_price_volume": "by volume",
    "token_price_allowance": "free allowance",
    "token_price_package": "packages",
    "token_price_packaged": "in packages",
    "discount_percent": "discount",
    "discount_amount": "discount",
    "commitment_true_up": "made up to the commitment",
    "commitment_recouped": "shortfall paid before, used now",
    "credit_drawn": "paid from credit",
    "token_share_transfer_price": "{share} of transfer price",
    "share_excluded_tests": "tests, not shared",
    "share_excluded_free_tier": "free tier, not shared",
    "share_excluded_refunds": "refunds, not shared",
    "share_excluded_failed_streams": "failed streams, not shared",
    "share_excluded_cache_hits": "cache hits, not shared",
    "share_excluded_taxes": "taxes, not shared",
    "share_excluded_gateway_fees": "gateway fees, not shared",
    "share_excluded_interrupted_not_billed": "interrupted streams, not billed",
    "share_excluded_interrupted_not_delivered": "interrupted streams, what was not delivered",
    "share_added_interrupted_added": "interrupted streams, what was made beyond what was reported",
    "share_excluded_witness_lower": "beyond the tolerance, the lower count bills",
    "share_excluded_witness_engine": "beyond the tolerance, the engine's count bills",
    "share_added_witness_engine": "beyond the tolerance, the engine's count bills",
    "share_excluded_witness_held": "beyond the tolerance, held until it is settled",
    "share_certified_difference": "certified revenue less metered",
    "share_estimated_difference": "estimated revenue less metered",
    "share_of_base": "{share} of certified revenue",
    "share_tier_marginal": "{share} of the base in the tier",
    "share_tier_whole": "{share} of the base, by the tier reached",
    "share_base_rent": "base rent",
    "share_below_natural_breakpoint": "share below the natural breakpoint",
    "share_below_agreed_breakpoint": "share below the agreed breakpoint",
    "share_rent_credited": "rent credited against the share",
    "share_guarantee_shortfall": "minimum guarantee, shortfall",
    "share_guarantee_recouped": "minimum guarantee, recouped",
    "share_cap": "above the cap",
    "share_true_up": "true-up of an earlier statement",
    "share_audit_difference": "found by an audit",
    "share_audit_cost": "cost of the audit",
    "share_reserve_held": "reserve held",
    "share_reserve_released": "reserve released",
    "credit_brought_forward": "credit brought forward",
    "credit_carried_forward": "credit carried forward to the next period",
}
"""`{share}` stands for the percentage of the line, or for "a share" where it has several."""


def line_words(rule: str, share: str) -> str:
    """Return what a line by a rule is called; a rule without words of its own is called by its id."""
    return RULE_WORDS.get(rule, rule.replace("_", " ")).format(share=share)

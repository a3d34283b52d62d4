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
    "credit_brought_forward": "credit brought forward",
    "credit_carried_forward": "credit carried forward to the next period",
}
"""`{share}` stands for the percentage of the line, or for "a share" where it has several."""


def line_words(rule: str, share: str) -> str:
    """Return what a line by a rule is called; a rule without words of its own is called by its id."""
    return RULE_WORDS.get(rule, rule.replace("_", " ")).format(share=share)

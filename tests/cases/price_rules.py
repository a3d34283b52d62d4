"""Worked cases of price rules: a price book's versions, what a contract says of them, and its prices then."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from billing.rating.book import PriceVersion, TokenClass
from billing.rating.price_lists import prices_of
from billing.rating.price_rules import PriceRule, contract_versions
from billing.rating.wording import Stretch, read_wording

END = datetime.fromisoformat("2100-01-01T00:00:00Z")


def price_rule(given: dict[str, Any]) -> dict[str, Any]:
    """A contract's rule over the versions of its book: which prices are in force for it from when."""
    versions = [
        PriceVersion(
            version_id=each["id"],
            effective_at=each["effective_at"],
            announced_at=each.get("announced_at"),
            token_prices={
                (model, TokenClass(token_class)): Decimal(price)
                for model, prices in each.get("per_mtok", {}).items()
                for token_class, price in prices.items()
            },
            gpu_prices={model: Decimal(price) for model, price in each.get("per_gpu_hour", {}).items()},
        )
        for each in given["versions"]
    ]
    document = {**given["rule"], "kind": "price_rule"}
    rule = read_wording(PriceRule, _with_ids(document))
    found = contract_versions(
        versions,
        [Stretch(1, given["agreed_at"], END, rule)],
        zone=given.get("zone", "UTC"),
        from_at=given["from"],
        to_at=given["to"],
    )
    return {
        "prices": [
            {
                "from": max(version.effective_at, given["from"]),
                "version": version.version_id.partition("@")[0],
                "adjusted": "@" in version.version_id,
                **{
                    " ".join(filter(None, (key.model, key.quantity, str(key.unit)))): f"{price:f}"
                    for key, price in sorted(prices_of(version).items())
                },
            }
            for version in found
        ]
    }


def _with_ids(document: dict[str, Any]) -> dict[str, Any]:
    """Instants as a document has them: text."""
    return {key: _text(value) for key, value in document.items()}


def _text(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, dict):
        return {key: _text(each) for key, each in value.items()}
    return [_text(each) for each in value] if isinstance(value, list) else value

"""The rules of FOCUS 1.2 for its columns, as far as we write them: what a row breaks, in words.

Source: the specification's column definitions, version 1.2 (May 2025): nullability, types, allowed values, and what
must fit together.
"""

import re
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from decimal import Decimal
from fractions import Fraction

from billing.documents.focus import COLUMNS, CORRECTION, PURCHASE, TAX, USAGE, Row
from billing.money import MINOR_DIGITS

NOT_NULL = (
    *("BilledCost", "BillingAccountId", "BillingAccountType", "BillingCurrency", "BillingPeriodEnd"),
    *("BillingPeriodStart", "ChargeCategory", "ChargeFrequency", "ChargePeriodEnd", "ChargePeriodStart"),
    *("ContractedCost", "EffectiveCost", "InvoiceIssuerName", "ListCost", "ProviderName", "PublisherName"),
    *("ServiceCategory", "ServiceName", "ServiceSubcategory"),
)
DECIMALS = (
    *("BilledCost", "ConsumedQuantity", "ContractedCost", "ContractedUnitPrice", "EffectiveCost", "ListCost"),
    *("ListUnitPrice", "PricingQuantity"),
)
INSTANTS = ("BillingPeriodStart", "BillingPeriodEnd", "ChargePeriodStart", "ChargePeriodEnd")
INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z")
ALLOWED: Mapping[str, AbstractSet[str | None]] = {
    "ChargeCategory": {"Usage", "Purchase", "Tax", "Credit", "Adjustment"},
    "ChargeClass": {None, "Correction"},
    "ChargeFrequency": {"One-Time", "Recurring", "Usage-Based"},
    "PricingCategory": {None, "Standard", "Dynamic", "Committed", "Other"},
    "ServiceCategory": {
        *("AI and Machine Learning", "Analytics", "Business Applications", "Compute", "Databases"),
        *("Developer Tools", "Multicloud", "Identity", "Integration", "Internet of Things"),
        *("Management and Governance", "Media", "Migration", "Mobile", "Networking", "Security", "Storage", "Web"),
        "Other",
    },
}
PRICING = ("PricingCategory", "PricingQuantity", "ContractedUnitPrice", "ListUnitPrice", "SkuId", "SkuPriceId")
"""Null on a tax; known of what is used or bought, but in a correction."""
PAIRS = (("ConsumedQuantity", "ConsumedUnit"), ("PricingQuantity", "PricingUnit"), ("SkuId", "SkuMeter"))
PRODUCTS = (("ContractedUnitPrice", "ContractedCost"), ("ListUnitPrice", "ListCost"))
TOLERANCE = Fraction(1, 10**9)
"""Of a cost: quantities in hours have no end of decimals, and 18 of them are written."""


def broken_columns(row: Row) -> tuple[str, ...]:
    """Return what a row breaks, empty where it is right."""
    missing = [column for column in COLUMNS if column not in row]
    if missing:
        return tuple(f"{column} is missing" for column in missing)
    return (*_values(row), *_conditions(row), *_sums(row))


def _values(row: Row) -> Iterator[str]:
    yield from (f"{column} must not be null" for column in NOT_NULL if row[column] in (None, ""))
    for column in DECIMALS:
        if row[column] is not None and not isinstance(row[column], Decimal):
            yield f"{column} must be a decimal"
    for column in INSTANTS:
        if not INSTANT.fullmatch(str(row[column])):
            yield f"{column} must be a date and time in UTC"
    for column, allowed in ALLOWED.items():
        if str(row[column]) not in allowed and not (row[column] is None and None in allowed):
            yield f"{column} is {row[column]!r}, which is not allowed"
    if row["BillingCurrency"] not in MINOR_DIGITS:
        yield "BillingCurrency must be a code of ISO 4217"
    yield from (f"{column} is no column of FOCUS 1.2" for column in row if column not in COLUMNS)


def _conditions(row: Row) -> Iterator[str]:
    category, corrects = row["ChargeCategory"], row["ChargeClass"] == CORRECTION
    for column in PRICING:
        if category == TAX and row[column] is not None:
            yield f"{column} must be null on a tax"
        if category in (USAGE, PURCHASE) and not corrects and row[column] is None:
            yield f"{column} must not be null on {category}"
    yield from _of_category(row, str(category), corrects=corrects)
    for one, other in PAIRS:
        if (row[one] is None) != (row[other] is None):
            yield f"{one} and {other} must be null together"
    for start, end in (("BillingPeriodStart", "BillingPeriodEnd"), ("ChargePeriodStart", "ChargePeriodEnd")):
        if str(row[start]) >= str(row[end]):
            yield f"{start} must be before {end}"


def _of_category(row: Row, category: str, *, corrects: bool) -> Iterator[str]:
    if category == PURCHASE and row["ChargeFrequency"] == "Usage-Based":
        yield "ChargeFrequency must not be Usage-Based on a purchase"
    if category != USAGE and row["ConsumedQuantity"] is not None:
        yield "ConsumedQuantity must be null but on usage"
    if category == USAGE and not corrects and row["ConsumedQuantity"] is None:
        yield "ConsumedQuantity must not be null on usage"


def _sums(row: Row) -> Iterator[str]:
    quantity = row["PricingQuantity"]
    for price_column, cost_column in PRODUCTS:
        price, cost = row[price_column], row[cost_column]
        if not isinstance(price, Decimal):
            continue
        if price < 0:
            yield f"{price_column} must not be negative"
        if row["ChargeClass"] == CORRECTION or not isinstance(quantity, Decimal) or not isinstance(cost, Decimal):
            continue
        off = abs(Fraction(quantity) * Fraction(price) - Fraction(cost))
        if off > TOLERANCE * max(Fraction(1), abs(Fraction(cost))):
            yield f"PricingQuantity x {price_column} must be {cost_column}"

"""Rows of FOCUS 1.2, the FinOps Open Cost and Usage Specification: the columns, and what an invoice says in them.

A row is a part of a line on one day, at its exact amount; what the rounding of a line adds is a row of its own, so the
rows of an invoice sum to its total, tax and all. Columns of features that we do not have (regions, capacity
reservations, commitment discounts) are left out, as the specification says. Ours begin with `x_`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction

from billing.money import SECONDS_PER_HOUR, TOKENS_PER_PRICE_UNIT, to_charge
from billing.rating.lease_term import DEPOSIT_RULES
from billing.rating.rated import PriceUnit, TermKind, Unit

COLUMNS = (
    "BilledCost",
    "BillingAccountId",
    "BillingAccountName",
    "BillingAccountType",
    "BillingCurrency",
    "BillingPeriodEnd",
    "BillingPeriodStart",
    "ChargeCategory",
    "ChargeClass",
    "ChargeDescription",
    "ChargeFrequency",
    "ChargePeriodEnd",
    "ChargePeriodStart",
    "ConsumedQuantity",
    "ConsumedUnit",
    "ContractedCost",
    "ContractedUnitPrice",
    "EffectiveCost",
    "InvoiceId",
    "InvoiceIssuerName",
    "ListCost",
    "ListUnitPrice",
    "PricingCategory",
    "PricingQuantity",
    "PricingUnit",
    "ProviderName",
    "PublisherName",
    "ResourceId",
    "ResourceName",
    "ResourceType",
    "ServiceCategory",
    "ServiceName",
    "ServiceSubcategory",
    "SkuId",
    "SkuMeter",
    "SkuPriceId",
    "SubAccountId",
    "SubAccountName",
    "SubAccountType",
    "x_InvoiceLine",
    "x_Model",
    "x_Rule",
    "x_TokenClass",
)

Row = Mapping[str, Decimal | str | None]
"""A value for every column; None where FOCUS has null."""

USAGE, PURCHASE, CREDIT, TAX, ADJUSTMENT = "Usage", "Purchase", "Credit", "Tax", "Adjustment"
CORRECTION = "Correction"
PERCENT = 100

CONSUMED: Mapping[str, str] = {
    Unit.TOKENS: "Tokens",
    Unit.REQUESTS: "Requests",
    Unit.IMAGES: "Images",
    Unit.STEPS: "Steps",
    Unit.GPU_SECONDS: "GPU-Seconds",
    Unit.GB_SECONDS: "GB-Seconds",
    Unit.PACKAGES: "Packages",
    Unit.SECONDS: "Seconds",
}
PRICED: Mapping[str, tuple[str, int]] = {
    PriceUnit.PER_MTOK: ("1000000 Tokens", TOKENS_PER_PRICE_UNIT),
    PriceUnit.PER_REQUEST: ("Requests", 1),
    PriceUnit.PER_IMAGE: ("Images", 1),
    PriceUnit.PER_STEP: ("Steps", 1),
    PriceUnit.PER_SECOND: ("Seconds", 1),
    PriceUnit.PER_GPU_HOUR: ("GPU-Hours", SECONDS_PER_HOUR),
    PriceUnit.PER_PACKAGE: ("Packages", 1),
}
"""Unit and how many of what is counted it is; a price per another unit is told as one unit of the amount."""
WHOLE = "Units"
SERVICES: Mapping[str, tuple[str, str]] = {
    TermKind.LEASE: ("Compute", "Virtual Machines"),
    TermKind.ON_DEMAND: ("Compute", "Virtual Machines"),
    TermKind.SPOT: ("Compute", "Virtual Machines"),
    TermKind.STORAGE: ("Storage", "Block Storage"),
    TermKind.TOKEN_PRICE: ("AI and Machine Learning", "Generative AI"),
    TermKind.TOKEN_SHARE: ("AI and Machine Learning", "Generative AI"),
}
OTHER_SERVICE = ("Other", "Other (Other)")
SERVICE_NAMES: Mapping[str, str] = {
    "Compute": "GPU leases",
    "Storage": "Storage",
    "AI and Machine Learning": "Model inference",
    "Other": "Contract terms",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """What all rows of one invoice or credit note share."""

    account_id: str
    account: str
    issuer: str
    contract: str
    number: str
    currency: str
    from_at: datetime
    to_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """A part of a line: one class on one day at one price; amounts are exact. `corrects` an earlier period or none."""

    line: int
    description: str
    term_kind: str
    term_ref: str
    rule: str
    model: str
    token_class: str
    price_version: str
    from_at: datetime
    to_at: datetime
    quantity: Decimal
    unit: str
    unit_price: Decimal
    price_unit: str
    share_percent: Decimal
    base: Decimal
    amount: Decimal
    corrects: bool = False


def charge_row(bill: Bill, charge: Charge) -> Row:
    """Return the row of a part of a line."""
    category = _category(charge)
    priced = _priced(charge) if category in (USAGE, PURCHASE) else {}
    sku = "/".join(filter(None, (charge.term_kind, charge.model, charge.token_class))) if priced else None
    version = charge.price_version or charge.term_ref
    service, subcategory = SERVICES.get(charge.term_kind, OTHER_SERVICE)
    return {
        **_empty(),
        **_shared(bill),
        **_costs(charge.amount),
        "ListCost": charge.base if category == USAGE else charge.amount,
        **priced,
        "ChargeCategory": category,
        "ChargeClass": CORRECTION if charge.corrects else None,
        "ChargeDescription": charge.description,
        "ChargeFrequency": _frequency(category, charge),
        "ChargePeriodStart": instant(charge.from_at),
        "ChargePeriodEnd": instant(charge.to_at),
        "ConsumedQuantity": charge.quantity if category == USAGE else None,
        "ConsumedUnit": CONSUMED[charge.unit] if category == USAGE else None,
        "ResourceId": charge.term_ref,
        "ResourceName": charge.term_ref,
        "ResourceType": charge.term_kind,
        "ServiceCategory": service,
        "ServiceName": SERVICE_NAMES[service],
        "ServiceSubcategory": subcategory,
        "SkuId": sku,
        "SkuMeter": sku and (charge.token_class or charge.unit),
        "SkuPriceId": sku and f"{sku}@{version}",
        "x_InvoiceLine": str(charge.line),
        "x_Model": charge.model or None,
        "x_Rule": charge.rule,
        "x_TokenClass": charge.token_class or None,
    }


def rounding_row(bill: Bill, charge: Charge, difference: Decimal) -> Row:
    """Return the row of what rounding a line added to its exact amount; `charge` is any of its parts."""
    return {
        **charge_row(bill, charge),
        **_unpriced(),
        **_costs(difference),
        "ListCost": difference,
        "ChargeCategory": ADJUSTMENT,
        "ChargeDescription": f"Rounding of line {charge.line}",
        "ChargeFrequency": "One-Time",
        "ChargePeriodStart": instant(bill.from_at),
        "ChargePeriodEnd": instant(bill.to_at),
    }


def plain_row(bill: Bill, category: str, description: str, amount: Decimal, *, corrects: bool = False) -> Row:
    """Return the row of an amount that is of no line: a tax, a credit note."""
    return {
        **_empty(),
        **_shared(bill),
        **_costs(amount),
        "ListCost": amount,
        "ChargeCategory": category,
        "ChargeClass": CORRECTION if corrects else None,
        "ChargeDescription": description,
        "ChargeFrequency": "One-Time",
        "ChargePeriodStart": instant(bill.from_at),
        "ChargePeriodEnd": instant(bill.to_at),
        "ServiceCategory": OTHER_SERVICE[0],
        "ServiceName": SERVICE_NAMES[OTHER_SERVICE[0]],
        "ServiceSubcategory": OTHER_SERVICE[1],
    }


def cells(row: Row) -> Iterator[Decimal | str | None]:
    """Yield a row's values in the order of the columns."""
    yield from (row[column] for column in COLUMNS)


def instant(at: datetime) -> str:
    """Return an instant as FOCUS writes it: ISO 8601 in UTC, by the second."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _category(charge: Charge) -> str:
    """Usage is what was counted; an amount is bought, or taken off."""
    if charge.unit in CONSUMED:
        return USAGE
    return PURCHASE if charge.amount >= 0 else CREDIT


def _frequency(category: str, charge: Charge) -> str:
    if category == USAGE:
        return "Usage-Based"
    return "One-Time" if category == CREDIT or charge.rule in DEPOSIT_RULES else "Recurring"


def _priced(charge: Charge) -> dict[str, Decimal | str | None]:
    """Quantity and prices such that quantity x price is the cost, as the specification demands."""
    known = PRICED.get(charge.price_unit)
    share = Fraction(charge.share_percent) / PERCENT
    if known is not None and charge.unit != Unit.AMOUNT:
        name, units = known
        quantity = Fraction(charge.quantity) / units
        if to_charge(quantity * Fraction(charge.unit_price) * share) == to_charge(charge.amount):
            contracted = to_charge(Fraction(charge.unit_price) * share)
            return _prices(to_charge(quantity), name, contracted, charge.unit_price)
    sign = -1 if charge.amount < 0 else 1
    base = abs(charge.base) if charge.base * sign >= 0 else abs(charge.amount)
    return _prices(Decimal(sign), WHOLE, abs(charge.amount), base)


def _prices(quantity: Decimal, unit: str, contracted: Decimal, listed: Decimal) -> dict[str, Decimal | str | None]:
    return {
        "PricingCategory": "Standard",
        "PricingQuantity": quantity,
        "PricingUnit": unit,
        "ContractedUnitPrice": contracted,
        "ListUnitPrice": listed,
        "ListCost": to_charge(Fraction(quantity) * Fraction(listed)),
    }


def _empty() -> dict[str, Decimal | str | None]:
    return dict.fromkeys(COLUMNS)


def _unpriced() -> dict[str, Decimal | str | None]:
    names = ("PricingCategory", "PricingQuantity", "PricingUnit", "ContractedUnitPrice", "ListUnitPrice")
    return dict.fromkeys((*names, "ConsumedQuantity", "ConsumedUnit", "SkuId", "SkuMeter", "SkuPriceId"))


def _costs(amount: Decimal) -> dict[str, Decimal | str | None]:
    return {"BilledCost": amount, "EffectiveCost": amount, "ContractedCost": amount}


def _shared(bill: Bill) -> dict[str, Decimal | str | None]:
    return {
        "BillingAccountId": bill.account_id,
        "BillingAccountName": bill.account,
        "BillingAccountType": "Organization",
        "BillingCurrency": bill.currency,
        "BillingPeriodStart": instant(bill.from_at),
        "BillingPeriodEnd": instant(bill.to_at),
        "InvoiceId": bill.number,
        "InvoiceIssuerName": bill.issuer,
        "ProviderName": bill.issuer,
        "PublisherName": bill.issuer,
        "SubAccountId": bill.contract,
        "SubAccountName": bill.contract,
        "SubAccountType": "Contract",
    }

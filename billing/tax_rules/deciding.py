"""Which treatment a supply has on a day, from nothing but a `TaxBasis`: the same when billing and when verifying.

GPU compute is a service supplied by electronic means. In this order:

1. A seller that charges no tax charges none.
2. A certificate of exemption of the buyer that is in force on the day.
3. The provider's own rate for the buyer's country.
4. Within one country: its standard rate.
5. Within the European Union: reverse charge where the buyer has a valid VAT id of its country, else the standard rate
   of the buyer's country.
6. Between other countries: not taxed where the seller is.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Final

import msgspec

from billing.tax_rules.standard_rates import STANDARD_RATES
from billing.tax_rules.treatments import Category, Source, Treatment
from tenants.tax_ids import EU_COUNTRIES

REVERSE_CHARGE_CODE: Final = "VATEX-EU-AE"
EXPORT_CODE: Final = "VATEX-EU-G"
NOT_SUBJECT_CODE: Final = "VATEX-EU-O"
REVERSE_CHARGE_REASON: Final = "Reverse charge: the buyer owes the tax"
EXPORT_REASON: Final = "Supplied to another country: not taxed where the seller is"
NO_TAX_REASON: Final = "The seller charges no tax"


class RateMissing(Exception):
    """No rate is known for a country on a day: a person must enter one."""

    def __init__(self, country: str, on: date) -> None:
        super().__init__(f"no rate is known for {country} on {on.isoformat()}")
        self.country = country
        self.on = on


class Method(StrEnum):
    """Who works out a provider's tax."""

    NONE = "none"
    RULES = "rules"
    STRIPE = "stripe"


class Buyers(StrEnum):
    """Which buyers of a country a rate is for."""

    ALL = "all"
    WITH_VAT_ID = "with_vat_id"
    WITHOUT_VAT_ID = "without_vat_id"


class Party(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Seller or buyer as far as tax asks; `eu_vat_id_valid`: its VAT id is of its EU country, by form and digits."""

    country: str
    vat_id: str = ""
    eu_vat_id_valid: bool = False


class Rate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A rate for buyers of a country from a day on. `category` None: from that day the built-in rules apply again."""

    country: str
    from_on: date
    category: Category | None
    percent: Decimal = Decimal(0)
    buyers: Buyers = Buyers.ALL
    reason_code: str = ""
    reason: str = ""


class Exemption(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A buyer's certificate, for supplies on days in `[from_on, to_on)`; without an end where `to_on` is None."""

    reference: str
    reason: str
    from_on: date
    to_on: date | None = None
    reason_code: str = ""


class Given(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a tax service answered for all that was asked of it: so much tax on so much, shown at a percentage."""

    taxable: Decimal
    tax: Decimal
    percent: Decimal
    category: Category
    country: str = ""
    reason: str = ""


class Original(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a line of an earlier invoice was taxed, of which this bill gives something back; `source` names the line."""

    source: str
    treatment: Treatment


class TaxBasis(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that decides the taxes of a bill beside its lines.

    `provider_rates` and `standard_rates` are in the order of their days (of one day the last one counts), those of the
    countries of both parties alone. `brought_untaxed`: what was brought forward from the bill before was no supply;
    `brought`: how it was taxed there where it was one, which it is taken off by too. `originals`: how lines were taxed
    of which this bill gives something back, by which their tax goes back whoever the parties are by now.
    """

    method: Method
    seller: Party
    buyer: Party
    no_tax_reason: str = ""
    provider_rates: tuple[Rate, ...] = ()
    standard_rates: tuple[Rate, ...] = ()
    exemptions: tuple[Exemption, ...] = ()
    given: Given | None = None
    brought_untaxed: bool = False
    brought: Treatment | None = None
    originals: tuple[Original, ...] = ()


def original_of(basis: TaxBasis, source: str) -> Treatment | None:
    """Return how the line was taxed that something is given back of; None where that is not known, or for no source."""
    return next((one.treatment for one in basis.originals if source and one.source == source), None)


def known_rates(*countries: str) -> tuple[Rate, ...]:
    """Return the built-in standard rates of these countries, in the order of their days."""
    return tuple(
        Rate(country=country, from_on=day, category=Category.STANDARD, percent=percent)
        for country in sorted(set(countries))
        for day, percent in STANDARD_RATES.get(country, ())
    )


def treatment_on(basis: TaxBasis, on: date) -> Treatment:
    """Return how a supply on a day is taxed; raises `RateMissing`."""
    if basis.method is Method.NONE:
        return _no_tax(basis)
    exempt = exempt_on(basis, on)
    if exempt is not None:
        return exempt
    if basis.method is Method.STRIPE:
        assert basis.given is not None, "a service was asked before"
        given = basis.given
        return Treatment(given.category, given.percent, given.country, Source.STRIPE, reason=given.reason)
    own = _own_rate(basis, on)
    if own is not None:
        return own
    return _by_countries(basis, on)


def exempt_on(basis: TaxBasis, on: date) -> Treatment | None:
    """Return what a certificate of the buyer makes of a supply on a day, if one is in force then."""
    for exemption in basis.exemptions:
        if exemption.from_on <= on and (exemption.to_on is None or on < exemption.to_on):
            return Treatment(
                Category.EXEMPT,
                Decimal(0),
                basis.seller.country,
                Source.CERTIFICATE,
                exemption.reason_code,
                f"{exemption.reason} ({exemption.reference})",
            )
    return None


def _no_tax(basis: TaxBasis) -> Treatment:
    if basis.no_tax_reason:
        return Treatment(Category.EXEMPT, Decimal(0), basis.seller.country, Source.NONE, reason=basis.no_tax_reason)
    return Treatment(Category.NOT_SUBJECT, Decimal(0), "", Source.NONE, NOT_SUBJECT_CODE, NO_TAX_REASON)


def _own_rate(basis: TaxBasis, on: date) -> Treatment | None:
    buyer = basis.buyer
    found: Rate | None = None
    for rate in basis.provider_rates:
        fits = rate.buyers is Buyers.ALL or (rate.buyers is Buyers.WITH_VAT_ID) == bool(buyer.vat_id)
        if rate.country == buyer.country and fits and rate.from_on <= on:
            found = rate if found is None or rate.from_on >= found.from_on else found
    if found is None or found.category is None:
        return None
    return Treatment(found.category, found.percent, found.country, Source.PROVIDER, found.reason_code, found.reason)


def _by_countries(basis: TaxBasis, on: date) -> Treatment:
    seller, buyer = basis.seller, basis.buyer
    if seller.country == buyer.country:
        return _standard(basis, seller.country, on)
    if {seller.country, buyer.country} <= EU_COUNTRIES:
        if buyer.eu_vat_id_valid:
            return Treatment(
                Category.REVERSE_CHARGE,
                Decimal(0),
                buyer.country,
                Source.BUILT_IN,
                REVERSE_CHARGE_CODE,
                REVERSE_CHARGE_REASON,
            )
        return _standard(basis, buyer.country, on)
    code = EXPORT_CODE if seller.country in EU_COUNTRIES else ""
    return Treatment(Category.EXPORT, Decimal(0), seller.country, Source.BUILT_IN, code, EXPORT_REASON)


def _standard(basis: TaxBasis, country: str, on: date) -> Treatment:
    found = [rate for rate in basis.standard_rates if rate.country == country and rate.from_on <= on]
    if not found:
        raise RateMissing(country, on)
    latest = max(found, key=lambda rate: rate.from_on)
    return Treatment(Category.STANDARD, latest.percent, country, Source.BUILT_IN)

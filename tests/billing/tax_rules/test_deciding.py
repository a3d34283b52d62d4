"""Which treatment a supply has on a day: each rule, their order, their edges."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.tax_rules.deciding import (
    Buyers,
    Exemption,
    Method,
    Party,
    Rate,
    RateMissing,
    TaxBasis,
    known_rates,
    treatment_on,
)
from billing.tax_rules.treatments import Category, Source, Treatment
from tenants.tax_ids import EU_COUNTRIES
from tests.examples import examples

ON = date(2026, 3, 31)
GERMAN = Party(country="DE", vat_id="DE136695976", eu_vat_id_valid=True)


def basis(seller: str = "DE", bought_in: str = "FR", *, valid: bool = False, **more: Any) -> TaxBasis:
    return TaxBasis(
        **{
            "method": Method.RULES,
            "seller": Party(country=seller),
            "buyer": Party(country=bought_in, vat_id=f"{bought_in}1" if valid else "", eu_vat_id_valid=valid),
            "standard_rates": known_rates(seller, bought_in),
            **more,
        }
    )


def found(of: TaxBasis, on: date = ON) -> tuple[str, str, str, str]:
    one = treatment_on(of, on)
    return one.category.value, str(one.percent), one.country, one.reason_code


@pytest.mark.parametrize(
    ("seller", "buyer", "valid", "expected"),
    [
        ("DE", "DE", False, ("S", "19", "DE", "")),
        ("DE", "DE", True, ("S", "19", "DE", "")),
        ("DE", "FR", True, ("AE", "0", "FR", "VATEX-EU-AE")),
        ("DE", "FR", False, ("S", "20", "FR", "")),
        ("DE", "FI", False, ("S", "25.5", "FI", "")),
        ("DE", "US", False, ("G", "0", "DE", "VATEX-EU-G")),
        ("DE", "GB", True, ("G", "0", "DE", "VATEX-EU-G")),
        ("US", "DE", True, ("G", "0", "US", "")),
        ("GB", "GB", False, ("S", "20", "GB", "")),
        ("CH", "CH", False, ("S", "8.1", "CH", "")),
        ("US", "CN", False, ("G", "0", "US", "")),
    ],
)
def test_the_countries_of_both_parties_decide(
    seller: str, buyer: str, valid: bool, expected: tuple[str, str, str, str]
) -> None:
    assert found(basis(seller, buyer, valid=valid)) == expected


def test_a_seller_that_charges_no_tax_charges_none_whatever_else_is_said() -> None:
    exempt = Exemption(reference="C-1", reason="resale", from_on=ON)
    of = basis("DE", "DE", method=Method.NONE, exemptions=(exempt,))
    assert found(of) == ("O", "0", "", "VATEX-EU-O")
    with_reason = treatment_on(basis("DE", "DE", method=Method.NONE, no_tax_reason="Small business"), ON)
    assert with_reason == Treatment(Category.EXEMPT, Decimal(0), "DE", Source.NONE, "", "Small business")


def test_a_certificate_holds_on_its_days_only() -> None:
    certificate = Exemption(
        reference="C-1", reason="diplomatic", from_on=ON, to_on=ON + timedelta(days=2), reason_code="VATEX-EU-151"
    )
    of = basis("DE", "DE", exemptions=(certificate,))
    held = treatment_on(of, ON)
    assert held == Treatment(Category.EXEMPT, Decimal(0), "DE", Source.CERTIFICATE, "VATEX-EU-151", "diplomatic (C-1)")
    assert treatment_on(of, ON + timedelta(days=1)) == held
    assert [found(of, ON + timedelta(days=days))[0] for days in (-1, 2)] == ["S", "S"]
    endless = basis("DE", "DE", exemptions=(Exemption(reference="C-2", reason="aid", from_on=ON),))
    assert found(endless, ON + timedelta(days=9_999))[0] == "E"


def test_a_providers_rate_comes_before_the_built_in_and_the_latest_counts() -> None:
    rates = (
        Rate(country="US", from_on=date(2026, 1, 1), category=Category.STANDARD, percent=Decimal("8.875")),
        Rate(country="US", from_on=date(2026, 3, 1), category=Category.STANDARD, percent=Decimal(9)),
        Rate(country="US", from_on=date(2026, 3, 1), category=Category.ZERO, reason="entered anew"),
        Rate(country="US", from_on=date(2026, 6, 1), category=None),
    )
    of = basis("US", "US", provider_rates=rates)
    assert found(of, date(2026, 2, 28))[:2] == ("S", "8.875")
    assert treatment_on(of, ON) == Treatment(Category.ZERO, Decimal(0), "US", Source.PROVIDER, "", "entered anew")
    for day in (date(2025, 12, 31), date(2026, 6, 1)):
        with pytest.raises(RateMissing) as missing:
            treatment_on(of, day)
        assert (missing.value.country, missing.value.on) == ("US", day)


def test_a_providers_rate_is_for_its_country_and_its_buyers() -> None:
    rates = (
        Rate(country="CH", from_on=ON, category=Category.STANDARD, percent=Decimal(5), buyers=Buyers.WITHOUT_VAT_ID),
        Rate(country="CH", from_on=ON, category=Category.REVERSE_CHARGE, buyers=Buyers.WITH_VAT_ID),
    )
    private, business = Party(country="CH"), Party(country="CH", vat_id="CHE1")
    assert found(basis("DE", "CH", provider_rates=rates, buyer=private))[:2] == ("S", "5")
    assert found(basis("DE", "CH", provider_rates=rates, buyer=business))[:2] == ("AE", "0")
    assert found(basis("DE", "FR", provider_rates=rates))[:2] == ("S", "20")
    assert found(basis("DE", "CH", provider_rates=rates, buyer=private), ON - timedelta(days=1))[0] == "G"


def test_where_no_rate_is_known_a_person_must_enter_one() -> None:
    with pytest.raises(RateMissing, match="no rate is known for US on 2026-03-31"):
        treatment_on(basis("US", "US"), ON)
    with pytest.raises(RateMissing):
        treatment_on(basis("DE", "DE"), date(2020, 12, 31))


@settings(max_examples=examples(25))
@given(
    seller=st.sampled_from(sorted(EU_COUNTRIES)),
    buyer=st.sampled_from([*sorted(EU_COUNTRIES), "US", "GB", "CN"]),
    valid=st.booleans(),
    days=st.integers(0, 2_500),
)
def test_within_the_union_tax_is_charged_once_by_somebody(seller: str, buyer: str, valid: bool, days: int) -> None:
    """Either the seller charges a rate of the buyer's country, or the buyer owes it, or it left the union."""
    on = date(2021, 1, 1) + timedelta(days=days)
    one = treatment_on(basis(seller, buyer, valid=valid), on)
    if buyer not in EU_COUNTRIES:
        assert one.category is Category.EXPORT
    elif seller != buyer and valid:
        assert (one.category, one.country) == (Category.REVERSE_CHARGE, buyer)
    else:
        assert (one.category, one.country) == (Category.STANDARD, buyer)
        assert one.percent >= 16


def test_a_basis_is_written_and_read_back() -> None:
    of = basis(
        "DE",
        "US",
        exemptions=(Exemption(reference="C-1", reason="resale", from_on=ON, to_on=None),),
        provider_rates=(Rate(country="US", from_on=ON, category=None),),
        brought_untaxed=True,
    )
    assert msgspec.convert(msgspec.to_builtins(of), TaxBasis) == of
    assert msgspec.convert(msgspec.to_builtins(msgspec.structs.replace(of, seller=GERMAN)), TaxBasis).seller == GERMAN

"""Numbers of companies, banks and countries: form and check digits."""

from __future__ import annotations

import pytest

from tenants.tax_ids import (
    COUNTRIES,
    EU_COUNTRIES,
    VAT_PREFIXES,
    compact,
    is_bic,
    is_eu_vat_id,
    is_iban,
    is_vat_id,
    vat_id_country,
)


def test_there_are_the_countries_of_iso_3166_and_27_members() -> None:
    assert len(COUNTRIES) == 249
    assert len(EU_COUNTRIES) == 27
    assert EU_COUNTRIES < COUNTRIES
    assert VAT_PREFIXES["GR"] == "EL"
    assert VAT_PREFIXES["DE"] == "DE"


@pytest.mark.parametrize(
    ("vat_id", "country", "good"),
    [
        ("DE136695976", "DE", True),
        ("DE136695970", "DE", False),
        ("136695976", "DE", False),
        ("ATU13585627", "AT", True),
        ("ATU13585627", "DE", False),
        ("EL094259216", "GR", True),
        ("GR094259216", "GR", False),
        ("IE6433435F", "IE", True),
        ("GB980780684", "GB", True),
        ("GB980780685", "GB", False),
        ("CHE107787577IVA", "CH", True),
        ("US123456789", "US", True),
        ("US-1", "US", False),
        ("x", "US", False),
        ("", "DE", False),
    ],
)
def test_a_vat_id_has_its_countrys_prefix_and_check_digits(vat_id: str, country: str, good: bool) -> None:
    assert is_vat_id(vat_id, country) is good


@pytest.mark.parametrize(
    ("vat_id", "country"), [("DE136695976", "DE"), ("EL094259216", "GR"), ("XI123456789", ""), ("", ""), ("D", "")]
)
def test_the_prefix_says_the_country(vat_id: str, country: str) -> None:
    assert vat_id_country(vat_id) == country


def test_only_members_ids_are_european() -> None:
    assert is_eu_vat_id("DE136695976")
    assert is_eu_vat_id("EL094259216")
    assert not is_eu_vat_id("DE136695970")
    assert not is_eu_vat_id("GB980780684")
    assert not is_eu_vat_id("XI980780684")  # Northern Ireland is a member for goods only
    assert not is_eu_vat_id("")


@pytest.mark.parametrize(
    ("given", "kept"),
    [("de 136 695 976", "DE136695976"), ("CHE-107.787.577 IVA", "CHE107787577IVA"), ("12/345/67", "1234567"), ("", "")],
)
def test_numbers_are_kept_compact(given: str, kept: str) -> None:
    assert compact(given) == kept


@pytest.mark.parametrize(
    ("number", "good"),
    [
        ("DE89370400440532013000", True),
        ("DE89370400440532013001", False),
        ("GB82WEST12345698765432", True),
        ("DE8937040044", False),
        ("XX00", False),
        ("", False),
    ],
)
def test_an_iban_has_its_check_digits(number: str, good: bool) -> None:
    assert is_iban(number) is good


@pytest.mark.parametrize(
    ("code", "good"), [("COBADEFFXXX", True), ("COBADEFF", True), ("COBADE", False), ("COBA1EFF", False), ("", False)]
)
def test_a_bic_has_its_form(code: str, good: bool) -> None:
    assert is_bic(code) is good

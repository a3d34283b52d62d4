"""Taxes in words."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from django.utils import translation

from billing.pages.tax_words import CATEGORY_WORDS, country_words, rate_words, tax_lines, without_room
from billing.queries.invoice_taxes import RateRow
from billing.tax_rules.deciding import NO_TAX_REASON, REVERSE_CHARGE_REASON
from billing.tax_rules.treatments import Category
from tests.billing.adjusting.late import late_world
from tests.billing.pages.reading import text_of
from tests.billing.tax.taxed import VAT_IDS, charges_tax, own_rate, stands
from tests.billing.world import APRIL

if TYPE_CHECKING:
    from django.test import Client

    from tests.factories import Cast


def row(category: str, percent: str, country: str = "FI", reason: str = "") -> RateRow:
    return RateRow(1, category, Decimal(percent), country, "built_in", "", reason, Decimal(100), Decimal(5))


def test_every_category_has_words() -> None:
    assert set(CATEGORY_WORDS) == set(Category)
    assert all(str(words) for words in CATEGORY_WORDS.values())


@pytest.mark.parametrize(
    ("category", "percent", "words"),
    [
        ("S", "25.5000", "Value added tax 25.5%"),
        ("S", "19", "Value added tax 19%"),
        ("S", "8.875", "Value added tax 8.875%"),
        ("AE", "0", "Reverse charge"),
        ("", "0", "By the built-in rules"),
    ],
)
def test_a_rate_has_as_many_digits_as_it_needs(category: str, percent: str, words: str) -> None:
    assert rate_words(category, Decimal(percent)) == words


def test_a_rate_of_an_invoice_names_its_country_base_and_reason() -> None:
    standard, reverse = tax_lines([row("S", "10"), row("AE", "0", reason="the buyer owes it")], "EUR", "en")
    assert (standard.name, standard.base, standard.note) == ("Value added tax 10% (Finland)", "€100.00", "")
    assert (reverse.name, reverse.note, reverse.amount) == ("Reverse charge", "the buyer owes it", Decimal(5))


def test_our_own_reason_is_said_in_the_readers_language_and_a_providers_as_it_was_written() -> None:
    rates = [row("AE", "0", reason=REVERSE_CHARGE_REASON), row("E", "0", reason="Small business")]
    with translation.override("zh-hans"):
        assert [line.note for line in tax_lines(rates, "EUR", "zh_Hans_CN")] == [
            "反向征收\uff1a由买方缴税",
            "Small business",
        ]
    assert [line.note for line in tax_lines(rates, "EUR", "en")] == [REVERSE_CHARGE_REASON, "Small business"]


def test_a_seller_that_charges_no_tax_says_so() -> None:
    (none,) = tax_lines([row("O", "0", country="", reason=NO_TAX_REASON)], "EUR", "en")
    assert (none.name, none.base, none.note) == ("Not subject to tax", "€100.00", NO_TAX_REASON)
    with translation.override("zh-hans"):
        (none,) = tax_lines([row("O", "0", country="", reason=NO_TAX_REASON)], "EUR", "zh_Hans_CN")
    assert (none.name, none.note) == ("不属征税范围", "卖方不收税")


def test_a_country_without_a_name_is_shown_by_its_code() -> None:
    assert country_words("DE", "en") == "Germany"
    assert country_words("Q0", "en") == "Q0"


def back(taxable: str, tax: str, percent: str = "19", source: str = "built_in", reason: str = "") -> RateRow:
    return RateRow(1, "S", Decimal(percent), "DE", source, "", reason, Decimal(taxable), Decimal(tax))


@pytest.mark.parametrize(
    ("rate", "rest"),
    [
        (back("-3.00", "-0.57"), "0"),
        (back("-3.00", "-0.20"), "0.37"),
        (back("-3.00", "0.00"), "0.57"),
        (back("-0.02", "0.00"), "0"),
        (back("3.00", "0.00"), "0"),
        (back("-3.00", "0.00", source="stripe"), "0"),
    ],
)
def test_what_of_the_tax_found_no_room_is_what_was_cut(rate: RateRow, rest: str) -> None:
    assert without_room(rate, "EUR") == Decimal(rest)


def test_what_found_no_room_is_said_with_the_way_out() -> None:
    plain, named = tax_lines([back("-3.00", "-0.20"), back("-3.00", "0.00", reason="as agreed")], "EUR", "en")
    assert plain.note.startswith("€0.37 of tax found no room on this bill: a credit note for the earlier invoice")
    assert named.note.startswith("as agreed · €0.57 of tax")


@pytest.mark.django_db
def test_a_bill_that_has_no_room_for_a_tax_says_so(cast: Cast, client: Client) -> None:
    charges_tax(cast.provider)
    stands(cast.provider, "DE", vat_id=VAT_IDS["DE"])
    stands(cast.tenant, "DE")
    late = late_world(parties=(cast.provider, cast.tenant))
    late.use(25_000_000)
    late.close()
    own_rate(cast.provider, "DE", "0", date(2026, 4, 1), category="Z")
    late.use(-3_000_000, stored_at=APRIL + timedelta(days=9))
    late.use(1_000_000, at=APRIL)
    bill = late.close(APRIL)
    assert bill is not None
    assert (bill.subtotal, bill.tax, bill.total) == (Decimal(0), Decimal(0), Decimal(0))
    client.force_login(cast.alice)
    assert "$0.57 of tax found no room on this bill" in text_of(client.get(f"/t/invoices/{bill.number}/"))

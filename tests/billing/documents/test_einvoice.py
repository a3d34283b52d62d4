from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.documents.einvoice import Einvoice, Lacks, clean, einvoice_of, money_text, plain
from billing.documents.inputs import BankAccount, DocumentInput, Payment, Totals
from billing.money import round_to_minor
from tests.billing.documents.invoiced import SAMPLES, credit_note, known, untaxed
from tests.billing.documents.made import BUYER, SELLER, discount_line, invoice, lease_line, share_line
from tests.examples import examples


def lacks(document: DocumentInput) -> tuple[str, ...]:
    found = einvoice_of(document)
    assert isinstance(found, Lacks)
    return found.reasons


@pytest.mark.parametrize("name", SAMPLES)
def test_every_line_is_its_quantity_times_its_price(name: str) -> None:
    """What readers of an electronic invoice work out for themselves, and some countries demand."""
    for item in known(SAMPLES[name]).items:
        assert round_to_minor(Fraction(item.quantity) * Fraction(item.price) / Fraction(item.per), "EUR") == item.amount
        assert item.price >= 0


def test_hours_are_counted_and_a_share_is_one_piece() -> None:
    lease, share, discount = known(invoice()).items
    assert (lease.quantity, lease.unit, lease.price, lease.per) == (Decimal(4176), "HUR", Decimal("2.35"), Decimal(1))
    assert (share.quantity, share.unit, share.price) == (Decimal(1), "C62", Decimal("5.01"))
    assert share.description == "llama-3-70b · Input 22361870; Output 4088665"
    assert (discount.quantity, discount.price, discount.amount) == (Decimal(-1), Decimal("18.61"), Decimal("-18.61"))


def test_tokens_are_priced_by_the_million() -> None:
    line = replace(
        share_line(),
        quantity=Decimal(25_000_000),
        unit_price=Decimal("0.2"),
        share_percent=None,
        amount=Decimal("5.00"),
        parts=(),
    )
    [item] = known(invoice(lines=(line,))).items
    assert (item.quantity, item.unit, item.price, item.per) == (
        Decimal(25_000_000),
        "C62",
        Decimal("0.2"),
        Decimal(1_000_000),
    )


def test_time_that_is_no_finite_number_of_hours_is_one_piece() -> None:
    line = replace(lease_line(), quantity=Decimal(1000), amount=Decimal("0.65"))
    [item] = known(invoice(lines=(line,))).items
    assert (item.quantity, item.unit, item.price) == (Decimal(1), "C62", Decimal("0.65"))


def test_requests_are_counted_and_other_units_are_one_piece() -> None:
    requests = replace(
        discount_line(), unit="requests", price_unit="per_request", quantity=Decimal(10), unit_price=Decimal(2)
    )
    [item] = known(invoice(lines=(replace(requests, amount=Decimal("20.00")),))).items
    assert (item.quantity, item.price) == (Decimal(10), Decimal(2))
    stored = replace(requests, unit="gb_seconds", price_unit="per_gb_month", amount=Decimal("20.00"))
    [item] = known(invoice(lines=(stored,))).items
    assert (item.quantity, item.price) == (Decimal(1), Decimal("20.00"))


@settings(max_examples=examples(25))
@given(
    quantity=st.decimals(min_value=-10_000, max_value=10_000_000, places=3),
    price=st.decimals(min_value=0, max_value=1000, places=6),
    amount=st.decimals(min_value=-1000, max_value=1_000_000, places=2),
)
def test_whatever_the_line_its_item_comes_to_its_amount(quantity: Decimal, price: Decimal, amount: Decimal) -> None:
    line = replace(lease_line(), quantity=quantity, unit_price=price, amount=amount)
    [item] = known(invoice(lines=(line,))).items
    worth = Fraction(item.quantity) * Fraction(item.price) / Fraction(item.per)
    assert round_to_minor(worth, "EUR") == amount
    assert item.price >= 0


def test_days_are_inclusive_and_of_the_documents_zone() -> None:
    found = known(invoice(time_zone="UTC"))
    assert (found.from_on, found.to_on) == (date(2026, 3, 1), date(2026, 3, 31))
    assert (found.issued_on, found.due_on) == (date(2026, 4, 3), date(2026, 4, 17))
    assert (found.items[0].from_on, found.items[0].to_on) == (date(2026, 3, 10), date(2026, 3, 31))


def test_a_lines_days_lie_within_the_documents() -> None:
    early = replace(lease_line(), from_at=lease_line().from_at.replace(month=1))
    [item] = known(invoice(lines=(early,), time_zone="UTC")).items
    assert item.from_on == date(2026, 3, 1)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"seller": replace(SELLER, country="")}, "The seller's country is not known."),
        ({"buyer": replace(BUYER, country="")}, "The buyer's country is not known."),
        ({"seller": replace(SELLER, vat_id="", tax_id="1/2")}, ""),
        ({"seller": replace(SELLER, vat_id="")}, "The seller has neither a VAT id nor a tax number."),
        (
            {"seller": replace(SELLER, vat_id="", legal_id="", tax_id="1/2")},
            "The seller has neither a VAT id nor a registration.",
        ),
        ({"lines": ()}, "It has no lines."),
        ({"taxes": ()}, "No tax rule was applied to its lines."),
        ({"lines": (lease_line(category=""),)}, "No tax rule was applied to its lines."),
        ({"currency": "BHD"}, "BHD has more decimals than the two that EN 16931 has room for."),
        (
            {"totals": Totals(subtotal=Decimal(-1), tax=Decimal(0), total=Decimal(-1), due=Decimal(-1))},
            "Its total is below zero.",
        ),
    ],
)
def test_what_is_not_known_is_said(changes: dict[str, object], reason: str) -> None:
    if reason:
        assert reason in lacks(invoice(**changes))
    else:
        assert isinstance(einvoice_of(invoice(**changes)), Einvoice)


@pytest.mark.parametrize("category", ["AE", "K"])
def test_a_tax_that_the_buyer_owes_takes_its_vat_id(category: str) -> None:
    document = replace(untaxed(category), buyer=replace(BUYER, vat_id=""))
    assert lacks(document) == ("The buyer's VAT id is not known.",)


def test_a_tax_that_is_not_due_takes_a_reason() -> None:
    document = untaxed("E")
    assert lacks(replace(document, taxes=(replace(document.taxes[0], reason=""),))) == (
        "It does not say why no tax is due.",
    )


def test_what_is_not_subject_to_tax_names_no_vat_id() -> None:
    found = known(untaxed("O"))
    assert (found.seller.vat_id, found.buyer.vat_id) == ("", "")
    assert found.seller.legal_id == "HRB 0000"
    assert {item.percent for item in found.items} == {None}


@pytest.mark.parametrize(
    ("document", "means"),
    [
        (invoice(), "58"),
        (invoice(currency="USD"), "30"),
        (invoice(payment=Payment(account=BankAccount(account="12-34"))), "30"),
        (invoice(payment=Payment(by_card=True)), "48"),
        (invoice(payment=Payment()), ""),
        (credit_note(), ""),
    ],
)
def test_how_it_is_paid(document: DocumentInput, means: str) -> None:
    assert known(document).means == means


def test_only_a_supply_within_the_eu_says_where_it_went() -> None:
    assert known(untaxed("K")).deliver_to == "FR"
    assert known(invoice()).deliver_to == ""


def test_texts_hold_nothing_that_xml_cannot() -> None:
    assert clean("a\x00b\x0b\n c\ufffe ") == "a b c"
    assert clean("abcdef", 3) == "abc"
    found = known(invoice(seller=replace(SELLER, name="Sam\x07ple")))
    assert found.seller.name == "Sam ple"


def test_figures_are_written_without_exponent() -> None:
    assert plain(Decimal("1E+3")) == "1000"
    assert plain(Decimal("0.600000")) == "0.6"
    assert money_text(Decimal(9800), "EUR") == "9800.00"
    assert money_text(Decimal("9800.0"), "JPY") == "9800"

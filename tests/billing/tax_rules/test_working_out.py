"""The taxes of a bill: one rounding per rate, parts that are exact, never below zero."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from fractions import Fraction
from math import ceil, floor

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.money import minor_digits, round_to_minor
from billing.tax_rules.deciding import Exemption, Given, Method, Original, Party, Rate, TaxBasis, known_rates
from billing.tax_rules.treatments import Category, Source, Treatment
from billing.tax_rules.working_out import Nature, TaxBill, TaxedLine, asked_for, make_tax_bill
from tests.examples import examples

MARCH, APRIL = date(2026, 3, 31), date(2026, 4, 30)


def german(percent: str = "19", *, april: str | None = None) -> TaxBasis:
    days = ((MARCH, percent), *(((APRIL, april),) if april else ()))
    rates = tuple(
        Rate(country="DE", from_on=day, category=Category.STANDARD, percent=Decimal(value)) for day, value in days
    )
    return TaxBasis(method=Method.RULES, seller=Party(country="DE"), buyer=Party(country="DE"), provider_rates=rates)


def line(amount: str, on: date = MARCH, nature: Nature = Nature.SUPPLY) -> TaxedLine:
    return TaxedLine(Decimal(amount), on, nature)


def shown(bill: TaxBill) -> list[tuple[str, str, str, str]]:
    return [
        (row.treatment.category.value, str(row.treatment.percent), str(row.taxable), str(row.tax)) for row in bill.rows
    ]


def test_tax_is_rounded_once_per_rate_and_shared_out() -> None:
    # Three lines of 0.33 at 19 %: 0.0627 each, 0.06 rounded alone, 0.1881 together.
    bill = make_tax_bill(german(), [line("0.33")] * 3, "EUR")
    assert shown(bill) == [("S", "19", "0.99", "0.19")]
    assert [str(tax) for tax in bill.line_taxes] == ["0.07", "0.06", "0.06"]
    assert (bill.places, bill.total) == ((0, 0, 0), Decimal("0.19"))


def test_lines_on_both_sides_of_a_change_have_both_rates() -> None:
    bill = make_tax_bill(german("19", april="21"), [line("100"), line("50", APRIL), line("10")], "EUR")
    assert shown(bill) == [("S", "19", "110.00", "20.90"), ("S", "21", "50.00", "10.50")]
    assert bill.places == (0, 1, 0)


def test_half_goes_to_the_even_cent() -> None:
    assert [str(make_tax_bill(german("10"), [line(amount)], "EUR").total) for amount in ("0.25", "0.35", "0.05")] == [
        "0.02",
        "0.04",
        "0.00",
    ]


@pytest.mark.parametrize(("currency", "amount", "tax"), [("JPY", "105", "20"), ("BHD", "1.234", "0.234")])
def test_the_currency_s_minor_unit_counts(currency: str, amount: str, tax: str) -> None:
    assert str(make_tax_bill(german(), [line(amount)], currency).total) == tax


def test_what_is_no_supply_bears_no_tax() -> None:
    lines = [line("100"), line("500", nature=Nature.HELD), line("-60", nature=Nature.PAYMENT)]
    bill = make_tax_bill(german(), lines, "EUR")
    assert shown(bill) == [
        ("S", "19", "100.00", "19.00"),
        ("E", "0", "500.00", "0.00"),
        ("E", "0", "-60.00", "0.00"),
    ]
    assert [row.treatment.reason for row in bill.rows][1:] == [
        "Money held for the buyer: no supply",
        "Paid before: no supply",
    ]
    # Who charges no tax has one treatment: category O stands alone on a bill.
    none = TaxBasis(method=Method.NONE, seller=Party(country="DE"), buyer=Party(country="DE"))
    assert shown(make_tax_bill(none, lines, "EUR")) == [("O", "0", "540.00", "0.00")]


def test_credits_take_their_tax_back_but_never_more_than_there_is() -> None:
    bill = make_tax_bill(german(), [line("100"), line("-30")], "EUR")
    assert (shown(bill), [str(tax) for tax in bill.line_taxes]) == ([("S", "19", "70.00", "13.30")], ["19.00", "-5.70"])
    # A deposit pays for a credit: the credit's tax cannot be paid out.
    held = [line("50", nature=Nature.HELD), line("-50")]
    bill = make_tax_bill(german(), held, "EUR")
    assert (bill.total, bill.line_taxes) == (Decimal(0), (Decimal(0), Decimal(0)))
    part = make_tax_bill(german(), [line("53", nature=Nature.HELD), line("-50")], "EUR")
    assert str(part.total) == "-3.00"


def test_a_bill_without_lines_has_no_tax() -> None:
    bill = make_tax_bill(german(), [], "EUR")
    assert not any([bill.rows, bill.places, bill.line_taxes, bill.total])


def asked(taxable: str, tax: str, percent: str = "8.875", category: Category = Category.STANDARD) -> TaxBasis:
    given_tax = Given(
        taxable=Decimal(taxable), tax=Decimal(tax), percent=Decimal(percent), category=category, country="US"
    )
    return TaxBasis(
        method=Method.STRIPE,
        seller=Party(country="US"),
        buyer=Party(country="US"),
        given=given_tax,
        exemptions=(Exemption(reference="C-1", reason="resale", from_on=APRIL),),
    )


def test_what_a_service_answered_is_taken_as_it_is_and_shared_out() -> None:
    # 9.77 is not 8.875 % of 110.00 rounded half to even (9.76): the service rounds by itself.
    bill = make_tax_bill(asked("110.00", "9.77"), [line("100"), line("10"), line("5", nature=Nature.HELD)], "USD")
    assert shown(bill) == [("S", "8.875", "110.00", "9.77"), ("E", "0", "5.00", "0.00")]
    assert [row.treatment.source for row in bill.rows] == [Source.STRIPE, Source.BUILT_IN]
    assert [str(tax) for tax in bill.line_taxes] == ["8.88", "0.89", "0.00"]


def test_a_service_is_asked_about_supplies_that_no_certificate_exempts() -> None:
    lines = [line("100"), line("50", APRIL), line("-10"), line("70", nature=Nature.PAYMENT)]
    basis = asked("90", "7.99")
    assert asked_for(basis, lines) == Decimal(90)
    assert shown(make_tax_bill(basis, lines, "USD")) == [
        ("S", "8.875", "90.00", "7.99"),
        ("E", "0", "50.00", "0.00"),
        ("E", "0", "70.00", "0.00"),
    ]


def test_an_answer_about_another_sum_is_no_answer() -> None:
    with pytest.raises(AssertionError, match=r"90 was asked for, 100\.00 is taxed"):
        make_tax_bill(asked("90", "7.99"), [line("100")], "USD")


MINOR = st.integers(-10_000_000, 100_000_000)
PERCENT = st.decimals(min_value=0, max_value=100, places=4, allow_nan=False)


@st.composite
def bills(draw: st.DrawFn) -> tuple[TaxBasis, list[TaxedLine], str]:
    currency = draw(st.sampled_from(["EUR", "JPY", "BHD"]))
    unit = Decimal(1).scaleb(-minor_digits(currency))
    basis = german(str(draw(PERCENT)), april=str(draw(PERCENT)))
    lines = [
        TaxedLine(draw(MINOR) * unit, draw(st.sampled_from([MARCH, APRIL])), draw(st.sampled_from(list(Nature))))
        for _ in range(draw(st.integers(0, 12)))
    ]
    short = -sum((each.amount for each in lines), Decimal(0))
    if short > 0:
        lines.append(TaxedLine(short, MARCH))
    return basis, lines, currency


@settings(max_examples=examples(25))
@given(bills())
def test_sums_are_exact_and_each_part_is_its_tax_rounded_down_or_up(
    bill: tuple[TaxBasis, list[TaxedLine], str],
) -> None:
    basis, lines, currency = bill
    found = make_tax_bill(basis, lines, currency)
    subtotal = sum((each.amount for each in lines), Decimal(0))
    assert sum((row.taxable for row in found.rows), Decimal(0)) == subtotal
    assert sum(found.line_taxes, Decimal(0)) == found.total
    assert subtotal + found.total >= 0
    scale = 10 ** minor_digits(currency)
    for place, row in enumerate(found.rows):
        mine = [index for index, at in enumerate(found.places) if at == place]
        assert row.taxable == sum(lines[index].amount for index in mine)
        assert row.tax == sum(found.line_taxes[index] for index in mine)
        exact = Fraction(row.taxable) * Fraction(row.treatment.percent) / 100
        cut = row.tax != round_to_minor(exact, currency)
        assert not cut or (row.tax > exact and subtotal + found.total == 0)
        for index in mine if not cut else []:
            part = Fraction(lines[index].amount) * Fraction(row.treatment.percent) / 100 * scale
            units = Fraction(found.line_taxes[index]) * scale
            assert floor(part) - 1 <= units <= ceil(part) + 1


@settings(max_examples=examples(25))
@given(bills())
def test_the_order_of_lines_changes_no_total(bill: tuple[TaxBasis, list[TaxedLine], str]) -> None:
    basis, lines, currency = bill
    forward, back = (make_tax_bill(basis, each, currency) for each in (lines, lines[::-1]))
    assert forward.total == back.total
    assert (
        sorted(map(str, shown(forward))) == sorted(map(str, shown(back)))
        or forward.total + sum(each.amount for each in lines) == 0
    )


def test_built_in_rates_make_a_bill() -> None:
    basis = TaxBasis(
        method=Method.RULES,
        seller=Party(country="FI"),
        buyer=Party(country="FI"),
        standard_rates=known_rates("FI"),
    )
    assert shown(make_tax_bill(basis, [line("9813.60")], "EUR")) == [("S", "25.5", "9813.60", "2502.47")]


def test_what_was_brought_is_taken_off_at_the_rate_it_was_carried_at() -> None:
    old = Treatment(Category.STANDARD, Decimal(25), "DE", Source.PROVIDER)
    basis = msgspec.structs.replace(german(), brought=old)
    brought = TaxedLine(Decimal("-20.00"), MARCH, as_brought=True)
    bill = make_tax_bill(basis, [line("100.00"), brought], "EUR")
    assert [(row.treatment.percent, row.taxable, row.tax) for row in bill.rows] == [
        (Decimal(19), Decimal("100.00"), Decimal("19.00")),
        (Decimal(25), Decimal("-20.00"), Decimal("-5.00")),
    ]
    assert bill.line_taxes == (Decimal("19.00"), Decimal("-5.00"))


def test_what_was_brought_as_a_payment_or_before_taxes_is_as_ever() -> None:
    paid = TaxedLine(Decimal("-20.00"), MARCH, Nature.PAYMENT, as_brought=True)
    old = Treatment(Category.STANDARD, Decimal(25), "DE", Source.PROVIDER)
    for basis in (german(), msgspec.structs.replace(german(), brought=old)):
        rows = make_tax_bill(basis, [line("100.00"), paid], "EUR").rows
        assert [(row.treatment.category, row.tax) for row in rows] == [("S", Decimal("19.00")), ("E", Decimal("0.00"))]
    unknown = TaxedLine(Decimal("-20.00"), MARCH, as_brought=True)
    [row] = make_tax_bill(german(), [line("100.00"), unknown], "EUR").rows
    assert (row.taxable, row.tax) == (Decimal("80.00"), Decimal("15.20"))


@pytest.mark.parametrize(("currency", "amount", "tax"), [("JPY", "-15", "-3"), ("BHD", "-0.010", "-0.002")])
def test_what_was_brought_is_rounded_to_the_currencys_own_unit(currency: str, amount: str, tax: str) -> None:
    old = Treatment(Category.STANDARD, Decimal(17), "DE", Source.PROVIDER)
    basis = msgspec.structs.replace(german(), brought=old)
    brought = TaxedLine(Decimal(amount), MARCH, as_brought=True)
    bill = make_tax_bill(basis, [line("100"), brought], currency)
    assert bill.rows[1].tax == Decimal(tax)


def test_what_is_given_back_of_a_line_takes_back_the_tax_that_it_bore() -> None:
    old = Treatment(Category.STANDARD, Decimal(25), "DE", Source.PROVIDER)
    back = TaxedLine(Decimal("-20.00"), MARCH, gives_back="2026-03|1")
    unknown = TaxedLine(Decimal("-10.00"), MARCH, gives_back="2026-03|2")
    basis = msgspec.structs.replace(german(), originals=(Original(source="2026-03|1", treatment=old),))
    for method in (Method.RULES, Method.NONE):
        bill = make_tax_bill(msgspec.structs.replace(basis, method=method), [line("100.00"), back, unknown], "EUR")
        assert bill.line_taxes[1] == Decimal("-5.00")
        assert [row.taxable for row in bill.rows] == [Decimal("90.00"), Decimal("-20.00")]


def test_a_tax_service_is_not_asked_about_what_goes_back_as_it_was_taxed() -> None:
    old = Treatment(Category.STANDARD, Decimal(25), "DE", Source.PROVIDER)
    basis = msgspec.structs.replace(
        german(), method=Method.STRIPE, originals=(Original(source="2026-03|1", treatment=old),)
    )
    lines = [line("100.00"), TaxedLine(Decimal("-20.00"), MARCH, gives_back="2026-03|1")]
    assert asked_for(basis, lines) == Decimal("100.00")
    given = Given(taxable=Decimal("100.00"), tax=Decimal("8.25"), percent=Decimal("8.25"), category=Category.STANDARD)
    bill = make_tax_bill(msgspec.structs.replace(basis, given=given), lines, "EUR")
    assert bill.line_taxes == (Decimal("8.25"), Decimal("-5.00"))

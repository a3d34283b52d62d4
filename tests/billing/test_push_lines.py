"""Lines for Stripe: sums kept to the minor unit, at most 250 of them, whatever the invoice has."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.push_lines import CHUNK_LINES_MAX, LINES_MAX, FrozenLine, FrozenTax, chunk_bounds, push_lines
from billing.stripe_amounts import AmountNotRepresentable
from tests.examples import examples

START = datetime(2026, 3, 1, tzinfo=UTC)


def line(
    position: int, amount: str | Decimal, model: str = "sample-model", hours: int = 1, taxes: tuple[FrozenTax, ...] = ()
) -> FrozenLine:
    from_at = START + timedelta(hours=position)
    to_at = from_at + timedelta(hours=hours)
    return FrozenLine(position, model, f"line {position}", Decimal(amount), from_at, to_at, taxes)


def vat(taxable: str | Decimal, tax: str | Decimal, rate: int = 1, percent: str = "19") -> FrozenTax:
    return FrozenTax(rate, "VAT", Decimal(percent), Decimal(taxable), Decimal(tax))


amounts = st.integers(-1_000_000, 1_000_000).map(lambda cents: Decimal(cents).scaleb(-2))
frozen = st.lists(st.tuples(amounts, st.integers(0, 400), st.integers(1, 3), amounts), max_size=600).map(
    lambda rows: [
        line(position, amount, f"model-{model}", taxes=(vat(amount, tax, rate),))
        for position, (amount, model, rate, tax) in enumerate(rows, 1)
    ]
)


@settings(max_examples=examples(25))
@given(lines=frozen)
def test_amounts_and_taxes_sum_to_the_invoices(lines: list[FrozenLine]) -> None:
    pushed = push_lines(lines, currency="USD")
    assert len(pushed) <= LINES_MAX
    assert sum(each.amount_minor for each in pushed) == sum(each.amount for each in lines) * 100
    taxed = sum(tax.amount_minor for each in pushed for tax in each.taxes)
    assert taxed == sum(tax.tax for each in lines for tax in each.taxes) * 100
    for rate in (1, 2, 3):
        own = [tax.tax for each in lines for tax in each.taxes if tax.rate == rate]
        if len(lines) <= LINES_MAX and own and min(own) >= 0:
            assert [
                tax.amount_minor
                for each, given_line in zip(pushed, lines, strict=True)
                if given_line.taxes[0].rate == rate
                for tax in each.taxes
            ] == [tax * 100 for tax in own if tax]


@settings(max_examples=examples(25))
@given(lines=frozen)
def test_what_is_pushed_is_the_same_every_time(lines: list[FrozenLine]) -> None:
    assert push_lines(lines, currency="USD") == push_lines(list(lines), currency="USD")


@settings(max_examples=examples(25))
@given(count=st.integers(0, LINES_MAX))
def test_chunks_hold_every_line_once(count: int) -> None:
    bounds = chunk_bounds(count)
    assert [position for start, end in bounds for position in range(start, end)] == list(range(count))
    assert all(0 < end - start <= CHUNK_LINES_MAX for start, end in bounds)


def test_few_lines_are_pushed_as_they_are() -> None:
    (first, second) = push_lines([line(1, "10.50"), line(2, "-0.25")], currency="EUR")
    assert (first.amount_minor, first.description, first.metadata) == (1_050, "line 1", {"forecourt_lines": "1"})
    assert (first.period_from, first.period_to) == (START + timedelta(hours=1), START + timedelta(hours=2))
    assert (second.amount_minor, second.taxes) == (-25, ())


def test_one_line_too_many_sums_them_up_by_model_in_order() -> None:
    lines = [line(position, "1.00", "b" if position % 3 else "a") for position in range(1, LINES_MAX + 2)]
    pushed = push_lines(lines, currency="USD")
    assert [(each.description, each.amount_minor) for each in pushed] == [
        ("b: 168 lines, see the invoice's detail", 16_800),
        ("a: 83 lines, see the invoice's detail", 8_300),
    ]
    assert pushed[0].period_from == START + timedelta(hours=1)
    assert pushed[1].period_to == START + timedelta(hours=250)


def test_more_models_than_lines_leave_the_rest_on_the_last() -> None:
    lines = [line(position, "1.00", f"model-{position}") for position in range(1, 301)]
    pushed = push_lines(lines, currency="USD")
    assert len(pushed) == LINES_MAX
    assert pushed[248].description == "model-249: 1 lines, see the invoice's detail"
    assert (pushed[249].description, pushed[249].amount_minor) == (
        "Other models: 51 lines, see the invoice's detail",
        5_100,
    )


def test_each_line_is_pushed_with_its_own_taxes() -> None:
    lines = [line(1, "100.00", taxes=(vat("100.00", "19.00"),)), line(2, "50.00", taxes=(vat("50", "3.50", 2, "7"),))]
    first, second = (each.taxes for each in push_lines(lines, currency="EUR"))
    assert [(tax.amount_minor, tax.taxable_minor, tax.percentage, tax.display_name) for tax in (*first, *second)] == [
        (1_900, 10_000, Decimal(19), "VAT"),
        (350, 5_000, Decimal(7), "VAT"),
    ]


def test_what_is_taken_back_is_taken_of_what_adds_at_the_same_rate() -> None:
    lines = [
        line(1, "100.00", taxes=(vat("100.00", "19.00"),)),
        line(2, "-20.00", taxes=(vat("-20.00", "-3.80"),)),
        line(3, "10.00", taxes=(vat("10.00", "0.70", 2, "7"),)),
    ]
    pushed = push_lines(lines, currency="EUR")
    assert [[tax.amount_minor for tax in each.taxes] for each in pushed] == [[1_520], [], [70]]


def test_lines_of_a_model_are_pushed_with_the_taxes_of_all_of_them() -> None:
    lines = [
        line(position, "1.00", "a", taxes=(vat("1.00", "0.19"), vat("0.00", "0.01", 2)))
        for position in range(1, LINES_MAX + 2)
    ]
    (only,) = push_lines(lines, currency="EUR")
    assert [(tax.amount_minor, tax.taxable_minor) for tax in only.taxes] == [(251 * 19, 25_100), (251, 0)]


def test_a_tax_of_nothing_is_not_pushed() -> None:
    assert push_lines([line(1, "5.00", taxes=(vat("5.00", "0"),))], currency="USD")[0].taxes == ()


def test_a_currency_without_minor_units_is_pushed_whole() -> None:
    (only,) = push_lines([line(1, "1200")], currency="JPY")
    assert only.amount_minor == 1_200


def test_what_stripe_has_no_integer_for_is_refused() -> None:
    with pytest.raises(AmountNotRepresentable):
        push_lines([line(1, "1.234")], currency="KWD")

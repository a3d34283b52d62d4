"""Lines for Stripe: sums kept to the minor unit, at most 250 of them, whatever the invoice has."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.push_lines import CHUNK_LINES_MAX, LINES_MAX, FrozenLine, chunk_bounds, push_lines
from billing.stripe_amounts import AmountNotRepresentable

START = datetime(2026, 3, 1, tzinfo=UTC)


def line(position: int, amount: str | Decimal, model: str = "sample-model", hours: int = 1) -> FrozenLine:
    from_at = START + timedelta(hours=position)
    return FrozenLine(position, model, f"line {position}", Decimal(amount), from_at, from_at + timedelta(hours=hours))


amounts = st.integers(-1_000_000, 1_000_000).map(lambda cents: Decimal(cents).scaleb(-2))
frozen = st.lists(st.tuples(amounts, st.integers(0, 400)), max_size=600).map(
    lambda rows: [line(position, amount, f"model-{model}") for position, (amount, model) in enumerate(rows, 1)]
)


@given(lines=frozen, tax_minor=st.integers(-100_000, 100_000))
def test_amounts_and_taxes_sum_to_the_invoices(lines: list[FrozenLine], tax_minor: int) -> None:
    pushed = push_lines(lines, tax=Decimal(tax_minor).scaleb(-2), currency="USD")
    assert len(pushed) <= LINES_MAX
    assert sum(each.amount_minor for each in pushed) == sum(each.amount for each in lines) * 100
    taxed = sum(tax.amount_minor for each in pushed for tax in each.taxes)
    assert taxed == (tax_minor if lines else 0)


@given(lines=frozen)
def test_what_is_pushed_is_the_same_every_time(lines: list[FrozenLine]) -> None:
    first = push_lines(lines, tax=Decimal("1.23"), currency="USD")
    assert first == push_lines(list(lines), tax=Decimal("1.23"), currency="USD")


@given(count=st.integers(0, LINES_MAX))
def test_chunks_hold_every_line_once(count: int) -> None:
    bounds = chunk_bounds(count)
    assert [position for start, end in bounds for position in range(start, end)] == list(range(count))
    assert all(0 < end - start <= CHUNK_LINES_MAX for start, end in bounds)


def test_few_lines_are_pushed_as_they_are() -> None:
    (first, second) = push_lines([line(1, "10.50"), line(2, "-0.25")], tax=Decimal(0), currency="EUR")
    assert (first.amount_minor, first.description, first.metadata) == (1_050, "line 1", {"forecourt_lines": "1"})
    assert (first.period_from, first.period_to) == (START + timedelta(hours=1), START + timedelta(hours=2))
    assert (second.amount_minor, second.taxes) == (-25, ())


def test_one_line_too_many_sums_them_up_by_model_in_order() -> None:
    lines = [line(position, "1.00", "b" if position % 3 else "a") for position in range(1, LINES_MAX + 2)]
    pushed = push_lines(lines, tax=Decimal(0), currency="USD")
    assert [(each.description, each.amount_minor) for each in pushed] == [
        ("b: 168 lines, see the invoice's detail", 16_800),
        ("a: 83 lines, see the invoice's detail", 8_300),
    ]
    assert pushed[0].period_from == START + timedelta(hours=1)
    assert pushed[1].period_to == START + timedelta(hours=250)


def test_more_models_than_lines_leave_the_rest_on_the_last() -> None:
    lines = [line(position, "1.00", f"model-{position}") for position in range(1, 301)]
    pushed = push_lines(lines, tax=Decimal(0), currency="USD")
    assert len(pushed) == LINES_MAX
    assert pushed[248].description == "model-249: 1 lines, see the invoice's detail"
    assert (pushed[249].description, pushed[249].amount_minor) == (
        "Other models: 51 lines, see the invoice's detail",
        5_100,
    )


def test_tax_goes_with_what_adds_and_shows_the_rate() -> None:
    pushed = push_lines([line(1, "100.00"), line(2, "-20.00")], tax=Decimal("15.20"), currency="EUR")
    ((tax,), none) = (pushed[0].taxes, pushed[1].taxes)
    assert none == ()
    assert (tax.amount_minor, tax.taxable_minor, tax.percentage) == (1_520, 10_000, Decimal("19.0000"))


def test_a_tax_on_nothing_stands_on_the_first_line() -> None:
    pushed = push_lines([line(1, "0"), line(2, "0")], tax=Decimal("0.05"), currency="USD")
    assert [[tax.amount_minor for tax in each.taxes] for each in pushed] == [[5], []]
    assert pushed[0].taxes[0].percentage == 0


def test_a_currency_without_minor_units_is_pushed_whole() -> None:
    (only,) = push_lines([line(1, "1200")], tax=Decimal(0), currency="JPY")
    assert only.amount_minor == 1_200


def test_what_stripe_has_no_integer_for_is_refused() -> None:
    with pytest.raises(AmountNotRepresentable):
        push_lines([line(1, "1.234")], tax=Decimal(0), currency="KWD")

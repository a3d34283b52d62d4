"""Invoice lines: gathered from sublines, rounded once, total is their sum."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from billing.rating.held_time import About, Rates, Row, rate_time
from billing.rating.lines import by_rate, make_bill
from billing.rating.rated import Rated, TermKind, Unit
from clusters.occupancy import unix_second
from tests.billing.rating.made import END, START, at, hold, token_line
from tests.examples import examples


def held(price: Decimal, hours: tuple[float, float], model: str = "H100") -> Rated:
    day = (unix_second(START), unix_second(END))
    row = Row("lease_fixed_rate", "lease_book_rate")
    return rate_time(About(TermKind.LEASE, "S-1", 1), Rates(price, ()), [hold(*hours, model=model)], day, row=row)


def test_a_line_gathers_the_classes_of_a_model_under_a_term() -> None:
    bill = make_bill(
        [
            token_line("i", 22_361_870, price="0.60", token_class="input", share=Decimal(30)),
            token_line("o", 4_088_665, price="0.80", share=Decimal(30)),
        ],
        "USD",
    )
    (line,) = bill.lines
    assert (line.term_ref, line.model, line.unit) == ("S-1", "sample", Unit.TOKENS)
    assert (line.base_amount, line.exact_amount) == (Decimal("16.688054"), Decimal("5.0064162"))
    assert str(line.amount) == str(bill.total) == "5.01"
    assert (line.price, line.share_percent) == (None, Decimal(30))
    assert line.quantity == Decimal(26_450_535)
    assert len(line.sublines) == 2


def test_a_line_of_one_price_shows_it() -> None:
    (line,) = make_bill([token_line("a", 1), token_line("b", 2, mix={"E": 2})], "USD").lines
    assert line.price is not None
    assert line.price.amount == Decimal(1)
    assert line.quality_mix == {"A": Decimal(1), "E": Decimal(2)}


def test_quantities_of_two_units_are_not_added() -> None:
    lease = held(Decimal(1), (0, 1), model="sample")
    rated = [token_line("a", 1), *lease.lines]
    assert [line.unit for line in make_bill(rated, "USD").lines] == [Unit.TOKENS, Unit.GPU_SECONDS]
    (line,) = make_bill(rated, "USD", lambda _: "all").lines
    assert (line.unit, line.quantity) == (None, None)


def test_what_is_taken_off_different_terms_is_told_apart() -> None:
    rated = [replace(token_line(ref, 1), term_ref="D-1", about_ref=ref) for ref in ("S-1", "S-2")]
    assert [line.sublines[0].about_ref for line in make_bill(rated, "USD").lines] == ["S-1", "S-2"]


def test_lines_by_rate_keep_prices_and_shares_apart() -> None:
    rated = [
        token_line("a", 5, price="1"),
        token_line("b", 5, price="2"),
        token_line("c", 5, price="2"),
        token_line("d", 5, price="2", share=Decimal(30)),
        replace(token_line("e", 5, price="2"), price_version_id="v2"),
    ]
    assert [len(line.sublines) for line in make_bill(rated, "USD", by_rate).lines] == [1, 2, 1, 1]


def test_lines_stand_in_the_order_of_their_first_subline() -> None:
    short = replace(token_line("x", 1, model="a", from_at=at(3)), to_at=at(4))
    rated = [token_line("z", 1, model="b", from_at=at(1)), token_line("y", 1, model="a", from_at=at(2)), short]
    bill = make_bill(rated, "USD")
    assert [line.model for line in bill.lines] == ["a", "b"]
    assert (bill.lines[0].from_at, bill.lines[0].to_at) == (at(2), END)


@pytest.mark.parametrize(("currency", "each", "total"), [("USD", "0.004", "4.00"), ("JPY", "0.4", "400")])
def test_a_thousand_small_charges_are_rounded_once(currency: str, each: str, total: str) -> None:
    bill = make_bill([token_line(str(n), 1_000_000, price=each) for n in range(1_000)], currency)
    assert str(bill.total) == total


def test_the_amount_is_rounded_from_the_exact_sum_and_not_from_stored_parts() -> None:
    second = 1 / 3_600
    lease = Rated()
    for part in ((0, second), (second, 2 * second), (2 * second, 1)):
        lease += held(Decimal("0.065"), part)
    (line,) = make_bill(lease.lines, "USD").lines
    assert lease.exact_total == Fraction("0.065")
    assert line.exact_amount > Decimal("0.065")
    assert line.amount == Decimal("0.06")


def test_a_negative_line_is_a_credit() -> None:
    assert str(make_bill([token_line("a", -1_500_000)], "USD").total) == "-1.50"


def test_a_bill_of_nothing_is_zero_in_its_currency() -> None:
    assert str(make_bill([], "BHD").total) == "0.000"


@settings(max_examples=examples(25))
@given(
    st.lists(st.tuples(st.integers(-(10**12), 10**12), st.sampled_from("abc"))),
    st.sampled_from(["USD", "JPY", "BHD"]),
    st.data(),
)
def test_a_bill_does_not_depend_on_order_and_is_near_the_exact_sum(
    made: list[tuple[int, str]], currency: str, data: st.DataObject
) -> None:
    rated = [
        token_line(str(number), tokens, model=model, price="0.123456", share=Decimal("33.3333"))
        for number, (tokens, model) in enumerate(made)
    ]
    bill = make_bill(rated, currency)
    assert make_bill(data.draw(st.permutations(rated)), currency) == bill
    assert bill.total == sum(line.amount for line in bill.lines)
    exact = sum((line.exact for line in rated), Fraction(0))
    assert abs(Fraction(bill.total) - exact) <= Fraction(len(bill.lines), 2)
    for line in bill.lines:
        assert line.exact_amount == sum(subline.amount for subline in line.sublines)

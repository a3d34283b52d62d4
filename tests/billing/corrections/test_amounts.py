"""How much a credit note gives back: rules by example, and that parts always end at the whole."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.corrections.amounts import (
    Creditable,
    Given,
    MoreThanLeft,
    Wanted,
    WrongCredit,
    all_left,
    line_taxes,
    of_amount,
    of_lines,
    require_left,
    running_share,
)
from billing.money import from_minor, round_to_minor


def line(
    amount: str = "36.00",
    *,
    position: int = 1,
    exact: str = "",
    quantity: str = "12",
    credited: str = "0",
    gone: str = "0",
) -> Creditable:
    return Creditable(
        position,
        Decimal(amount),
        Decimal(exact or amount),
        Decimal(quantity),
        "hours",
        Decimal(credited),
        Decimal(gone),
    )


def one(wish: Wanted, *lines: Creditable) -> Given:
    (given_back,) = of_lines(lines, [wish], "USD")
    return given_back


def test_a_line_gives_back_all_that_is_left_a_quantity_or_an_amount() -> None:
    assert one(Wanted(1), line(credited="6.00")) == Given(1, Decimal("30.00"))
    assert one(Wanted(1, amount=Decimal("10.50")), line()) == Given(1, Decimal("10.50"))
    assert one(Wanted(1, quantity=Decimal(3)), line()) == Given(1, Decimal("9.00"), Decimal(3))


def test_a_quantity_is_of_the_exact_amount_rounded_once_and_the_last_of_it_is_what_is_left() -> None:
    third = line("10.00", exact="9.999", quantity="3")
    assert one(Wanted(1, quantity=Decimal(1)), third).amount == Decimal("3.33")
    rest = line("10.00", exact="9.999", quantity="3", credited="3.33", gone="1")
    assert one(Wanted(1, quantity=Decimal(2)), rest).amount == Decimal("6.67")


@pytest.mark.parametrize(
    ("wish", "left"),
    [
        (Wanted(1, amount=Decimal("30.01")), "30.00"),
        (Wanted(1, quantity=Decimal("10.5")), "30.00"),
        (Wanted(1, amount=Decimal(1000000)), "30.00"),
    ],
)
def test_more_than_is_left_of_a_line_is_refused_with_what_is_left(wish: Wanted, left: str) -> None:
    with pytest.raises(MoreThanLeft, match="left to credit") as refused:
        of_lines([line(credited="6.00", gone="2")], [wish], "USD")
    assert refused.value.extra["left"] == left
    assert refused.value.extra["position"] == 1


def test_an_amount_beyond_the_line_is_refused_though_its_quantity_is_there() -> None:
    with pytest.raises(MoreThanLeft, match=r"1.00 USD left to credit; 9.00 is more"):
        one(Wanted(1, quantity=Decimal(3)), line(credited="35.00"))


def test_nothing_is_never_silently_credited() -> None:
    with pytest.raises(MoreThanLeft, match=r"0\.00 USD left"):
        one(Wanted(1), line(credited="36.00"))
    with pytest.raises(WrongCredit, match="come to 0"):
        one(Wanted(1, quantity=Decimal("0.000001")), line())
    with pytest.raises(MoreThanLeft, match="Everything was credited"):
        all_left([line(credited="36.00")])
    with pytest.raises(WrongCredit, match="at least one"):
        of_lines([line()], [], "USD")


@pytest.mark.parametrize(
    "wish",
    [
        Wanted(2),
        Wanted(1, quantity=Decimal(1), amount=Decimal(1)),
        Wanted(1, quantity=Decimal(0)),
        Wanted(1, quantity=Decimal(-1)),
        Wanted(1, quantity=Decimal("NaN")),
        Wanted(1, amount=Decimal(0)),
        Wanted(1, amount=Decimal("0.001")),
        Wanted(1, amount=Decimal("Infinity")),
    ],
)
def test_what_does_not_fit_a_line_is_refused(wish: Wanted) -> None:
    with pytest.raises(WrongCredit):
        one(wish, line())


def test_a_line_is_named_once() -> None:
    with pytest.raises(WrongCredit, match=r"each once \(1 to 2\)"):
        of_lines([line(), line(position=2)], [Wanted(1), Wanted(1)], "USD")
    with pytest.raises(WrongCredit, match="it has none"):
        of_lines([], [Wanted(1)], "USD")


def test_a_discount_goes_back_with_its_own_sign() -> None:
    discount = line("-6.00", position=2)
    assert one(Wanted(2), line(), discount) == Given(2, Decimal("-6.00"))
    assert one(Wanted(2, amount=Decimal("-2.00")), line(), discount).amount == Decimal("-2.00")
    with pytest.raises(WrongCredit, match="line 2: expected an amount of its sign"):
        one(Wanted(2, amount=Decimal("2.00")), line(), discount)
    with pytest.raises(MoreThanLeft):
        one(Wanted(2, amount=Decimal("-6.01")), line(), discount)


def test_an_amount_is_shared_out_over_what_is_left() -> None:
    lines = [line("10.00"), line("20.00", position=2, credited="10.00"), line("-3.00", position=3)]
    assert of_amount(lines, Decimal("5.01"), "USD") == (Given(1, Decimal("2.51")), Given(2, Decimal("2.50")))
    assert of_amount(lines, Decimal("17.00"), "USD") == all_left(lines)
    with pytest.raises(MoreThanLeft, match=r"17.00 USD are left") as refused:
        of_amount(lines, Decimal("17.01"), "USD")
    assert refused.value.extra["left"] == "17.00"


cents = st.integers(1, 10_000_00).map(lambda minor: Decimal(minor).scaleb(-2))


@settings(max_examples=60)
@given(amounts=st.lists(cents, min_size=1, max_size=6), parts=st.lists(st.integers(1, 100), min_size=1, max_size=5))
def test_parts_of_an_invoice_sum_to_it_with_tax_and_fee_and_never_pass_a_line(
    amounts: list[Decimal], parts: list[int]
) -> None:
    """However an invoice is credited in pieces, the pieces end at its lines, its tax and its fee exactly."""
    whole = sum(amounts, Decimal(0))
    tax, fee = (whole * Decimal("0.19")).quantize(Decimal("0.01")), (whole / 30).quantize(Decimal("0.01"))
    credited = [Decimal(0)] * len(amounts)
    sums = {"tax": Decimal(0), "fee": Decimal(0)}
    done = Decimal(0)
    for part in [*parts, None]:
        lines = [line(str(each), position=n, credited=str(credited[n])) for n, each in enumerate(amounts)]
        asked = whole - done if part is None else min((whole * part / 400).quantize(Decimal("0.01")), whole - done)
        if not asked:
            continue
        for back in of_amount(lines, asked, "USD"):
            credited[back.position] += back.amount
            assert 0 < credited[back.position] <= amounts[back.position]
        for name, of in (("tax", tax), ("fee", fee)):
            sums[name] += running_share(of, whole, done, done + asked, "USD")
        done += asked
    assert credited == amounts
    assert sums == {"tax": tax, "fee": fee}


def test_the_tax_of_each_line_goes_back_with_it_and_ends_at_it() -> None:
    lines = [replace(line("10.00"), tax=Decimal("1.90")), line("20.01", position=4)]
    parts = [line_taxes(lines, [Given(1, Decimal("3.33")), Given(4, Decimal("20.01"))], "USD")]
    rest = [replace(lines[0], credited=Decimal("3.33"))]
    parts.append(line_taxes(rest, [Given(1, Decimal("6.67"))], "USD"))
    assert parts == [{1: Decimal("0.63"), 4: 0}, {1: Decimal("1.27")}]
    assert running_share(Decimal("5.70"), Decimal(0), Decimal(0), Decimal(0), "USD") == 0


@settings(max_examples=80)
@given(
    currency=st.sampled_from(["USD", "JPY", "BHD"]),
    minor=st.lists(st.integers(-50_000, 100_000).filter(bool), min_size=1, max_size=5),
    percent=st.integers(0, 27),
    cuts=st.lists(st.tuples(st.integers(0, 4), st.integers(1, 99)), max_size=8),
)
def test_the_parts_of_every_line_end_at_it_with_its_tax(
    currency: str, minor: list[int], percent: int, cuts: list[tuple[int, int]]
) -> None:
    """By quantity, in any order and any currency; what is left at the end is the rest of each line and of its tax."""
    digits = {"USD": 2, "JPY": 0, "BHD": 3}[currency]
    lines = [
        replace(
            line(str(Decimal(each).scaleb(-digits)), position=n, quantity="100"),
            tax=round_to_minor(Fraction(each * percent, 100 * 10**digits), currency),
        )
        for n, each in enumerate(minor)
    ]
    whole, taxed = list(lines), [Decimal(0)] * len(lines)

    def take(backs: tuple[Given, ...]) -> None:
        for position, tax in line_taxes(lines, backs, currency).items():
            taxed[position] += tax
        for back in backs:
            before = lines[back.position]
            lines[back.position] = replace(
                before,
                credited=before.credited + back.amount,
                credited_quantity=before.credited_quantity + (back.quantity or 0),
            )

    for place, quantity in cuts:
        try:
            take(of_lines(lines, [Wanted(place % len(lines), quantity=Decimal(quantity))], currency))
        except (MoreThanLeft, WrongCredit):
            continue
    assert all(abs(each.credited) <= abs(each.amount) for each in lines)
    if any(each.left for each in lines):
        take(all_left(lines))
    assert [each.credited for each in lines] == [each.amount for each in whole]
    assert taxed == [each.tax for each in whole]


@dataclass
class Bill:
    """An invoice whose lines are credited in pieces; `net` and `tax` are what is left of it."""

    lines: list[Creditable]
    currency: str
    net: Decimal
    tax: Decimal
    taxed: dict[int, Decimal]

    def take(self, backs: tuple[Given, ...]) -> None:
        """Give back lines as a credit note would; raises as it does."""
        require_left(self.lines, backs, total_left=self.net + self.tax, number="T-1", currency=self.currency)
        for position, tax in line_taxes(self.lines, backs, self.currency).items():
            self.taxed[position] += tax
            self.tax -= tax
            assert abs(self.taxed[position]) <= abs(self.lines[position].tax)
        for back in backs:
            before = self.lines[back.position]
            self.net -= back.amount
            self.lines[back.position] = replace(
                before,
                credited=before.credited + back.amount,
                credited_quantity=before.credited_quantity + (back.quantity or 0),
            )
        assert min(self.net, self.tax) >= 0


def bill_of(minor: list[tuple[int, int]], currency: str) -> Bill:
    """Lines by minor units and percent; the tax of a rate is rounded once, its last line bears what rounding left."""
    lines = []
    taxes = [0] * len(minor)
    for percent in {percent for _, percent in minor}:
        mine = [place for place, (_, of) in enumerate(minor) if of == percent]
        for place in mine:
            taxes[place] = round(Fraction(minor[place][0] * percent, 100))
        whole = round(Fraction(sum(minor[place][0] for place in mine) * percent, 100))
        taxes[mine[-1]] += whole - sum(taxes[place] for place in mine)
    for place, (units, _) in enumerate(minor):
        amount = from_minor(units, currency)
        lines.append(replace(line(str(amount), position=place, quantity="100"), tax=from_minor(taxes[place], currency)))
    net, tax = (from_minor(sum(each), currency) for each in ([units for units, _ in minor], taxes))
    return Bill(lines, currency, net, tax, dict.fromkeys(range(len(lines)), Decimal(0)))


# A line at a high rate beside a discount at a low one: most of what is left of such a bill may be tax.
discounted = st.tuples(st.integers(100, 40_000), st.integers(70, 99), st.sampled_from([0, 7])).map(
    lambda of: [(of[0], 25), (-of[0] * of[1] // 100, of[2])]
)
billed_lines = st.one_of(
    discounted,
    st.lists(
        st.tuples(
            st.one_of(st.integers(-60, 60), st.integers(-40_000, 100_000)).filter(bool), st.sampled_from([0, 7, 19, 25])
        ),
        min_size=1,
        max_size=5,
    ),
).filter(lambda minor: sum(units for units, _ in minor) >= 0)
wishes = st.one_of(
    st.tuples(st.just("amount"), st.integers(1, 100)),
    st.tuples(
        st.just("lines"),
        st.lists(
            st.tuples(st.integers(0, 4), st.sampled_from(["all", "quantity", "amount"]), st.integers(1, 100)),
            min_size=1,
            max_size=4,
        ),
    ),
)


def asked_of(bill: Bill, wish: tuple[str, Any]) -> tuple[Given, ...]:
    """Return what a random wish asks for: a part of the net, or parts of lines."""
    kind, rest = wish
    if kind == "amount":
        return of_amount(bill.lines, round_to_minor(Fraction(bill.net) * rest / 100, bill.currency), bill.currency)
    wanted = []
    for place, how, part in rest:
        asked = bill.lines[place % len(bill.lines)]
        if how == "quantity":
            wanted.append(Wanted(asked.position, quantity=Decimal(part)))
        elif how == "amount":
            some = round_to_minor(Fraction(asked.left) * part / 100, bill.currency)
            wanted.append(Wanted(asked.position, amount=some))
        else:
            wanted.append(Wanted(asked.position))
    return of_lines(bill.lines, wanted, bill.currency)


@settings(max_examples=400)
@given(
    currency=st.sampled_from(["USD", "JPY", "BHD", "ISK"]),
    minor=billed_lines,
    asked=st.lists(wishes, max_size=6),
)
def test_whatever_was_credited_one_more_note_ends_at_the_invoice_with_its_taxes(
    currency: str, minor: list[tuple[int, int]], asked: list[tuple[str, Any]]
) -> None:
    """By line, quantity or amount in any order, with discounts at other rates: never past net, tax or total."""
    bill = bill_of(minor, currency)
    if bill.tax < 0 or not bill.net + bill.tax:
        return
    for wish in asked:
        with suppress(MoreThanLeft, WrongCredit):
            bill.take(asked_of(bill, wish))
    if bill.net + bill.tax:
        bill.take(all_left(bill.lines))
        assert all(each.left == 0 for each in bill.lines)
        assert [bill.taxed[each.position] for each in bill.lines] == [each.tax for each in bill.lines]
    assert not bill.net
    assert not bill.tax


def test_no_more_net_goes_back_than_is_left_though_the_total_has_it() -> None:
    """46.64 at 25 % and -37.72 at 7 %: a quarter of the first is less than the total, and more than the net."""
    bill = bill_of([(4664, 25), (-3772, 7)], "USD")
    assert (bill.net, bill.tax) == (Decimal("8.92"), Decimal("9.02"))
    with pytest.raises(MoreThanLeft, match=r"8\.92 USD of invoice T-1 before tax are left.* come to 11\.66") as refused:
        bill.take(of_lines(bill.lines, [Wanted(0, quantity=Decimal(25))], "USD"))
    assert refused.value.extra == {"left": "17.94", "net_left": "8.92"}
    bill.take(of_lines(bill.lines, [Wanted(0, amount=Decimal("8.92"))], "USD"))
    bill.take(all_left(bill.lines))
    assert not bill.net
    assert not bill.tax


def test_what_earlier_notes_left_below_zero_net_goes_back_whole_and_not_in_part() -> None:
    """Before net was held too, a note could take more of it than there was."""
    lines = [
        replace(line("10.00", credited="4.00"), tax=Decimal("2.00")),
        replace(line("-7.00", position=2), tax=Decimal("0.00")),
    ]

    def asked(*backs: Given) -> None:
        require_left(lines, backs, total_left=Decimal("0.20"), number="T-1", currency="USD")

    asked(*all_left(lines))
    with pytest.raises(MoreThanLeft, match="must be above 0"):
        asked(Given(1, Decimal("5.99")), Given(2, Decimal("-7.00")))

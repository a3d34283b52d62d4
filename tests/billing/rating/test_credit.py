"""Credits are drawn in order, never below zero and never beyond the bill; a stop holds what it promises."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from billing.rating.credit import (
    CreditWording,
    Drawn,
    Grant,
    HardStop,
    adjust_credit,
    balances,
    grant_of,
    is_open,
    left_of,
    may_go_on,
)
from billing.rating.inputs import RatingWindow, TermInput
from billing.rating.lines import make_bill
from billing.rating.wording import Stretch
from tests.billing.rating.made import token_line
from tests.billing.rating.priced import FROM, MIDDLE, TO
from tests.examples import examples

WINDOW = RatingWindow("USD", "UTC", FROM, TO, TO)
AMOUNTS = st.decimals(Decimal("0.01"), Decimal(50), places=2)


def prepaid(*grants: Grant, drawn: tuple[Drawn, ...] = ()) -> TermInput:
    wording = CreditWording(grants=grants)
    return TermInput("C-1", "", FROM, None, (Stretch(1, FROM, TO, wording),), facts=drawn)


def grant(name: str, amount: Decimal | int = 10, **more: Any) -> Grant:
    return Grant(**{"name": name, "amount": Decimal(amount), "from_at": FROM, **more})


@settings(max_examples=examples(25))
@given(st.lists(AMOUNTS, max_size=4), st.lists(st.integers(0, 30 * 10**6), max_size=5))
def test_what_is_drawn_is_the_smaller_of_balance_and_bill(left: list[Decimal], tokens: list[int]) -> None:
    lines = tuple(token_line(str(n), count, model=f"m{n}", from_at=FROM) for n, count in enumerate(tokens))
    due = make_bill(lines, "USD").total
    term = prepaid(*(grant(f"g{n}", amount) for n, amount in enumerate(left)))
    drawn = adjust_credit(term, WINDOW, lines).lines
    assert -sum(line.amount for line in drawn) == min(due, sum(left))
    assert make_bill((*lines, *drawn), "USD").total == max(Decimal(0), due - sum(left))


def test_grants_are_drawn_by_priority_and_then_by_expiry() -> None:
    term = prepaid(
        grant("late", 1, expires_at=TO),
        grant("second", 1, priority=2),
        grant("never", 1),
        grant("soon", 1, expires_at=MIDDLE),
    )
    assert [each.name for each, _ in balances(term)] == ["soon", "late", "never", "second"]
    drawn = adjust_credit(term, WINDOW, [token_line("a", 10**7, from_at=FROM)]).lines
    assert [grant_of(line) for line in drawn] == ["soon", "late", "never", "second"]


def test_a_grant_pays_for_lines_of_its_time_and_scope_only() -> None:
    elsewhere = grant("scoped", 5, terms=("L-1",))
    over = grant("over", 5, from_at=datetime(2025, 1, 1, tzinfo=UTC), expires_at=FROM)
    later = grant("later", 5, from_at=TO)
    assert not adjust_credit(prepaid(elsewhere, over, later), WINDOW, [token_line("a", 10**7, from_at=FROM)]).lines


HOURS = st.integers(0, 31 * 24 - 1)


@settings(max_examples=examples(25))
@given(HOURS, st.integers(1, 40), HOURS, st.integers(1, 40))
def test_a_grant_pays_exactly_for_lines_that_reach_into_its_time(
    line_from: int, line_hours: int, grant_from: int, grant_hours: int
) -> None:
    hour = timedelta(hours=1)
    line = replace(
        token_line("a", 10**7, from_at=FROM),
        from_at=FROM + line_from * hour,
        to_at=FROM + (line_from + line_hours) * hour,
    )
    one = grant("g", from_at=FROM + grant_from * hour, expires_at=FROM + (grant_from + grant_hours) * hour)
    reaches = line_from < grant_from + grant_hours and grant_from < line_from + line_hours
    assert bool(adjust_credit(prepaid(one), WINDOW, [line]).lines) == reaches


def test_no_credit_pays_a_deposit_which_would_come_back_as_money() -> None:
    lease = token_line("lease", 10**7, from_at=FROM)
    deposit = replace(token_line("deposit", 10**8, model="m", from_at=FROM), rule="lease_deposit_taken")
    due = make_bill([lease], "USD").total
    drawn = adjust_credit(prepaid(grant("g", 10_000)), WINDOW, [lease, deposit]).lines
    assert [-line.amount for line in drawn] == [due]
    assert not adjust_credit(prepaid(grant("g", 10_000)), WINDOW, [deposit]).lines


def test_what_was_drawn_before_is_gone() -> None:
    term = prepaid(grant("a", 10), drawn=(Drawn(grant="a", amount=Decimal("9.99")),))
    (line,) = adjust_credit(term, WINDOW, [token_line("x", 10**7, from_at=FROM)]).lines
    assert line.amount == Decimal("-0.01")


def test_without_a_stop_use_goes_on() -> None:
    assert may_go_on(None, Decimal(-1))


def test_a_grant_is_open_from_its_start_until_it_expires() -> None:
    over = grant("over", expires_at=MIDDLE)
    assert [is_open(over, at) for at in (FROM - timedelta(seconds=1), FROM, MIDDLE)] == [False, True, False]


@settings(max_examples=examples(25))
@given(
    spend_per_hour=st.integers(1, 100_000),
    check_every_s=st.integers(1, 90),
    counted_within_s=st.integers(1, 90),
    first_check_s=st.integers(0, 89),
    reserve=st.integers(0, 50),
)
def test_a_burst_overdraws_no_more_than_the_contract_says(
    spend_per_hour: int, check_every_s: int, counted_within_s: int, first_check_s: int, reserve: int
) -> None:
    """The highest spend at every second until the gateway hears of the stop, in every phase of its clock."""
    rate = Fraction(spend_per_hour, 3_600)
    stop = HardStop(
        check_every_s=check_every_s,
        counted_within_s=counted_within_s,
        spend_amount_per_hour_most=Decimal(spend_per_hour),
        stop_at_amount=Decimal(reserve),
        overdrawn_amount_most=Decimal(0),
    )
    # Just before the balance is down to the reserve is the worst moment to ask.
    second = max(0, int(Fraction(100 - reserve) / rate) - 2 * (check_every_s + counted_within_s))
    second += (first_check_s - second) % check_every_s
    while may_go_on(stop, 100 - _counted(max(0, second - counted_within_s) * rate)):
        second += check_every_s
    assert second * rate - 100 <= stop.reachable_amount


def _counted(spent: Fraction) -> Decimal:
    return Decimal(spent.numerator) / Decimal(spent.denominator)


def test_what_was_charged_back_is_made_good_by_bought_credit_first() -> None:
    owing, given = grant("owing", 100, bought=True), grant("given", 50)
    soon, late = grant("soon", 30, bought=True, expires_at=TO), grant("late", 40, bought=True)
    term = prepaid(owing, given, soon, late, drawn=(Drawn(grant="owing", amount=Decimal(145)),))
    assert {one.name: int(left) for one, left in balances(term)} == {"owing": 0, "given": 50, "soon": 0, "late": 25}
    alone = prepaid(owing, given, drawn=(Drawn(grant="owing", amount=Decimal(145)),))
    assert {one.name: int(left) for one, left in balances(alone)} == {"owing": -45, "given": 50}
    [line] = adjust_credit(alone, WINDOW, [token_line("a", 10**7, from_at=FROM)]).lines
    assert (grant_of(line), line.amount < 0) == ("given", True)


@settings(max_examples=examples(25))
@given(st.lists(st.tuples(st.integers(1, 100), st.integers(0, 200), st.booleans()), max_size=6))
def test_making_good_moves_nothing_in_or_out_and_leaves_no_one_paying_while_another_owes(
    rows: list[tuple[int, int, bool]],
) -> None:
    grants = [grant(f"g{place}", amount, bought=bought) for place, (amount, _, bought) in enumerate(rows)]
    taken = [
        (one.name, Decimal(gone if one.bought else min(gone, amount)))
        for one, (amount, gone, _) in zip(grants, rows, strict=True)
    ]
    found = dict(left_of(grants, taken))
    assert sum(found.values()) == sum(one.amount for one in grants) - sum(amount for _, amount in taken)
    bought = [left for one, left in found.items() if one.bought]
    assert not (any(left < 0 for left in bought) and any(left > 0 for left in bought))
    assert all(left == one.amount - dict(taken)[one.name] for one, left in found.items() if not one.bought)

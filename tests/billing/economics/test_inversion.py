"""Since when something sells below its cost."""

from datetime import date, timedelta
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from billing.economics.inversion import DayMargin, inversion_of
from tests.examples import examples

FIRST = date(2026, 3, 1)


def days(*margins: int) -> list[DayMargin]:
    return [
        DayMargin(FIRST + timedelta(days=index), Decimal(100), Decimal(100 - margin))
        for index, margin in enumerate(margins)
    ]


def test_no_days_and_a_gain_on_the_last_one_are_no_inversion() -> None:
    assert inversion_of([]) is None
    assert inversion_of(days(-5, -5, 1)) is None
    assert inversion_of(days(-5, 0)) is None


def test_the_run_begins_after_the_last_day_that_did_not_lose() -> None:
    found = inversion_of(days(-9, 4, -1, -2, -3))
    assert found is not None
    assert (found.since, found.last, found.days, found.loss) == (date(2026, 3, 3), date(2026, 3, 5), 3, Decimal(6))
    assert found.cost - found.revenue == found.loss


def test_days_that_are_not_there_do_not_end_a_run() -> None:
    first, _, last = days(-1, 5, -2)
    found = inversion_of([last, first])
    assert found is not None
    assert (found.since, found.days) == (FIRST, 2)


@settings(max_examples=examples(25))
@given(st.lists(st.integers(-50, 50), max_size=40))
def test_the_loss_is_the_sum_of_the_losing_tail(margins: list[int]) -> None:
    tail: list[int] = []
    for margin in reversed(margins):
        if margin >= 0:
            break
        tail.append(margin)
    found = inversion_of(days(*margins))
    assert (found.loss if found else Decimal(0)) == -sum(tail)
    assert (found.days if found else 0) == len(tail)

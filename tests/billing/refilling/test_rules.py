"""What is done as credit runs low: once a crossing, within the month's most, and nothing while anything is bought."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.models import LowOutcome
from billing.refilling.rules import Figures, Outcome, Watched, decide, is_below, month_of
from tests.examples import examples

FIGURES = Figures(Decimal(20), Decimal(50), Decimal(120))
TELLS = Figures(Decimal(20), None, None)
HIGH = Watched(is_low=False, waits=False, was_paid=False, was_held=False, has_card=True, month_amount=Decimal(0))


def watched(
    *,
    low: bool = True,
    waits: bool = False,
    paid: bool = False,
    held: bool = False,
    card: bool = True,
    month: str = "0",
) -> Watched:
    return Watched(is_low=low, waits=waits, was_paid=paid, was_held=held, has_card=card, month_amount=Decimal(month))


@pytest.mark.parametrize(
    ("left", "expected"),
    [("20.01", None), ("20", None), ("19.99", Outcome.BUYS), ("0", Outcome.BUYS), ("-5", Outcome.BUYS)],
)
def test_low_is_below_the_amount_and_not_at_it(left: str, expected: Outcome | None) -> None:
    assert decide(FIGURES, Decimal(left), HIGH) == expected
    assert is_below(FIGURES, Decimal(left)) == (expected is not None)


def test_a_rule_that_only_tells_tells_once() -> None:
    assert decide(TELLS, Decimal(19), HIGH) == Outcome.TOLD
    assert decide(TELLS, Decimal(1), watched()) is None
    assert decide(TELLS, Decimal(1), watched(held=True)) is None


@pytest.mark.parametrize(
    ("month", "expected"),
    [("0", Outcome.BUYS), ("70", Outcome.BUYS), ("70.01", Outcome.MONTH_MAX), ("120", Outcome.MONTH_MAX)],
)
def test_the_months_most_is_never_passed_and_may_be_reached(month: str, expected: Outcome) -> None:
    assert decide(FIGURES, Decimal(0), watched(low=False, month=month)) == expected


def test_credit_that_stays_low_does_not_cross_again() -> None:
    assert decide(FIGURES, Decimal(0), watched()) is None


def test_what_was_bought_and_was_not_enough_is_bought_again() -> None:
    assert decide(FIGURES, Decimal(19), watched(paid=True, month="50")) == Outcome.BUYS
    assert decide(FIGURES, Decimal(19), watched(paid=True, month="100")) == Outcome.MONTH_MAX


def test_nothing_is_decided_while_anything_is_being_bought() -> None:
    for low in (False, True):
        for paid in (False, True):
            assert decide(FIGURES, Decimal(-9), watched(low=low, waits=True, paid=paid)) is None


def test_what_the_months_most_held_back_is_bought_when_the_month_has_turned() -> None:
    assert decide(FIGURES, Decimal(0), watched(held=True, month="120")) is None
    assert decide(FIGURES, Decimal(0), watched(held=True, month="0")) == Outcome.BUYS


def test_without_a_card_nothing_is_going_to_be_bought_until_there_is_one() -> None:
    assert decide(FIGURES, Decimal(0), watched(low=False, card=False)) == Outcome.NO_CARD
    assert decide(FIGURES, Decimal(0), watched(held=True, card=False)) is None
    assert decide(FIGURES, Decimal(0), watched(held=True)) == Outcome.BUYS
    assert decide(FIGURES, Decimal(0), watched(low=False, card=False, month="120")) == Outcome.MONTH_MAX
    assert decide(TELLS, Decimal(0), watched(low=False, card=False)) == Outcome.TOLD


@settings(max_examples=examples(25))
@given(
    steps=st.lists(
        st.one_of(st.decimals(-100, 100, places=2), st.sampled_from(["paid", "failed", "month", "card"])), max_size=60
    ),
    buy=st.integers(1, 60),
    most=st.integers(0, 200),
)
def test_whatever_happens_a_month_is_bounded_and_a_crossing_buys_once(
    steps: list[Decimal | str], buy: int, most: int
) -> None:
    """Looks, payments, refusals, cards and turns of the month in any order; an own account of them is kept beside."""
    figures = Figures(Decimal(20), Decimal(buy), Decimal(most + buy))
    low = waits = paid = held = card = False
    month = waiting = Decimal(0)
    was_above = True
    for step in steps:
        card ^= step == "card"
        if step == "month":
            month = waiting if waits else Decimal(0)
        elif step == "paid":
            paid, waits = paid or waits, False
        elif step == "failed" and waits:
            return
        elif isinstance(step, Decimal):
            outcome = decide(figures, step, Watched(low, waits, paid, held, card, month))
            if outcome is None:
                low = low and is_below(figures, step)
                was_above = was_above or not is_below(figures, step)
                continue
            assert is_below(figures, step)
            assert not waits
            assert was_above or paid or held
            low, was_above, paid, held = True, False, False, outcome in (Outcome.MONTH_MAX, Outcome.NO_CARD)
            if outcome == Outcome.BUYS:
                assert card
                month, waits, waiting = month + buy, True, Decimal(buy)
            assert month <= most + buy


@pytest.mark.parametrize(
    ("now", "zone", "from_at", "to_at"),
    [
        ("2026-03-31T21:59:59+00:00", "Europe/Berlin", "2026-02-28T23:00+00:00", "2026-03-31T22:00+00:00"),
        ("2026-03-31T22:00:00+00:00", "Europe/Berlin", "2026-03-31T22:00+00:00", "2026-04-30T22:00+00:00"),
        ("2026-12-31T23:30:00+00:00", "UTC", "2026-12-01T00:00+00:00", "2027-01-01T00:00+00:00"),
        ("2026-02-01T00:00:00+00:00", "Asia/Shanghai", "2026-01-31T16:00+00:00", "2026-02-28T16:00+00:00"),
    ],
)
def test_a_month_is_the_contracts_own(now: str, zone: str, from_at: str, to_at: str) -> None:
    found = month_of(datetime.fromisoformat(now), ZoneInfo(zone))
    assert found == (datetime.fromisoformat(from_at), datetime.fromisoformat(to_at))


@settings(max_examples=examples(25))
@given(
    hours=st.integers(0, 50_000),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Pacific/Apia"]),
)
def test_every_instant_is_in_its_month_and_months_meet(hours: int, zone: str) -> None:
    at = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(hours=hours)
    from_at, to_at = month_of(at, ZoneInfo(zone))
    assert from_at <= at < to_at
    assert month_of(to_at, ZoneInfo(zone))[0] == to_at
    assert timedelta(days=27) < to_at - from_at < timedelta(days=32)


def test_outcomes_are_those_that_are_stored() -> None:
    assert [str(one) for one in Outcome] == LowOutcome.values

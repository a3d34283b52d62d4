"""Credits by measured availability: the ladder's step, on what the terms came to, at the period's end."""

from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.rating.availability import (
    AvailabilityWording,
    MeasuredAvailability,
    Step,
    adjust_availability,
    credit_percent,
    measure,
)
from billing.rating.held_time import Outage
from billing.rating.inputs import RatingWindow, TermInput
from billing.rating.lease_term import rate_lease_term
from billing.rating.lease_wording import LeaseWording
from billing.rating.rated import Rated
from billing.rating.wording import Stretch, WrongWording, read_wording
from tests.billing.rating.made import END, START, at, hold, token_line
from tests.examples import examples

LADDER = tuple(
    Step(below_percent=Decimal(below), credit_percent=Decimal(credit))
    for below, credit in (("99.9", "10"), ("99", "25"), ("95", "100"))
)
WORDING = AvailabilityWording(ladder=LADDER, causes=("card_lost",))
WINDOW = RatingWindow("USD", "UTC", START, END, END)
HELD = (hold(0, 24), hold(0, 24, slice_ref="s1"))


def ladder(lost_hours: float, *, wording: AvailabilityWording = WORDING, edges: tuple[float, ...] = ()) -> TermInput:
    lost = Outage(subject="s0", cause="card_lost", from_at=at(0), to_at=at(lost_hours))
    starts, ends = [-24, *edges], [*edges, 48]
    stretches = tuple(Stretch(1, at(start), at(end), wording) for start, end in zip(starts, ends, strict=True))
    return TermInput("A-1", "", START, None, stretches, holds=HELD, facts=(lost,) if lost_hours else ())


def leased(ref: str = "L-1") -> Rated:
    wording = LeaseWording(price_per_gpu_hour=Decimal(1), deposit_amount=Decimal(1_000))
    return rate_lease_term(TermInput(ref, "", START, None, (Stretch(1, START, END, wording),), holds=HELD), WINDOW)


@pytest.mark.parametrize(("lost", "credit"), [(0, 0), (0.04, 0), (0.1, 10), (0.5, 25), (3, 100)])
def test_the_credit_is_that_of_the_lowest_step_reached(lost: float, credit: int) -> None:
    rated = adjust_availability(ladder(lost), WINDOW, leased().lines)
    assert -rated.exact_total == Fraction(48 * credit, 100)


def test_a_bound_itself_is_not_below_it() -> None:
    assert credit_percent(LADDER, Fraction("0.999")) == 0
    assert credit_percent(LADDER, Fraction("0.95")) == 25


def test_what_is_not_the_price_of_time_is_not_credited() -> None:
    rated = adjust_availability(ladder(24), WINDOW, (*leased().lines, token_line("t", 10**9)))
    assert rated.exact_total == -48


def test_only_the_terms_named_are_credited_each_in_its_row() -> None:
    lines = (*leased("L-1").lines, *leased("L-2").lines)
    assert len(adjust_availability(ladder(24), WINDOW, lines).lines) == 2
    named = AvailabilityWording(ladder=LADDER, causes=("card_lost",), refs=("L-2",))
    (line,) = adjust_availability(ladder(24, wording=named), WINDOW, lines).lines
    assert line.line_key == "availability|A-1|1|availability_credit|L-2"


def test_nothing_is_credited_before_the_periods_end() -> None:
    early = RatingWindow("USD", "UTC", START, at(12), END)
    assert adjust_availability(ladder(24), early, leased().lines).lines == ()


@settings(max_examples=examples(25))
@given(st.floats(0, 24, allow_nan=False), st.integers(1, 23))
def test_the_same_ladder_in_two_stretches_credits_the_same(lost: float, edge: int) -> None:
    lines = leased().lines
    once = adjust_availability(ladder(lost), WINDOW, lines)
    twice = adjust_availability(ladder(lost, edges=(edge,)), WINDOW, lines)
    assert once.exact_total == twice.exact_total


@settings(max_examples=examples(25))
@given(st.lists(st.integers(0, 24 * 60), min_size=2, max_size=2))
def test_more_lost_never_credits_less(minutes: list[int]) -> None:
    less, more = sorted(minutes)
    owed = [adjust_availability(ladder(each / 60), WINDOW, leased().lines).exact_total for each in (less, more)]
    assert owed[1] <= owed[0]


def test_availability_is_of_what_was_held() -> None:
    measured = measure(ladder(6), ("card_lost",), WINDOW)
    assert measured == MeasuredAvailability(held_gpu_ms=48 * 3_600_000, lost_gpu_ms=6 * 3_600_000)
    assert measured.fraction == Fraction(7, 8)
    assert MeasuredAvailability(held_gpu_ms=0, lost_gpu_ms=0).fraction == 1


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"ladder": []}, "ladder"),
        ({"causes": []}, "causes"),
        ({"ladder": [{"below_percent": "101", "credit_percent": "5"}]}, "ladder[0].below_percent"),
        ({"ladder": [{"below_percent": "99", "credit_percent": "-5"}]}, "ladder[0].credit_percent"),
        (
            {
                "ladder": [
                    {"below_percent": "95", "credit_percent": "5"},
                    {"below_percent": "99", "credit_percent": "9"},
                ]
            },
            "ladder[1].below_percent",
        ),
        (
            {
                "ladder": [
                    {"below_percent": "99", "credit_percent": "9"},
                    {"below_percent": "95", "credit_percent": "5"},
                ]
            },
            "ladder[1].credit_percent",
        ),
    ],
)
def test_a_ladder_that_does_not_fall_is_refused(said: dict[str, Any], field: str) -> None:
    document = {"kind": "availability", "ladder": [{"below_percent": "99", "credit_percent": "5"}], **said}
    with pytest.raises(WrongWording) as refused:
        read_wording(AvailabilityWording, document)
    assert refused.value.field == field

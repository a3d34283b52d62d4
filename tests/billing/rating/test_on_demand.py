"""Sessions on demand and on spot: seconds in states that bill, minimums, and slices taken back."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.rating.held_time import Outage
from billing.rating.inputs import Fact, RatingWindow, TermInput
from billing.rating.on_demand import (
    STATES,
    OnDemandWording,
    SessionWording,
    SpotWording,
    StateSpan,
    TakenBack,
    rate_on_demand,
    rate_spot,
)
from billing.rating.wording import Stretch, WrongWording, read_wording
from clusters.occupancy import Hold
from tests.billing.rating.made import END, START, at, hold, version
from tests.examples import examples

PRICE = Decimal("3.6")
WINDOW = RatingWindow("USD", "UTC", START, END, END, (version("v1", gpu="7.2"),))
MINIMUM = OnDemandWording(price_per_gpu_hour=PRICE, minimum_seconds=3_600)


def term(holds: list[Hold], wording: SessionWording, *facts: Fact) -> TermInput:
    return TermInput("D-1", "", START, None, (Stretch(1, at(-99), at(99), wording),), holds=tuple(holds), facts=facts)


def state(name: str, from_hours: float, to_hours: float, slice_ref: str = "s0") -> StateSpan:
    return StateSpan(slice_ref=slice_ref, state=name, from_at=at(from_hours), to_at=at(to_hours))


@settings(max_examples=examples(25))
@given(st.sets(st.sampled_from(STATES[:1] + STATES[2:])), st.lists(st.sampled_from(STATES), min_size=1, max_size=8))
def test_the_states_that_bill_sum_to_what_is_billed(billed: set[str], states: list[str]) -> None:
    wording = OnDemandWording(price_per_gpu_hour=PRICE, billed_states=("running", *sorted(billed)))
    facts = [state(name, hour, hour + 1) for hour, name in enumerate(states)]
    rated = rate_on_demand(term([hold(0, len(states))], wording, *facts), WINDOW)
    hours = sum(name == "running" or name in billed for name in states)
    assert rated.exact_total == hours * Fraction("3.6")


@settings(max_examples=examples(25))
@given(st.integers(1, 7_200), st.integers(0, 7_200))
def test_a_session_is_billed_for_its_seconds_and_never_for_less_than_the_minimum(seconds: int, minimum: int) -> None:
    wording = OnDemandWording(price_per_gpu_hour=PRICE, minimum_seconds=minimum)
    rated = rate_on_demand(term([hold(1, 1 + seconds / 3_600)], wording), WINDOW)
    assert rated.exact_total == Fraction(max(seconds, minimum), 1_000)


def test_a_session_in_two_adjoining_holds_is_one() -> None:
    rated = rate_on_demand(term([hold(1, 1.5), hold(1.5, 2)], MINIMUM), WINDOW)
    assert {line.rule for line in rated.lines} == {"on_demand_fixed_rate"}
    apart = rate_on_demand(term([hold(1, 1.5), hold(2, 2.5)], MINIMUM), WINDOW)
    assert [line.quantity for line in apart.lines if line.rule == "on_demand_minimum"] == [Decimal(1_800)] * 2


def test_sessions_of_two_slices_that_end_together_have_a_row_each() -> None:
    rated = rate_on_demand(term([hold(1, 1.5), hold(1, 1.5, slice_ref="s1")], MINIMUM), WINDOW)
    assert len({line.line_key for line in rated.lines}) == len(rated.lines) == 3
    assert rated.exact_total == Fraction("7.2")


def test_a_minimum_is_topped_up_once_in_the_period_in_which_the_session_ends() -> None:
    over_midnight = term([hold(23.9, 24.1)], MINIMUM)
    later = RatingWindow("USD", "UTC", END, at(48), at(48))
    assert {line.rule for line in rate_on_demand(over_midnight, WINDOW).lines} == {"on_demand_fixed_rate"}
    both = rate_on_demand(over_midnight, WINDOW) + rate_on_demand(over_midnight, later)
    assert both.exact_total == Fraction("3.6")
    running = term([hold(23.9, None)], MINIMUM)
    assert {line.rule for line in rate_on_demand(running, WINDOW).lines} == {"on_demand_fixed_rate"}


def test_without_a_price_sessions_wait_and_nothing_is_topped_up() -> None:
    wording = OnDemandWording(minimum_seconds=3_600)
    rated = rate_on_demand(term([hold(1, 1.5, model="B200")], wording), WINDOW)
    assert (rated.lines, len(rated.unpriced)) == ((), 1)


def test_time_outside_the_wordings_is_not_rated() -> None:
    early = TermInput("D-1", "", START, None, (Stretch(1, at(50), at(99), MINIMUM),), holds=(hold(0, 5),))
    assert rate_on_demand(early, WINDOW).lines == ()


SPOT = SpotWording(
    price_per_gpu_hour=PRICE,
    notice_seconds=120,
    unkept_notice_free_seconds=3_600,
    minimum_seconds=36_000,
    billed_states=("running",),
    provider_fault=("node_silent",),
)


def taken(noticed: float | None, at_hours: float = 5) -> TakenBack:
    noticed_at = None if noticed is None else at(noticed)
    return TakenBack(slice_ref="s0", taken_at=at(at_hours), noticed_at=noticed_at)


def test_notice_kept_costs_the_provider_nothing_and_no_minimum_counts() -> None:
    assert rate_spot(term([hold(0, 5)], SPOT, taken(4.5)), WINDOW).exact_total == Fraction(18)
    assert taken(5 - 120 / 3_600).kept(120)
    assert not taken(5 - 119 / 3_600).kept(120)


@pytest.mark.parametrize("noticed", [None, 4.99])
def test_without_notice_the_last_seconds_are_free(noticed: float | None) -> None:
    other = hold(0, 5, slice_ref="s1")
    rated = rate_spot(term([hold(0, 5), other], SPOT, taken(noticed), state("running", 0, 5, "s1")), WINDOW)
    off = [line for line in rated.lines if line.rule == "spot_notice_not_kept"]
    assert [(line.quantity, line.amount) for line in off] == [(Decimal(-3_600), Decimal("-3.6"))]
    # The other slice was given back by the tenant and is topped up.
    assert [line.quantity for line in rated.lines if line.rule == "spot_minimum"] == [Decimal(5 * 3_600)]


def test_what_was_not_billed_anyway_is_not_taken_off_again() -> None:
    stopped = state("stopped", 4.25, 4.5)
    silent = Outage(subject="s0", cause="node_silent", from_at=at(4.5), to_at=at(5))
    rated = rate_spot(term([hold(0, 5)], SPOT, taken(None), stopped, silent), WINDOW)
    off = sum(line.quantity for line in rated.lines if line.rule == "spot_notice_not_kept")
    assert off == Decimal(-900)
    assert rated.exact_total == 4 * Fraction("3.6")


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"kind": "on_demand", "billed_states": ["running", "asleep"]}, "billed_states"),
        ({"kind": "on_demand", "billed_states": ["running", "running"]}, "billed_states"),
        ({"kind": "on_demand", "billed_states": ["starting"]}, "billed_states"),
        ({"kind": "on_demand", "minimum_seconds": 86_401}, "minimum_seconds"),
        ({"kind": "on_demand", "minimum_seconds": -1}, "minimum_seconds"),
        ({"kind": "on_demand", "price_percent": "101"}, "price_percent"),
        ({"kind": "spot", "notice_seconds": -1}, "notice_seconds"),
        ({"kind": "spot", "notice_seconds": 1, "unkept_notice_free_seconds": -1}, "unkept_notice_free_seconds"),
        ({"kind": "spot"}, "notice_seconds"),
    ],
)
def test_wordings_that_cannot_be_are_refused_by_their_field(said: dict[str, object], field: str) -> None:
    with pytest.raises(WrongWording) as refused:
        read_wording(OnDemandWording | SpotWording, said)  # type: ignore[arg-type]  # a union of structs
    assert refused.value.field == field

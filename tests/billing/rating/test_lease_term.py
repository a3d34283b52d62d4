"""Leases: what is owed does not depend on how the time was cut up, and never on the order of holds."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from billing.rating.cumulative import book, difference
from billing.rating.held_time import Outage
from billing.rating.inputs import Carried, Fact, RatingWindow, TermInput
from billing.rating.lease_term import agreed_end, rate_lease_term
from billing.rating.lease_wording import (
    Billed,
    EarlyEnd,
    LeaseAgreed,
    LeaseEnded,
    LeaseExtended,
    LeaseWording,
    NextPeriod,
)
from billing.rating.rated import Rated
from billing.rating.wording import Stretch
from clusters.occupancy import Hold
from tests.billing.rating.made import START, at, hold, version
from tests.examples import examples

MONTH = 24 * 31
PLAIN = LeaseWording(price_per_gpu_hour=Decimal("2.35"), provider_fault=("card_lost",), holdover_percent=Decimal(150))
FLAT = LeaseWording(flat_amount_per_period=Decimal(7440), provider_fault=("card_lost",))
FLAT_DAY = LeaseWording(flat_amount_per_day=Decimal(240))


def window(from_hours: float = 0, to_hours: float = MONTH, up_to: float | None = None) -> RatingWindow:
    end = to_hours if up_to is None else up_to
    versions = (version("v1", gpu="2"), version("v2", from_hours=100, gpu="2.68"))
    return RatingWindow("USD", "America/New_York", at(from_hours), at(end), at(to_hours), versions)


def term(
    holds: Sequence[Hold],
    wording: LeaseWording = PLAIN,
    *facts: Fact,
    edges: Sequence[float] = (),
    to_at: datetime | None = None,
) -> TermInput:
    starts = [-MONTH, *edges]
    ends = [*edges, 3 * MONTH]
    stretches = tuple(Stretch(1, at(start), at(end), wording) for start, end in zip(starts, ends, strict=True))
    return TermInput("L-1", "", START, to_at, stretches, holds=tuple(holds), facts=facts)


HOURS = st.integers(-24, MONTH + 24)
HOLDS = st.lists(
    st.builds(
        lambda number, start, length, share: hold(start, start + length, slice_ref=f"s{number}", share=share),
        st.integers(0, 3),
        HOURS,
        st.integers(1, 200),
        st.sampled_from([119, 250, 1000]),
    ),
    max_size=5,
)
FAULTS = st.lists(
    st.builds(
        lambda number, start, length: Outage(
            subject=f"s{number}", cause="card_lost", from_at=at(start), to_at=at(start + length)
        ),
        st.integers(0, 3),
        HOURS,
        st.integers(1, 100),
    ),
    max_size=3,
)
WORDINGS = st.sampled_from([PLAIN, LeaseWording(provider_fault=("card_lost",)), FLAT, FLAT_DAY])


def by_slice(holds: Sequence[Hold]) -> list[Hold]:
    """Keep the holds of a slice that do not overlap one before: one slice has one holder."""
    kept: list[Hold] = []
    for each in sorted(holds, key=lambda one: one.from_at):
        if all(one.slice_ref != each.slice_ref or (one.to_at or each.from_at) <= each.from_at for one in kept):
            kept.append(each)
    return kept


def total(rated: Rated) -> Fraction:
    return rated.exact_total


@settings(max_examples=examples(25))
@given(HOLDS, FAULTS, WORDINGS, st.integers(1, MONTH - 1))
def test_the_same_wording_in_two_stretches_gives_what_one_gives(
    holds: list[Hold], faults: list[Fact], wording: LeaseWording, edge: int
) -> None:
    held = by_slice(holds)
    once = rate_lease_term(term(held, wording, *faults), window())
    twice = rate_lease_term(term(held, wording, *faults, edges=[edge]), window())
    # What is taken off a flat amount is an amount, rounded to 18 decimals where it has no end.
    assert abs(total(once) - total(twice)) < Fraction(1, 10**17)
    assert sum(line.quantity for line in once.lines if line.price.units > 1) == sum(
        line.quantity for line in twice.lines if line.price.units > 1
    )


@settings(max_examples=examples(25))
@given(HOLDS, WORDINGS, st.integers(1, MONTH - 1))
def test_two_windows_sum_to_the_whole(holds: list[Hold], wording: LeaseWording, middle: int) -> None:
    held = term(by_slice(holds), wording)
    if wording is FLAT:
        wording = FLAT_DAY
        held = term(by_slice(holds), wording)
    whole = rate_lease_term(held, window())
    parts = [rate_lease_term(held, window(0, middle)), rate_lease_term(held, window(middle, MONTH))]
    assert sum((total(part) for part in parts), Fraction(0)) == total(whole)


@settings(max_examples=examples(25))
@given(HOLDS, FAULTS, st.randoms(use_true_random=False))
def test_neither_order_nor_cutting_of_holds_matters(holds: list[Hold], faults: list[Fact], random: object) -> None:
    held = by_slice(holds)
    cut = [
        piece
        for each in held
        for piece in (
            Hold(each.slice_ref, each.share_permille, each.from_at, each.from_at + timedelta(minutes=30), "", "H100"),
            Hold(each.slice_ref, each.share_permille, each.from_at + timedelta(minutes=30), each.to_at, "", "H100"),
        )
    ]
    random.shuffle(cut)  # type: ignore[attr-defined]  # hypothesis gives a random.Random
    assert rate_lease_term(term(cut, PLAIN, *faults), window()) == rate_lease_term(term(held, PLAIN, *faults), window())


@settings(max_examples=examples(25))
@given(HOLDS, FAULTS, st.integers(1, MONTH))
def test_rating_again_books_nothing_and_on_the_way_sums_to_the_end(
    holds: list[Hold], faults: list[Fact], up_to: int
) -> None:
    held = term(by_slice(holds), PLAIN, *faults)
    early = rate_lease_term(held, window(up_to=up_to))
    booked = book({}, difference(early.lines, {}))
    late = rate_lease_term(held, window())
    after = book(booked, difference(late.lines, booked))
    assert difference(late.lines, after) == ()
    assert sum(one.amount for one in after.values()) == sum(line.amount for line in late.lines)


@settings(max_examples=examples(25))
@given(HOLDS, FAULTS)
def test_fault_never_takes_off_more_than_is_billed(holds: list[Hold], faults: list[Fact]) -> None:
    held = by_slice(holds)
    with_fault = total(rate_lease_term(term(held, PLAIN, *faults), window()))
    assert 0 <= with_fault <= total(rate_lease_term(term(held), window()))


@settings(max_examples=examples(25))
@given(st.integers(1, 60), st.integers(1, MONTH), st.booleans())
def test_paid_in_advance_sums_to_what_was_held(days: int, ends: int, with_end: bool) -> None:
    wording = LeaseWording(price_per_gpu_hour=Decimal(2), billed=Billed.ADVANCE)
    planned = [hold(0, days * 24)]
    held = [hold(0, min(ends, days * 24))] if with_end else planned
    following = NextPeriod(from_at=at(MONTH), to_at=at(2 * MONTH), whole_seconds=MONTH * 3_600)
    first = rate_lease_term(term(planned, wording, following), window())
    carried = tuple(Carried(name=carry.name, value=carry.value) for carry in first.carries)
    second = rate_lease_term(term(held, wording, *carried), window(MONTH, 2 * MONTH))
    arrears = LeaseWording(price_per_gpu_hour=Decimal(2))
    both = total(first) + total(second)
    alone = total(rate_lease_term(term(planned, arrears), window()))
    assert both == alone + total(rate_lease_term(term(held, arrears), window(MONTH, 2 * MONTH)))


def test_an_advance_is_billed_at_the_periods_end_only() -> None:
    wording = LeaseWording(price_per_gpu_hour=Decimal(2), billed=Billed.ADVANCE)
    following = NextPeriod(from_at=at(MONTH), to_at=at(2 * MONTH), whole_seconds=MONTH * 3_600)
    early = rate_lease_term(term([hold(0, None)], wording, following), window(up_to=5))
    assert {line.rule for line in early.lines} == {"lease_fixed_rate"}


def test_a_deposit_follows_its_amendments_and_goes_back() -> None:
    more = LeaseWording(price_per_gpu_hour=Decimal(1), deposit_amount=Decimal(300))
    taken = rate_lease_term(term([hold(0, None)], more, Carried(name="deposit_amount", value=Decimal(100))), window())
    (line,) = (line for line in taken.lines if "deposit" in line.rule)
    assert (line.rule, line.amount) == ("lease_deposit_taken", Decimal(200))
    over = term([hold(0, 5)], more, Carried(name="deposit_amount", value=Decimal(300)), to_at=at(5))
    given_back = [line.amount for line in rate_lease_term(over, window()).lines if "deposit" in line.rule]
    assert given_back == [Decimal(-300)]


def test_an_early_end_counts_once_in_the_period_it_lies_in() -> None:
    wording = LeaseWording(
        price_per_gpu_hour=Decimal(2), early_end=EarlyEnd.SHARE_OF_REMAINDER, early_end_percent_of_remainder=Decimal(50)
    )
    ended = LeaseEnded(asked_at=at(1), ended_at=at(MONTH), agreed_to_at=at(MONTH + 10))
    held = term([hold(0, MONTH, slice_ref="a"), hold(5, MONTH, slice_ref="b")], wording, ended, to_at=at(MONTH))
    first, then = rate_lease_term(held, window()), rate_lease_term(held, window(MONTH, 2 * MONTH))
    fees = [line for line in first.lines if "early" in line.rule]
    assert [(line.quantity, line.amount) for line in fees] == [(Decimal(2 * 10 * 3_600), Decimal(20))]
    assert then.lines == ()


def test_an_early_end_of_a_lease_at_book_prices_costs_what_it_cost_last() -> None:
    wording = LeaseWording(early_end=EarlyEnd.MINIMUM_TERM, minimum_term_days=10)
    ended = LeaseEnded(asked_at=at(1), ended_at=at(99), agreed_to_at=None)
    rated = rate_lease_term(term([hold(0, 99)], wording, ended, to_at=at(99)), window())
    (fee,) = (line for line in rated.lines if "early" in line.rule)
    assert (fee.price.amount, fee.quantity) == (Decimal(2), Decimal((240 - 99) * 3_600))


def test_an_early_end_of_a_flat_lease_is_prorated_as_the_lease_is() -> None:
    wording = LeaseWording(flat_amount_per_day=Decimal(240), early_end=EarlyEnd.NOTICE, early_end_notice_days=2)
    ended = LeaseEnded(asked_at=at(24), ended_at=at(48), agreed_to_at=at(24 * 30))
    rated = rate_lease_term(term([hold(0, 48)], wording, ended, to_at=at(48)), window())
    assert [line.amount for line in rated.lines if "early" in line.rule] == [Decimal(240)]


def test_holdover_of_a_flat_lease_is_for_the_time_held_past_the_end() -> None:
    wording = LeaseWording(flat_amount_per_day=Decimal(240), holdover_percent=Decimal(200))
    rated = rate_lease_term(term([hold(0, 36)], wording, LeaseAgreed(to_at=at(24))), window())
    assert [(line.rule, line.amount) for line in rated.lines] == [
        ("lease_flat_per_day", Decimal(240)),
        ("lease_holdover", Decimal(240)),
    ]


def test_an_extension_at_the_price_in_force_holds_from_its_instant() -> None:
    wording = LeaseWording(price_per_gpu_hour=Decimal(2))
    more = LeaseExtended(from_at=at(3), price_per_gpu_hour=Decimal(3))
    later = LeaseExtended(from_at=at(5), price_per_gpu_hour=Decimal(4))
    rated = rate_lease_term(term([hold(0, 6)], wording, later, more), window())
    assert total(rated) == 3 * 2 + 2 * 3 + 4


def test_a_term_without_wordings_owes_nothing_and_an_agreed_end_may_be_missing() -> None:
    assert rate_lease_term(TermInput("L-1", "", START, None, ()), window()) == Rated()
    assert agreed_end(term([])) is None
    assert agreed_end(term([], PLAIN, LeaseAgreed(to_at=at(4)), to_at=at(9))) == at(4)


def test_a_lease_without_a_price_waits() -> None:
    rated = rate_lease_term(term([hold(0, 1, model="B200")], LeaseWording()), window())
    assert rated.lines == ()
    assert [waiting.model for waiting in rated.unpriced] == ["B200"]

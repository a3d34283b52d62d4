"""Where a contract stands is worked out from rows: the same for whoever asks, and never less than what is owed."""

from __future__ import annotations

import threading
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from django.db import connection
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.agreeing import add_adjustment
from billing.charging import ensure_periods
from billing.credits import grant_credit
from billing.rating.commitment import CommitmentWording
from billing.rating.credit import HardStop, may_go_on
from billing.standing import ContractStanding, standing_of
from tests.billing.test_credits import STOP, grant, left, prepaid_world
from tests.billing.world import APRIL, HOUR, MARCH, make_world

if TYPE_CHECKING:
    from pytest_django import DjangoAssertNumQueries

WORKERS = 6
DAY = timedelta(days=1)


@pytest.mark.django_db
def test_a_contract_without_terms_or_periods_may_use_and_has_nothing() -> None:
    contract = make_world().contract
    standing = standing_of(contract, MARCH)
    assert standing == ContractStanding(contract, MARCH, True, Decimal(0), Decimal(0), None, (), ())


@pytest.mark.django_db
def test_a_grant_that_is_not_begun_or_is_over_pays_for_nothing_now_but_is_shown() -> None:
    over = grant("over", 10, expires_at=MARCH + DAY)
    later = grant("later", 20, from_at=MARCH + 3 * DAY)
    world, _, _ = prepaid_world(now=grant("now", 5), over=over, later=later)
    standing = standing_of(world.contract, MARCH + 2 * DAY)
    assert {each.grant.name: each.is_open for each in standing.grants} == {"now": True, "over": False, "later": False}
    assert standing.left_amount == 5
    assert standing_of(world.contract, MARCH + 3 * DAY).left_amount == 25
    assert standing_of(world.contract, MARCH + DAY - HOUR).left_amount == 15


@pytest.mark.django_db
def test_a_grant_for_terms_that_meter_nothing_is_not_open_to_use() -> None:
    world, term, credit = prepaid_world(any=grant("any", 100))
    lease = world.lease()
    for name, ref in (("leased", lease.ref), ("used", term.term.ref)):
        grant_credit(term=credit, grant=grant(name, 50, terms=(ref,)), recorded_by="provider", now=MARCH)
    standing = standing_of(world.contract, MARCH)
    assert {each.grant.name: each.is_open for each in standing.grants} == {"any": True, "leased": False, "used": True}
    assert standing.left_amount == 150


@pytest.mark.django_db
def test_use_stops_at_the_agreed_amount_and_goes_on_when_more_is_bought() -> None:
    world, term, credit = prepaid_world(only=grant("only", 100))
    term.use({"output": 79_000}, at=MARCH)
    assert standing_of(world.contract, MARCH + HOUR).allowed
    term.use({"output": 1_000}, at=MARCH + HOUR)
    stopped = standing_of(world.contract, MARCH + 2 * HOUR)
    assert (stopped.allowed, stopped.left_amount, stopped.stop) == (False, Decimal(20), STOP)
    grant_credit(term=credit, grant=grant("more", 1, bought=True), recorded_by="provider", now=MARCH)
    assert standing_of(world.contract, MARCH + 2 * HOUR).allowed


@pytest.mark.django_db
def test_what_is_owed_beyond_all_grants_is_below_nothing() -> None:
    world, term, _ = prepaid_world(only=grant("only", 100))
    term.use({"output": 130_000}, at=MARCH)
    standing = standing_of(world.contract, MARCH + HOUR)
    assert (int(standing.left_amount), int(standing.unpaid_amount), left(standing)) == (-30, 30, {"only": 0})


@pytest.mark.django_db
def test_use_after_the_instant_that_is_asked_about_does_not_count_yet() -> None:
    world, term, _ = prepaid_world(only=grant("only", 100))
    term.use({"output": 10_000}, at=MARCH)
    term.use({"output": 50_000}, at=MARCH + DAY)
    assert left(standing_of(world.contract, MARCH + DAY)) == {"only": 90}
    assert left(standing_of(world.contract, MARCH + DAY + HOUR)) == {"only": 40}


@pytest.mark.django_db
def test_a_commitment_shows_what_is_used_and_left_of_it() -> None:
    world, term, _ = prepaid_world(stop=None)
    wording = CommitmentWording(amount_per_period=Decimal(50))
    committed = add_adjustment(
        contract=world.contract, wording=wording, from_at=MARCH, to_at=None, now=MARCH, title="Committed"
    )
    term.use({"output": 20_000}, at=MARCH)
    [(ref, title, _)] = standing_of(world.contract, MARCH + HOUR).commitments
    assert (ref, title) == (committed.ref, "Committed")


@pytest.mark.django_db
def test_queries_do_not_grow_with_grants_terms_and_open_periods(
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    world, term, credit = prepaid_world(only=grant("only", 10**6))
    ensure_periods(contract=world.contract, now=APRIL)
    for number in range(8):
        grant_credit(term=credit, grant=grant(f"more-{number}", 1), recorded_by="provider", now=MARCH)
        term.use({"output": 1_000}, at=MARCH + number * HOUR)
        term.use({"output": 1_000}, at=APRIL + number * HOUR)
    with django_assert_max_num_queries(16):
        standing = standing_of(world.contract, APRIL + 9 * HOUR)
    assert sum(left(standing).values()) == 10**6 + 8 - 16


@pytest.mark.django_db(transaction=True)
def test_workers_that_ask_while_credit_is_granted_see_it_before_or_after_and_agree_at_last() -> None:
    world, term, credit = prepaid_world(only=grant("only", 100))
    term.use({"output": 30_000}, at=MARCH)
    ready, seen = threading.Barrier(WORKERS), []

    def work(number: int) -> None:
        try:
            ready.wait(30)
            if number == 0:
                grant_credit(term=credit, grant=grant("more", 7), recorded_by="provider", now=MARCH)
            seen.append(int(standing_of(world.contract, MARCH + HOUR).left_amount))
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(WORKERS)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert len(seen) == WORKERS
    assert set(seen) <= {70, 77}
    assert standing_of(world.contract, MARCH + HOUR).left_amount == 77


@settings(max_examples=50)
@given(
    granted=st.integers(0, 500),
    phase_s=st.integers(0, 29),
    check_every_s=st.integers(1, 60),
    counted_within_s=st.integers(0, 60),
    spend_per_s=st.integers(1, 5),
)
def test_use_at_the_highest_spend_overdraws_no_more_than_can_be_known_too_late(
    granted: int, phase_s: int, check_every_s: int, counted_within_s: int, spend_per_s: int
) -> None:
    """The figures of a stop, by the second: what is spent between the last count that was seen and the next check."""
    late = spend_per_s * (check_every_s + counted_within_s)
    stop = HardStop(
        check_every_s=check_every_s,
        counted_within_s=counted_within_s,
        spend_amount_per_hour_most=Decimal(3_600 * spend_per_s),
        overdrawn_amount_most=Decimal(late),
    )
    second = phase_s % check_every_s
    while may_go_on(stop, Decimal(granted - max(0, second - counted_within_s) * spend_per_s)):
        second += check_every_s
    assert second * spend_per_s - granted <= late

"""When certified revenue is due, by which wording, what was stated last, and what a period still waits for."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing.charging import ensure_periods
from billing.models import BillingPeriod, RevenueStatement
from billing.revenue_dues import certified_wording, due_at, missing_statements, revenue_dues
from billing.revenue_statements import state_revenue
from metering.models import Witness
from tests.billing.sharing import agree, share
from tests.billing.world import APRIL, MARCH, MODEL, Shared, World, make_world
from tests.kept import kept

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
MAY = datetime(2026, 5, 1, tzinfo=APRIL.tzinfo)
CERTIFIED: dict[str, Any] = {"base": "certified_revenue", "statements": {"due_days": 21}}


@kept
def world() -> World:
    made = make_world(tokens={(MODEL, "output"): "1"})
    ensure_periods(contract=made.contract, now=MAY + DAY)
    return made


def state(shared: Shared, amount: int, now: datetime = MAY) -> RevenueStatement:
    return state_revenue(
        contract=shared.term.contract,
        term_ref=shared.term.ref,
        period_from_at=MARCH,
        document=f"item,amount,currency\nsample,{amount},USD\n".encode(),
        certified_by="Ada Example",
        by="alice@example.com",
        now=now,
    )[0]


@kept
def shared(world: World) -> Shared:
    return share(world, Witness.GATEWAY, **CERTIFIED)


def test_a_share_of_the_list_price_asks_for_no_statement(world: World) -> None:
    shared = world.share()
    assert revenue_dues([world.period()]) == []
    assert missing_statements(world.period()) == []
    assert certified_wording(shared.term, world.period()) is None


def test_a_lease_asks_for_no_statement(world: World) -> None:
    assert certified_wording(world.lease(), world.period()) is None
    assert revenue_dues([world.period()]) == []


@pytest.mark.parametrize("days", [1, 21, 366])
def test_a_statement_is_due_so_many_days_after_its_period(world: World, days: int) -> None:
    shared = share(world, Witness.GATEWAY, base="certified_revenue", statements={"due_days": days})
    (due,) = missing_statements(world.period())
    assert (due.term, due.period, due.statement) == (shared.term, world.period(), None)
    assert due.due_at == APRIL + days * DAY == due_at(due.wording, world.period())


def test_dues_follow_the_order_of_the_periods_asked_for(world: World) -> None:
    share(world, Witness.GATEWAY, **CERTIFIED)
    backwards = [world.period(APRIL), world.period(MARCH)]
    assert [due.period for due in revenue_dues(backwards)] == backwards
    assert [due.period for due in revenue_dues(backwards[::-1])] == backwards[::-1]
    assert revenue_dues([]) == []


def test_the_latest_statement_is_the_one_that_counts(world: World, shared: Shared) -> None:
    state(shared, 95)
    last = state(shared, 90, MAY + DAY)
    assert missing_statements(world.period(MARCH)) == []
    march, april = revenue_dues([world.period(MARCH), world.period(APRIL)])
    assert march.statement == last
    assert april.statement is None


def test_one_share_that_is_stated_leaves_the_other_missing(world: World) -> None:
    stated, other = (share(world, Witness.GATEWAY, **CERTIFIED) for _ in range(2))
    state(stated, 95)
    assert [due.term for due in missing_statements(world.period())] == [other.term]


def test_only_the_terms_that_are_given_are_looked_at(world: World) -> None:
    first, second = (share(world, Witness.GATEWAY, **CERTIFIED) for _ in range(2))
    assert [due.term for due in revenue_dues([world.period()], [second.term])] == [second.term]
    assert {due.term for due in revenue_dues([world.period()])} == {first.term, second.term}
    assert revenue_dues([world.period()], []) == []


def test_terms_and_periods_of_two_contracts_are_not_crossed(world: World) -> None:
    other = make_world(tokens={(MODEL, "output"): "1"})
    ensure_periods(contract=other.contract, now=MAY + DAY)
    mine, theirs = (share(one, Witness.GATEWAY, **CERTIFIED) for one in (world, other))
    found = revenue_dues([world.period(), other.period()], [mine.term, theirs.term])
    assert [(due.term, due.period) for due in found] == [(mine.term, world.period()), (theirs.term, other.period())]


def test_the_last_wording_of_a_period_that_asks_sets_the_day(world: World, shared: Shared) -> None:
    agree(shared.term, at=MARCH + 10 * DAY, statements={"due_days": 7})
    (due,) = revenue_dues([world.period()])
    assert due.due_at == APRIL + 7 * DAY


def test_a_period_in_which_revenue_was_the_base_for_a_while_asks_and_the_next_does_not(
    world: World, shared: Shared
) -> None:
    agree(shared.term, at=MARCH + 10 * DAY, base="list_price", statements=None)
    (due,) = revenue_dues([world.period(MARCH), world.period(APRIL)])
    assert (due.period, due.due_at) == (world.period(MARCH), APRIL + 21 * DAY)


def test_a_period_before_revenue_becomes_the_base_asks_nothing(world: World) -> None:
    shared = share(world, Witness.GATEWAY)
    agree(shared.term, at=APRIL, **CERTIFIED)
    assert [due.period for due in revenue_dues([world.period(MARCH), world.period(APRIL)])] == [world.period(APRIL)]


def test_more_periods_and_shares_need_no_more_queries(world: World) -> None:
    def queries(periods: list[BillingPeriod]) -> int:
        with CaptureQueriesContext(connection) as caught:
            revenue_dues(periods)
        return len(caught)

    share(world, Witness.GATEWAY, **CERTIFIED)
    one = queries([world.period()])
    for _ in range(3):
        share(world, Witness.GATEWAY, **CERTIFIED)
    assert queries([world.period(MARCH), world.period(APRIL)]) == one <= 3

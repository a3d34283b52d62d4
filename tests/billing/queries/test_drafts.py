from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from pytest_django import DjangoAssertNumQueries

from billing.charging import ensure_periods
from billing.queries.drafts import draft_rows
from tests.billing.world import APRIL, MARCH, World, make_world
from tests.factories import Cast
from tests.kept import kept

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


@kept
def world(cast: Cast) -> World:
    return make_world(parties=(cast.provider, cast.tenant))


def test_a_draft_grows_with_the_usage(cast: Cast) -> None:
    world = make_world(tokens={("m", "output"): "1.00"}, parties=(cast.provider, cast.tenant))
    shared = world.share(percent="100", model="m")
    ensure_periods(contract=world.contract, now=MARCH)
    shared.use({"output": 2_000_000}, at=MARCH, model="m")
    (before,) = draft_rows(cast.tenant, MARCH + DAY)
    shared.use({"output": 3_000_000}, at=MARCH + 2 * DAY, model="m")
    (after,) = draft_rows(cast.tenant, MARCH + 3 * DAY)
    assert (before.amount, after.amount) == (Decimal("2.00"), Decimal("5.00"))
    assert (after.contract, after.to_at, after.is_over(MARCH + 3 * DAY)) == (world.contract.number, APRIL, False)


def test_a_lease_is_counted_up_to_now(cast: Cast, world: World) -> None:
    world.lease(1, price="1.00")
    ensure_periods(contract=world.contract, now=MARCH)
    assert draft_rows(cast.tenant, MARCH + timedelta(hours=5))[0].amount == Decimal("5.00")


def test_a_period_that_waits_stands_beside_the_one_that_runs(cast: Cast, world: World) -> None:
    world.lease(1, price="1.00")
    ensure_periods(contract=world.contract, now=MARCH)
    ensure_periods(contract=world.contract, now=APRIL + DAY)
    waiting, running = draft_rows(cast.tenant, APRIL + timedelta(hours=2))
    assert (waiting.amount, waiting.is_over(APRIL)) == (Decimal("744.00"), True)
    assert (running.amount, running.from_at) == (Decimal("2.00"), APRIL)


def test_drafts_are_the_tenants_own_and_many_cost_no_more_queries(
    cast: Cast, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for _index in range(6):
        world = make_world(tokens={("m", "output"): "1.00"}, parties=(cast.provider, cast.tenant))
        world.share(model="m")
        ensure_periods(contract=world.contract, now=MARCH)
    with django_assert_max_num_queries(14):
        assert len(draft_rows(cast.tenant, MARCH + DAY)) == 6
    assert draft_rows(cast.provider, MARCH + DAY) == ()
    assert draft_rows(cast.tenant, MARCH - DAY) == ()

"""What budgets count is what the usage page shows: to the cent, by model, contract, hour and token."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from billing.adjusting.last_bills import bill_late
from billing.budgets.rules import Measure, Per, Scope, window_of
from billing.budgets.using import Using, sum_of
from billing.queries.usage import Side
from billing.queries.usage_sheet import usage_sheet
from metering.key_models import Project, ProjectKey
from tests.billing.adjusting.late import late_world
from tests.billing.budgets.spent import BIG, DAY, HOUR, NOW, RULE, SMALL, Spent, make_spent
from tests.billing.test_summed_days import make_random
from tests.billing.test_usage_groups import key_hours
from tests.billing.world import APRIL, H100, MARCH, make_world
from tests.examples import examples
from tests.kept import kept

if TYPE_CHECKING:
    from pytest_django import DjangoAssertNumQueries

    from tenants.models import Organization
    from tests.factories import Cast

pytestmark = pytest.mark.django_db
TOKENS: dict[str, Any] = {"measure": Measure.TOKENS, "currency": ""}


def used(cast: Cast, *, side: Side = Side.TENANT, **changes: Any) -> Decimal:
    rule = replace(RULE, **changes)
    organization = cast.tenant if side is Side.TENANT else cast.provider
    return Using(organization, side, now=NOW).used(rule, window_of(rule.per, rule.zone, NOW))


@kept
def spent(cast: Cast) -> Spent:
    return make_spent(cast, days=0)


def test_each_scope_and_period_counts_its_own(cast: Cast) -> None:
    spent = make_spent(cast)
    spent.use(NOW, big=2)
    number = spent.world.contract.number
    assert used(cast) == Decimal("116.00")
    assert used(cast, scope=Scope.MODEL, subject=SMALL) == Decimal("20.00")
    assert used(cast, scope=Scope.MODEL, subject="unheard-of") == 0
    assert used(cast, scope=Scope.CONTRACT, subject=number) == Decimal("116.00")
    assert used(cast, scope=Scope.CONTRACT, subject="another") == 0
    assert used(cast, per=Per.DAY) == Decimal("16.00")
    assert used(cast, per=Per.WEEK) == Decimal("36.00")  # from Monday, 9 March
    assert used(cast, **TOKENS) == 10 * 30_000_000 + 20_000_000
    assert used(cast, **TOKENS, scope=Scope.MODEL, subject=BIG) == 120_000_000
    assert used(cast, side=Side.PROVIDER) == Decimal("116.00")
    assert used(cast, currency="EUR") == 0


def test_a_month_is_the_total_of_the_usage_page_to_the_cent(cast: Cast) -> None:
    world = make_world(tokens={(BIG, "input"): "0.333333"}, gpus={H100: "1.7"}, parties=(cast.provider, cast.tenant))
    shared = world.share(percent="33", model=BIG, rolled_to_at=NOW)
    for index in range(10):
        shared.use({"input": 1_234_567 * (index + 1)}, at=MARCH + index * DAY, model=BIG)
    world.lease(3, rolled_to_at=NOW, price=None)
    sheet = usage_sheet(cast.tenant, MARCH, NOW, "UTC")
    assert used(cast) == sheet.total != 0
    by_day = [
        Using(cast.tenant, Side.TENANT, now=NOW).used(
            replace(RULE, per=Per.DAY), window_of(Per.DAY, "UTC", MARCH + index * DAY)
        )
        for index in range(11)
    ]
    assert sum(by_day) == sheet.total


def test_an_hour_is_a_rate_of_that_hour(cast: Cast) -> None:
    spent = make_spent(cast, days=2)
    spent.use(NOW, big=3, small=1)
    using = Using(cast.tenant, Side.TENANT, now=NOW)
    nine = window_of(Per.HOUR, "UTC", NOW.replace(hour=9))
    hourly = replace(RULE, per=Per.HOUR)
    assert using.used(hourly, nine) == Decimal("26.00")
    assert using.used(replace(hourly, scope=Scope.MODEL, subject=SMALL), nine) == Decimal("2.00")
    tokens = replace(hourly, measure=Measure.TOKENS, currency="")
    assert using.used(tokens, nine) == 50_000_000
    assert using.used(replace(tokens, scope=Scope.MODEL, subject=BIG), nine) == 30_000_000
    assert using.used(hourly, window_of(Per.HOUR, "UTC", NOW)) == 0


def test_cached_and_reasoning_tokens_are_not_counted_twice(cast: Cast, spent: Spent) -> None:
    counts = {"input": 100, "cached_input": 60, "cache_write": 7, "output": 30, "reasoning": 20}
    spent.big.use(counts, at=NOW - timedelta(hours=1), model=BIG)
    assert used(cast, **TOKENS) == 137
    window = window_of(Per.HOUR, "UTC", NOW - timedelta(hours=1))
    rule = replace(RULE, per=Per.HOUR, measure=Measure.TOKENS, currency="")
    assert Using(cast.tenant, Side.TENANT, now=NOW).used(rule, window) == 137


@pytest.mark.parametrize("by_day_first", [True, False])
def test_all_budgets_are_answered_from_one_rating(
    cast: Cast, django_assert_num_queries: DjangoAssertNumQueries, *, by_day_first: bool
) -> None:
    make_spent(cast)
    using = Using(cast.tenant, Side.TENANT, now=NOW)
    window = window_of(Per.MONTH, "UTC", NOW)
    daily = (replace(RULE, per=Per.DAY), window_of(Per.DAY, "UTC", NOW))
    using.used(*(daily if by_day_first else (RULE, window)))
    assert using.knows_days(RULE, window) is by_day_first
    assert not using.knows_days(replace(RULE, per=Per.HOUR), window_of(Per.HOUR, "UTC", NOW))
    with django_assert_num_queries(0):
        assert using.used(RULE, window) == 100
        assert using.used(replace(RULE, scope=Scope.MODEL, subject=BIG), window) == 80
        if by_day_first:
            using.by_day(*daily)


def counted_twice(organization: Organization, side: Side, now: datetime, **changes: Any) -> tuple[Decimal, Decimal]:
    """What a month's cost is by the lines of bills, and by the rows of days."""
    rule = replace(RULE, **changes)
    window, using = window_of(Per.MONTH, rule.zone, now), Using(organization, side, now=now)
    assert using.needs_no_days(rule, window)
    assert not using.knows_days(rule, window)
    return using.used(rule, window), sum_of(Using(organization, side, now=now).by_day(rule, window))


@pytest.mark.parametrize("seed", range(examples(3)))
@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo", "America/Los_Angeles"])
def test_a_months_cost_is_what_its_days_add_up_to(cast: Cast, zone: str, seed: int) -> None:
    """Of two models whose prices change at odd instants, with tiers, of hours that came late, and of a lease."""
    world, _ = make_random(cast, Random(seed))
    number = world.contract.number
    found = set()
    for now in (MARCH + 9 * DAY + 7 * HOUR, MARCH + 40 * DAY):
        for scope, subject in (("organization", ""), ("contract", number), ("contract", "another"), ("model", "one")):
            for organization, side in ((cast.tenant, Side.TENANT), (cast.provider, Side.PROVIDER)):
                once, by_day = counted_twice(organization, side, now, scope=Scope(scope), subject=subject, zone=zone)
                assert once == by_day
                found.add(once)
    assert len(found) > 3


def test_what_came_late_for_a_closed_period_counts_in_no_month(cast: Cast) -> None:
    late = late_world()
    late.use(25_000_000)
    late.close()
    late.use(1_000_000, stored_at=APRIL + 9 * DAY)
    assert bill_late(contract_id=late.world.contract.pk, now=APRIL + 9 * DAY)
    assert counted_twice(late.world.tenant, Side.TENANT, APRIL + 10 * DAY) == (Decimal(0), Decimal(0))
    sheet = usage_sheet(late.world.tenant, APRIL, APRIL + 10 * DAY, "UTC")
    assert [(row.day, row.amount) for row in sheet.rows] == [(MARCH.date(), Decimal("1.00"))]


def test_a_month_that_is_over_is_counted_by_its_days(cast: Cast) -> None:
    """In another zone than the contract's, a line goes on after the month."""
    spent = make_spent(cast)
    spent.use(MARCH + 31 * DAY, big=5)
    now = datetime(2026, 3, 31, 16, tzinfo=UTC)
    tokyo = replace(RULE, zone="Asia/Tokyo")
    window = window_of(Per.MONTH, tokyo.zone, now - 2 * HOUR)
    assert window[1] == now - HOUR
    using = Using(cast.tenant, Side.TENANT, now=now)
    assert not using.needs_no_days(tokyo, window)
    spent.big.use({"input": 10_000_000, "output": 0}, at=now - HOUR, model=BIG)
    assert using.used(tokyo, window) == 100


def test_keys_and_projects_count_their_own_and_leases_are_nobodys(cast: Cast, spent: Spent) -> None:
    spent.use(NOW, big=4)
    at = NOW.replace(hour=9)
    key_hours(spent.big, "batch", at=at, model=BIG, input=10_000_000)
    key = key_hours(spent.big, "chat", at=at, model=BIG, input=20_000_000)
    project = Project.objects.create(tenant=cast.tenant, slug="web", name="Web", created_at=MARCH)
    ProjectKey.objects.create(tenant=cast.tenant, project=project, key=key, from_at=MARCH)
    spent.world.lease(1, rolled_to_at=NOW, price="1")
    nine = window_of(Per.HOUR, "UTC", at)
    for scope, subject, cost in (
        (Scope.KEY, "batch", "8.00"),
        (Scope.KEY, "chat", "16.00"),
        (Scope.PROJECT, "web", "16.00"),
    ):
        assert used(cast, scope=scope, subject=subject) == Decimal(cost)
        assert used(cast, **TOKENS, scope=scope, subject=subject) == Decimal(cost) / 8 * 10_000_000
        rule = replace(RULE, scope=scope, subject=subject, per=Per.HOUR)
        assert Using(cast.tenant, Side.TENANT, now=NOW).used(rule, nine) == Decimal(cost)
        counted = replace(rule, measure=Measure.TOKENS, currency="")
        assert Using(cast.tenant, Side.TENANT, now=NOW).used(counted, nine) == Decimal(cost) / 8 * 10_000_000
    assert used(cast, scope=Scope.KEY, subject="unheard-of") == 0


def test_tokens_are_counted_over_all_currencies(cast: Cast) -> None:
    make_spent(cast, days=1)
    other = make_world(currency="EUR", tokens={(BIG, "input"): "1"}, parties=(cast.provider, cast.tenant))
    other.share(percent="100", model=BIG, rolled_to_at=NOW).use({"input": 5}, at=MARCH, model=BIG)
    assert used(cast, **TOKENS) == 30_000_005
    assert used(cast) == Decimal("10.00")
    rule = replace(RULE, per=Per.HOUR, measure=Measure.TOKENS, currency="")
    assert Using(cast.tenant, Side.TENANT, now=NOW).used(rule, window_of(Per.HOUR, "UTC", MARCH)) == 5

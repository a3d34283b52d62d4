"""What budgets count is what the usage page shows: to the cent, by model, contract, hour and token."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from billing.budgets.rules import Measure, Per, Scope, window_of
from billing.budgets.using import Using
from billing.queries.usage import Side
from billing.queries.usage_sheet import usage_sheet
from metering.key_models import Project, ProjectKey
from tests.billing.budgets.spent import BIG, DAY, NOW, RULE, SMALL, Spent, make_spent
from tests.billing.test_usage_groups import key_hours
from tests.billing.world import H100, MARCH, make_world
from tests.kept import kept

if TYPE_CHECKING:
    from pytest_django import DjangoAssertNumQueries

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


def test_all_budgets_are_answered_from_one_rating(
    cast: Cast, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    make_spent(cast)
    using = Using(cast.tenant, Side.TENANT, now=NOW)
    window = window_of(Per.MONTH, "UTC", NOW)
    using.used(RULE, window)
    with django_assert_num_queries(0):
        using.used(replace(RULE, scope=Scope.MODEL, subject=BIG), window)
        using.used(replace(RULE, per=Per.DAY), window_of(Per.DAY, "UTC", NOW))


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

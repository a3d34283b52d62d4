from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from pytest_django import DjangoAssertNumQueries

from billing.charging import ensure_periods
from billing.closing import close_period
from billing.pricing import publish_price_version
from billing.queries import Side, TokenCounts, usage_overview
from tests.billing.world import APRIL, H100, HOUR, MARCH, MODEL, World, make_world
from tests.factories import make_organization
from tests.kept import kept

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 3, 5, 12, tzinfo=UTC)
PRICES = {(MODEL, "input"): "0.28", (MODEL, "cached_input"): "0.07", (MODEL, "output"): "1.10"}


def make_used(*, zone: str = "UTC", from_at: datetime = MARCH) -> World:
    """Two cards for six hours over a day's edge, and tokens of two models on two days."""
    world = make_world(tokens={**PRICES, ("b-model", "output"): "4"}, gpus={H100: "2"}, time_zone=zone, from_at=from_at)
    world.lease(
        2,
        from_at=datetime(2026, 3, 5, 21, tzinfo=UTC),
        to_at=datetime(2026, 3, 6, 3, tzinfo=UTC),
        price=None,
        rolled_to_at=APRIL,
    )
    shared = world.share(percent="50", rolled_to_at=APRIL)
    shared.use({"input": 10_000_000, "cached_input": 4_000_000, "output": 2_000_000, "reasoning": 5}, at=NOON)
    shared.use({"output": 1_000_000}, at=NOON + 24 * HOUR, model="b-model")
    return world


world = kept(make_used)


def test_the_month_shows_what_was_used_and_what_it_costs(world: World) -> None:
    overview = usage_overview(world.tenant, MARCH, datetime(2026, 3, 7, tzinfo=UTC), "UTC")
    token_amount = (6 * Decimal("0.28") + 4 * Decimal("0.07") + 2 * Decimal("1.10")) / 2
    assert overview.lease_amount == Decimal("24.00")
    assert overview.token_amount == round(token_amount, 2) + 2
    assert overview.total == overview.lease_amount + overview.token_amount
    assert overview.gpu_seconds == 2 * 6 * 3600
    assert overview.tokens == TokenCounts(10_000_000, 4_000_000, 0, 3_000_000, 5)
    assert (overview.tokens.total, overview.tokens.uncached_input) == (13_000_000, 6_000_000)
    assert overview.tokens.cache_hit_percent == 40
    assert (overview.currency, overview.currencies) == ("USD", ("USD",))
    [lease] = overview.leases
    assert (lease.gpu_seconds, lease.unit_price, lease.amount) == (Decimal(43_200), Decimal(2), Decimal("24.00"))


def test_every_day_of_the_window_has_a_row_and_the_rows_sum_to_the_exact_cost(world: World) -> None:
    overview = usage_overview(world.tenant, MARCH, datetime(2026, 3, 7, tzinfo=UTC), "UTC")
    assert [row.day.day for row in overview.days] == [1, 2, 3, 4, 5, 6]
    fifth, sixth = overview.days[4:]
    assert (fifth.gpu_seconds, sixth.gpu_seconds) == (Decimal(21_600), Decimal(21_600))
    assert fifth.tokens_by_model == {MODEL: 12_000_000}
    assert sixth.tokens == TokenCounts(output=1_000_000)
    assert fifth.amount == fifth.lease_amount + Decimal("2.08")
    exact = sum((row.amount for row in overview.days), Decimal(0))
    assert exact == overview.total
    models = {row.model: row for row in overview.models}
    assert models[MODEL].tokens_by_day == (0, 0, 0, 0, 12_000_000, 0)
    assert models[MODEL].prices == {"input": Decimal("0.28"), "cached_input": Decimal("0.07"), "output": Decimal("1.1")}
    assert (models["b-model"].list_amount, models["b-model"].amount) == (Decimal(4), Decimal(2))


def test_days_are_those_of_the_page_s_zone(world: World) -> None:
    overview = usage_overview(world.tenant, MARCH, datetime(2026, 3, 7, tzinfo=UTC), "Asia/Tokyo")
    days = {row.day: row for row in overview.days}
    assert days[date(2026, 3, 6)].gpu_seconds == 43_200
    assert days[date(2026, 3, 5)].gpu_seconds == 0
    assert overview.days[-1].day == date(2026, 3, 7)


def test_a_window_that_ends_now_counts_a_lease_up_to_now() -> None:
    world = make_world()
    world.lease(1, from_at=NOON, price="3600")
    overview = usage_overview(world.tenant, MARCH, NOON + timedelta(seconds=90), "UTC")
    assert overview.total == 90
    assert overview.days[-1].day == NOON.date()


def test_the_page_shows_what_the_invoice_says() -> None:
    march = datetime(2026, 3, 1, 5, tzinfo=UTC)
    world = make_used(zone="America/New_York", from_at=march)
    world.share(percent="33.3333", rolled_to_at=APRIL).use({"output": 1_234_567}, at=NOON)
    ensure_periods(contract=world.contract, now=march)
    period = world.period(march)
    invoice = close_period(period_id=period.id, now=APRIL + 72 * HOUR).invoice
    assert invoice is not None
    overview = usage_overview(world.tenant, period.from_at, period.to_at, "America/New_York")
    assert overview.total == invoice.total


def test_prices_of_models_are_those_in_force_at_the_end(world: World) -> None:
    assert world.book is not None
    later = datetime(2026, 3, 10, tzinfo=UTC)
    publish_price_version(
        book=world.book,
        effective_at=later,
        token_prices={(MODEL, "output"): Decimal("0.98")},
        gpu_prices={},
        now=MARCH,
    )
    before = usage_overview(world.tenant, MARCH, later - HOUR, "UTC")
    after = usage_overview(world.tenant, MARCH, later + HOUR, "UTC")
    assert {row.model: row.prices for row in after.models}[MODEL] == {"output": Decimal("0.98")}
    assert before.total == after.total


def test_prices_of_long_requests_are_told_for_every_class_that_has_one() -> None:
    world = make_world(tokens=PRICES, tiers={(MODEL, "input", 200_000): "0.56", (MODEL, "output", 512_000): "1.65"})
    shared = world.share(percent="100")
    shared.use({"input": 1_000_000}, at=NOON)
    shared.use({"input": 1_000_000}, at=NOON, context_over=200_000)
    overview = usage_overview(world.tenant, MARCH, APRIL, "UTC")
    [row] = overview.models
    assert row.tokens == TokenCounts(input=2_000_000)
    assert row.amount == Decimal("0.84")
    assert row.tiers == {
        200_000: {"input": Decimal("0.56"), "cached_input": Decimal("0.07"), "output": Decimal("1.10")},
        512_000: {"input": Decimal("0.56"), "cached_input": Decimal("0.07"), "output": Decimal("1.65")},
    }


def test_usage_without_a_price_is_shown_and_not_as_free(world: World) -> None:
    shared = world.share()
    shared.use({"output": 7}, at=NOON, model="unknown")
    overview = usage_overview(world.tenant, MARCH, APRIL, "UTC")
    [row] = overview.unpriced
    assert (row.term_ref, row.model, row.token_class, row.quantity) == (
        shared.term.ref,
        "unknown",
        "output",
        Decimal(7),
    )
    assert row.reason == "no_price_in_version"
    assert {each.model: each.amount for each in overview.models}["unknown"] == 0


def test_each_party_sees_its_own_and_an_outsider_nothing(world: World) -> None:
    end = datetime(2026, 3, 7, tzinfo=UTC)
    tenant = usage_overview(world.tenant, MARCH, end, "UTC")
    provider = usage_overview(world.provider, MARCH, end, "UTC", side=Side.PROVIDER)
    assert provider.total == tenant.total
    nothing = usage_overview(make_organization("outsider"), MARCH, end, "UTC")
    assert (nothing.total, nothing.tokens.total, nothing.models, nothing.currencies) == (Decimal("0.00"), 0, (), ())
    assert usage_overview(world.provider, MARCH, end, "UTC").total == 0


def test_currencies_are_never_added(world: World) -> None:
    euros = make_world(currency="EUR", parties=(world.provider, world.tenant), from_at=MARCH)
    euros.lease(1, from_at=NOON, to_at=NOON + HOUR, price="5")
    end = datetime(2026, 3, 7, tzinfo=UTC)
    dollars = usage_overview(world.tenant, MARCH, end, "UTC", currency="USD")
    assert dollars.lease_amount == 24
    assert dollars.currencies == ("EUR", "USD")
    assert usage_overview(world.tenant, MARCH, end, "UTC", currency="EUR").total == 5
    one = usage_overview(world.tenant, MARCH, end, "UTC", currency="USD", contract_id=euros.contract.id)
    assert one.total == 0


def test_the_number_of_queries_does_not_grow(
    django_assert_max_num_queries: DjangoAssertNumQueries, world: World
) -> None:
    for _ in range(4):
        more = make_world(tokens=PRICES, parties=(world.provider, world.tenant))
        for _ in range(3):
            more.lease(2, from_at=NOON)
            more.share().use({"output": 5}, at=NOON)
    with django_assert_max_num_queries(15):
        assert len(usage_overview(world.tenant, MARCH, APRIL, "UTC").leases) == 13

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing.models import ContractState
from billing.queries.usage_sheet import NOBODY, Chosen, billing_zone, usage_sheet, usage_total
from billing.queries.usage_sums import usage_overview
from metering.key_models import Project, ProjectKey, UsageKey
from tests.billing.pages.made import LARGE, SMALL, Month, make_march
from tests.billing.test_usage_groups import key_hours
from tests.billing.world import APRIL, MARCH, World, make_world
from tests.factories import Cast, make_price_version
from tests.kept import kept

pytestmark = pytest.mark.django_db


month = kept(make_march)


@kept
def world(cast: Cast) -> World:
    return make_world(tokens={("m", "input"): "1.00"}, parties=(cast.provider, cast.tenant))


def test_rows_sum_to_the_rounded_total_and_the_exact_amounts_do_not_move(cast: Cast, month: Month) -> None:
    sheet = usage_sheet(cast.tenant, MARCH, APRIL, "UTC")
    assert sheet.total == sheet.overview.total == Decimal("2487.98")
    assert sum(row.exact_amount for row in sheet.rows) == Decimal("2487.978")
    small = [row for row in sheet.rows if row.model == SMALL]
    assert sum(row.exact_amount for row in small) == Decimal("1.008")
    assert sum(row.amount for row in small) == Decimal("1.01")
    assert {row.amount for row in small} == {Decimal("0.05"), Decimal("0.06")}
    assert all(abs(row.amount - row.exact_amount) <= Decimal("0.01") for row in sheet.rows)


def test_rows_hold_the_tokens_of_the_overview(cast: Cast, month: Month) -> None:
    sheet = usage_sheet(cast.tenant, MARCH, APRIL, "UTC")
    assert sum(row.tokens.total for row in sheet.rows) == sheet.overview.tokens.total == 70_000_000
    assert sum(row.gpu_seconds for row in sheet.rows) == sheet.overview.gpu_seconds == 1056 * 3600
    assert sheet.models == (LARGE, SMALL)


def test_one_model_is_a_part_of_the_whole(cast: Cast, month: Month) -> None:
    parts = [usage_sheet(cast.tenant, MARCH, APRIL, "UTC", chosen=Chosen(model=model)) for model in (LARGE, SMALL)]
    assert [part.total for part in parts] == [Decimal("5.37"), Decimal("1.01")]
    assert sum(part.total for part in parts) == parts[0].overview.token_amount
    assert usage_sheet(cast.tenant, MARCH, APRIL, "UTC", chosen=Chosen(model="unknown")).is_empty


def test_savings_are_counted_at_the_prices_of_their_day(cast: Cast) -> None:
    prices = {("m", "input"): "1.00", ("m", "cached_input"): "0.25", ("m", "output"): "2.00"}
    world = make_world(tokens=prices, parties=(cast.provider, cast.tenant))
    assert world.book is not None
    shared = world.share(percent="50", model="m")
    later = MARCH + timedelta(days=10)
    make_price_version(world.book, number=2, effective_at=later, tokens={**prices, ("m", "input"): "3.00"})
    for at in (MARCH, later):
        shared.use({"input": 4_000_000, "cached_input": 2_000_000}, at=at, model="m")
    # 2 M × 0.75 and 2 M × 2.75, of which half is owed.
    assert usage_sheet(cast.tenant, MARCH, APRIL, "UTC").saved == Decimal("3.50")


def test_savings_of_long_requests_are_counted_at_their_tier(cast: Cast) -> None:
    prices = {("m", "input"): "1.00", ("m", "cached_input"): "0.25"}
    world = make_world(tokens=prices, tiers={("m", "input", 200_000): "3.00"}, parties=(cast.provider, cast.tenant))
    shared = world.share(percent="100", model="m")
    for over in (0, 272_000):
        shared.use({"input": 4_000_000, "cached_input": 2_000_000}, model="m", context_over=over)
    # 2 M × 0.75 and 2 M × 2.75.
    assert usage_sheet(cast.tenant, MARCH, APRIL, "UTC").saved == Decimal("7.00")


def test_nothing_is_saved_where_cached_input_has_no_price_of_its_own(cast: Cast, world: World) -> None:
    world.share(model="m").use({"input": 1_000_000, "cached_input": 500_000}, model="m")
    assert usage_sheet(cast.tenant, MARCH, APRIL, "UTC").saved is None


def test_usage_without_a_price_keeps_its_tokens_at_no_cost(cast: Cast) -> None:
    world = make_world(tokens={("other", "input"): "1.00"}, parties=(cast.provider, cast.tenant))
    world.share(model="m").use({"input": 1_000}, model="m")
    sheet = usage_sheet(cast.tenant, MARCH, APRIL, "UTC")
    (row,) = sheet.rows
    assert (row.tokens.input, row.amount) == (1_000, Decimal("0.00"))
    assert sheet.overview.unpriced


def test_what_is_free_costs_nothing_and_is_shown(cast: Cast) -> None:
    world = make_world(tokens={("m", "input"): "0"}, parties=(cast.provider, cast.tenant))
    world.share(model="m").use({"input": 1_000}, model="m")
    sheet = usage_sheet(cast.tenant, MARCH, APRIL, "UTC")
    assert [row.amount for row in sheet.rows] == [Decimal("0.00")]
    assert not sheet.overview.unpriced


def test_a_window_without_use_has_no_total_to_compare_with(cast: Cast, month: Month) -> None:
    february = datetime(2026, 2, 1, tzinfo=UTC)
    assert usage_total(cast.tenant, february, MARCH, "UTC", currency="USD") is None
    assert usage_total(cast.tenant, MARCH, APRIL, "UTC", currency="USD") == Decimal("2487.98")


def test_days_are_those_of_the_zone(cast: Cast, world: World) -> None:
    world.share(model="m").use({"input": 1_000}, at=MARCH + timedelta(hours=20), model="m")
    days = {zone: usage_sheet(cast.tenant, MARCH, APRIL, zone).rows[0].day for zone in ("UTC", "Asia/Shanghai")}
    assert days == {"UTC": date(2026, 3, 1), "Asia/Shanghai": date(2026, 3, 2)}
    assert usage_overview(cast.tenant, MARCH, APRIL, "UTC").zone == "UTC"


def test_the_zone_is_that_of_the_latest_contract_in_force(cast: Cast) -> None:
    assert billing_zone(cast.tenant, APRIL) == "UTC"
    make_world(time_zone="Europe/Berlin", parties=(cast.provider, cast.tenant))
    newer = make_world(time_zone="Asia/Tokyo", from_at=MARCH + timedelta(days=1), parties=(cast.provider, cast.tenant))
    assert billing_zone(cast.tenant, APRIL) == "Asia/Tokyo"
    newer.contract.state = ContractState.DRAFT
    newer.contract.save(update_fields=["state"])
    assert billing_zone(cast.tenant, APRIL) == "Europe/Berlin"


def made_by_key(cast: Cast, amounts: list[tuple[int, int, int, str]]) -> World:
    """Days of tokens of two models, each used by a key or by none: (day, model, thousand tokens, label)."""
    prices = {(LARGE, "input"): "0.37", (LARGE, "output"): "1.13", (SMALL, "input"): "0.11", (SMALL, "output"): "0.49"}
    world = make_world(tokens=prices, parties=(cast.provider, cast.tenant))
    shared = {model: world.share(model=model, percent="100", rolled_to_at=APRIL) for model in (LARGE, SMALL)}
    for number, (day, place, thousands, label) in enumerate(amounts):
        model, at = (LARGE, SMALL)[place], MARCH + timedelta(days=day, hours=9, minutes=number)
        tokens = {"input": thousands * 1_000, "output": thousands * 100}
        shared[model].use(tokens, at=at, to_at=at + timedelta(minutes=1), model=model)
        if label:
            key_hours(shared[model], label, at=at, model=model, **tokens)
    world.lease(1, from_at=MARCH + timedelta(days=3), to_at=MARCH + timedelta(days=5), rolled_to_at=APRIL)
    return world


AMOUNTS = [(0, 0, 137, "web"), (0, 0, 59, "night"), (0, 1, 773, ""), (2, 0, 11, "web"), (4, 1, 1_009, "night")]


def test_parts_by_key_add_up_to_the_whole_and_days_stay(cast: Cast) -> None:
    made_by_key(cast, AMOUNTS)
    whole = usage_sheet(cast.tenant, MARCH, APRIL, "UTC")
    told = usage_sheet(cast.tenant, MARCH, APRIL, "UTC", chosen=Chosen(by_caller=True))
    assert told.total == whole.total == whole.overview.total
    for name in ("amount", "exact_amount"):
        days = [Counter[date](), Counter[date]()]
        for sums, sheet in zip(days, (whole, told), strict=True):
            for row in sheet.rows:
                sums[row.day] += getattr(row, name)
        assert days[0] == days[1]
    keys = [str(one.id) for one in UsageKey.objects.all()]
    parts = [usage_sheet(cast.tenant, MARCH, APRIL, "UTC", chosen=Chosen(key_id=key)) for key in (*keys, NOBODY)]
    assert sum(part.total for part in parts) == whole.total
    assert sum(row.tokens.total for part in parts for row in part.rows) == whole.overview.tokens.total
    web = UsageKey.objects.get(label="web")
    mine = usage_sheet(cast.tenant, MARCH, APRIL, "UTC", chosen=Chosen(key_id=str(web.id), model=LARGE))
    assert [(row.day.day, row.tokens.input) for row in mine.rows] == [(1, 137_000), (3, 11_000)]
    assert mine.total == Decimal("0.07")
    assert usage_sheet(cast.tenant, MARCH, APRIL, "UTC", chosen=Chosen(key_id=str(web.id), model=SMALL)).is_empty


def test_parts_by_project_add_up_and_follow_the_dates(cast: Cast) -> None:
    made_by_key(cast, AMOUNTS)
    project = Project.objects.create(tenant=cast.tenant, slug="search", name="Search", created_at=MARCH)
    ProjectKey.objects.create(
        tenant=cast.tenant, project=project, key=UsageKey.objects.get(label="web"), from_at=MARCH + timedelta(days=1)
    )
    whole = usage_sheet(cast.tenant, MARCH, APRIL, "UTC")
    parts = [usage_sheet(cast.tenant, MARCH, APRIL, "UTC", chosen=Chosen(project=slug)) for slug in ("search", NOBODY)]
    assert [row.tokens.input for row in parts[0].rows] == [11_000]
    assert sum(part.total for part in parts) == whole.total


@pytest.mark.parametrize("zone", ["Pacific/Auckland", "Pacific/Honolulu", "UTC"])
def test_another_zone_for_reading_moves_days_and_no_total(cast: Cast, zone: str) -> None:
    made_by_key(cast, AMOUNTS)
    whole = usage_sheet(cast.tenant, MARCH, APRIL, "UTC")
    read = usage_sheet(cast.tenant, MARCH, APRIL, "UTC", read_zone=zone)
    assert read.total == whole.total
    assert sum(row.exact_amount for row in read.rows) == sum(row.exact_amount for row in whole.rows)
    assert read.overview.tokens == whole.overview.tokens
    expected = Counter[date]()
    for number, (day, _place, thousands, _label) in enumerate(AMOUNTS):
        at = MARCH + timedelta(days=day, hours=9, minutes=number)
        expected[at.astimezone(ZoneInfo(zone)).date()] += thousands * 1_000
    found = Counter[date]()
    for row in read.rows:
        found[row.day] += row.tokens.input
    assert +found == expected


@pytest.mark.parametrize("zone", ["UTC", "Asia/Shanghai", "America/Los_Angeles"])
@pytest.mark.parametrize("hours", [1, 30, 31 * 24])
def test_a_total_without_rows_is_the_total_of_the_rows(cast: Cast, zone: str, hours: int) -> None:
    """Usage of many small amounts, at prices that change within the window, and beside a lease."""
    prices = {("m", "input"): "0.33", ("m", "cached_input"): "0.07", ("m", "output"): "1.11"}
    world = make_world(tokens=prices, parties=(cast.provider, cast.tenant))
    assert world.book is not None
    shared = world.share(percent="33.3", model="m")
    world.lease(1, price="1.37", to_at=MARCH + timedelta(days=3))
    later = MARCH + timedelta(days=1)
    make_price_version(world.book, number=2, effective_at=later, tokens={**prices, ("m", "input"): "0.29"})
    for index in range(12):
        at = MARCH + index * timedelta(hours=5)
        shared.use({"input": 777_777, "cached_input": 333_331, "output": 55_557 * index}, at=at, model="m")
    shared.use({"input": 1_000}, at=MARCH + timedelta(hours=2), model="without a price")
    to_at = MARCH + timedelta(hours=hours)
    sheet = usage_sheet(cast.tenant, MARCH, to_at, zone)
    assert sheet.rows
    assert usage_total(cast.tenant, MARCH, to_at, zone, currency="USD") == sheet.total
    for chosen in (Chosen(), Chosen(model="m")):
        then = usage_sheet(cast.tenant, MARCH, to_at, zone, chosen=chosen).total
        compared = usage_sheet(
            cast.tenant, APRIL, APRIL + timedelta(days=1), zone, chosen=chosen, compared=(MARCH, to_at)
        )
        assert (compared.before, compared.rows) == (then, ())


def test_a_total_of_use_without_any_price_is_zero_and_of_no_use_nothing(cast: Cast) -> None:
    world = make_world(parties=(cast.provider, cast.tenant))
    assert usage_total(cast.tenant, MARCH, APRIL, "UTC", currency="USD") is None
    world.share(model="m").use({"input": 5}, model="m")
    assert usage_sheet(cast.tenant, MARCH, APRIL, "UTC").rows
    assert usage_total(cast.tenant, MARCH, APRIL, "UTC", currency="USD") == Decimal("0.00")


def test_the_time_compared_with_is_read_with_the_time_shown(cast: Cast) -> None:
    """A model's page, and a key's, asked for everything twice."""
    made_by_key(cast, AMOUNTS)
    shown, before = (MARCH + timedelta(days=2), APRIL), (MARCH, MARCH + timedelta(days=2))
    web = str(UsageKey.objects.get(label="web").id)
    chosen_ones = (Chosen(model=LARGE), Chosen(key_id=web), Chosen(key_id=web, model=SMALL))
    for chosen, used in zip(chosen_ones, ("0.09", "0.06", None), strict=True):
        with CaptureQueriesContext(connection) as alone:
            then = usage_sheet(cast.tenant, *before, "UTC", currency="USD", chosen=chosen)
        with CaptureQueriesContext(connection) as together:
            sheet = usage_sheet(cast.tenant, *shown, "UTC", chosen=chosen, compared=before)
        assert sheet.before == (then.total if then.rows else None) == (None if used is None else Decimal(used))
        assert sheet == replace(usage_sheet(cast.tenant, *shown, "UTC", chosen=chosen), before=sheet.before)
        assert len(together) == len(alone)

"""What is rated from sums of days is what is rated from the hours, whatever changes when."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from billing.bases import Grain, read_bases
from billing.charging import ensure_periods
from billing.queries.drafts import draft_rows
from billing.queries.usage import rated_usage
from billing.queries.usage_sheet import Chosen, usage_sheet, usage_total
from billing.queries.usage_windows import windows_of
from billing.summed_days import in_days, summed_of
from billing.usage_spans import Span
from metering.day_models import UsageDay, UsageDayChange, UsageDaysSummed
from metering.models import Quality
from metering.usage_days import sum_days
from tests.billing.test_usage_groups import key_hours
from tests.billing.world import MARCH, make_world
from tests.examples import examples
from tests.factories import make_price_version

if TYPE_CHECKING:
    from tests.billing.world import Shared, World
    from tests.factories import Cast

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
CLASSES = ("input", "cached_input", "output")
DEPLOYMENT = UUID(int=7)


def make_random(cast: Cast, random: Random) -> tuple[World, Shared]:
    """A share of two models whose prices change at odd instants, with tiers, used at random hours of ten days."""
    prices = {(model, name): f"0.{random.randint(1, 99):02}" for model in ("one", "two") for name in CLASSES}
    world = make_world(tokens=prices, parties=(cast.provider, cast.tenant))
    assert world.book is not None
    shared = world.share(percent=str(random.randint(1, 99)), model="one", rolled_to_at=MARCH + 10 * DAY)
    for number in (2, 3):
        at = MARCH + random.randint(1, 9) * DAY + random.choice([0, 5, 23]) * HOUR
        make_price_version(
            world.book, number=number, effective_at=at + number * HOUR, tokens={**prices, ("one", "input"): "0.77"}
        )
    use_random(shared, random, 25)
    for hour in random.sample(range(240), 25):
        # Some say more than was counted of their hour, most less.
        at, model = MARCH + hour * HOUR, random.choice(["one", "two"])
        key_hours(shared, random.choice("ab"), at=at, model=model, input=random.randint(0, 3_000_000), output=7)
    world.lease(1, rolled_to_at=MARCH + 10 * DAY)
    ensure_periods(contract=world.contract, now=MARCH)
    return world, shared


def use_random(shared: Shared, random: Random, count: int) -> None:
    for version in range(1, count + 1):
        counted = {name: random.randint(0, 9_999_999) for name in CLASSES}
        counted["cached_input"] = min(counted["input"], counted["cached_input"])
        shared.use(
            counted,
            at=MARCH + random.randrange(240) * HOUR,
            model=random.choice(["one", "two"]),
            quality=random.choice([Quality.ACTUAL, Quality.ESTIMATED, Quality.QUARANTINED]),
            version=version + count * 1_000,
        )


def sum_all(now: datetime) -> None:
    while sum_days(now=now):
        pass


def figures(cast: Cast, to_at: datetime) -> tuple[Any, ...]:
    """Everything that pages show of it: days, models, leases, totals and drafts; bases without the grouping."""
    return (
        usage_sheet(cast.tenant, MARCH, to_at, "UTC"),
        usage_sheet(cast.tenant, MARCH + 3 * HOUR, to_at, "UTC"),
        usage_sheet(cast.tenant, MARCH, to_at, "Asia/Shanghai"),
        usage_sheet(cast.tenant, MARCH, to_at, "UTC", chosen=Chosen(by_caller=True)),
        usage_sheet(cast.tenant, MARCH + 3 * HOUR, to_at, "UTC", chosen=Chosen(by_caller=True), read_zone="Asia/Tokyo"),
        usage_total(cast.tenant, MARCH, to_at, "UTC", currency="USD"),
        draft_rows(cast.tenant, to_at),
    )


@pytest.mark.django_db
@pytest.mark.parametrize("seed", range(examples(2)))
def test_rated_from_days_is_rated_from_hours(cast: Cast, seed: int) -> None:
    random = Random(seed)
    _, shared = make_random(cast, random)
    to_at = MARCH + 9 * DAY + 7 * HOUR
    expected = figures(cast, to_at)
    assert len({row.key_id for row in expected[3].rows}) > 1
    sum_all(MARCH + 7 * DAY + HOUR)
    assert UsageDay.objects.exists()
    assert figures(cast, to_at) == expected
    # Late hours: stale days are rated live, then from their new sums.
    use_random(shared, random, 7)
    assert UsageDayChange.objects.exists()
    stale = figures(cast, to_at)
    sum_all(MARCH + 8 * DAY + HOUR)
    assert figures(cast, to_at) == stale
    assert stale[0].total != expected[0].total
    UsageDaysSummed.objects.all().delete()
    assert figures(cast, to_at) == stale


@pytest.mark.django_db
def test_days_are_what_is_read_of_them_and_money_is_read_from_the_hours(cast: Cast) -> None:
    world, _ = make_random(cast, Random(0))
    sum_all(MARCH + 7 * DAY + HOUR)
    [window] = windows_of(world.contract, MARCH, MARCH + 9 * DAY)
    charged = read_bases([window], grain=Grain.DAY)
    UsageDay.objects.update(value=1)
    assert read_bases([window], grain=Grain.DAY) == charged
    assert read_bases([window], grain=Grain.DAY, summed=True) != charged
    by_hour = rated_usage(cast.tenant, MARCH, MARCH + 9 * DAY, "UTC", by_hour=True)
    by_caller = rated_usage(cast.tenant, MARCH, MARCH + 9 * DAY, "UTC", by_hour=True, by_caller=True)
    assert sum(used.count for _, used in by_hour.parts[0][0].tokens()) == sum(
        used.count for _, used in by_caller.parts[0][0].tokens()
    )


def span(from_at: datetime, to_at: datetime) -> Span:
    return Span(DEPLOYMENT, UUID(int=1), 0, "gateway", ("input",), 1, from_at, to_at)  # type: ignore[arg-type]


@pytest.mark.django_db
@pytest.mark.parametrize("seed", range(20))
def test_parts_of_a_span_are_the_span_and_days_are_whole_and_sound(seed: int) -> None:
    random = Random(seed)
    last, stale = date(2026, 3, random.randint(2, 20)), {date(2026, 3, random.randint(1, 20)) for _ in range(3)}
    UsageDaysSummed.objects.create(day=last)
    UsageDayChange.objects.bulk_create(UsageDayChange(deployment_id=DEPLOYMENT, day=day) for day in stale)
    UsageDayChange.objects.create(deployment_id=UUID(int=8), day=date(2026, 3, 1))
    cuts = [MARCH + random.randrange(480) * HOUR for _ in range(2)]
    one = span(MARCH + random.randrange(100) * HOUR, MARCH + random.randrange(101, 500) * HOUR)
    by_hour, by_day = in_days([one], cuts, summed_of([one]))
    parts = sorted((part.from_at, part.to_at) for part in (*by_hour, *by_day))
    assert [end for _, end in parts] == [*(start for start, _ in parts[1:]), one.to_at]
    assert parts[0][0] == one.from_at
    days = {part.from_at.date() + n * DAY for part in by_day for n in range((part.to_at - part.from_at) // DAY)}
    assert all(part.from_at.time() == part.to_at.time() == MARCH.time() for part in by_day)
    assert not days & stale
    assert not any(
        start < cut < start + DAY
        for cut in cuts
        for start in (datetime(d.year, d.month, d.day, tzinfo=UTC) for d in days)
    )
    whole = {date(2026, 3, 1) + n * DAY for n in range(20)}
    sound = {
        day
        for day in whole - stale
        if day <= last
        and one.from_at <= datetime(2026, 3, day.day, tzinfo=UTC) <= one.to_at - DAY
        and not any(cut.date() == day and cut.time() != MARCH.time() for cut in cuts)
    }
    assert days == sound


@pytest.mark.django_db
def test_without_sums_all_is_read_by_the_hour() -> None:
    one = span(MARCH, MARCH + 3 * DAY)
    assert in_days([one], (), summed_of([one])) == ([one], [])
    UsageDaysSummed.objects.create(day=date(2026, 2, 27))
    assert in_days([one], (), summed_of([one])) == ([one], [])
    assert in_days([], (), summed_of([])) == ([], [])

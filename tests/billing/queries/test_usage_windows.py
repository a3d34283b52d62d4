from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.charging import charge_period, ensure_periods
from billing.models import Contract
from billing.queries import usage_overview
from billing.queries.usage_windows import PERIODS_MAX, begins_inside, counts_by_period, windows_of
from tests.billing.agreements.agreed import PRICES, accepted, offered
from tests.billing.world import APRIL, H100, MARCH, World, make_world
from tests.examples import examples
from tests.kept import kept

DAY = timedelta(days=1)
MARCH_SECONDS = 31 * 86_400


def contract_of(**changed: Any) -> Contract:
    given: dict[str, Any] = {
        "period_kind": "calendar_month",
        "time_zone": "UTC",
        "from_at": MARCH,
        "to_at": None,
        "period_length_s": None,
        **changed,
    }
    return Contract(**given)


@kept
def world() -> World:
    return make_world(tokens=PRICES)


def test_a_month_so_far_is_a_part_of_its_month() -> None:
    [window] = windows_of(contract_of(), MARCH, MARCH + 4 * DAY)
    assert (window.from_at, window.to_at, window.period_to_at) == (MARCH, MARCH + 4 * DAY, APRIL)
    assert window.whole_seconds is None
    assert not begins_inside([window])


def test_a_day_knows_the_month_that_it_is_a_part_of() -> None:
    [window] = windows_of(contract_of(), MARCH + 4 * DAY, MARCH + 5 * DAY)
    assert (window.period_to_at, window.whole_seconds) == (APRIL, MARCH_SECONDS)
    assert begins_inside([window])


def test_a_contract_that_begins_or_ends_inside_a_month_is_prorated_by_the_whole_month() -> None:
    contract = contract_of(from_at=MARCH + 10 * DAY, to_at=MARCH + 20 * DAY)
    [window] = windows_of(contract, MARCH, APRIL)
    assert (window.from_at, window.to_at, window.period_to_at) == (
        MARCH + 10 * DAY,
        MARCH + 20 * DAY,
        MARCH + 20 * DAY,
    )
    assert window.whole_seconds == MARCH_SECONDS
    assert not begins_inside([window])


def test_a_month_of_another_zone_meets_two_periods() -> None:
    first, second = windows_of(contract_of(from_at=MARCH - DAY, time_zone="Europe/Berlin"), MARCH, APRIL)
    assert first.to_at == second.from_at == datetime(2026, 3, 31, 22, tzinfo=UTC)
    assert begins_inside([first])
    assert not begins_inside([second])
    assert first.whole_seconds == MARCH_SECONDS - 3600  # the clocks went forward


def test_a_time_of_very_many_periods_is_one() -> None:
    contract = contract_of(period_kind="fixed_length", period_length_s=60)
    assert len(windows_of(contract, MARCH, MARCH + PERIODS_MAX * timedelta(minutes=1))) == PERIODS_MAX
    [window] = windows_of(contract, MARCH, APRIL)
    assert window.period_to_at is None
    assert begins_inside([window])


@settings(max_examples=examples(25))
@given(
    kind=st.sampled_from(["calendar_month", "anniversary_month", "week", "day"]),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kathmandu", "America/St_Johns"]),
    start=st.integers(0, 60 * 86_400),
    seconds=st.integers(1, 40 * 86_400),
    ends=st.none() | st.integers(61 * 86_400, 90 * 86_400),
)
def test_parts_follow_each_other_and_cover_the_time(
    kind: str, zone: str, start: int, seconds: int, ends: int | None
) -> None:
    to_at = None if ends is None else MARCH + timedelta(seconds=ends)
    contract = contract_of(period_kind=kind, time_zone=zone, to_at=to_at)
    low, high = MARCH + timedelta(seconds=start), MARCH + timedelta(seconds=start + seconds)
    windows = windows_of(contract, low, high)
    assert windows[0].from_at == low
    assert windows[-1].to_at == (high if to_at is None else min(high, to_at))
    for one, other in pairwise(windows):
        assert one.to_at == other.from_at == one.period_to_at
    for window in windows:
        assert window.period_to_at is not None
        assert window.from_at < window.to_at <= window.period_to_at
    assert not begins_inside(windows[1:])


def flat_world() -> World:
    """A lease of one card for 3,100 a month of 31 days."""
    world = make_world(tokens=PRICES, gpus={H100: "2"})
    wording = {"kind": "lease", "accelerator_model": H100, "flat_amount_per_period": "3100"}
    slices = [str(each.id) for each in world.make_slices(1)]
    accepted(world, offered(world, {"from_at": "2026-03-01T00:00:00Z", "wording": wording, "slices": slices}))
    ensure_periods(contract=world.contract, now=MARCH)
    return world


@pytest.mark.django_db
@pytest.mark.parametrize("days", [1, 4, 31])
def test_the_month_so_far_shows_what_is_charged_so_far(days: int) -> None:
    """A flat 3,100 a month is 100 a day, not 3,100 on the first evening."""
    world, until = flat_world(), MARCH + days * DAY
    overview = usage_overview(world.tenant, MARCH, until, "UTC")
    charge_period(period_id=world.period().id, up_to=until, now=until)
    charged = sum(charge.amount for charge in world.period().charges.all())
    assert overview.total == round(charged, 2) == 100 * days
    assert not overview.is_part


@pytest.mark.django_db
def test_the_days_of_a_flat_month_add_up_to_it_and_say_that_they_are_parts() -> None:
    world = flat_world()
    days = [usage_overview(world.tenant, MARCH + n * DAY, MARCH + (n + 1) * DAY, "UTC") for n in range(0, 31, 5)]
    assert {day.total for day in days} == {Decimal("100.00")}
    assert [day.is_part for day in days] == [False, *(True for _ in days[1:])]


@pytest.mark.django_db
def test_what_is_committed_is_short_at_the_period_s_end_only(world: World) -> None:
    world.share(rolled_to_at=APRIL).use({"output": 1_000_000}, at=MARCH + DAY)
    wording = {"kind": "commitment", "amount_per_period": "1000"}
    accepted(world, offered(world, {"from_at": "2026-03-01T00:00:00Z", "wording": wording}))
    assert usage_overview(world.tenant, MARCH, MARCH + 4 * DAY, "UTC").total == Decimal("0.33")
    assert usage_overview(world.tenant, MARCH, APRIL, "UTC").total == Decimal("1000.00")


@pytest.mark.django_db
def test_prices_by_the_unit_depend_on_no_period() -> None:
    world = make_world(tokens=PRICES, gpus={H100: "2"})
    world.lease(1, rolled_to_at=APRIL)
    world.share(rolled_to_at=APRIL)
    overview = usage_overview(world.tenant, MARCH + DAY, MARCH + 2 * DAY, "UTC")
    assert not overview.is_part
    assert not counts_by_period([])


@pytest.mark.django_db
def test_tiers_depend_on_the_period(world: World) -> None:
    tiers = [
        {"from_base_amount": "0", "to_base_amount": "100", "share_percent": "20"},
        {"from_base_amount": "100", "share_percent": "10"},
    ]
    wording = {"kind": "token_share", "tiers": tiers, "witness": "gateway"}
    shared = world.share(rolled_to_at=APRIL)
    accepted(world, offered(world, {"ref": shared.term.ref, "from_at": "2026-03-01T00:00:00Z", "wording": wording}))
    overview = usage_overview(world.tenant, MARCH + DAY, MARCH + 2 * DAY, "UTC")
    assert overview.is_part

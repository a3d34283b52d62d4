from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.basis import LeaseBasis, PeriodBasis, ShareBasis, Usage, day_starts, rate
from billing.rating.book import PriceVersion, TokenClass
from billing.rating.rated import UnpricedReason
from clusters.occupancy import Hold

MARCH, APRIL = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC)
NOON = datetime(2026, 3, 5, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
# Hypothesis wants bounds without a zone.
FIRST, LAST = MARCH.replace(year=2020, tzinfo=None), MARCH.replace(year=2030, tzinfo=None)
MODEL, CARD = "sample-model", "NVIDIA H100"


def make_basis(*usage: Usage, holds: tuple[Hold, ...] = (), zone: str = "UTC", to_at: datetime = APRIL) -> PeriodBasis:
    versions = (
        PriceVersion("v1", MARCH, {(MODEL, TokenClass.OUTPUT): Decimal(1)}, {CARD: Decimal(2)}),
        PriceVersion("v2", NOON, {(MODEL, TokenClass.OUTPUT): Decimal(3)}, {CARD: Decimal(4)}),
    )
    return PeriodBasis(
        contract="C-0001",
        contract_version=1,
        currency="USD",
        zone=zone,
        from_at=MARCH,
        to_at=to_at,
        versions=versions,
        leases=(LeaseBasis("L-0001", "cards", None, holds),),
        shares=(ShareBasis("S-0001", "tokens", Decimal(50), "tenant", "gateway", usage),),
    )


def used(at: datetime, tokens: int, *, model: str = MODEL, quality: str = "A", deployment: str = "d") -> Usage:
    return Usage(deployment, model, TokenClass.OUTPUT, quality, at, at + HOUR, tokens)


def test_usage_goes_at_the_price_in_force_when_it_was_metered() -> None:
    rated = rate(make_basis(used(NOON - HOUR, 1_000_000), used(NOON, 1_000_000)))
    assert [(line.price_version_id, line.amount) for line in rated.lines] == [
        ("v1", Decimal("0.5")),
        ("v2", Decimal("1.5")),
    ]


def test_usage_before_the_first_version_has_no_price() -> None:
    [waiting] = rate(make_basis(used(MARCH - HOUR, 5))).unpriced
    assert waiting.reason is UnpricedReason.NO_VERSION
    assert waiting.quantity == 5


def test_a_day_is_one_line_whatever_its_hours_deployments_and_qualities() -> None:
    rated = rate(make_basis(used(NOON, 1), used(NOON + HOUR, 2, deployment="e"), used(NOON + 2 * HOUR, 4, quality="E")))
    [line] = rated.lines
    assert line.quantity == 7
    assert line.quality_mix == {"A": Decimal(3), "E": Decimal(4)}


def test_a_lease_is_cut_at_days_of_the_zone_and_at_prices() -> None:
    held = Hold("s", 1000, NOON - HOUR, NOON + 12 * HOUR, "c", CARD)
    lines = rate(make_basis(holds=(held,), zone="Asia/Tokyo")).lines
    assert [(line.from_at, line.quantity, line.amount) for line in lines] == [
        (NOON - HOUR, Decimal(3600), Decimal(2)),
        (NOON, Decimal(3 * 3600), Decimal(12)),
        (NOON + 3 * HOUR, Decimal(9 * 3600), Decimal(36)),
    ]


def test_a_lease_counts_up_to_the_end_of_the_basis_only() -> None:
    held = Hold("s", 1000, NOON, None, "c", CARD)
    assert rate(make_basis(holds=(held,), to_at=NOON + HOUR)).exact_total == 4


@pytest.mark.parametrize(("day", "hours"), [(date(2026, 3, 8), 23), (date(2026, 11, 1), 25), (date(2026, 7, 1), 24)])
def test_days_have_the_hours_they_have(day: date, hours: int) -> None:
    start = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo("America/New_York"))
    first, second = day_starts(start, start + timedelta(days=1, hours=3), "America/New_York")[:2]
    assert (second - first) / HOUR == hours


@given(
    st.datetimes(min_value=FIRST, max_value=LAST, timezones=st.just(UTC)),
    st.integers(0, 40 * 24 * 3600),
    st.sampled_from(["UTC", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Africa/Cairo"]),
)
def test_day_starts_divide_any_window_into_its_local_days(from_at: datetime, seconds: int, zone: str) -> None:
    to_at = from_at + timedelta(seconds=seconds)
    starts = day_starts(from_at, to_at, zone)
    assert starts == sorted(set(starts))
    assert all(from_at <= at < to_at for at in starts)
    days = [at.astimezone(ZoneInfo(zone)).date() for at in starts]
    assert all(later - earlier == timedelta(days=1) for earlier, later in pairwise(days))

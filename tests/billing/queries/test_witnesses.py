from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from pytest_django import DjangoAssertNumQueries

from billing.queries.witnesses import WitnessRow, witness_rows
from metering.day_models import UsageDay, UsageDayChange
from metering.models import Quality, Witness
from metering.usage_days import sum_days
from tests.billing.pages.made import LARGE, SMALL, Month, make_march
from tests.billing.world import APRIL, MARCH
from tests.factories import Cast
from tests.kept import kept

month = kept(make_march)


def row(billed: int | None, control: int | None, tolerance: str = "1") -> WitnessRow:
    return WitnessRow("d", "S-1", "gateway", billed, control, Decimal(tolerance))


@pytest.mark.parametrize(
    ("billed", "control", "within"),
    [(100, 100, True), (101, 100, True), (99, 100, True), (102, 100, False), (0, 0, True), (1, 0, False)],
)
def test_a_difference_is_held_against_the_tolerance(billed: int, control: int, within: bool) -> None:
    assert row(billed, control).within_tolerance is within


def test_what_one_witness_never_saw_is_unknown() -> None:
    assert row(5, None).difference is None
    assert row(None, 5).within_tolerance is None
    assert row(5, 0).share is None
    assert row(110, 100).share == Decimal("0.1")


@pytest.mark.django_db
def test_tokens_are_counted_once_and_held_back_ones_not(
    cast: Cast, django_assert_num_queries: DjangoAssertNumQueries, month: Month
) -> None:
    engine = {"input": 48, "cached_input": 40, "output": 2, "reasoning": 2}
    month.large.use(engine, witness=Witness.ENGINE, model=LARGE)
    month.large.use({"input": 9}, witness=Witness.ENGINE, model=LARGE, quality=Quality.QUARANTINED)
    with django_assert_num_queries(4):
        rows = {one.term_ref: one for one in witness_rows(cast.tenant, MARCH, APRIL)}
    large, small = rows[month.large.term.ref], rows[month.small.term.ref]
    assert (large.billed_by, large.billed, large.control) == (Witness.GATEWAY, 48_000_000, 50)
    assert (small.billed, small.control) == (22_000_000, None)


@pytest.mark.django_db
def test_where_the_engine_bills_the_gateway_controls(cast: Cast) -> None:
    month = make_march(cast, witness=Witness.ENGINE)
    month.small.use({"input": 22_000_000}, witness=Witness.GATEWAY, model=SMALL)
    (small,) = [one for one in witness_rows(cast.tenant, MARCH, APRIL) if one.term_ref == month.small.term.ref]
    assert (small.billed_by, small.difference) == (Witness.ENGINE, 0)


@pytest.mark.django_db
def test_sums_of_days_say_what_their_hours_say(
    cast: Cast, django_assert_max_num_queries: DjangoAssertNumQueries, month: Month
) -> None:
    for day in (2, 9, 16):
        month.large.use({"input": 50, "cached_input": 7}, at=MARCH + timedelta(days=day), witness=Witness.ENGINE)
    # This engine counted nothing at all, which is not the same as not being there.
    month.small.use({"output": 0}, at=MARCH + timedelta(days=3), witness=Witness.ENGINE, model=SMALL)
    windows = [(MARCH, APRIL), (MARCH + timedelta(days=2, hours=5), MARCH + timedelta(days=17, hours=1))]
    plain = [witness_rows(cast.tenant, *window) for window in windows]
    for _ in range(20):
        sum_days(now=APRIL)
    month.large.use({"output": 3}, at=MARCH + timedelta(days=9, hours=2), witness=Witness.ENGINE)
    month.large.use({"output": -3}, at=MARCH + timedelta(days=9, hours=3), witness=Witness.ENGINE)
    assert UsageDay.objects.exists()
    assert UsageDayChange.objects.exists()
    with django_assert_max_num_queries(17):
        assert [witness_rows(cast.tenant, *window) for window in windows] == plain
    assert 0 in {one.control for one in plain[0]}


@pytest.mark.django_db
def test_other_tenants_have_no_rows_here(cast: Cast, month: Month) -> None:
    assert witness_rows(cast.outsider, MARCH, APRIL) == ()
    assert witness_rows(cast.provider, MARCH, APRIL) == ()

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from billing.charging import ensure_periods
from billing.cuts import ensure_all_cuts, ensure_cuts, is_full_hour, write_cuts
from metering.models import UsageCut
from tests.billing.world import HOUR, MARCH, MODEL, make_world

if TYPE_CHECKING:
    from pytest_django import DjangoAssertNumQueries

pytestmark = pytest.mark.django_db


def test_full_hours_need_no_cut() -> None:
    assert is_full_hour(MARCH)
    assert not is_full_hour(MARCH + timedelta(microseconds=1))
    world = make_world(tokens={(MODEL, "input"): "1"})
    world.share()
    ensure_periods(contract=world.contract, now=MARCH)
    assert not UsageCut.objects.exists()


def test_cuts_are_stored_once() -> None:
    shared = make_world(tokens={(MODEL, "input"): "1"}).share()
    for _ in range(2):
        write_cuts(deployment_ids=[shared.deployment.id], instants=[MARCH + HOUR / 2, MARCH + HOUR, MARCH + HOUR / 2])
    assert [cut.at for cut in UsageCut.objects.all()] == [MARCH + HOUR / 2]


def test_a_deployment_that_joins_later_gets_every_cut_of_its_contract() -> None:
    start = datetime(2026, 2, 28, 18, 15, tzinfo=UTC)
    world = make_world(tokens={(MODEL, "input"): "1"}, from_at=start, time_zone="Asia/Kathmandu")
    ensure_periods(contract=world.contract, now=start)
    first, second = world.share(), world.share()
    cuts = [set(shared.deployment.cuts.values_list("at", flat=True)) for shared in (first, second)]
    assert cuts[0] == cuts[1]
    assert len(cuts[0]) == 32
    ensure_cuts(contract=world.contract, deployment_ids=[first.deployment.id])
    assert UsageCut.objects.count() == 64


def test_a_contract_that_meters_no_deployment_is_asked_for_those_alone(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    world = make_world(tokens={(MODEL, "input"): "1"})
    world.lease()
    ensure_periods(contract=world.contract, now=MARCH)
    with django_assert_num_queries(1):
        ensure_cuts(contract=world.contract)
    with django_assert_num_queries(1):
        ensure_all_cuts([world.contract])
    assert not UsageCut.objects.exists()

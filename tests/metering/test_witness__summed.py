"""What is compared from sums of days is what is compared from their hours."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from clusters.models import Binding
from metering.checks import Cause
from metering.day_models import UsageDay, UsageDayChange
from metering.models import Meter, UsageHour, Witness
from metering.summed_usage import parts_of
from metering.usage_days import sum_days
from metering.witness import WitnessTotal, residual_totals
from tests.factories import make_cluster, make_deployment, make_endpoint, make_node
from tests.kept import kept
from tests.metering.fleet import MODEL
from tests.metering.test_queries import store

if TYPE_CHECKING:
    from clusters.models import Deployment
    from tests.factories import Cast

pytestmark = pytest.mark.django_db

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
FIRST = datetime(2026, 3, 1, tzinfo=UTC)
LATER = FIRST + 5 * DAY + 7 * HOUR
QUANTITIES = ("input", "cached_input", "output", "requests", "finished_input", "finished_output")


@kept
def deployments(cast: Cast) -> list[Deployment]:
    """Three deployments over five days that are over and a part of the sixth; the first three days are summed."""
    chosen = random.Random(31)
    made = [make_deployment(cast.provider, cast.tenant) for _ in range(3)]
    for deployment in made:
        for _ in range(14):
            hour = FIRST + chosen.randrange(128) * HOUR
            quantity, model = chosen.choice(QUANTITIES), chosen.choice((MODEL, "another-model"))
            for witness in chosen.choice(((Witness.ENGINE,), (Witness.GATEWAY,), tuple(Witness)[:2])):
                at = hour + chosen.choice((0, 20)) * timedelta(minutes=1)
                quality = chosen.choice("AAESQ")
                kind = {"model": model, "quantity": quantity, "witness": witness, "quality": quality}
                store(deployment, at, chosen.randrange(900), **kind)
    for _ in range(3):
        sum_days(now=LATER)
    # What came late into a day that is summed.
    store(made[0], FIRST + DAY + HOUR, 777)
    return made


def counted(cast: Cast, from_at: datetime, to_at: datetime, **more: Any) -> list[WitnessTotal]:
    """The series in which something was counted, which are those that are shown."""
    found = residual_totals(organization=cast.provider, from_at=from_at, to_at=to_at, **more)
    return [one for one in found if one.residual.engine or one.residual.gateway]


WINDOWS = (
    (FIRST, LATER),
    (FIRST - 30 * DAY, FIRST + 30 * DAY),
    (FIRST + 7 * HOUR, FIRST + 2 * DAY + 7 * HOUR),
    (FIRST + HOUR, FIRST + 5 * HOUR),
    (FIRST + 2 * DAY, FIRST + 3 * DAY),
    (FIRST + 4 * DAY, LATER),
)


@pytest.mark.parametrize(("from_at", "to_at"), WINDOWS)
def test_sums_and_hours_say_the_same(
    cast: Cast, deployments: list[Deployment], from_at: datetime, to_at: datetime
) -> None:
    filters: tuple[dict[str, str], ...] = (
        {},
        {"model": MODEL},
        {"class": "input"},
        {"deployment": deployments[1].slug},
    )
    for chosen in filters:
        plain = counted(cast, from_at, to_at, filters=chosen)
        assert counted(cast, from_at, to_at, filters=chosen, summed=True) == plain
    ids = [deployments[2].id]
    assert counted(cast, from_at, to_at, deployment_ids=ids, summed=True) == counted(
        cast, from_at, to_at, deployment_ids=ids
    )


def test_the_sums_are_read(cast: Cast, deployments: list[Deployment]) -> None:
    """Else the comparison above would compare hours with hours."""
    assert UsageDayChange.objects.filter(deployment=deployments[0]).exists()
    before = counted(cast, FIRST, LATER, summed=True)
    UsageDay.objects.filter(deployment=deployments[1]).delete()
    after = counted(cast, FIRST, LATER, summed=True)
    assert after != before
    assert [one for one in after if one.deployment_id != deployments[1].id] == [
        one for one in before if one.deployment_id != deployments[1].id
    ]


@pytest.mark.parametrize(("from_at", "to_at"), WINDOWS)
def test_each_hour_is_in_one_part(deployments: list[Deployment], from_at: datetime, to_at: datetime) -> None:
    assert deployments
    parts = parts_of(from_at, to_at)
    within = UsageHour.objects.filter(from_at__gte=from_at, from_at__lt=to_at, value__gt=0)
    first, end = parts.days or (FIRST.date(), FIRST.date())
    in_days = UsageDay.objects.filter(utc_day__gte=first, utc_day__lt=end)
    in_hours = UsageHour.objects.none()
    for since, until in parts.hours:
        assert from_at <= since < until <= to_at
        in_hours |= within.filter(from_at__gte=since, from_at__lt=until)
    for day, stale in parts.stale.items():
        assert first <= day < end
        in_days = in_days.exclude(utc_day=day, deployment__in=stale)
        in_hours |= within.filter(from_at__date=day, deployment__in=stale)
    read = sum(value for rows in (in_days, in_hours) for value in rows.values_list("value", flat=True))
    assert read == sum(within.values_list("value", flat=True))


def test_before_anything_is_summed_all_is_in_the_hours(cast: Cast) -> None:
    store(make_deployment(cast.provider, cast.tenant), FIRST, 5)
    assert parts_of(FIRST, LATER).days is None
    assert counted(cast, FIRST, LATER, summed=True) == counted(cast, FIRST, LATER) != []


def test_an_engine_that_finished_nothing_says_so_in_sums_too(cast: Cast) -> None:
    """Sums leave out hours with nothing in them, and of a request that was aborted the engine finishes nothing."""
    endpoint = make_endpoint(make_node(make_cluster(cast.provider)))
    deployment = make_deployment(cast.provider, cast.tenant, endpoint)
    assert Binding.objects.filter(deployment=deployment, endpoint=endpoint).exists()
    Meter.objects.create(
        witness=Witness.ENGINE, quantity="finished_input", model=MODEL, endpoint=endpoint, node=endpoint.node
    )
    store(deployment, FIRST, 3_010, quantity="input")
    store(deployment, FIRST, 0, quantity="finished_input")
    while sum_days(now=LATER):
        pass
    plain, summed = counted(cast, FIRST, LATER), counted(cast, FIRST, LATER, summed=True)
    assert plain == summed
    assert [part.cause for part in summed[0].residual.explained] == [Cause.ABORTED_PREFILL]


def test_queries_do_not_grow_with_deployments(
    cast: Cast, deployments: list[Deployment], django_assert_max_num_queries: Any
) -> None:
    assert deployments
    for _ in range(4):
        store(make_deployment(cast.provider, cast.tenant), FIRST + HOUR, 9)
    with django_assert_max_num_queries(8):
        counted(cast, FIRST, LATER, summed=True)

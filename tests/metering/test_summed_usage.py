"""Each hour of a window is in one part: in a week, in a day, or read for itself."""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.db.models import F, Sum

from metering.day_models import UsageDay, UsageDayChange, UsageDaysSummed, UsageWeek
from metering.models import UsageHour, Witness
from metering.summed_usage import week_parts_of
from metering.usage_days import sum_days
from metering.witness import WitnessTotal, residual_totals
from tests.factories import make_deployment
from tests.kept import kept
from tests.metering.fleet import MODEL
from tests.metering.test_queries import store

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from clusters.models import Deployment
    from tests.factories import Cast

pytestmark = pytest.mark.django_db

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
FIRST = datetime(2026, 2, 26, tzinfo=UTC)
"""A Thursday; whole weeks begin on the 2nd, the 9th and the 16th of March."""
MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
SUMMED_TO = FIRST + 24 * DAY
"""The beginning of Sunday the 22nd: the week from the 16th on is not summed to its end."""


@kept
def deployments(cast: Cast) -> list[Deployment]:
    """Three deployments over 26 days; 24 of them are summed, and two of these have late hours."""
    chosen = random.Random(53)
    made = [make_deployment(cast.provider, cast.tenant) for _ in range(3)]
    for deployment in made:
        for _ in range(40):
            quantity, model = chosen.choice(("input", "output", "requests")), chosen.choice((MODEL, "another-model"))
            kind = {"model": model, "quantity": quantity, "quality": chosen.choice("AAESQ")}
            at = FIRST + chosen.randrange(26 * 24) * HOUR
            for witness in chosen.choice(((Witness.ENGINE,), (Witness.GATEWAY,), tuple(Witness)[:2])):
                store(deployment, at, chosen.randrange(1, 900), witness=witness, **kind)
    while sum_days(now=SUMMED_TO + HOUR):
        pass
    store(made[0], MONDAY + 2 * DAY + HOUR, 777)
    store(made[1], FIRST + DAY, 778)
    return made


WINDOWS = (
    (FIRST - DAY, SUMMED_TO + 2 * DAY),
    (MONDAY, MONDAY + 7 * DAY),
    (MONDAY, MONDAY + 14 * DAY),
    (MONDAY + HOUR, MONDAY + 14 * DAY),
    (MONDAY - 2 * DAY + 5 * HOUR, MONDAY + 13 * DAY + 23 * HOUR),
    (MONDAY + 7 * DAY, MONDAY + 21 * DAY),
    (MONDAY + DAY, MONDAY + 7 * DAY),
    (MONDAY + DAY, MONDAY + DAY + 5 * HOUR),
    (SUMMED_TO, SUMMED_TO + DAY),
)


def added(rows: QuerySet[Any]) -> Counter[tuple[str, ...]]:
    """What rows come to by all that weeks tell apart."""
    told = ("deployment_id", "witness", "quantity", "model", "quality")
    sums = rows.order_by().values_list(*told).annotate(total=Sum("value"))
    return Counter({tuple(map(str, key)): int(total) for *key, total in sums if total})


@pytest.mark.parametrize(("from_at", "to_at"), WINDOWS)
def test_each_hour_is_in_one_part(deployments: list[Deployment], from_at: datetime, to_at: datetime) -> None:
    assert deployments
    parts = week_parts_of(from_at, to_at)
    found: Counter[tuple[str, ...]] = Counter()
    for part in parts.hours:
        found += added(UsageHour.objects.filter(part))
    for part in parts.days:
        found += added(UsageDay.objects.filter(part))
    if parts.weeks is not None:
        found += added(UsageWeek.objects.filter(parts.weeks))
    assert found == added(UsageHour.objects.filter(from_at__gte=from_at, from_at__lt=to_at))


@pytest.mark.parametrize(
    ("from_at", "to_at", "whole"),
    [
        (MONDAY, MONDAY + 7 * DAY, [MONDAY]),
        (FIRST, SUMMED_TO, [MONDAY, MONDAY + 7 * DAY]),
        (MONDAY + HOUR, MONDAY + 14 * DAY, [MONDAY + 7 * DAY]),
        (MONDAY, MONDAY + 7 * DAY - HOUR, []),
        (MONDAY + 14 * DAY, MONDAY + 21 * DAY, []),
    ],
)
def test_weeks_that_are_wholly_within_and_summed_are_read(
    deployments: list[Deployment], from_at: datetime, to_at: datetime, whole: list[datetime]
) -> None:
    assert UsageDaysSummed.objects.get().day == (SUMMED_TO - DAY).date()
    parts = week_parts_of(from_at, to_at)
    read = UsageWeek.objects.none() if parts.weeks is None else UsageWeek.objects.filter(parts.weeks)
    assert set(read.values_list("utc_week", flat=True)) == {one.date() for one in whole}
    stale = read.filter(deployment=deployments[0], utc_week=MONDAY.date())
    assert UsageDayChange.objects.filter(deployment=deployments[0], day__gte=MONDAY.date()).exists()
    assert not stale.exists()


@pytest.mark.parametrize(("from_at", "to_at"), WINDOWS)
def test_what_is_compared_is_what_hours_say(
    cast: Cast, deployments: list[Deployment], from_at: datetime, to_at: datetime
) -> None:
    assert deployments

    def counted(**more: Any) -> list[WitnessTotal]:
        found = residual_totals(organization=cast.provider, from_at=from_at, to_at=to_at, **more)
        return [one for one in found if one.residual.engine or one.residual.gateway]

    assert counted(summed=True) == counted()
    filters = {"model": MODEL, "class": "input"}
    assert counted(summed=True, filters=filters) == counted(filters=filters)
    weeks = week_parts_of(from_at, to_at).weeks
    if weeks is not None:
        UsageWeek.objects.filter(weeks).update(value=F("value") + 1)
        assert counted(summed=True) != counted()


def test_queries_do_not_grow_with_what_is_stale(deployments: list[Deployment], django_assert_num_queries: Any) -> None:
    for deployment in deployments:
        for day in range(5):
            store(deployment, MONDAY + day * DAY, 5, version=2)
    with django_assert_num_queries(2):
        week_parts_of(FIRST, SUMMED_TO)


def test_before_anything_is_summed_all_is_in_the_hours(cast: Cast) -> None:
    store(make_deployment(cast.provider, cast.tenant), FIRST, 5)
    parts = week_parts_of(FIRST, SUMMED_TO)
    assert (len(parts.hours), parts.days, parts.weeks) == (1, (), None)

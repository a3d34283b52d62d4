"""Sums of days: what the hours come to, known as stale in the transaction that makes them so."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import F, Sum

from metering.day_models import UsageDay, UsageDayChange, UsageDaysSummed, UsageWeek
from metering.models import Quality, UsageHour, Witness
from metering.usage_days import differences, forget_sums, sum_days, weeks_unlike_days
from tests.billing.world import MARCH, make_world
from tests.kept import kept

if TYPE_CHECKING:
    from tests.billing.world import Shared
    from tests.factories import Cast

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
FIRST, LAST = date(2026, 3, 1), date(2026, 3, 5)
LATER = MARCH + 5 * DAY + HOUR


@kept
def shared(cast: Cast) -> Shared:
    return make_world(parties=(cast.provider, cast.tenant)).share()


def sum_all(now: datetime = LATER) -> int:
    summed = 0
    while some := sum_days(now=now):
        summed += some
    return summed


def announce() -> None:
    """Write as the one that usage hours are written by."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL forecourt.writes = 'usage_hours'")


def values() -> dict[date, int]:
    rows = UsageDay.objects.values_list("utc_day").annotate(Sum("value")).order_by("utc_day")
    return {day: int(value) for day, value in rows}


def test_days_that_are_over_are_what_their_hours_come_to(shared: Shared) -> None:
    for day in range(3):
        for hour in (0, 5, 23):
            shared.use({"input": 100 + hour, "output": 7}, at=MARCH + day * DAY + hour * HOUR)
    shared.use({"input": 0}, at=MARCH + 9 * HOUR)
    shared.use({"input": 11}, at=MARCH + 10 * HOUR, quality=Quality.QUARANTINED)
    shared.use({"input": 5}, at=LATER)
    assert sum_all() == 5
    assert values() == {FIRST: 349 + 11, FIRST + DAY: 349, FIRST + 2 * DAY: 349}
    assert differences(FIRST, LAST) == []
    kept = UsageDay.objects.get(utc_day=FIRST, quantity="input", quality="A")
    assert (kept.deployment_id, kept.tenant_id) == (shared.deployment.id, shared.deployment.tenant_id)
    assert (kept.from_at, kept.to_at, kept.value) == (MARCH, MARCH + DAY, 328)
    assert UsageDaysSummed.objects.get().day == LAST
    assert sum_all() == 0


def test_nothing_is_summed_before_it_is_over_or_where_there_is_nothing(shared: Shared) -> None:
    assert sum_all() == 0
    shared.use({"input": 5})
    assert sum_days(now=MARCH + DAY) == 0
    assert sum_days(now=MARCH + DAY + HOUR) == 1
    assert values() == {FIRST: 5}


def test_late_hours_make_their_day_stale_until_it_is_summed_again(shared: Shared, cast: Cast) -> None:
    other = make_world(parties=(cast.provider, cast.tenant)).share()
    shared.use({"input": 5})
    other.use({"input": 1})
    sum_all()
    assert not UsageDayChange.objects.exists()
    shared.use({"input": 70}, at=MARCH + HOUR, version=2)
    assert set(UsageDayChange.objects.values_list("deployment_id", "day")) == {(shared.deployment.id, FIRST)}
    assert values() == {FIRST: 6}
    assert sum_all() == 1
    assert values() == {FIRST: 76}
    assert not UsageDayChange.objects.exists()
    assert differences(FIRST, LAST) == []


def test_hours_that_grow_make_their_day_stale(shared: Shared) -> None:
    shared.use({"input": 5})
    sum_all()
    announce()
    UsageHour.objects.update(value=F("value") + 1)
    assert set(UsageDayChange.objects.values_list("deployment_id", "day")) == {(shared.deployment.id, FIRST)}
    sum_all()
    assert values() == {FIRST: 6}


def test_no_hour_leaves_its_deployment_or_the_table(shared: Shared) -> None:
    """What is noted is noted by where hours are: they cannot have been elsewhere."""
    shared.use({"input": 5})
    announce()
    for change in ("UPDATE {} SET deployment_id = NULL", "UPDATE {} SET hour_at = now()", "DELETE FROM {}"):
        with pytest.raises(IntegrityError, match="refused"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(change.format("metering_usagehour"))


def test_hours_of_today_are_not_noted(shared: Shared) -> None:
    shared.use({"input": 5}, at=datetime.now(UTC).replace(minute=0, second=0, microsecond=0))
    assert not UsageDayChange.objects.exists()


def test_hours_of_nobody_are_neither_noted_nor_summed(shared: Shared) -> None:
    [hour] = shared.use({"input": 5})
    UsageDayChange.objects.all().delete()
    hour.pk, hour.deployment, hour.version = uuid4(), None, 2
    hour.save(force_insert=True)
    assert not UsageDayChange.objects.exists()
    sum_all()
    assert values() == {FIRST: 5}


def test_sums_that_are_not_what_hours_come_to_are_found(shared: Shared) -> None:
    shared.use({"input": 5})
    shared.use({"output": 5}, witness=Witness.GATEWAY)
    sum_all()
    UsageDay.objects.filter(quantity="input").update(value=6)
    found = differences(FIRST, LAST)
    assert {(row[4], int(row[9])) for row in found} == {("input", 5), ("input", 6)}
    UsageDay.objects.filter(quantity="output").delete()
    assert len(differences(FIRST, LAST)) == 3
    # What is known to be stale is not counted as wrong.
    announce()
    UsageHour.objects.update(records=2)
    assert differences(FIRST, LAST) == []


def weeks() -> dict[tuple[date, str, str, str], int]:
    rows = UsageWeek.objects.exclude(value=0).values_list("utc_week", "witness", "quantity", "quality", "value")
    return {tuple(about): value for *about, value in rows}  # type: ignore[misc]


def test_weeks_are_at_every_instant_what_their_days_come_to(shared: Shared) -> None:
    """The 1st of March 2026 is a Sunday. Two tiers of a day are one row of its week."""
    for day in range(3):
        shared.use({"input": 100, "output": 7}, at=MARCH + day * DAY)
    shared.use({"input": 30}, at=MARCH + DAY, context_over=1_000)
    shared.use({"input": 11}, at=MARCH + 2 * DAY + HOUR, quality=Quality.QUARANTINED)
    sunday, monday = FIRST - 6 * DAY, FIRST + DAY
    assert sum_days(now=LATER) == 1
    assert weeks() == {(sunday, "gateway", "input", "A"): 100, (sunday, "gateway", "output", "A"): 7}
    sum_all()
    expected = {
        (sunday, "gateway", "input", "A"): 100,
        (sunday, "gateway", "output", "A"): 7,
        (monday, "gateway", "input", "A"): 230,
        (monday, "gateway", "input", "Q"): 11,
        (monday, "gateway", "output", "A"): 14,
    }
    assert weeks() == expected
    # What comes late is in the week as soon as it is in its day, and not before.
    shared.use({"input": 5}, at=MARCH + DAY, version=2)
    assert (weeks(), weeks_unlike_days()) == (expected, [])
    sum_all()
    assert weeks() == {**expected, (monday, "gateway", "input", "A"): 235}
    forget_sums()
    assert not UsageWeek.objects.exists()
    sum_all()
    assert weeks() == {**expected, (monday, "gateway", "input", "A"): 235}


def test_a_sum_that_was_not_to_be_is_in_no_week(shared: Shared) -> None:
    """A worker that dies within a day leaves neither the day nor a part of its week."""
    shared.use({"input": 5})
    with transaction.atomic():
        assert sum_days(now=LATER) == 1
        assert list(weeks().values()) == [5]
        transaction.set_rollback(True)
    assert (weeks(), values()) == ({}, {})
    sum_all()
    assert list(weeks().values()) == [5]


def test_weeks_that_are_not_what_days_come_to_are_found(shared: Shared) -> None:
    shared.use({"input": 5})
    sum_all()
    assert weeks_unlike_days() == []
    UsageDay.objects.update(value=F("value") + 2)
    assert weeks_unlike_days() == []
    UsageWeek.objects.update(value=F("value") + 1)
    [(week, deployment_id, *_about, days, kept)] = weeks_unlike_days()
    assert (week, deployment_id, int(days), int(kept)) == (FIRST - 6 * DAY, shared.deployment.id, 7, 8)
    UsageWeek.objects.all().delete()
    assert [int(row[-1]) for row in weeks_unlike_days()] == [0]

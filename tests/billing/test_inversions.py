"""What sells below its cost alarms its provider, since when and by how much."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from billing.inversions import alarm_inversions
from billing.margins import sum_day
from metering.alerts import alerts_of
from metering.control_models import Alert
from tests.billing.costly import AT, DAY, RATES, Costly, enter, make_costly
from tests.billing.world import HOUR, MODEL
from tests.kept import kept

pytestmark = pytest.mark.django_db

FIFTH = date(2026, 3, 5)


def summed(costly: Costly) -> None:
    sum_day(provider_id=costly.world.provider.id, day=FIFTH, now=AT + DAY)


@kept
def costly() -> Costly:
    return make_costly(price="1")


def test_tokens_that_cost_more_than_they_earn_alarm_the_provider_alone(costly: Costly) -> None:
    enter(costly.cluster)
    summed(costly)
    assert alarm_inversions(now=AT + DAY) == 1
    assert alarm_inversions(now=AT + DAY + HOUR) == 1
    alert = Alert.objects.get()
    assert (alert.kind, alert.model, alert.state) == ("inversion", MODEL, "open")
    assert (alert.from_at, alert.to_at) == (datetime(2026, 3, 5, tzinfo=UTC), datetime(2026, 3, 6, tzinfo=UTC))
    # 1 GPU-hour, 2.5 kWh and a 48th of the day's overhead against 1.00.
    assert (alert.measured, alert.bound) == (1_750_000, 1_000_000)
    assert list(alerts_of(costly.world.provider)) == [alert]
    assert list(alerts_of(costly.world.tenant)) == []


def test_it_clears_once_the_figures_no_longer_lose(costly: Costly) -> None:
    enter(costly.cluster)
    summed(costly)
    alarm_inversions(now=AT + DAY)
    enter(costly.cluster, replace(RATES, overhead_per_month=Decimal(0), cards={}))
    summed(costly)
    assert alarm_inversions(now=AT + DAY) == 0
    assert Alert.objects.get().state == "cleared"


def test_a_day_that_runs_or_has_just_ended_is_not_judged(costly: Costly) -> None:
    enter(costly.cluster)
    summed(costly)
    assert alarm_inversions(now=datetime(2026, 3, 6, 2, 59, tzinfo=UTC)) == 0
    assert alarm_inversions(now=datetime(2026, 3, 6, 3, tzinfo=UTC)) == 1

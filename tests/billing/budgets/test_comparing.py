"""Use unlike its own past is told once a day, to each side of what is its own, by letter and webhook."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from billing.budgets.comparing import compare_use
from billing.models import SpendAlert, SpendMail
from billing.queries.usage import Side
from metering.models import Witness
from tests.billing.budgets.spent import BIG, DAY, HOUR, NOW, make_spent
from tests.billing.test_telling import listen
from tests.billing.test_telling import told as events
from tests.kept import kept

if TYPE_CHECKING:
    from datetime import datetime

    from tests.billing.budgets.spent import Spent
    from tests.factories import Cast

pytestmark = pytest.mark.django_db


def steady(cast: Cast, *, days: int = 9) -> Spent:
    """A million tokens each noon of the days before, and eight million of the last one."""
    spent = make_spent(cast, days=0)
    for index in range(1, days):
        spent.big.use({"input": 1_000_000, "cached_input": 900_000}, at=NOW - index * DAY, model=BIG)
    spent.big.use({"input": 7_000_000, "output": 1_000_000}, at=NOW, model=BIG)
    return spent


def compare(cast: Cast, now: datetime, side: Side = Side.TENANT) -> list[SpendAlert]:
    organization = cast.tenant if side is Side.TENANT else cast.provider
    return compare_use(organization=organization, side=side, now=now)


@kept
def spent(cast: Cast) -> Spent:
    return make_spent(cast, days=0)


def test_an_hour_unlike_before_is_told_once_it_is_settled(cast: Cast) -> None:
    listen(cast.tenant)
    steady(cast)
    assert compare(cast, NOW + HOUR + HOUR / 2) == []
    [alert] = compare(cast, NOW + 2 * HOUR)
    assert (alert.kind, alert.subject, int(alert.used), int(alert.amount)) == ("anomaly", BIG, 8_000_000, 1_000_000)
    assert (alert.from_at, alert.to_at, alert.budget) == (NOW, NOW + HOUR, None)
    assert compare(cast, NOW + 3 * HOUR) == []
    assert SpendMail.objects.filter(alert=alert).count() == 2
    [(kind, body)] = events(cast.tenant)
    assert (kind, body["model"], body["used"], body["usual"]) == ("usage.anomaly", BIG, "8000000", "1000000")


def test_both_parties_are_told_and_an_outsider_is_not(cast: Cast) -> None:
    steady(cast)
    assert len(compare(cast, NOW + 2 * HOUR, Side.PROVIDER)) == 1
    assert compare_use(organization=cast.outsider, side=Side.PROVIDER, now=NOW + 2 * HOUR) == []
    assert SpendAlert.objects.get().side == "provider"


def test_the_next_hours_of_the_same_day_are_not_told_again(cast: Cast) -> None:
    spent = steady(cast)
    assert len(compare(cast, NOW + 2 * HOUR)) == 1
    spent.big.use({"input": 9_000_000}, at=NOW + HOUR, model=BIG)
    assert compare(cast, NOW + 3 * HOUR) == []
    assert SpendAlert.objects.count() == 1


def test_a_silence_is_told_too(cast: Cast, spent: Spent) -> None:
    for index in range(1, 10):
        spent.big.use({"input": 1_000_000}, at=NOW - index * DAY, model=BIG)
    [alert] = compare(cast, NOW + 2 * HOUR)
    assert (int(alert.used), int(alert.amount)) == (0, 1_000_000)


def test_two_witnesses_are_not_added(cast: Cast, spent: Spent) -> None:
    for index in range(9):
        at = NOW - index * DAY
        spent.big.use({"input": 1_000_000}, at=at, model=BIG)
        if index == 0:
            spent.big.use({"input": 1_100_000}, at=at, model=BIG, witness=Witness.ENGINE)
    assert compare(cast, NOW + 2 * HOUR) == []


def test_a_new_model_has_no_past_to_be_unlike(cast: Cast, spent: Spent) -> None:
    for index in range(3):
        spent.big.use({"input": 10**6 * 9**index}, at=NOW - (2 - index) * DAY, model=BIG)
    assert compare(cast, NOW + 2 * HOUR) == []
    assert compare(cast, NOW + timedelta(weeks=30)) == []

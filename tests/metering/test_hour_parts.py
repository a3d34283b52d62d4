"""What stands in an hour: by its owner, and what was not metered though it is over."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from metering.hour_parts import HourPart, hour_parts, metered_nodes
from metering.models import Meter, UsageHour
from tests.factories import make_deployment, make_endpoint
from tests.metering.fleet import NOON, NOON_MS, URL, FakeAgent, column, make_agent, meter, roll_up

if TYPE_CHECKING:
    from datetime import datetime

    from tests.factories import Cast

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


@pytest.fixture
def agent(cast: Cast) -> FakeAgent:
    agent = make_agent(cast.provider, "quartz-01")
    make_deployment(cast.provider, cast.tenant, make_endpoint(agent.node, url=URL))
    agent.ship(column(meter(), [0, 100], [NOON_MS, NOON_MS + 10_000]))
    roll_up(agent.node)
    return agent


def parts(cast: Cast, hour_at: datetime = NOON, now: datetime = NOON + timedelta(days=1)) -> list[HourPart]:
    return hour_parts(provider=cast.provider, meters=Meter.objects.all(), hour_at=hour_at, now=now)


def test_a_part_that_moved_is_said_of_the_owner_that_has_it(cast: Cast, agent: FakeAgent) -> None:
    row = UsageHour.objects.latest("from_at")
    for tenant, value in ((cast.tenant, -100), (cast.outsider, 100)):
        UsageHour.objects.create(
            meter=row.meter, witness=row.witness, quantity=row.quantity, model=row.model, hour_at=NOON, from_at=NOON,
            to_at=NOON + HOUR, deployment=row.deployment, tenant=tenant, quality="A", rule=row.rule,
            version=1_000_000, value=value, updated_at=NOON,
        )  # fmt: skip
    (part,) = parts(cast)
    assert (part.tenant, part.billed, part.held, part.metered) == (cast.outsider.name, 100, 0, True)


def test_an_hour_without_a_reading_is_missed_once_it_is_over(cast: Cast, agent: FakeAgent) -> None:
    (part,) = parts(cast, NOON + 3 * HOUR)
    assert (part.node, part.billed, part.metered, part.to_at - part.from_at) == ("quartz-01", 0, False, HOUR)
    assert parts(cast, NOON + 3 * HOUR, now=NOON + 3 * HOUR + timedelta(minutes=59)) == []
    assert parts(cast, NOON + timedelta(days=9)) == []


def test_another_provider_has_no_parts(cast: Cast, agent: FakeAgent) -> None:
    now = NOON + timedelta(days=1)
    assert hour_parts(provider=cast.outsider, meters=Meter.objects.all(), hour_at=NOON, now=now) == []
    assert hour_parts(provider=cast.provider, meters=Meter.objects.none(), hour_at=NOON, now=now) == []


def test_nodes_are_those_that_have_a_meter(cast: Cast, agent: FakeAgent) -> None:
    make_agent(cast.provider, "unread-01")
    assert metered_nodes(cast.provider) == [(agent.node.pk, "quartz-01")]
    assert metered_nodes(cast.outsider) == []

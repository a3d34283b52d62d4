"""The database refuses what no path of metering does to its facts, whoever writes."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.db import DatabaseError, connection, transaction

from metering.event_models import EventKey, ExplainingHour
from metering.models import Meter, UsageGap, UsageHour
from metering.rollup_events import roll_up_events
from metering.usage_rows import add_usage
from tests.factories import make_deployment, make_organization
from tests.metering.fleet import NOON, make_agent
from tests.metering.test_events import NOW, event, send

if TYPE_CHECKING:
    from tests.factories import Cast

FACTS: list[Any] = [UsageHour, ExplainingHour, UsageGap, EventKey, Meter]


@pytest.fixture
def facts(cast: Cast) -> None:
    make_deployment(cast.provider, cast.tenant)
    send(cast.tenant, event("a", samples=2))
    roll_up_events(now=NOW)
    node = make_agent(cast.provider).node
    UsageGap.objects.create(node=node, subject="nvml", from_at=NOON, to_at=NOON, reason="sample")


def refused(sql: str) -> bool:
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(sql)
    except DatabaseError as error:
        return "append-only table" in str(error)
    return False


@pytest.mark.usefixtures("facts")
@pytest.mark.parametrize("model", FACTS)
def test_no_fact_is_deleted(model: Any) -> None:
    table = model._meta.db_table
    assert model.objects.exists()
    assert refused(f"DELETE FROM {table}")
    with connection.cursor() as cursor:
        # Tests empty the tables themselves and put this guard aside.
        cursor.execute(f"SET CONSTRAINTS ALL IMMEDIATE; ALTER TABLE {table} ENABLE TRIGGER {table}_no_truncate")
    assert refused(f"TRUNCATE {table} CASCADE")


@pytest.mark.usefixtures("facts")
@pytest.mark.parametrize(
    ("table", "change"),
    [
        ("metering_usagehour", "value = value + 1"),
        ("metering_usagehour", "quality = 'S'"),
        ("metering_usagehour", "tenant_id = NULL"),
        ("metering_explaininghour", "hour_at = hour_at + interval '1 hour'"),
        ("metering_usagegap", "reason = 'another'"),
        ("metering_eventkey", "call = gen_random_uuid()"),
        ("metering_eventkey", "content = gen_random_uuid()"),
        ("metering_meter", "model = 'another'"),
    ],
)
def test_no_fact_becomes_another(table: str, change: str) -> None:
    assert refused(f"UPDATE {table} SET {change}")


@pytest.mark.usefixtures("facts")
def test_also_who_announces_growth_changes_no_other_column() -> None:
    announced = "SET LOCAL forecourt.writes = 'usage_hours'; UPDATE metering_usagehour SET "
    assert not refused(announced + "value = value + 1")
    assert refused(announced + "model = 'another'")
    assert refused("SET LOCAL forecourt.writes = 'usage_hours'; DELETE FROM metering_usagehour")


def test_growth_is_allowed_to_rollup_and_to_nobody_after_it(cast: Cast) -> None:
    make_deployment(cast.provider, cast.tenant)
    for number in range(2):
        send(cast.tenant, event(f"e-{number}"))
        roll_up_events(now=NOW + timedelta(minutes=number))
    assert UsageHour.objects.get(quantity="input").value == 200
    # In the transaction of rollup itself the permission ends with the statement.
    assert add_usage([], NOON) == 0
    assert refused("UPDATE metering_usagehour SET value = 0")


def test_an_organization_with_usage_stays(cast: Cast) -> None:
    other = make_organization("other")
    send(cast.operator, event("a", tenant=other.slug))
    roll_up_events(now=NOW)
    assert refused(f"DELETE FROM metering_meter WHERE reporter_id = '{cast.operator.id}'")

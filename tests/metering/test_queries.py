"""Reading usage: sums are exact, zones are right, queries are few, others' usage is not there."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from metering.models import Meter, UsageGap, UsageHour, Witness
from metering.queries import (
    UsageTotal,
    gap_page,
    gaps_for,
    silent_nodes,
    usage_in,
    usage_of_deployments,
    usage_totals,
)
from metering.rollup_events import roll_up_events
from metering.usage_rows import UsageRow, add_usage
from tenants.listing.cursors import read_cursor
from tenants.listing.paging import Page
from tests.factories import make_deployment, make_endpoint
from tests.metering.fleet import MODEL, NOON, NOON_MS, URL, FakeAgent, column, make_agent, meter, roll_up
from tests.metering.test_events import event, send

if TYPE_CHECKING:
    from clusters.models import Deployment
    from tenants.models import Organization
    from tests.factories import Cast

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@pytest.fixture
def deployment(cast: Cast) -> Deployment:
    return make_deployment(cast.provider, cast.tenant)


def store(deployment: Deployment | None, at: datetime, value: int, **fields: Any) -> None:
    """Store usage of one hour as rollup would."""
    quantity = fields.get("quantity", "output")
    made, _ = Meter.objects.get_or_create(
        witness=fields.get("witness", Witness.ENGINE), quantity=quantity, model=fields.get("model", MODEL)
    )
    row = UsageRow(
        meter_id=made.id,
        witness=made.witness,
        quantity=quantity,
        model=made.model,
        hour_at=at.replace(minute=0),
        from_at=at,
        to_at=at.replace(minute=0) + HOUR,
        deployment_id=deployment.id if deployment else None,
        tenant_id=deployment.tenant_id if deployment else None,
        quality=fields.get("quality", "A"),
        rule="same_epoch_rise",
        version=fields.get("version", 1),
        value=value,
        records=1,
        context_over=fields.get("context_over", 0),
    )
    add_usage([row], NOON)


def totals(organization: Organization, granularity: Any = "day", **kwargs: Any) -> list[UsageTotal]:
    usage = usage_in(
        organization=organization,
        from_at=kwargs.pop("from_at", NOON - DAY),
        to_at=kwargs.pop("to_at", NOON + DAY),
        filters=kwargs.pop("filters", None),
    )
    return usage_totals(usage=usage, granularity=granularity, **kwargs)


def test_versions_add_up_and_held_usage_stays_apart(cast: Cast, deployment: Deployment) -> None:
    store(deployment, NOON, 100)
    store(deployment, NOON, 11, version=3)
    store(deployment, NOON, 20, quality="E")
    store(deployment, NOON, 7, quality="Q")
    store(deployment, NOON, 0, quality="G")
    (found,) = totals(cast.tenant)
    assert (found.value, found.estimated, found.quarantined, found.records) == (131, 20, 7, 5)


def test_a_day_begins_where_the_zone_says(cast: Cast, deployment: Deployment) -> None:
    midnight = datetime(2026, 3, 10, tzinfo=UTC)
    store(deployment, midnight - HOUR, 1)
    store(deployment, midnight, 10)
    assert [(one.at, one.value) for one in totals(cast.tenant)] == [(midnight - DAY, 1), (midnight, 10)]
    (berlin,) = totals(cast.tenant, zone="Europe/Berlin")
    assert (berlin.at, berlin.value) == (midnight - HOUR, 11)
    assert berlin.at is not None
    assert berlin.at.utcoffset() == HOUR


def test_a_day_of_25_hours_holds_25_hours_and_its_hours_stay_apart(cast: Cast, deployment: Deployment) -> None:
    start = datetime(2026, 11, 1, 4, tzinfo=UTC)
    for hour in range(-1, 26):
        store(deployment, start + hour * HOUR, 1)
    window = {"from_at": start - DAY, "to_at": start + 2 * DAY}
    days = totals(cast.tenant, zone="America/New_York", **window)
    assert [one.value for one in days] == [1, 25, 1]
    hours = totals(cast.tenant, "hour", zone="America/New_York", **window)
    assert len(hours) == 27
    assert {one.value for one in hours} == {1}


def test_months_and_the_total(cast: Cast, deployment: Deployment) -> None:
    for at in (datetime(2026, 2, 28, 23, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC), NOON):
        store(deployment, at, 5)
    window = {"from_at": datetime(2026, 1, 1, tzinfo=UTC), "to_at": datetime(2027, 1, 1, tzinfo=UTC)}
    assert [one.value for one in totals(cast.tenant, "month", **window)] == [5, 10]
    (whole,) = totals(cast.tenant, "total", **window)
    assert (whole.at, whole.value) == (None, 15)


def test_witnesses_and_classes_are_never_added(cast: Cast, deployment: Deployment) -> None:
    store(deployment, NOON, 100, quantity="input")
    store(deployment, NOON, 90, quantity="cached_input")
    store(deployment, NOON, 101, quantity="input", witness=Witness.GATEWAY)
    found = totals(cast.tenant, "total", group_by=())
    assert {(one.witness, one.quantity, one.value) for one in found} == {
        ("engine", "input", 100),
        ("engine", "cached_input", 90),
        ("gateway", "input", 101),
    }


def test_groups_and_filters(cast: Cast, deployment: Deployment) -> None:
    other = make_deployment(cast.provider, cast.tenant)
    store(deployment, NOON, 1)
    store(other, NOON, 2)
    store(other, NOON, 4, model="other-model")
    by_deployment = totals(cast.tenant, "total", group_by=("deployment",))
    assert {one.groups[0][1]: one.value for one in by_deployment} == {deployment.slug: 1, other.slug: 6}
    both = totals(cast.tenant, "total", group_by=("deployment", "model"))
    assert [dict(one.groups) for one in both if one.value == 4] == [{"deployment": other.slug, "model": "other-model"}]
    filters = {"deployment": other.slug, "model": MODEL, "class": "output", "witness": "engine"}
    assert [one.value for one in totals(cast.tenant, "total", filters=filters)] == [2]


def test_long_requests_are_told_apart_where_it_is_asked_for(cast: Cast, deployment: Deployment) -> None:
    store(deployment, NOON, 3)
    store(deployment, NOON, 300_000, context_over=200_000)
    assert [one.value for one in totals(cast.tenant, "total")] == [300_003]
    by_length = totals(cast.tenant, "total", group_by=("context_over",))
    assert [(dict(one.groups), one.value) for one in by_length] == [
        ({"context_over": "0"}, 3),
        ({"context_over": "200000"}, 300_000),
    ]


def test_usage_is_for_its_tenant_and_provider_only(cast: Cast, deployment: Deployment) -> None:
    store(deployment, NOON, 5)
    assert [one.value for one in totals(cast.tenant)] == [5]
    assert [one.value for one in totals(cast.provider)] == [5]
    assert totals(cast.outsider) == totals(cast.operator) == []


def test_a_node_owner_sees_usage_that_is_nobodys(cast: Cast) -> None:
    agent = make_agent(cast.provider)
    agent.ship(column(meter(), [0, 9], [NOON_MS, NOON_MS + 10_000]))
    roll_up(agent.node)
    assert [one.value for one in totals(cast.provider, "total", group_by=("node",))] == [9]
    assert totals(cast.tenant) == []


def test_a_reporter_sees_what_it_reported(cast: Cast) -> None:
    send(cast.operator, event(tenant=cast.tenant.slug))
    roll_up_events(now=NOON)
    for organization in (cast.operator, cast.tenant):
        assert {one.quantity: one.value for one in totals(organization)}["input"] == 100
    assert totals(cast.provider) == []


def test_one_query_whatever_there_is_to_sum(cast: Cast, deployment: Deployment, django_assert_num_queries: Any) -> None:
    for hour in range(48):
        store(deployment, NOON - DAY + hour * HOUR, hour, model=f"model-{hour % 5}")
    with django_assert_num_queries(1):
        assert sum(one.value for one in totals(cast.tenant)) == sum(range(48))


def test_what_billing_rates_is_one_row_a_part_and_quality(
    cast: Cast, deployment: Deployment, django_assert_num_queries: Any
) -> None:
    store(deployment, NOON, 10)
    store(deployment, NOON, 5, version=2)
    store(deployment, NOON, 3, quality="Q")
    store(deployment, NOON + timedelta(minutes=30), 7)
    store(deployment, NOON, 99, witness=Witness.GATEWAY)
    store(deployment, NOON + HOUR, 1)
    store(None, NOON, 1_000)
    with django_assert_num_queries(1):
        rows = usage_of_deployments(deployment_ids=[deployment.id], witness="engine", from_at=NOON, to_at=NOON + HOUR)
    assert [(row.from_at, row.quality, row.value) for row in rows] == [
        (NOON, "A", 15),
        (NOON, "Q", 3),
        (NOON + timedelta(minutes=30), "A", 7),
    ]


def gap(agent: FakeAgent, subject: str, subject_id: str, minutes: int = 0) -> None:
    at = NOON + timedelta(minutes=minutes)
    UsageGap.objects.create(
        node=agent.node, subject=subject, subject_id=subject_id, from_at=at, to_at=at + HOUR, reason="timeout"
    )


def test_gaps_are_the_providers_and_of_the_tenants_own_endpoints(cast: Cast) -> None:
    agent = make_agent(cast.provider)
    make_deployment(cast.provider, cast.tenant, make_endpoint(agent.node, url=URL))
    gap(agent, "endpoint", URL)
    gap(agent, "endpoint", "http://other")
    gap(agent, "accelerator", URL)

    def seen(organization: Organization, from_at: datetime = NOON, to_at: datetime = NOON + HOUR) -> int:
        return len(gaps_for(organization=organization, from_at=from_at, to_at=to_at))

    assert (seen(cast.provider), seen(cast.tenant), seen(cast.outsider)) == (3, 1, 0)
    assert seen(cast.provider, NOON - DAY, NOON) == 0
    assert seen(cast.provider, NOON + 2 * HOUR, NOON + DAY) == 0


def test_gaps_come_in_pages_in_order(cast: Cast) -> None:
    agent = make_agent(cast.provider)
    for minutes in (30, 10, 20):
        gap(agent, "endpoint", URL, minutes)
    first = gap_page(organization=cast.provider, from_at=NOON, to_at=NOON + HOUR, page=Page(2))
    after = read_cursor(first.next_cursor or "")
    gap(agent, "endpoint", URL, 5)
    rest = gap_page(organization=cast.provider, from_at=NOON, to_at=NOON + HOUR, page=Page(2, after))
    assert [one.from_at.minute for one in [*first.rows, *rest.rows]] == [10, 20, 30]
    assert rest.next_cursor is None


def test_a_node_that_stopped_reporting_is_a_gap_that_lasts(cast: Cast) -> None:
    agent = make_agent(cast.provider)
    agent.ship(column(meter(), [0], [NOON_MS]))
    assert silent_nodes(organization=cast.provider, now=NOON + timedelta(minutes=2)) == []
    (found,) = silent_nodes(organization=cast.provider, now=NOON + timedelta(minutes=3))
    assert (found.node, found.from_at, found.to_at) == (agent.node.name, NOON, None)
    assert silent_nodes(organization=cast.outsider, now=NOON + DAY) == []


def test_rows_of_the_same_key_are_added_to(cast: Cast, deployment: Deployment) -> None:
    store(deployment, NOON, 1)
    store(deployment, NOON, 2)
    row = UsageHour.objects.get()
    assert (row.value, row.records) == (3, 2)

"""Usage page by page: a page shows what the whole has there, and reads no more time than it needs."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from metering.models import Meter, UsageHour, Witness
from metering.queries import UsageTotal, place_of_total, usage_in, usage_totals
from metering.usage_pages import totals_page
from metering.usage_rows import UsageRow, add_usage
from tenants.listing.cursors import WrongCursor
from tests.factories import make_cluster, make_deployment, make_node
from tests.metering.fleet import NOON
from tests.metering.test_queries import DAY, HOUR, deployment, store

if TYPE_CHECKING:
    from clusters.models import Deployment
    from tenants.models import Organization
    from tests.factories import Cast

__all__ = ("deployment",)
YEAR = (datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))
WALKED = [
    ("hour", "UTC"),
    ("day", "UTC"),
    ("day", "America/New_York"),
    ("day", "Asia/Kolkata"),
    ("month", "Asia/Tokyo"),
]


def page(organization: Organization, granularity: Any, limit: int, **more: Any) -> list[UsageTotal]:
    window = more.pop("window", YEAR)
    return totals_page(
        usage=usage_in(organization=organization, from_at=window[0], to_at=window[1]),
        window=window,
        granularity=granularity,
        zone=more.pop("zone", "UTC"),
        group_by=("model",),
        after=more.pop("after", None),
        limit=limit,
    )


@pytest.mark.parametrize(("granularity", "zone"), WALKED)
def test_pages_walk_what_the_whole_holds(cast: Cast, deployment: Deployment, granularity: Any, zone: str) -> None:
    # Around both changes of New York's clock, beside empty months.
    for start in (datetime(2026, 3, 7, 20, tzinfo=UTC), datetime(2026, 10, 31, 20, tzinfo=UTC)):
        for hour in range(0, 40, 3):
            store(deployment, start + hour * HOUR, hour + 1, model=f"model-{hour % 2}")
    usage = usage_in(organization=cast.tenant, from_at=YEAR[0], to_at=YEAR[1])
    whole = usage_totals(usage=usage, granularity=granularity, zone=zone)
    assert len(whole) >= 4
    for limit in (1, 3, len(whole), len(whole) + 1):
        walked: list[UsageTotal] = []
        for _ in range(len(whole) + 1):
            place = place_of_total(walked[-1]) if walked else None
            walked += page(cast.tenant, granularity, limit, zone=zone, after=place)
        assert walked == whole


def test_the_total_has_no_stretches(cast: Cast, deployment: Deployment) -> None:
    store(deployment, NOON, 3, model="a")
    store(deployment, NOON + DAY, 4, model="b")
    first = page(cast.tenant, "total", 1)
    (second,) = page(cast.tenant, "total", 5, after=place_of_total(first[0]))
    assert [(one.at, one.value) for one in (*first, second)] == [(None, 3), (None, 4)]


def test_a_full_page_is_one_query_and_an_empty_year_four(
    cast: Cast, deployment: Deployment, django_assert_num_queries: Any
) -> None:
    for day in range(5):
        store(deployment, NOON + day * DAY, 1)
    window = (NOON, NOON + 365 * DAY)
    with django_assert_num_queries(1):
        assert len(page(cast.tenant, "day", 2, window=window)) == 2
    with django_assert_num_queries(2):
        assert len(page(cast.tenant, "day", 5, window=window)) == 5
    with django_assert_num_queries(3):
        assert page(cast.outsider, "day", 5, window=window) == []
    with django_assert_num_queries(4):
        assert page(cast.outsider, "hour", 5, window=(NOON, NOON + 31 * DAY)) == []


def test_the_calendars_end_is_an_end(cast: Cast) -> None:
    last = (datetime(9999, 12, 30, tzinfo=UTC), datetime(9999, 12, 31, 23, tzinfo=UTC))
    for granularity in ("hour", "day", "month"):
        assert page(cast.tenant, granularity, 5, window=last) == []


@pytest.mark.parametrize("at", ["never", "2026-03-05", "", None])
def test_a_place_that_nobody_gave_is_refused(cast: Cast, at: object) -> None:
    with pytest.raises(WrongCursor):
        page(cast.tenant, "day", 5, after=(at, "engine", "output", "model"))
    with pytest.raises(WrongCursor):
        page(cast.tenant, "day", 5, after=())


@pytest.mark.parametrize("is_provider", [True, False])
def test_usage_is_found_by_whichever_way_it_is_someones(cast: Cast, is_provider: bool) -> None:
    # Of whoever is asked for, what a flag says must make no difference: only which index finds the rows.
    mine, other = cast.outsider, cast.provider
    mine.is_provider = is_provider
    mine.save()
    node, theirs = make_node(make_cluster(mine)), make_node(make_cluster(other))
    meters = {
        "node": Meter.objects.create(witness=Witness.ENGINE, quantity="output", model="a", node=node),
        "report": Meter.objects.create(witness=Witness.GATEWAY, quantity="output", model="b", reporter=mine),
        "theirs": Meter.objects.create(witness=Witness.ENGINE, quantity="output", model="c", node=theirs),
    }
    deployments = {"sold": make_deployment(mine, cast.tenant), "used": make_deployment(other, mine)}
    found = {name: meter_hour(meter, None) for name, meter in meters.items()} | {
        name: meter_hour(meters["theirs"], one) for name, one in deployments.items()
    }
    ids = set(UsageHour.objects.for_org(mine).values_list("pk", flat=True))
    assert {name for name, hour in found.items() if hour.pk in ids} == {"node", "report", "sold", "used"}


def meter_hour(meter: Meter, deployment: Deployment | None) -> UsageHour:
    """Store one hour of a meter, of a deployment or of nobody."""
    row = UsageRow(
        meter_id=meter.pk,
        witness=meter.witness,
        quantity=meter.quantity,
        model=meter.model,
        hour_at=NOON,
        from_at=NOON,
        to_at=NOON + HOUR,
        deployment_id=deployment.pk if deployment else None,
        tenant_id=deployment.tenant_id if deployment else None,
        quality="A",
        rule="same_epoch_rise",
        version=1,
        value=1,
        records=1,
    )
    add_usage([row], NOON)
    return UsageHour.objects.get(meter=meter, deployment=deployment)

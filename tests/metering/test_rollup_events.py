"""Rolling up events: every queued event in one hour row, once, in its own group."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from random import Random
from typing import TYPE_CHECKING

import pytest
from django.db import DatabaseError, connection

from clusters.models import Deployment
from metering.event_models import WaitingEvents
from metering.models import Meter, Quality, UsageCut, UsageHour, Witness
from metering.rollup_events import RULE_UNATTRIBUTED, roll_up_events
from tests.factories import make_deployment, make_organization
from tests.kept import kept
from tests.metering.fleet import NOON, hours, kill_before_commit, total
from tests.metering.stored import how_many
from tests.metering.test_events import event, send

if TYPE_CHECKING:
    from tests.factories import Cast

NOW = NOON + timedelta(minutes=5)


def by_class() -> dict[str, int]:
    return {
        quantity: total(quantity=quantity) for quantity in Meter.objects.values_list("quantity", flat=True).distinct()
    }


@kept
def deployment(cast: Cast) -> Deployment:
    return make_deployment(cast.provider, cast.tenant)


def test_events_of_an_hour_are_one_row_a_class(cast: Cast, deployment: Deployment) -> None:
    send(cast.tenant, *(event(f"e-{number}", cached_input=3) for number in range(10)))
    assert roll_up_events(now=NOW) == 10
    assert by_class() == {"input": 1_000, "cached_input": 30, "output": 200, "requests": 10}
    row = UsageHour.objects.get(quantity="input")
    assert (row.hour_at, row.from_at, row.to_at) == (NOON, NOON, NOON + timedelta(hours=1))
    assert (row.witness, row.quality, row.version, row.records) == (Witness.GATEWAY, Quality.ACTUAL, 1, 10)
    assert (row.deployment, row.tenant, row.meter.reporter) == (deployment, cast.tenant, cast.tenant)
    assert not WaitingEvents.objects.exists()


def test_17903_prompt_tokens_with_17817_cached_keep_the_two_apart(cast: Cast) -> None:
    send(cast.tenant, event(input=17_903, cached_input=17_817, output=0))
    roll_up_events(now=NOW)
    counted = by_class()
    assert (counted["input"], counted["cached_input"]) == (17_903, 17_817)
    assert counted["input"] - counted["cached_input"] == 86


def test_usage_of_zero_is_a_row_of_zero_and_no_estimate(cast: Cast) -> None:
    send(cast.tenant, event(input=0, output=0))
    roll_up_events(now=NOW)
    assert by_class() == {"input": 0, "output": 0, "requests": 1}
    assert set(UsageHour.objects.values_list("quality", flat=True)) == {"A"}


def test_250_groups_in_one_flush_are_all_there(cast: Cast) -> None:
    tenants = [make_organization(f"tenant-{number}") for number in range(10)]
    sent = [
        event(f"{tenant.slug}-{model}-{key}", tenant=tenant.slug, model=f"model-{model}", key=f"key-{key}", input=1)
        for tenant in tenants
        for model in range(5)
        for key in range(5)
    ]
    Random(7).shuffle(sent)
    assert send(cast.operator, *sent).accepted == 250
    assert roll_up_events(now=NOW) == 250
    assert total(quantity="input") == 250
    groups = UsageHour.objects.filter(quantity="input").values_list("tenant", "model", "value", "rule")
    assert len(groups) == 50
    assert {(value, rule) for _, _, value, rule in groups} == {(5, RULE_UNATTRIBUTED)}


def test_a_price_instant_parts_events_exactly(cast: Cast, deployment: Deployment) -> None:
    instant = NOON + timedelta(minutes=30)
    UsageCut.objects.create(deployment=deployment, at=instant)
    sent = [
        event("a", occurred_at="2026-03-10T12:29:59.999999Z", input=1),
        event("b", occurred_at="2026-03-10T12:30:00Z", input=10),
        event("c", occurred_at="2026-03-10T12:59:59.999999Z", input=100),
        event("d", occurred_at="2026-03-10T13:00:00Z", input=1_000),
    ]
    send(cast.tenant, *sent, now=NOON + timedelta(hours=2))
    roll_up_events(now=NOW)
    parts = UsageHour.objects.filter(quantity="input").order_by("from_at").values_list("from_at", "to_at", "value")
    hour = timedelta(hours=1)
    assert list(parts) == [
        (NOON, instant, 1),
        (instant, NOON + hour, 110),
        (NOON + hour, NOON + 2 * hour, 1_000),
    ]


def test_long_requests_are_hours_of_their_own(cast: Cast) -> None:
    make_deployment(cast.provider, cast.tenant)
    sent = [
        event("a", input=200_000, cached_input=150_000),
        event("b", input=200_000, cache_write=1),
        event("c", input=585_659, output=0),
        event("d", input=600_000),
    ]
    send(cast.tenant, *sent)
    while roll_up_events(now=NOW, chunk_events=1):
        pass
    rows = UsageHour.objects.filter(quantity__in=("input", "requests")).order_by("quantity", "context_over")
    assert list(rows.values_list("quantity", "context_over", "value", "records")) == [
        ("input", 128_000, 200_000, 1),
        ("input", 200_000, 200_000, 1),
        ("input", 512_000, 1_185_659, 2),
        ("requests", 128_000, 1, 1),
        ("requests", 200_000, 1, 1),
        ("requests", 512_000, 2, 2),
    ]


def test_requests_with_other_marks_are_hours_of_their_own_and_other_quantities_are_counted(cast: Cast) -> None:
    make_deployment(cast.provider, cast.tenant)
    sent = [
        event("a"),
        event("b", marks=["batch"], quantities={"images": 3}),
        event("c", marks=["batch"], quantities={"images": 1, "audio_seconds": 12}),
        event("d", status="aborted"),
        event("e", status="failed", marks=["priority"]),
    ]
    send(cast.tenant, *sent)
    while roll_up_events(now=NOW, chunk_events=1):
        pass
    rows = UsageHour.objects.exclude(quantity="output").order_by("quantity", "marks")
    assert list(rows.values_list("quantity", "marks", "value", "records")) == [
        ("audio_seconds", "batch", 12, 2),
        ("images", "batch", 4, 2),
        ("input", "", 100, 1),
        ("input", "batch", 200, 2),
        ("input", "failed+priority", 100, 1),
        ("input", "interrupted", 100, 1),
        ("requests", "", 1, 1),
        ("requests", "batch", 2, 2),
        ("requests", "failed+priority", 1, 1),
        ("requests", "interrupted", 1, 1),
    ]


def test_an_event_before_its_named_deployment_began_is_nobodys(cast: Cast, deployment: Deployment) -> None:
    Deployment.objects.filter(id=deployment.id).update(from_at=NOON + timedelta(minutes=20))
    send(
        cast.tenant,
        event("before", deployment=deployment.slug),
        event("after", deployment=deployment.slug, occurred_at="2026-03-10T12:40:00Z"),
        now=NOON + timedelta(hours=1),
    )
    roll_up_events(now=NOW)
    rows = UsageHour.objects.filter(quantity="input").order_by("from_at").values_list("from_at", "deployment")
    assert list(rows) == [(NOON, None), (NOON + timedelta(minutes=20), deployment.id)]


def test_late_events_leave_the_closed_hour_as_it_is(cast: Cast) -> None:
    send(cast.tenant, event("in time"), now=NOON + timedelta(minutes=119))
    send(cast.tenant, event("late"), now=NOON + timedelta(hours=2))
    send(cast.tenant, event("later"), event("as late"), now=NOON + timedelta(hours=50, minutes=1))
    roll_up_events(now=NOW)
    rows = UsageHour.objects.filter(quantity="input").order_by("version").values_list("version", "value")
    assert list(rows) == [(1, 100), (2, 100), (50, 200)]


def test_the_size_of_a_flush_does_not_matter(cast: Cast) -> None:
    make_deployment(cast.provider, cast.tenant)
    send(cast.tenant, *(event(f"e-{number}", input=number) for number in range(100)))
    while roll_up_events(now=NOW, chunk_events=7):
        pass
    assert hours(quantity="input") == [(NOON, "A", 4_950)]
    assert UsageHour.objects.get(quantity="input").records == 100


def test_nothing_queued_is_nothing_done(cast: Cast) -> None:
    assert roll_up_events(now=NOW) == 0
    assert not UsageHour.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_four_workers_count_every_event_once(cast: Cast) -> None:
    make_deployment(cast.provider, cast.tenant)
    send(cast.tenant, *(event(f"e-{number}") for number in range(1_000)))

    def work(_: int) -> int:
        try:
            done = 0
            while counted := roll_up_events(now=NOW, chunk_events=37):
                done += counted
            return done
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(work, range(4))) == 1_000
    assert total(quantity="input") == 100_000


@pytest.mark.django_db(transaction=True)
def test_a_worker_killed_before_its_commit_leaves_the_queue_as_it_was(cast: Cast) -> None:
    send(cast.tenant, *(event(f"e-{number}") for number in range(10)))
    with pytest.raises(DatabaseError):
        kill_before_commit(lambda: roll_up_events(now=NOW))
    assert how_many() == (10, 10, 10)
    assert not UsageHour.objects.exists()
    roll_up_events(now=NOW)
    assert total(quantity="input") == 1_000

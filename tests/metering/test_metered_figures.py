"""Figures for an operator's Prometheus: which hour, what lag, and that a few queries tell all of them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from metering.ingest_counts import count_outcomes
from metering.metered_figures import figures
from metering.models import NodeCursor, RollupCursor
from metering.partition_plans import PLANS
from tests.factories import make_cluster, make_node
from tests.metering.fleet import MODEL, NOON
from tests.metering.stored import store_event

if TYPE_CHECKING:
    from datetime import datetime

    from tests.factories import Cast

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


def values(name: str, now: datetime = NOON) -> dict[tuple[tuple[str, str], ...], float]:
    return {one.labels: one.value for one in figures(now) if one.name == f"forecourt_{name}"}


def value(name: str, now: datetime = NOON) -> float:
    [found] = values(name, now).values()
    return found


def outcomes(now: datetime) -> dict[str, float]:
    return {dict(labels)["hour"]: count for labels, count in values("ingest_outcomes", now).items()}


def behind(cast: Cast, name: str, *, last: int, rolled: int, received_at: datetime, rolled_to: datetime | None) -> None:
    node = make_node(make_cluster(cast.provider, f"cluster-{name}"), name)
    NodeCursor.objects.filter(node=node).update(last_seq=last, last_received_at=received_at)
    RollupCursor.objects.filter(node=node).update(rolled_seq=rolled, rolled_to_at=rolled_to)


@pytest.mark.parametrize(
    ("now", "told"),
    [
        (NOON, {"this": 1}),
        (NOON + HOUR - timedelta(microseconds=1), {"this": 1}),
        (NOON + HOUR, {"before": 1}),
        (NOON + 2 * HOUR - timedelta(microseconds=1), {"before": 1}),
        (NOON + 2 * HOUR, {}),
    ],
)
def test_an_hour_is_told_as_this_one_then_as_the_one_before_and_then_no_more(
    now: datetime, told: dict[str, float]
) -> None:
    count_outcomes(reporter="a", counts={("event", "accepted"): 1}, now=NOON)
    assert outcomes(now) == told


def test_outcomes_are_summed_over_reporters_and_told_by_kind_and_outcome() -> None:
    for reporter in ("a", "b"):
        count_outcomes(reporter=reporter, counts={("event", "accepted"): 2, ("batch", "bad_hash"): 1}, now=NOON)
    assert values("ingest_outcomes") == {
        (("kind", "batch"), ("outcome", "bad_hash"), ("hour", "this")): 2,
        (("kind", "event"), ("outcome", "accepted"), ("hour", "this")): 4,
    }


def test_nothing_waits_in_an_empty_installation() -> None:
    for name in ("batches_waiting", "nodes_waiting", "lag_seconds", "events_waiting", "events_lag_seconds"):
        assert value(f"rollup_{name}") == 0


def test_batches_wait_from_the_last_that_was_rolled_up_and_the_oldest_node_gives_the_lag(cast: Cast) -> None:
    behind(cast, "even", last=7, rolled=7, received_at=NOON, rolled_to=NOON - 9 * HOUR)
    behind(cast, "new", last=3, rolled=0, received_at=NOON - MINUTE, rolled_to=None)
    behind(cast, "slow", last=12, rolled=10, received_at=NOON, rolled_to=NOON - HOUR)
    assert (value("rollup_batches_waiting"), value("rollup_nodes_waiting")) == (5, 2)
    assert value("rollup_lag_seconds") == 3600
    assert value("rollup_lag_seconds", NOON - 2 * HOUR) == 0


def test_a_node_without_a_cursor_of_rollup_waits_with_all_its_batches(cast: Cast) -> None:
    behind(cast, "new", last=3, rolled=0, received_at=NOON - MINUTE, rolled_to=None)
    RollupCursor.objects.all().delete()
    assert (value("rollup_batches_waiting"), value("rollup_lag_seconds")) == (3, 60)


def test_events_wait_since_the_oldest_call(cast: Cast) -> None:
    for minutes in (5, 1):
        store_event(cast.tenant, NOON - minutes * MINUTE, model=MODEL)
    assert (value("rollup_events_waiting"), value("rollup_events_lag_seconds")) == (2, 300)
    assert value("rollup_events_lag_seconds", NOON - HOUR) == 0


def test_every_table_in_parts_is_told_once_under_each_name() -> None:
    tables = sorted((("table", plan.table),) for plan in PLANS)
    for name in ("parts_ahead", "rest_rows", "parts_blocked", "table_bytes"):
        assert sorted(values(name)) == tables


def test_the_figures_of_one_name_stand_together_with_one_kind_and_help() -> None:
    told = list(figures(NOON))
    names = list(dict.fromkeys(one.name for one in told))
    assert [one.name for one in told] == [name for name in names for one in told if one.name == name]
    assert len({(one.name, one.kind, one.help) for one in told}) == len(names)
    assert all(one.help.endswith(".") for one in told)


def test_the_number_of_queries_does_not_grow_with_nodes_and_outcomes(cast: Cast) -> None:
    counts = []
    for count in (1, 10):
        for number in range(count):
            behind(cast, f"{count}-{number}", last=3, rolled=0, received_at=NOON, rolled_to=None)
            count_outcomes(reporter=f"{count}-{number}", counts={("event", f"o{number}"): 1}, now=NOON)
        with CaptureQueriesContext(connection) as queries:
            list(figures(NOON))
        counts.append(len(queries))
    assert counts[0] == counts[1]

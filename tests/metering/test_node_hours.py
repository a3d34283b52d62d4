"""How completely nodes were watched: what was not expected is not there, and nobody reads another's nodes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import given, settings
from hypothesis import strategies as st

from metering.control_models import NodeHour, Silence
from metering.node_hours import (
    EDGE_MS,
    completeness_of,
    covered,
    covered_permille,
    last_hours,
    silence_rows,
    watched_hours,
    watched_nodes,
)
from tenants.listing.cursors import read_cursor
from tenants.listing.paging import Page
from tests.examples import examples
from tests.factories import make_cluster, make_deployment, make_endpoint, make_node

if TYPE_CHECKING:
    from clusters.models import Node
    from tests.factories import Cast

AT = datetime(2026, 3, 5, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)
HOUR_MS = 3_600_000


def make_watched(cast: Cast, name: str = "node-1") -> Node:
    node = make_node(make_cluster(cast.provider, f"cluster-of-{name}"), name)
    node.public_key = name.encode().ljust(32, b"k")
    node.save(update_fields=["public_key"])
    return node


def hour(node: Node, back: int, expected: int, observed: int) -> None:
    NodeHour.objects.create(
        node=node, hour_at=AT - back * HOUR, expected_ms=expected, observed_ms=observed, looks=1, updated_at=AT
    )


@settings(max_examples=examples(25))
@given(st.integers(1, HOUR_MS), st.integers(0, 2 * HOUR_MS))
def test_a_share_is_never_more_than_the_whole_and_whole_only_at_its_edge(expected: int, observed: int) -> None:
    found = covered_permille(expected, observed)
    assert 0 <= found <= 1000
    assert (found == 1000) == (observed + EDGE_MS >= expected)


def test_the_last_hours_are_over_and_in_order() -> None:
    hours = last_hours(AT + timedelta(minutes=59))
    assert (len(hours), hours[0], hours[-1]) == (24, AT - 24 * HOUR, AT - HOUR)
    assert last_hours(AT) == hours


@pytest.mark.django_db
def test_hours_are_those_in_which_something_was_expected_or_seen(cast: Cast) -> None:
    node = make_watched(cast)
    for back, expected, observed in ((3, 0, 0), (2, 0, 5), (1, HOUR_MS, 0), (0, HOUR_MS, HOUR_MS)):
        hour(node, back, expected, observed)
    window: dict[str, Any] = {"from_at": AT - 3 * HOUR, "to_at": AT}
    found = watched_hours(organization=cast.provider, page=Page(500), **window).rows
    assert [(one.hour_at, one.expected_ms, one.observed_ms) for one in found] == [
        (AT - 2 * HOUR, 0, 5),
        (AT - HOUR, HOUR_MS, 0),
    ]
    first = watched_hours(organization=cast.provider, page=Page(1), **window)
    rest = Page(1, read_cursor(first.next_cursor or ""))
    assert [*first.rows, *watched_hours(organization=cast.provider, page=rest, **window).rows] == found
    assert watched_hours(organization=cast.outsider, page=Page(500), **window).rows == []
    both = completeness_of(organization=cast.provider, from_at=AT - 3 * HOUR, to_at=AT + HOUR)
    assert (both.expected, both.whole, both.expected_ms, both.observed_ms) == (2, 1, 2 * HOUR_MS, HOUR_MS + EDGE_MS)
    none = completeness_of(organization=cast.outsider, **window)
    assert (none.expected, none.whole, none.expected_ms, none.observed_ms) == (0, 0, 0, 0)


@pytest.mark.django_db
def test_shares_are_read_by_one_query_and_leave_out_what_nobody_expected(cast: Cast) -> None:
    nodes = [make_watched(cast, f"node-{number}") for number in range(3)]
    for node in nodes:
        hour(node, 1, HOUR_MS, HOUR_MS // 2)
        hour(node, 0, 0, 77)
    with CaptureQueriesContext(connection) as asked:
        found = covered(node_ids=[node.id for node in nodes[:2]], hours=[AT - HOUR, AT])
    assert len(asked) == 1
    assert found == {node.id: {AT - HOUR: 500} for node in nodes[:2]}


@pytest.mark.django_db
def test_a_tenant_sees_the_nodes_that_serve_it_and_a_provider_those_with_an_agent(cast: Cast) -> None:
    serving, other = make_watched(cast), make_watched(cast, "node-2")
    make_node(serving.cluster, "without-agent")
    make_deployment(cast.provider, cast.tenant, make_endpoint(serving, "m", "http://127.0.0.1:8000"), "m")
    assert set(watched_nodes(cast.provider)) == {serving, other}
    assert set(watched_nodes(cast.tenant)) == {serving}
    assert set(watched_nodes(cast.outsider)) == set()


@pytest.mark.django_db
def test_silences_that_last_come_first_and_a_window_is_half_open(cast: Cast) -> None:
    node, other = make_watched(cast), make_watched(cast, "node-2")
    spans = ((9, 8, "filled"), (5, 4, "missed"), (3, None, ""))
    for begin, end, how in spans:
        to_at = None if end is None else AT - end * HOUR
        Silence.objects.create(node=node, from_at=AT - begin * HOUR, to_at=to_at, end=how, found_at=AT)
    Silence.objects.create(node=other, from_at=AT - 2 * HOUR, found_at=AT)
    every = silence_rows(organization=cast.provider, from_at=AT - 24 * HOUR, to_at=AT)
    assert [(one.node, one.end) for one in every] == [
        ("node-2", ""),
        ("node-1", ""),
        ("node-1", "missed"),
        ("node-1", "filled"),
    ]
    of_one = silence_rows(organization=cast.provider, from_at=AT - 8 * HOUR, to_at=AT - 3 * HOUR, node_id=node.id)
    assert [one.end for one in of_one] == ["missed"]
    assert len(silence_rows(organization=cast.provider, from_at=AT - 24 * HOUR, to_at=AT, limit=2)) == 2
    assert silence_rows(organization=cast.outsider, from_at=AT - 24 * HOUR, to_at=AT) == []

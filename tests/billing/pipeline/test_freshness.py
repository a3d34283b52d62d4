"""How far nodes are: those that should report and do not come first, revoked and listed ones not at all."""

from __future__ import annotations

from datetime import timedelta

import pytest
from pytest_django import DjangoAssertNumQueries

from billing.pipeline.freshness import NodeReach, freshness_of_all
from clusters.models import Node
from metering.models import NodeCursor, RollupCursor
from tests.billing.world import APRIL
from tests.factories import Cast, make_cluster, make_node

pytestmark = pytest.mark.django_db
MINUTE = timedelta(minutes=1)


def reporting(cast: Cast, name: str, minutes_ago: int | None) -> Node:
    node = make_node(make_cluster(cast.provider, f"site-{name}"), name, name.encode() * 4)
    at = None if minutes_ago is None else APRIL - minutes_ago * MINUTE
    NodeCursor.objects.filter(node=node).update(metered_to_at=at)
    RollupCursor.objects.filter(node=node).update(rolled_to_at=at)
    return node


def test_nodes_behind_are_listed_the_furthest_first(
    cast: Cast, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    reporting(cast, "fresh", 5)
    reporting(cast, "late", 6)
    reporting(cast, "later", 600)
    reporting(cast, "never", None)
    revoked = reporting(cast, "gone", 900)
    Node.objects.filter(pk=revoked.pk).update(revoked_at=APRIL)
    make_node(make_cluster(cast.provider, "listed"), "no-agent")
    with django_assert_num_queries(2):
        found = freshness_of_all(APRIL)
    assert (found.expected, found.late, found.behind_to_at) == (4, 3, APRIL - 600 * MINUTE)
    assert [row.node for row in found.rows] == ["never", "later", "late"]
    assert found.rows[0] == NodeReach("Provider", "Site-Never", "never", None, None)
    assert len(freshness_of_all(APRIL, limit=1).rows) == 1


def test_an_installation_without_nodes_is_behind_in_nothing(db: None) -> None:
    found = freshness_of_all(APRIL)
    assert (found.expected, found.late, found.behind_to_at, found.rows) == (0, 0, None, ())

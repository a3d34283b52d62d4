from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from pytest_django import DjangoAssertNumQueries

from clusters.models import Accelerator, Cluster, Node
from metering.attention import Attention, FindingKind, attention_of, findings_of
from metering.models import BatchConflict, NodeCursor, UsageGap
from tests import factories
from tests.factories import Cast
from tests.metering.floor import make_floor, make_reporting

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 18, 14, 32, tzinfo=UTC)
HOUR = timedelta(hours=1)


def kinds(cast: Cast, now: datetime = NOW) -> list[FindingKind]:
    return [finding.kind for finding in findings_of(provider=cast.provider, now=now)]


def test_a_fleet_that_reports_has_no_findings(cast: Cast) -> None:
    make_reporting(factories.make_cluster(cast.provider), "node", NOW)
    assert kinds(cast) == []


def test_a_node_is_silent_after_five_minutes_and_until_it_reports(cast: Cast) -> None:
    node = make_reporting(factories.make_cluster(cast.provider), "node", NOW - timedelta(minutes=5))
    assert kinds(cast) == []
    [finding] = findings_of(provider=cast.provider, now=NOW + timedelta(seconds=1))
    assert (finding.kind, finding.node, finding.at) == (FindingKind.SILENT, "node", NOW - timedelta(minutes=5))
    assert finding.severe
    NodeCursor.objects.filter(node=node).update(metered_to_at=NOW)
    assert kinds(cast) == []


def test_a_node_that_never_reported_says_so_and_others_are_left_alone(cast: Cast) -> None:
    cluster = factories.make_cluster(cast.provider)
    factories.make_node(cluster, "listed")
    revoked = make_reporting(cluster, "revoked", NOW - HOUR)
    Node.objects.filter(pk=revoked.pk).update(revoked_at=NOW)
    factories.make_node(cluster, "never", b"n" * 32)
    [finding] = findings_of(provider=cast.provider, now=NOW)
    assert (finding.node, finding.at) == ("never", None)


def test_a_clock_beyond_the_limit_is_found_in_both_directions(cast: Cast) -> None:
    cluster = factories.make_cluster(cast.provider)
    for name, skew in (("slow", 300_001), ("fast", -300_001), ("right", 300_000)):
        node = make_reporting(cluster, name, NOW)
        NodeCursor.objects.filter(node=node).update(clock_skew_ms=skew)
    found = findings_of(provider=cast.provider, now=NOW)
    assert [(finding.node, finding.kind) for finding in found] == [
        ("fast", FindingKind.CLOCK_OFF),
        ("slow", FindingKind.CLOCK_OFF),
    ]


def test_a_conflict_is_found_for_a_day(cast: Cast) -> None:
    node = make_reporting(factories.make_cluster(cast.provider), "node", NOW)
    BatchConflict.objects.create(node=node, seq=3, hash="a" * 64, signature="s", body=b"other", received_at=NOW)
    [finding] = findings_of(provider=cast.provider, now=NOW)
    assert (finding.kind, finding.count, finding.at) == (FindingKind.CONFLICT, 1, NOW)
    assert FindingKind.CONFLICT not in kinds(cast, NOW + 25 * HOUR)


def test_a_retired_card_is_found_only_while_it_is_held(cast: Cast) -> None:
    node = make_reporting(factories.make_cluster(cast.provider), "node", NOW)
    held = factories.make_slice(factories.make_accelerator(node))
    Accelerator.objects.filter(pk=held.accelerator_id).update(retired_at=NOW - HOUR)
    assert kinds(cast) == []
    factories.make_allocation(held, cast.tenant, NOW - 2 * HOUR, NOW + HOUR)
    assert kinds(cast) == [FindingKind.HELD_RETIRED]


def test_gaps_are_found_while_they_are_a_day_old(cast: Cast) -> None:
    node = make_reporting(factories.make_cluster(cast.provider), "node", NOW)
    for back in (2, 30):
        UsageGap.objects.create(
            node=node, subject="node", from_at=NOW - (back + 1) * HOUR, to_at=NOW - back * HOUR, reason="unreachable"
        )
    [finding] = findings_of(provider=cast.provider, now=NOW)
    assert (finding.kind, finding.count, finding.at, finding.severe) == (FindingKind.GAPS, 1, NOW - 2 * HOUR, False)


def test_the_worst_comes_first_and_each_is_of_its_node(cast: Cast) -> None:
    floor = make_floor(cast.provider, NOW)
    found = findings_of(provider=cast.provider, now=NOW)
    assert [(finding.kind, finding.node_id) for finding in found] == [
        (FindingKind.SILENT, floor.silent.id),
        (FindingKind.QUARANTINED, floor.mixed.id),
        (FindingKind.GAPS, floor.mixed.id),
    ]
    assert found[1].count == 3
    west = findings_of(provider=cast.provider, now=NOW, cluster_slug="sample-west")
    assert {finding.node for finding in west} == {floor.silent.name}
    assert findings_of(provider=cast.provider, now=NOW, node_id=floor.busy.id) == ()
    assert findings_of(provider=cast.outsider, now=NOW) == ()


def test_any_fleet_takes_one_query(cast: Cast, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    make_floor(cast.provider, NOW)
    with django_assert_num_queries(1):
        findings_of(provider=cast.provider, now=NOW)


def test_whoever_asks_next_is_answered_for_themselves(cast: Cast) -> None:
    """The statement is written once, and what is asked is put into its places each time."""
    mine = make_reporting(factories.make_cluster(cast.provider, "some-cluster"), "mine", NOW - HOUR)
    theirs = make_reporting(factories.make_cluster(cast.outsider, "some-other"), "theirs", NOW - HOUR)
    for _ in range(2):
        for provider, node, slug in ((cast.provider, mine, "some-cluster"), (cast.outsider, theirs, "some-other")):
            for narrower in (
                {},
                {"cluster_slug": slug},
                {"node_id": node.id},
                {"cluster_slug": slug, "node_id": node.id},
            ):
                found = findings_of(provider=provider, now=NOW, **narrower)
                assert [(one.node_id, one.at) for one in found] == [(node.id, NOW - HOUR)]
                assert findings_of(provider=provider, now=NOW - HOUR, **narrower) == ()
        assert findings_of(provider=cast.provider, now=NOW, node_id=theirs.id) == ()
        assert findings_of(provider=cast.provider, now=NOW, cluster_slug="some-other") == ()


def test_the_worst_are_the_first_of_all_whatever_they_are_called(cast: Cast) -> None:
    """By the letters' numbers and not by a language: a name begins with a capital, an accent or a sign."""
    floor = make_floor(cast.provider, NOW)
    north = factories.make_cluster(cast.provider, "North")
    for name in ("b", "B", "a-2", "a10", "é", "机"):
        node = make_reporting(north, name, NOW - HOUR)
        UsageGap.objects.create(
            node=node, subject="node", from_at=NOW - 2 * HOUR, to_at=NOW - HOUR, reason="unreachable"
        )
    make_reporting(factories.make_cluster(cast.outsider, "other"), "theirs", NOW - HOUR)
    for slug in ("", "North", "sample-east", "nowhere"):
        found = findings_of(provider=cast.provider, now=NOW, cluster_slug=slug)
        nodes = {finding.node_id for finding in found}
        for worst in (1, 3, 8, 100):
            asked = [node for node in (floor.mixed.id, floor.busy.id, floor.silent.id) if worst > 1]
            assert attention_of(
                provider=cast.provider, now=NOW, worst=worst, cluster_slug=slug, node_ids=asked
            ) == Attention(
                len(found),
                len(nodes),
                any(finding.severe for finding in found),
                found[:worst],
                tuple(finding for finding in found if finding.node_id in asked),
            )
    everything = findings_of(provider=cast.provider, now=NOW)
    assert len({finding.kind for finding in everything}) > 2
    assert Cluster.objects.filter(nodes__name__in=[finding.node for finding in everything]).count() > 2


def test_the_worst_of_any_fleet_takes_one_query(cast: Cast, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    floor = make_floor(cast.provider, NOW)
    with django_assert_num_queries(1):
        attention_of(provider=cast.provider, now=NOW, worst=8, node_ids=[floor.mixed.id])
    assert attention_of(provider=factories.make_organization("nobody"), now=NOW, worst=8) == Attention()

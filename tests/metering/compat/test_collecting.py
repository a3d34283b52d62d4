"""A collector's samples become usage hours through the same batches, chain and rules as an agent's."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.test import Client
from django.urls import reverse

from clusters.models import Endpoint, Node, NodeKey
from metering.compat import collecting
from metering.compat.collecting import collect_series, count_refused
from metering.compat.collectors import ClusterUnknown, CollectorRevoked
from metering.compat.models import Collector, CollectorEndpoint
from metering.hours import unix_ms_of
from metering.models import Batch, NodeCursor, UsageGap, UsageHour, Witness
from metering.wire import decode_batch, verify
from tenants.api_keys import issue_key
from tests.factories import EPOCH, make_cluster, make_deployment
from tests.kept import kept
from tests.metering.compat.callers import counted
from tests.metering.compat.written import GENERATED, MODEL, PROMPT, series
from tests.metering.fleet import roll_up

if TYPE_CHECKING:
    from datetime import datetime

    from pytest_django import Settings

    from metering.compat.samples import Series, Tally
    from tenants.models import ApiKey, Organization
    from tests.factories import Cast

NOW = EPOCH + timedelta(days=9, hours=12, minutes=5)
NOW_MS = unix_ms_of(NOW)


def key_for(organization: Organization, now: datetime = NOW) -> ApiKey:
    return issue_key(organization=organization, name="p", scopes=["events:write"], actor="test", now=now).key


@kept
def key(cast: Cast) -> ApiKey:
    make_cluster(cast.provider)
    return key_for(cast.provider, NOW - timedelta(minutes=30))


def collect(key: ApiKey, *found: Series, now: datetime = NOW, cluster: str = "") -> Tally:
    return collect_series(key=key, source="prometheus", series=found, cluster=cluster, now=now)


def totals() -> dict[str, int]:
    found: dict[str, int] = {}
    for quantity, value in UsageHour.objects.filter(witness=Witness.ENGINE).values_list("quantity", "value"):
        found[quantity] = found.get(quantity, 0) + value
    return found


def test_samples_become_usage_of_the_deployment_that_is_bound_to_the_target(key: ApiKey, cast: Cast) -> None:
    collect(key, series(PROMPT, (100, NOW_MS)), series(GENERATED, (10, NOW_MS)), series("up", (1, NOW_MS)))
    node = Node.objects.get()
    endpoint = Endpoint.objects.get()
    assert (endpoint.url, endpoint.engine, endpoint.served_models) == ("vllm/10.0.0.5:8000", "vllm", [MODEL])
    deployment = make_deployment(cast.provider, cast.tenant, endpoint)
    later = NOW + timedelta(seconds=15)
    at = unix_ms_of(later)
    collect(key, series(PROMPT, (160, at)), series(GENERATED, (35, at)), now=later)
    roll_up(node, now=later)
    assert totals() == {"input": 60, "output": 25}
    assert set(UsageHour.objects.filter(value__gt=0).values_list("deployment", flat=True)) == {deployment.id}
    assert counted(cast.provider) == {"prometheus:accepted": 4, "prometheus:ignored": 1}


def test_the_batches_are_a_chain_that_this_server_signed(key: ApiKey) -> None:
    for step in range(3):
        now = NOW + timedelta(seconds=15 * step)
        collect(key, series(PROMPT, (100 + step, unix_ms_of(now))), now=now)
    node = Node.objects.get()
    assert (node.name, node.agent_version) == (f"collector {key.prefix}", "sealed by server: prometheus")
    stored = list(Batch.objects.order_by("seq"))
    assert [one.seq for one in stored] == [1, 2, 3]
    assert stored[2].prev_hash == stored[1].hash
    for one in stored:
        body = bytes(one.body)
        assert verify(bytes(node.public_key or b""), body, one.signature)
        assert decode_batch(body, one.content_encoding).agent_version == "sealed by server: prometheus"
    collector = Collector.objects.get()
    assert collector.created_at == key.created_at
    assert NodeCursor.objects.get().metered_to_at == NOW + timedelta(seconds=30) - timedelta(minutes=1)


def test_the_nodes_page_says_that_no_node_signed(key: ApiKey, cast: Cast) -> None:
    collect(key, series(PROMPT, (100, NOW_MS)))
    client = Client()
    client.force_login(cast.petra)
    page = client.get(reverse("provider-node", args=["sample-1", Node.objects.get().name])).content.decode()
    assert "collector prometheus, not signed by a node" in page


def test_the_same_call_again_stores_nothing(key: ApiKey) -> None:
    found = series(PROMPT, (100, NOW_MS), (150, NOW_MS + 1_000))
    assert collect(key, found).accepted == 2
    assert collect(key, found).duplicates == 2
    assert Batch.objects.count() == 1


def test_a_contradiction_is_on_record(key: ApiKey) -> None:
    collect(key, series(PROMPT, (100, NOW_MS)))
    assert collect(key, series(PROMPT, (101, NOW_MS))).conflicts == 1
    gap = UsageGap.objects.get()
    assert (gap.reason, gap.subject_id) == ("conflicting_sample", "vllm/10.0.0.5:8000")
    assert "101, kept 100" in gap.detail


def test_a_restart_that_is_proved_counts_from_zero(key: ApiKey) -> None:
    later = NOW + timedelta(seconds=15)
    at = unix_ms_of(later)
    collect(key, series(PROMPT, (100, NOW_MS)))
    collect(key, series(PROMPT, (500, at), start_ms=at - 3_000), now=later)
    roll_up(Node.objects.get(), now=later)
    assert totals() == {"input": 500}


def test_what_began_after_the_key_was_made_counts_from_zero_at_first_contact(key: ApiKey) -> None:
    started = unix_ms_of(key.created_at) + 60_000
    collect(key, series(PROMPT, (500, NOW_MS), start_ms=started))
    roll_up(Node.objects.get(), now=NOW)
    assert totals() == {"input": 500}


def test_what_began_long_before_is_a_baseline(cast: Cast) -> None:
    make_cluster(cast.provider)
    old = key_for(cast.provider, NOW - timedelta(days=3))
    collect(old, series(PROMPT, (500, NOW_MS), start_ms=NOW_MS - 7_200_000))
    roll_up(Node.objects.get(), now=NOW)
    assert totals() == {"input": 0}


def test_a_provider_of_several_clusters_names_one(key: ApiKey, cast: Cast) -> None:
    other = make_cluster(cast.provider, "sample-2")
    with pytest.raises(ClusterUnknown, match="sample-1, sample-2"):
        collect(key, series(PROMPT, (1, NOW_MS)))
    with pytest.raises(ClusterUnknown):
        collect(key, series(PROMPT, (1, NOW_MS)), cluster="nowhere")
    collect(key, series(PROMPT, (1, NOW_MS)), cluster="sample-2")
    assert Node.objects.get().cluster == other
    # From then on the key is bound to it.
    assert collect(key, series(PROMPT, (2, NOW_MS + 1_000))).accepted == 1


def test_who_has_no_cluster_has_no_collector_and_a_call_without_registers_makes_none(cast: Cast) -> None:
    make_cluster(cast.provider)
    tenant = key_for(cast.tenant)
    assert collect(tenant, series("up", (1, NOW_MS)), series("process_start_time_seconds", (1, NOW_MS))).ignored == 2
    with pytest.raises(ClusterUnknown, match="has no cluster"):
        collect(tenant, series(PROMPT, (1, NOW_MS)))
    with pytest.raises(ClusterUnknown):
        collect(tenant, series(PROMPT, (1, NOW_MS)), cluster="sample-1")
    assert Collector.objects.count() == 0


def test_two_keys_are_two_collectors(key: ApiKey, cast: Cast) -> None:
    other = key_for(cast.provider)
    collect(key, series(PROMPT, (1, NOW_MS)))
    collect(other, series(PROMPT, (1, NOW_MS)))
    assert Node.objects.count() == Collector.objects.count() == Endpoint.objects.count() == 2


def test_a_revoked_collector_is_refused_and_nothing_is_kept(key: ApiKey) -> None:
    collect(key, series(PROMPT, (1, NOW_MS)))
    Node.objects.update(revoked_at=NOW)
    with pytest.raises(CollectorRevoked):
        collect(key, series(PROMPT, (5, NOW_MS + 1_000)))
    Node.objects.update(revoked_at=None)
    assert collect(key, series(PROMPT, (5, NOW_MS + 1_000))).accepted == 1


def test_another_secret_of_the_server_is_another_key_and_the_old_one_stays(key: ApiKey, settings: Settings) -> None:
    collect(key, series(PROMPT, (1, NOW_MS)))
    settings.SECRET_KEY = "another secret of the server, as long as one should be"
    collect(key, series(PROMPT, (5, NOW_MS + 1_000)))
    assert [one.version for one in NodeKey.objects.order_by("version")] == [1, 2]
    first, second = Batch.objects.order_by("seq")
    keys = [bytes(one.public_key) for one in NodeKey.objects.order_by("version")]
    assert verify(keys[0], bytes(first.body), first.signature)
    assert verify(keys[1], bytes(second.body), second.signature)


def test_many_columns_are_several_batches(key: ApiKey, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collecting, "BATCH_COLUMNS", 2)
    found = [series(PROMPT, (1, NOW_MS), instance=f"h-{number}:1") for number in range(5)]
    assert collect(key, *found).accepted == 5
    assert [one.readings for one in Batch.objects.order_by("seq")] == [2, 2, 1]
    assert Endpoint.objects.count() == 5


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("TARGETS_MAX", "more than 2 targets of one key; are their names stable?"),
        ("TARGETS_A_DAY", "more than 2 new targets of one key in 24 hours; send it again later"),
    ],
)
def test_targets_are_bounded_and_those_that_are_known_lose_nothing(
    key: ApiKey, monkeypatch: pytest.MonkeyPatch, name: str, words: str
) -> None:
    monkeypatch.setattr(collecting, name, 2)
    collect(key, series(PROMPT, (1, NOW_MS)))
    later = NOW_MS + 1_000
    found = [series(PROMPT, (1, NOW_MS), (2, later), instance=where) for where in ("c:1", "b:1", "d:1")]
    tally = collect(key, series(PROMPT, (5, later)), *found)
    assert (tally.accepted, tally.invalid) == (3, 4)
    assert tally.faults[0] == f"vllm/c:1: {words}"
    assert set(CollectorEndpoint.objects.values_list("url", flat=True)) == {"vllm/10.0.0.5:8000", "vllm/b:1"}


def test_a_target_with_a_very_long_name_is_taken(key: ApiKey) -> None:
    found = [series(PROMPT, (1, NOW_MS), instance="h" * 600 + end) for end in ("1", "2")]
    assert collect(key, *found).accepted == 2
    assert Endpoint.objects.count() == CollectorEndpoint.objects.count() == 2


def test_faults_are_counted_with_what_was_taken(key: ApiKey, cast: Cast) -> None:
    found = [series(PROMPT, (1, NOW_MS), (1.5, NOW_MS + 1))]
    tally = collect_series(key=key, source="otlp", series=found, faults=[("bad labels", 3)], now=NOW)
    assert (tally.accepted, tally.invalid, tally.faults[0]) == (1, 4, "bad labels")
    count_refused(key=key, source="otlp", code="x", now=NOW)
    assert counted(cast.provider) == {"otlp:accepted": 1, "otlp:invalid": 4, "otlp:x": 1}

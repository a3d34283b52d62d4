"""What programs outside are told of the metering: silent nodes, gaps, witnesses that differ; each once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from clusters.models import Binding
from metering.control_models import Alert, AlertKind, AlertState, Silence
from metering.models import UsageGap
from metering.telling import KEPT, tell_metering
from tenants.hook_models import WebhookEndpoint, WebhookEvent
from tenants.hooks.emitting import listeners
from tenants.hooks.signing import new_secret
from tests.factories import (
    EPOCH,
    make_accelerator,
    make_allocation,
    make_cluster,
    make_deployment,
    make_endpoint,
    make_node,
    make_slice,
)
from tests.kept import kept

if TYPE_CHECKING:
    from clusters.models import Node
    from tenants.models import Organization
    from tests.factories import Cast

pytestmark = pytest.mark.django_db
NOW = datetime.now(UTC)
HOUR = timedelta(hours=1)


def listen(*organizations: Organization, kinds: tuple[str, ...] = ()) -> None:
    for each in organizations:
        WebhookEndpoint.objects.create(
            organization=each, url="https://hooks.example/", kinds=list(kinds), secret=new_secret(), created_at=EPOCH
        )


def told(organization: Organization) -> list[tuple[str, dict[str, Any]]]:
    found = WebhookEvent.objects.filter(organization=organization).order_by("pk")
    return [(event.kind, event.body) for event in found]


def node_of(provider: Organization) -> Node:
    return make_node(make_cluster(provider, "told"), "gpu-07")


def gap(node: Node, subject: str = "node", subject_id: str = "") -> UsageGap:
    return UsageGap.objects.create(
        node=node,
        subject=subject,
        subject_id=subject_id,
        from_at=NOW - 2 * HOUR,
        to_at=NOW - HOUR,
        reason="scrape_failed",
    )


def alert(provider: Organization, tenant: Organization, **changed: Any) -> Alert:
    said = {
        "kind": AlertKind.RESIDUAL,
        "subject": "here",
        "from_at": NOW - 24 * HOUR,
        "to_at": NOW,
        "provider": provider,
        "tenant": tenant,
        "model": "sample-model",
        "quantity": "output",
        "measured": -1_234,
        "bound": 100,
        "found_at": NOW,
        "updated_at": NOW,
        **changed,
    }
    return Alert.objects.create(**said)


@kept
def node(cast: Cast) -> Node:
    return node_of(cast.provider)


def test_a_node_that_fell_silent_is_told_to_its_provider_whom_it_serves_and_who_holds_it(
    cast: Cast, node: Node
) -> None:
    listen(cast.provider, cast.tenant, cast.operator, cast.outsider)
    make_deployment(cast.provider, cast.tenant, make_endpoint(node))
    make_allocation(make_slice(make_accelerator(node)), cast.operator, EPOCH)
    silence = Silence.objects.create(node=node, from_at=NOW - HOUR, found_at=NOW)
    assert tell_metering(now=NOW) == 1
    assert tell_metering(now=NOW + HOUR) == 0
    (kind, body), *rest = told(cast.provider)
    assert (kind, rest) == ("node.lost", [])
    assert (body["id"], body["node"], body["node_id"]) == (str(silence.pk), "gpu-07", str(node.pk))
    assert body["silent_since"].endswith("Z")
    assert told(cast.tenant) == told(cast.operator) == [(kind, body)]
    assert told(cast.outsider) == []


def test_a_silence_that_ended_or_is_old_is_no_news_and_one_that_comes_back_is(cast: Cast, node: Node) -> None:
    listen(cast.provider)
    Silence.objects.create(node=node, from_at=NOW - 3 * HOUR, to_at=NOW - HOUR, end="filled", found_at=NOW)
    assert tell_metering(now=NOW) == 0
    silent = Silence.objects.create(node=node, from_at=NOW - HOUR, found_at=NOW)
    assert tell_metering(now=NOW + KEPT) == 0
    assert tell_metering(now=NOW) == 1
    Silence.objects.filter(pk=silent.pk).update(to_at=NOW, end="missed")
    Silence.objects.create(node=node, from_at=NOW, found_at=NOW)
    assert tell_metering(now=NOW + HOUR) == 1


def test_who_was_served_before_is_not_told_of_a_node_lost_now(cast: Cast, node: Node) -> None:
    listen(cast.tenant)
    make_deployment(cast.provider, cast.tenant, make_endpoint(node))
    Binding.objects.update(to_at=NOW - HOUR)
    Silence.objects.create(node=node, from_at=NOW - HOUR, found_at=NOW)
    assert tell_metering(now=NOW) == 0


def test_a_gap_of_an_endpoint_is_told_to_whom_it_served_and_one_of_the_node_to_its_provider(
    cast: Cast, node: Node
) -> None:
    listen(cast.provider, cast.tenant, cast.outsider)
    endpoint = make_endpoint(node)
    make_deployment(cast.provider, cast.tenant, endpoint)
    gap(node)
    missed = gap(node, "endpoint", endpoint.url)
    assert tell_metering(now=NOW) == 2
    assert tell_metering(now=NOW) == 0
    assert [kind for kind, _ in told(cast.provider)] == ["meter.gap", "meter.gap"]
    ((_, body),) = told(cast.tenant)
    assert (body["id"], body["subject_id"], body["reason"]) == (str(missed.pk), endpoint.url, "scrape_failed")
    assert told(cast.outsider) == []


def test_a_gap_found_long_ago_is_not_told(cast: Cast) -> None:
    listen(cast.provider)
    gap(node_of(cast.provider))
    assert tell_metering(now=NOW + KEPT + HOUR) == 0


def test_witnesses_that_differ_are_told_to_both_parties_while_they_do(cast: Cast) -> None:
    listen(cast.provider, cast.tenant, cast.operator)
    alert(cast.provider, cast.tenant)
    alert(cast.provider, cast.tenant, subject="fits by now", state=AlertState.CLEARED)
    alert(cast.provider, cast.tenant, subject="physics", kind=AlertKind.OUTPUT_ABOVE_RATE)
    assert tell_metering(now=NOW) == 1
    assert tell_metering(now=NOW) == 0
    ((kind, body),) = told(cast.tenant)
    assert (kind, body["unexplained"], body["allowed"], body["model"]) == (
        "meter.residual",
        "-1234",
        "100",
        "sample-model",
    )
    assert told(cast.provider) == told(cast.tenant)
    assert told(cast.operator) == []


def test_more_than_a_sweep_tells_are_told_by_the_next(cast: Cast) -> None:
    listen(cast.provider)
    for subject in "abc":
        alert(cast.provider, cast.tenant, subject=subject)
    assert [tell_metering(now=NOW, limit=2) for _ in range(3)] == [2, 1, 0]


def test_where_nobody_listens_nothing_is_looked_for(cast: Cast) -> None:
    alert(cast.provider, cast.tenant)
    listen(cast.provider, kinds=("invoice.*",))
    with CaptureQueriesContext(connection) as seen:
        assert tell_metering(now=NOW) == 0
    assert all("webhookendpoint" in query["sql"] for query in seen)
    assert len(seen) == 3


def test_listeners_are_those_with_an_endpoint_that_is_on_and_wants_the_kind(cast: Cast) -> None:
    listen(cast.provider)
    listen(cast.tenant, kinds=("node.*",))
    listen(cast.operator, kinds=("meter.gap",))
    listen(cast.outsider)
    WebhookEndpoint.objects.filter(organization=cast.outsider).update(disabled_at=NOW)
    assert listeners("node.lost") == {cast.provider.pk, cast.tenant.pk}
    assert listeners("meter.gap") == {cast.provider.pk, cast.operator.pk}
    WebhookEndpoint.objects.filter(organization=cast.provider).update(removed_at=NOW)
    assert listeners("node.lost") == {cast.tenant.pk}

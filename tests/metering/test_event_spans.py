"""The deployments that events are attributed to, as their reporters see them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from clusters.models import Binding
from metering.event_columns import NOBODY, unix_us
from metering.event_spans import deployments_of, read_spans
from tests.factories import EPOCH, make_cluster, make_deployment, make_endpoint, make_node
from tests.metering.fleet import MODEL, NOON

if TYPE_CHECKING:
    from tests.factories import Cast

HOUR = timedelta(hours=1)


def test_an_events_deployment_follows_every_edge_of_a_binding(cast: Cast) -> None:
    first, second = (make_deployment(cast.provider, cast.tenant) for _ in range(2))
    endpoint = make_endpoint(make_node(make_cluster(cast.provider)))
    other = {"endpoint": endpoint, "model": "other"}
    for deployment in (first, second):
        Binding.objects.create(
            **other | {"model": f"other-{deployment.slug}"}, deployment=deployment, from_at=EPOCH, to_at=None
        )
    bound: dict[str, Any] = {"endpoint": endpoint, "model": MODEL}
    Binding.objects.create(**bound, deployment=first, from_at=NOON, to_at=NOON + HOUR)
    Binding.objects.create(**bound, deployment=second, from_at=NOON + 2 * HOUR)
    serving = deployments_of(cast.tenant, [cast.tenant.id]).serving(cast.tenant.id, cast.tenant.id)

    asked = [NOON - HOUR, NOON, NOON + HOUR, NOON + 2 * HOUR, NOON + HOUR, NOON]
    found: dict[int, Any] = {}
    for deployment_id, which in serving.parts(MODEL, "", np.array([unix_us(at) for at in asked])):
        found |= dict.fromkeys(np.flatnonzero(which).tolist(), deployment_id)
    expected = [NOBODY, first.id, NOBODY, second.id, NOBODY, first.id]
    assert [found[place] for place in range(len(asked))] == expected


def test_what_a_reporter_may_name(cast: Cast) -> None:
    mine = make_deployment(cast.provider, cast.tenant)
    others = make_deployment(cast.outsider, cast.tenant)
    tenant = cast.tenant.id
    for reporter, names in (
        (cast.tenant, [True, True]),
        (cast.provider, [True, False]),
        (cast.operator, [True, True]),
    ):
        serving = deployments_of(reporter, [tenant]).serving(reporter.id, tenant)
        assert [serving.has_slug(one.slug) for one in (mine, others)] == names


def test_a_tenant_without_deployments_has_none(cast: Cast) -> None:
    make_deployment(cast.provider, cast.tenant)
    assert read_spans([cast.outsider.id]) == {cast.outsider.id: []}

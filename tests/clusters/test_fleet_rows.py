"""Rows of the fleet as the API answers them: names of what they stand in, instants in UTC, null where none is."""

from __future__ import annotations

from datetime import timedelta, timezone
from typing import TYPE_CHECKING

import pytest

from clusters import fleet_rows, fleet_shapes
from clusters.models import Binding
from tenants.listing.csv_files import columns_of
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
    from clusters.models import Slice
    from tests.factories import Cast

pytestmark = pytest.mark.django_db
AT = "2026-03-01T00:00:00Z"


@kept
def part(cast: Cast) -> Slice:
    return make_slice(make_accelerator(make_node(make_cluster(cast.provider), "node-a", b"k" * 32), 3))


def test_a_cluster_and_a_node_name_whose_they_are(part: Slice) -> None:
    node = part.accelerator.node
    assert fleet_rows.cluster_row(node.cluster) == {
        "id": str(node.cluster_id),
        "slug": "sample-1",
        "name": "Sample-1",
        "country": "DE",
        "provider": "provider",
        "created_at": AT,
    }
    assert fleet_rows.node_row(node) == {
        "id": str(node.pk),
        "name": "node-a",
        "cluster": "sample-1",
        "provider": "provider",
        "agent_version": node.agent_version,
        "driver_version": node.driver_version,
        "enrolled_at": AT,
        "revoked_at": None,
        "created_at": AT,
    }


def test_a_card_and_its_slice_say_where_they_are(part: Slice) -> None:
    card = part.accelerator
    told = fleet_rows.accelerator_row(card)
    assert (told["node"], told["cluster"], told["position"], told["memory_mib"]) == ("node-a", "sample-1", 3, 81_559)
    assert (told["uuid"], told["model"], told["retired_at"]) == (card.uuid, card.model, None)
    slice_told = fleet_rows.slice_row(part)
    assert (slice_told["accelerator_id"], slice_told["node"]) == (str(card.pk), "node-a")
    assert (slice_told["kind"], slice_told["share_permille"], slice_told["label"]) == ("whole", 1000, "")


def test_an_allocation_says_who_holds_what_and_until_when(cast: Cast, part: Slice) -> None:
    until = EPOCH + timedelta(hours=5)
    made = make_allocation(part, cast.tenant, EPOCH, until.astimezone(timezone(timedelta(hours=8))))
    told = fleet_rows.allocation_row(made)
    assert (told["tenant"], told["slice_id"], told["accelerator_id"]) == (
        "tenant",
        str(part.pk),
        str(part.accelerator_id),
    )
    assert (told["from_at"], told["to_at"]) == (AT, "2026-03-01T05:00:00Z")
    assert fleet_rows.allocation_row(make_allocation(part, cast.tenant, until))["to_at"] is None


def test_a_server_and_a_deployment_say_what_they_serve(cast: Cast, part: Slice) -> None:
    server = make_endpoint(part.accelerator.node, "large", "http://127.0.0.1:8000")
    told = fleet_rows.endpoint_row(server)
    assert (told["url"], told["engine"], told["served_models"]) == ("http://127.0.0.1:8000", "vllm", ["large"])
    deployment = make_deployment(cast.provider, cast.tenant, server, "large")
    Binding.objects.filter(deployment=deployment).update(to_at=EPOCH + timedelta(microseconds=1))
    row = fleet_rows.deployment_row(deployment)
    assert (row["provider"], row["tenant"], row["to_at"]) == ("provider", "tenant", None)
    assert row["bindings"] == [
        {"endpoint_id": str(server.pk), "model": "large", "from_at": AT, "to_at": "2026-03-01T00:00:00.000001Z"}
    ]


def test_every_member_of_a_shape_is_in_its_row_and_no_other(cast: Cast, part: Slice) -> None:
    node = part.accelerator.node
    deployment = make_deployment(cast.provider, cast.tenant)
    for shape, row in (
        (fleet_shapes.ClusterSerializer, fleet_rows.cluster_row(node.cluster)),
        (fleet_shapes.NodeSerializer, fleet_rows.node_row(node)),
        (fleet_shapes.AcceleratorSerializer, fleet_rows.accelerator_row(part.accelerator)),
        (fleet_shapes.SliceSerializer, fleet_rows.slice_row(part)),
        (fleet_shapes.AllocationSerializer, fleet_rows.allocation_row(make_allocation(part, cast.tenant, EPOCH))),
        (fleet_shapes.EndpointOfNodeSerializer, fleet_rows.endpoint_row(make_endpoint(node))),
        (fleet_shapes.DeploymentSerializer, fleet_rows.deployment_row(deployment)),
    ):
        assert set(columns_of(shape)) == set(row), shape.__name__
